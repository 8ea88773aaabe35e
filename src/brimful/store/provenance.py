"""Provenance: the fingerprints of the files that a store was packed from.

`source.arrow` holds them: an Arrow IPC file with a row for each sample in row order, of the columns size,
mtime_ns, ctime_ns and inode (int64, -1 where they would prove nothing). The metadata of its schema have
checksums of the manifest that it belongs to, of the identity of the source, of targets and weights, and of
the columns. If it is missing or damaged, packing again reads everything.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_hexdigest

from brimful.keys import KEYS_PER_PIECE
from brimful.samples import FINGERPRINT
from brimful.schema import flatten
from brimful.sources.index import Index
from brimful.sources.read_files import NO_PRINT, is_settled
from brimful.storage.base import read_file
from brimful.store.format import SOURCE, Manifest
from brimful.store.reader import StoreReader

COLUMNS = pa.schema([(name, pa.int64()) for name in FINGERPRINT])
LARGEST_REST = 2**16  # bytes of source.arrow besides the fingerprints


def encode_provenance(
    prints: NDArray[np.int64], manifest: Manifest, source: Index, rows: NDArray[np.int64], began: float
) -> bytes:
    """The content of source.arrow.

    `prints` are the fingerprints of the files when they were read, `began` is `time.time()` before the first
    was opened: a file that changed moments before, or since, is read again the next time.
    """
    sure = np.where(is_settled(prints, began)[:, np.newaxis], prints, NO_PRINT)
    metadata = {
        "manifest": _digest(manifest.to_json()),
        "source": _digest(source.identity),
        "targets": targets_digest(source, rows),
        "columns": _columns_digest(sure),
    }
    columns = dict(zip(FINGERPRINT, sure.T.copy(), strict=True))
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def read_provenance(store: StoreReader, source: Index) -> tuple[NDArray[np.int64] | None, str]:
    """The fingerprints that a store keeps, and the checksum of targets and weights.

    The fingerprints are None if there are none, or if they are of another store or another source.
    """
    try:
        content = read_file(store.storage, SOURCE, LARGEST_REST + 64 * len(store))
        table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
        if table.schema != COLUMNS or any(column.null_count for column in table.columns):
            return None, ""
        prints = np.stack([table[name].to_numpy() for name in FINGERPRINT], axis=1)
        metadata = {name.decode(): text.decode() for name, text in table.schema.metadata.items()}
        targets = metadata.pop("targets")
    except (KeyError, ValueError, AttributeError, OSError, pa.ArrowException):
        return None, ""
    expected = {
        "manifest": _digest(store.manifest.to_json()),
        "source": _digest(source.identity),
        "columns": _columns_digest(prints),
    }
    is_intact = metadata == expected and prints.shape == (len(store), len(FINGERPRINT))
    return prints if is_intact else None, targets


def targets_digest(source: Index, rows: NDArray[np.int64]) -> str:
    """A checksum of targets and weights of some rows."""
    digest = xxh3_128()
    for start in range(0, len(rows), KEYS_PER_PIECE):
        for part in source.targets(rows[start : start + KEYS_PER_PIECE]):
            for values in flatten(part):
                digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _digest(text: str) -> str:
    return xxh3_128_hexdigest(text.encode(errors="surrogateescape"))


def _columns_digest(prints: NDArray[np.int64]) -> str:
    return xxh3_128_hexdigest(np.ascontiguousarray(prints).data)
