"""Audit cache: keeps what an audit saw of files, for those that have not changed at the next audit.

A file has not changed if its size, its times of modification and of change of state, and its inode are equal.
A file that changed within moments of an audit is read again by the next one: its times may be too coarse to
show another change.

The cache is one file per source, in the user's cache folder: the 16 bytes of XXH3 over the rest, then an
Arrow IPC file with a row for each sample in row order:

    hash                           xxh3_64 of the key
    size, mtime_ns, ctime_ns, inode   the fingerprint
    low, high                      least and greatest input value; null for a fault
    kind, message                  the fault; null for none

and, as JSON in the metadata of its schema, what packing takes per sample.

The file may be deleted at any time, and one that cannot be read is ignored.
"""

import contextlib
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from platformdirs import user_cache_path
from xxhash import xxh3_128_digest, xxh3_128_hexdigest

from brimful.samples import FINGERPRINT
from brimful.sources.index import Index
from brimful.sources.read_files import is_settled
from brimful.sources.walk import is_utf8

VERSION = "2"
PACKING = b"packing"  # in the metadata of the file's schema
DIGEST_BYTES = 16
NOT_KEPT = ("unreadable",)  # a file may be readable the next time, though it has not changed
SCHEMA = pa.schema(
    [
        ("hash", pa.uint64()),
        *((name, pa.int64()) for name in FINGERPRINT),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("kind", pa.large_string()),
        ("message", pa.large_string()),
    ]
)


@dataclass(frozen=True)
class Observations:
    """What an audit saw of samples, one entry for each.

    Attributes:
        prints: Fingerprints of the files as they were read, -1 for samples without a file.
        low: Least input value, NaN for a fault.
        high: Greatest input value, NaN for a fault.
        kinds: Kinds of faults, by position.
        messages: Messages of faults, by position.
        packing: What packing takes per sample, `bytes` and `seconds`; empty if that is not known.
        targets: Integer targets that the samples carry, some at a time; not kept.
    """

    prints: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    kinds: dict[int, str]
    messages: dict[int, str]
    packing: dict[str, float] = field(default_factory=dict)
    targets: list[NDArray[np.int64]] = field(default_factory=list)

    @classmethod
    def none(cls, n: int) -> "Observations":
        """Nothing seen yet of n samples."""
        prints = np.full((n, len(FINGERPRINT)), -1)
        return cls(prints, np.full(n, np.nan), np.full(n, np.nan), {}, {})


def recall(reader: Index, rows: NDArray[np.int64], seen: Observations) -> NDArray[np.bool_]:
    """Fill in what is known of some rows, which ascend; returns whether each of them was known."""
    hashes = reader.hashes[rows]
    known = np.zeros(len(hashes), bool)
    table = _load(_path(reader))
    if table is None or not len(table):
        return known
    seen.packing.update(json.loads(table.schema.metadata[PACKING]))
    there = table["hash"].to_numpy()
    at = np.searchsorted(there, hashes).clip(max=len(there) - 1)
    prints = reader.fingerprints(rows)
    kept = np.stack([table[name].to_numpy() for name in FINGERPRINT], axis=1)
    known |= (there[at] == hashes) & (kept[at] == prints).all(axis=1)
    known[1:] &= hashes[1:] != hashes[:-1]  # two keys with one hash have to be read
    known[:-1] &= hashes[1:] != hashes[:-1]
    found = np.flatnonzero(known)
    seen.prints[found] = prints[found]
    part = table.take(pa.array(at[found]))
    seen.low[found] = part["low"].fill_null(np.nan).to_numpy()
    seen.high[found] = part["high"].fill_null(np.nan).to_numpy()
    for faulty in np.flatnonzero(pc.is_valid(part["kind"]).to_numpy()).tolist():
        seen.kinds[int(found[faulty])] = part["kind"][faulty].as_py()
        seen.messages[int(found[faulty])] = part["message"][faulty].as_py()
    return known


def keep(reader: Index, seen: Observations, began: float) -> None:
    """Write what was seen of all rows, if the folder can be written.

    `began` is `time.time()` before the first file was opened. Sources without fingerprints are not kept.
    """
    if not reader.is_fingerprinted or not all(map(is_utf8, seen.messages.values())):
        return  # a folder name that is not UTF-8 cannot be written to the table
    settled = is_settled(seen.prints, began)
    for at, kind in seen.kinds.items():
        settled[at] &= kind not in NOT_KEPT
    _write(_path(reader), _to_table(reader.hashes, seen).filter(pa.array(settled)))


def _write(path: Path, table: pa.Table) -> None:
    """Replace the file by a table, whole or not at all."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(xxh3_128_digest(content))
            file.write(content)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()


def _load(path: Path) -> pa.Table | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, rest = content[:DIGEST_BYTES], memoryview(content)[DIGEST_BYTES:]
    if digest != xxh3_128_digest(rest):
        return None
    table = pa.ipc.open_file(pa.py_buffer(rest)).read_all()
    return table if table.schema.equals(SCHEMA) else None


def _path(reader: Index) -> Path:
    root = reader.root and reader.root.resolve()  # however it is spelt
    name = xxh3_128_hexdigest(f"{VERSION}\n{root}\n{reader.identity}".encode(errors="surrogateescape"))
    return user_cache_path("brimful") / "audits" / f"{name}.arrow"


def _to_table(hashes: NDArray[np.uint64], seen: Observations) -> pa.Table:
    """What was seen of all rows, as columns of the file."""
    n = len(hashes)
    ranges = [pa.array(values, from_pandas=True) for values in (seen.low, seen.high)]
    faults = [
        [texts.get(at) for at in range(n)] if texts else pa.nulls(n) for texts in (seen.kinds, seen.messages)
    ]
    columns = zip([hashes, *seen.prints.T, *ranges, *faults], SCHEMA, strict=True)
    arrays = [pa.array(column).cast(field.type) for column, field in columns]
    return pa.Table.from_arrays(arrays, schema=SCHEMA.with_metadata({PACKING: json.dumps(seen.packing)}))
