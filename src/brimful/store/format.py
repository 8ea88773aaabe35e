"""Manifest: where every byte of a store is. The specification of the format, versions 1 and 2.

A store is a folder, by custom `NAME.brim`, of

    manifest.json                  what is below: `Manifest`, checked by its own checksum
    shard-00000-<16 hex>.arrow     the samples; the digits are xxh3_64 of the file
    source.arrow                   which files the samples came from (see `provenance`), to pack it again

and nothing else. While it is packed there are also `packing-00000.json`, one for each shard that is done,
`pile-00000.arrow` (see `sort`), and files that end in `.partial`; the store is what `manifest.json` names,
whatever other files there are.

**Rows.** Samples are in ascending order of (`xxh3_64(key, split_seed)`, UTF-8 bytes of the key). A chunk
has `rows_per_chunk = max(1, chunk_bytes // b)` rows, where b is the bytes of a sample as delivered, and a
shard has `max(1, shard_bytes // chunk_bytes)` chunks; the last of each has what is left.

**A shard** is an Arrow IPC file (https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format),
uncompressed, without dictionaries and nulls, one record batch per chunk, of these columns in this order:

    key      utf8
    x        FixedSizeList of a sample's codes in C order: uint8, int8, uint16, int16, or the dtype itself;
             `x.NAME` for each of several inputs
    target   int64 or float32, a FixedSizeList of these where there are several; missing if there is none;
             `target.NAME` for each of several
    weight   float32; missing if there is none

The metadata of a field x hold the `shape`, as JSON, the `dtype` delivered, and the `rule` by which codes
become values: `uint8/255` means that a value is float32(code) / float32(255), rounded as IEEE 754 rounds;
`raw` that it is kept as it is. All chunks of a shard have the same rule. Names of classes are in the
manifest; a target is the position of its name there.

**A chunk** is the encapsulated message of a record batch, at `offset` in the file:

    head     continuation mark, length and flatbuffer of the message, `head` bytes
    keys     int32 offsets of n + 1 keys, then their bytes, each padded with zeros to 8; `keys` bytes
    data     every x, target, weight, each padded with zeros to 8; `data` bytes

all little-endian. `keys_xxh3` is xxh3_64 of head and keys, `data_xxh3` of data; so that where data are
damaged their keys can be named. Both are checked whenever the bytes are read. What is before the first chunk
and behind the last one is for other readers of Arrow; only `brimful verify` checks it.

**Version 2** is written where version 1 cannot describe what the store holds. It adds

    inputs of bool (kept as bytes of 0 and 1) and of integers of 8 to 64 bits
    `vocabulary` of an input in the manifest: the words of which a sample has the position there
    `encoding` of a field in the manifest: how a value is made of the bytes that are kept for it, of any
        number. The column is a large_binary, or a large_list; its data in a chunk are int64 offsets of n + 1
        values, counted in items of the list, then the bytes of all values, each padded with zeros to 8
    `rows_per_chunk`, if any field has an encoding, in place of what follows from `chunk_bytes`

**manifest.json** is one JSON object: see `Manifest.to_json`. It has `sides` (see `Sides.to_json`) if the
label table had a column for the split. Its `checksum` is xxh3_128 of the rest, written
by Python's `json.dumps` with sorted keys and no blanks, in UTF-8; so it will be in every version. It holds no
times and no paths: the same samples packed by the same versions of the libraries give the same bytes in all
files but source.arrow.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_hexdigest

from brimful.errors import DamagedStoreError, StoreError
from brimful.options import DTYPES
from brimful.schema import NAME, Field, Fields, Schema, to_json
from brimful.sides import Sides
from brimful.store.codecs.base import Codec
from brimful.store.codecs.registry import codec_named
from brimful.store.layout import Layout, padded

FORMAT = "brimful store"
VERSION, FIRST_VERSION = 2, 1
MANIFEST = "manifest.json"
SOURCE = "source.arrow"
PROGRESS = "packing-{:05d}.json"
PROGRESS_NAME = re.compile(r"packing-[0-9]{5,}\.json")
PILE = "pile-{:05d}.arrow"
PILE_NAME = re.compile(r"pile-[0-9]{5,}\.arrow")
UNFINISHED_NAME = re.compile(f"{PROGRESS_NAME.pattern}|{PILE_NAME.pattern}")
PARTIAL_NAME = re.compile(
    r"(manifest\.json|source\.arrow|packing-[0-9]{5,}\.json|pile-[0-9]{5,}\.arrow|shard-[0-9]{5,}-[0-9]+)"
    r"\.partial"
)
SHARD_NAME = re.compile(r"shard-([0-9]{5,})-([0-9a-f]{16})\.arrow")

LARGEST_MANIFEST = 64 * 2**20  # a million chunks: 16 TB as delivered
LARGEST_HEAD = 2**20
LARGEST_KEY = 4096  # bytes: no path is longer
MOST_AXES = 32
LARGEST_SAMPLE = 2**31  # bytes as delivered
TARGET_DTYPES = ("int64", "float32")
FIRST_DTYPES = ("float16", "float32", "float64")  # of inputs, in version 1


@dataclass(frozen=True)
class Chunk:
    """Where a chunk is in its shard: its first byte, the bytes of its parts, and their checksums."""

    offset: int
    head: int
    keys: int
    data: int
    keys_xxh3: str
    data_xxh3: str

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return self.head + self.keys + self.data


@dataclass(frozen=True)
class Shard:
    """A shard: its file, how each input is kept in it, and its chunks in order."""

    file: str
    nbytes: int
    rows: int
    codecs: tuple[Codec, ...]
    chunks: tuple[Chunk, ...]

    def to_json(self) -> dict[str, Any]:
        """Its entry in the manifest."""
        chunks = [[c.offset, c.head, c.keys, c.data, c.keys_xxh3, c.data_xxh3] for c in self.chunks]
        rules = [codec.name for codec in self.codecs]
        return {
            "file": self.file,
            "bytes": self.nbytes,
            "rows": self.rows,
            "rule": rules[0] if len(rules) == 1 else rules,
            "chunks": chunks,
        }

    @classmethod
    def from_json(cls, entry: Any, schema: Schema) -> "Shard":
        """The shard of an entry that `to_json` made; ValueError, TypeError or KeyError if it did not."""
        chunks = tuple(
            Chunk(_natural(at), _natural(head), _natural(keys), _natural(data), _digest(one), _digest(two))
            for at, head, keys, data, one, two in entry["chunks"]
        )
        rules = (entry["rule"],) if isinstance(entry["rule"], str) else tuple(entry["rule"])
        codecs = tuple(map(codec_named, map(str, rules), schema.input_fields))
        shard = cls(str(entry["file"]), _natural(entry["bytes"]), _natural(entry["rows"]), codecs, chunks)
        if not SHARD_NAME.fullmatch(shard.file) or len(rules) != len(schema.input_fields):
            raise ValueError(f"a shard {shard.file!r} of rules {rules!r}")
        return shard


@dataclass(frozen=True)
class Manifest:
    """What a store holds.

    Attributes:
        layout: What a sample has, and how samples are divided into chunks and shards.
        split_seed: Seed of the hash by which rows are ordered, and split.
        samples: Number of samples.
        skipped: Number of samples of the source that were left out because they could not be used.
        shards: The shards, in row order.
        sides: The side of each row in the split of the label table; None if it had none.
    """

    layout: Layout
    split_seed: int
    samples: int
    skipped: int
    shards: tuple[Shard, ...]
    sides: Sides | None = None

    @property
    def version(self) -> int:
        """The first version of the format that can describe this store: what it could keep, it keeps."""
        inputs = self.layout.schema.input_fields
        is_first = all(field == Field(field.shape, field.dtype) for field in self.layout.schema.fields)
        return FIRST_VERSION if is_first and all(f.dtype in FIRST_DTYPES for f in inputs) else VERSION

    @property
    def store_bytes(self) -> int:
        """Bytes of all shards."""
        return sum(shard.nbytes for shard in self.shards)

    def to_json(self) -> str:
        """The text of manifest.json."""
        schema, inputs = self.layout.schema, _json_of(self.layout.schema.inputs)
        entry = {
            "format": FORMAT,
            "version": self.version,
            "samples": self.samples,
            "skipped": self.skipped,
            "split_seed": self.split_seed,
            "chunk_bytes": self.layout.chunk_bytes,
            "shard_bytes": self.layout.shard_bytes,
            "inputs": {"x": inputs} if isinstance(schema.inputs, Field) else inputs,
            "rows_per_chunk": self.layout.chunk_rows,
            "target": schema.target and _json_of(schema.target),
            "classes": None if schema.classes is None else list(schema.classes),
            "weight": schema.weight and _json_of(schema.weight),
            "shards": [shard.to_json() for shard in self.shards],
        }
        if self.layout.chunk_rows is None:
            del entry["rows_per_chunk"]
        return seal({**entry, "sides": self.sides.to_json()} if self.sides else entry)

    @classmethod
    def from_json(cls, text: bytes, name: str) -> "Manifest":
        """The manifest that `to_json` wrote.

        Args:
            text: The content of manifest.json.
            name: The name of the store in errors.

        Raises:
            DamagedStoreError: It was not written by `to_json`, or has changed since.
            StoreError: It is of another version.
        """
        try:
            entry = unseal(text)
            if entry["format"] != FORMAT:
                raise ValueError("its format is another one")
            if entry["version"] not in (FIRST_VERSION, VERSION):
                raise StoreError(
                    f"{name}: the store is of version {entry['version']!r}; this is version {VERSION}.",
                    "Pack it again, or use the version of brimful that it was packed with.",
                )
            return cls._checked(entry)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise DamagedStoreError(
                f"{name}: {MANIFEST} is damaged, or is no manifest ({reason}).",
                "Pack the source again: that repairs the store.",
            ) from error

    @classmethod
    def _checked(cls, entry: dict[str, Any]) -> "Manifest":
        """The manifest, if it is possible: anybody could have made its checksum."""
        classes = entry["classes"]
        if classes is not None:
            types = {type(each) for each in classes}
            if types not in ({int}, {str}) or len(set(classes)) < len(classes):
                raise ValueError("its classes are neither integers nor strings, or not distinct")
            classes = tuple(classes)
        several = isinstance(entry["inputs"], list)
        inputs = _fields(entry["inputs"] if several else entry["inputs"]["x"], DTYPES)
        target = _fields(entry["target"], TARGET_DTYPES) if entry["target"] else None
        weight = _field(entry["weight"], TARGET_DTYPES) if entry["weight"] else None
        schema = Schema(inputs, target, classes, weight)
        if not 0 < schema.nbytes <= LARGEST_SAMPLE:
            raise ValueError(f"a sample of {schema.nbytes} bytes")
        sizes = _natural(entry["chunk_bytes"]), _natural(entry["shard_bytes"])
        if not 0 < sizes[0] <= sizes[1] <= 2**40 or sizes[0] > LARGEST_SAMPLE:
            raise ValueError(f"chunks and shards of {sizes} bytes")
        shards = tuple(Shard.from_json(each, schema) for each in entry["shards"])
        split_seed, samples, skipped = (
            _natural(entry[name]) for name in ("split_seed", "samples", "skipped")
        )
        sides = Sides.from_json(entry["sides"], samples) if "sides" in entry else None
        chunk_rows = _natural(entry["rows_per_chunk"]) if schema.is_encoded else None
        if chunk_rows == 0 or (chunk_rows or 0) > LARGEST_SAMPLE:
            raise ValueError(f"chunks of {chunk_rows} rows")
        manifest = cls(Layout(schema, *sizes, chunk_rows), split_seed, samples, skipped, shards, sides)
        manifest._check_bounds()
        if entry["version"] != manifest.version:
            raise ValueError(f"what it describes is of version {manifest.version}")
        return manifest

    def _check_bounds(self) -> None:
        """Refuse a store whose shards cannot be as the manifest describes them."""
        per_shard = self.layout.rows_per_shard
        if self.samples < 1 or len(self.shards) != -(-self.samples // per_shard):
            raise ValueError(f"{len(self.shards)} shards for {self.samples} samples")
        for at, shard in enumerate(self.shards):
            rows = min(per_shard, self.samples - at * per_shard)
            match = SHARD_NAME.fullmatch(shard.file)
            if shard.rows != rows or match is None or int(match[1]) != at:
                raise ValueError(f"{shard.rows} rows in {shard.file}")
            self._check_chunks(shard)

    def _check_chunks(self, shard: Shard) -> None:
        """Refuse a shard whose chunks cannot be where the manifest puts them."""
        per_chunk, end = self.layout.rows_per_chunk, 0
        if len(shard.chunks) != -(-shard.rows // per_chunk):
            raise ValueError(f"{shard.rows} rows in {len(shard.chunks)} chunks of {shard.file}")
        last = shard.rows - (len(shard.chunks) - 1) * per_chunk
        data_bytes = {n: self.layout.data_bytes(n, shard.codecs) for n in {min(per_chunk, shard.rows), last}}
        for number, chunk in enumerate(shard.chunks, start=1):
            n = last if number == len(shard.chunks) else per_chunk
            offsets, texts = padded(4 * n + 4), min(n * LARGEST_KEY, 2**31)
            is_encoded = self.layout.schema.is_encoded
            fits = chunk.data >= data_bytes[n] if is_encoded else chunk.data == data_bytes[n]
            fits &= chunk.head <= LARGEST_HEAD
            fits &= offsets <= chunk.keys <= offsets + padded(texts)
            if not fits or chunk.offset < end or chunk.offset % 8 or chunk.head % 8:
                raise ValueError(f"chunk {number - 1} of {shard.file}")
            end = chunk.offset + chunk.nbytes
        if end > shard.nbytes:
            raise ValueError(f"{shard.file} ends before its last chunk")


def _json_of(part: Fields) -> Any:
    if isinstance(part, dict):  # a list, for the order counts
        return [{"name": name, **_json_of(field)} for name, field in part.items()]
    more = {"encoding": part.encoding, "vocabulary": part.vocabulary and list(part.vocabulary)}
    return {**to_json(part), **{name: value for name, value in more.items() if value is not None}}


def _fields(entry: Any, dtypes: Sequence[str]) -> Fields:
    if not isinstance(entry, list):
        return _field(entry, dtypes)
    fields = {each["name"]: _field(each, dtypes) for each in entry}
    if not 0 < len(fields) == len(entry) or not all(map(NAME.fullmatch, fields)):
        raise ValueError(f"fields named {list(fields)}")
    return fields


def _field(entry: Any, dtypes: Sequence[str]) -> Field:
    shape, encoding = tuple(map(_natural, entry["shape"])), entry.get("encoding")
    if entry["dtype"] not in dtypes or 0 in shape or len(shape) > MOST_AXES:
        raise ValueError(f"a field of {entry}")
    words = entry.get("vocabulary")
    if words is not None and (not all(type(word) is str for word in words) or len(set(words)) < len(words)):
        raise ValueError(f"a vocabulary of {words!r:.80}")
    return Field(shape, entry["dtype"], encoding, None if words is None else tuple(words))


def _natural(n: Any) -> int:
    if type(n) is not int or not 0 <= n < 2**64:
        raise ValueError(f"{n!r} is no count")
    return n


def _digest(text: Any) -> str:
    if type(text) is not str or not re.fullmatch("[0-9a-f]{16}", text):
        raise ValueError(f"{text!r} is no checksum")
    return text


def seal(entry: dict[str, Any]) -> str:
    """An entry as JSON, with its checksum in it."""
    return json.dumps({**entry, "checksum": _checksum(entry)}, sort_keys=True, separators=(",", ":"))


def unseal(text: bytes) -> dict[str, Any]:
    """The entry that `seal` wrote, if its checksum is right; other text raises what `json` and dicts do."""
    entry: dict[str, Any] = json.loads(text)
    if entry.pop("checksum") != _checksum(entry):
        raise ValueError("its checksum is wrong")
    return entry


def _checksum(entry: dict[str, Any]) -> str:
    return xxh3_128_hexdigest(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
