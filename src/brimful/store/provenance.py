"""Prints: the fingerprints of the files that a store was packed from.

`source.arrow` tells them: an Arrow IPC file with a row for each sample in row order, of the columns size,
mtime_ns, ctime_ns and inode (int64, -1 where that would prove nothing). The metadata of its schema has
checksums of the manifest that it belongs to, of what the source was, of targets and weights, and of the
columns. It may be missing or damaged: then packing again reads everything.
"""

import os
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_hexdigest

from brimful.errors import DamagedStoreError
from brimful.keys import PIECE
from brimful.samples import FINGERPRINT
from brimful.schema import flatten
from brimful.sources.index import Index
from brimful.sources.read_files import NO_PRINT, is_settled
from brimful.store.format import SOURCE
from brimful.store.reader import StoreReader, opened

PRINTS = pa.schema([(name, pa.int64()) for name in FINGERPRINT])
LARGEST = 2**16  # bytes of source.arrow that are no fingerprints


def write_prints(
    prints: NDArray[np.int64],
    manifest: str,
    reader: Index,
    rows: NDArray[np.int64],
    began: float,
) -> bytes:
    """The content of source.arrow.

    Args:
        prints: The fingerprint of each file as it was read, in row order.
        manifest: The manifest's text.
        reader: The source.
        rows: Rows of the source, in row order of the store.
        began: `time.time()` before the first file was opened; files changed moments before, or since, are
            read again the next time.
    """
    sure = np.where(is_settled(prints, began)[:, np.newaxis], prints, NO_PRINT)
    told = {
        "manifest": _digest(manifest),
        "source": _digest(reader.identity),
        "targets": targets_digest(reader, rows),
        "columns": _columns_digest(sure),
    }
    columns = dict(zip(FINGERPRINT, sure.T.copy(), strict=True))
    table = pa.table(columns).replace_schema_metadata(told)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


class Told(NamedTuple):
    """What `source.arrow` tells: the fingerprints, and a checksum of targets and weights."""

    prints: NDArray[np.int64]
    targets: str


def read_prints(old: StoreReader, reader: Index) -> Told | None:
    """The fingerprints that a store keeps, if they are those of this store and of this source."""
    try:
        with opened(old.path / SOURCE) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
            table = pa.ipc.open_file(pa.py_buffer(file.read(LARGEST + 64 * len(old)))).read_all()
        if table.schema != PRINTS or any(column.null_count for column in table.columns):
            return None
        prints = np.stack([table[name].to_numpy() for name in FINGERPRINT], axis=1)
        told = {name.decode(): text.decode() for name, text in table.schema.metadata.items()}
        targets = told.pop("targets")
    except (DamagedStoreError, KeyError, ValueError, AttributeError, OSError, pa.ArrowException):
        return None
    expected = {"manifest": _digest(old.manifest.to_json()), "source": _digest(reader.identity)}
    well = {**expected, "columns": _columns_digest(prints)} == told and prints.shape == (
        len(old),
        len(FINGERPRINT),
    )
    return Told(prints, targets) if well else None


def _digest(text: str) -> str:
    return xxh3_128_hexdigest(text.encode(errors="surrogateescape"))


def targets_digest(reader: Index, rows: NDArray[np.int64]) -> str:
    """A checksum of targets and weights of some rows."""
    digest = xxh3_128()
    for start in range(0, len(rows), PIECE):
        for part in reader.targets(rows[start : start + PIECE]):
            for values in flatten(part):
                digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _columns_digest(prints: NDArray[np.int64]) -> str:
    return xxh3_128_hexdigest(np.ascontiguousarray(prints).data)
