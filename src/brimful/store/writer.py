"""ShardWriter: samples in row order -> one shard, under the narrowest rules that all of them allow."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xxhash import xxh3_64, xxh3_64_hexdigest

from brimful.storage.local import PartialFile, Sink
from brimful.store.chunk import Rows, decode_data, decode_keys
from brimful.store.codecs.narrow import BY_NAME, RAW, encoded, first_rule
from brimful.store.format import PARTIAL, Chunk, Layout, Shard, padded

Rules = tuple[str, ...]
"""For each input how it is kept."""


class ShardWriter:
    """Writes a shard, a chunk at a time, and gives it its name once it is whole.

    The rule of an input is the first that holds for the first chunk. Should a later chunk not allow it, what
    was written is read back and written again under the next rule that holds for all.

    Leaving the context without `finish` leaves nothing.

    Args:
        folder: The store.
        number: Which of its shards.
        layout: What a sample has.
    """

    def __init__(self, folder: Path, number: int, layout: Layout) -> None:
        self._path = folder / f"shard-{number:05d}"
        self._layout = layout
        self._tries = 0
        self._files = ExitStack()
        self._file: _ShardFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def write(self, rows: Rows) -> None:
        """Append a chunk."""
        file = self._file or self._start(_holding(rows, None))
        codes = _encoded(rows, file.rules)
        while codes is None:
            file = self._widened(file, _holding(rows, file.rules))
            codes = _encoded(rows, file.rules)
        file.append(rows, codes)
        self._file = file

    def finish(self) -> Shard:
        """Bring the shard to the disk and give it its name."""
        if self._file is None:
            raise ValueError("a shard of no rows")
        return self._file.finish(self._path.name)

    def _start(self, rules: Rules) -> "_ShardFile":
        self._tries += 1
        path = self._path.with_name(f"{self._path.name}-{self._tries}{PARTIAL}")
        return self._files.enter_context(closing(_ShardFile(path, self._layout, rules)))

    def _widened(self, file: "_ShardFile", rules: Rules) -> "_ShardFile":
        """The same chunks under other rules, or under later ones that hold for them too."""
        tried = None
        while tried != rules:  # one that a later chunk needs may not hold for an earlier one
            tried = rules
            for rows in file:
                rules = _holding(rows, rules)
        wider = self._start(rules)
        for rows in file:
            codes = _encoded(rows, rules)
            assert codes is not None  # noqa: S101 (it was tried above)
            wider.append(rows, codes)
        file.close()
        return wider


def _holding(rows: Rows, rules: Rules | None) -> Rules:
    """For each input the given rule if it holds, or the first one after it that does."""
    inputs = rows.samples.inputs
    return tuple(
        _next_rule(values, rule) for values, rule in zip(inputs, rules or [None] * len(inputs), strict=True)
    )


def _encoded(rows: Rows, rules: Rules) -> list[NDArray[Any]] | None:
    """The codes of each input, or None if a rule does not hold."""
    codes = []
    for values, rule in zip(rows.samples.inputs, rules, strict=True):
        some = encoded(values, rule)
        if some is None:
            return None
        codes.append(some)
    return codes


def _next_rule(values: NDArray[Any], rule: str | None) -> str:
    if rule is not None and encoded(values, rule) is not None:
        return rule
    if values.dtype != "float32":
        return RAW
    found = first_rule(values, BY_NAME[rule] if rule else None)
    return found.name if found else RAW


class _ShardFile:
    """A shard that is being written, under one rule an input. Iterating gives back what was written.

    Args:
        path: Its name for now.
        layout: What a sample has.
        rules: How each input is kept.
    """

    def __init__(self, path: Path, layout: Layout, rules: Rules) -> None:
        self.rules = rules
        self._layout = layout
        self._schema = layout.arrow(rules)
        self._file = PartialFile(path)
        self._sink = Sink()
        self._writer = pa.ipc.new_file(pa.PythonFile(self._sink, "w"), self._schema)
        self._size = 0
        self._digest = xxh3_64()
        self._chunks: list[Chunk] = []
        self._counts: list[int] = []

    def close(self) -> None:
        """Remove it, unless it was finished."""
        self._file.close()

    def __iter__(self) -> Iterator[Rows]:
        for chunk, n in zip(self._chunks, self._counts, strict=True):
            content = memoryview(self._file.read(chunk.nbytes, chunk.offset))[chunk.head :]
            keys, data = content[: chunk.keys], content[chunk.keys :]
            yield Rows(decode_keys(keys, n), decode_data(data, n, self._layout, self.rules))

    def append(self, rows: Rows, codes: list[NDArray[Any]]) -> None:
        """Append a chunk whose inputs were encoded."""
        columns = [*codes, *rows.samples.arrays[len(codes) :]]
        fields = list(self._schema)[1:]
        arrays = [_column(values, field.type) for values, field in zip(columns, fields, strict=True)]
        batch = pa.RecordBatch.from_arrays([rows.keys, *arrays], schema=self._schema)
        self._writer.write_batch(batch)
        n, message = len(batch), pa.ipc.get_record_batch_size(batch)
        data = self._layout.data_bytes(n, self.rules)
        keys = padded(4 * n + 4) + padded(pc.sum(pc.binary_length(rows.keys)).as_py())
        content = self._flush()
        chunk = content[len(content) - message :]  # before the first, there is the schema
        offset = self._size - message
        digests = (xxh3_64_hexdigest(part) for part in (chunk[: message - data], chunk[message - data :]))
        self._chunks.append(Chunk(offset, message - keys - data, keys, data, *digests))
        self._counts.append(n)

    def finish(self, name: str) -> Shard:
        """Bring it to the disk under a name that ends in its checksum."""
        self._writer.close()
        self._flush()
        file = f"{name}-{self._digest.hexdigest()}.arrow"
        self._file.commit(file)
        return Shard(file, self._size, sum(self._counts), self.rules, tuple(self._chunks))

    def _flush(self) -> memoryview:
        """Write what the Arrow writer has given."""
        content = memoryview(self._sink.take())
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)
        return content


def _column(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    flat = pa.array(values.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=kind) if pa.types.is_fixed_size_list(kind) else flat
