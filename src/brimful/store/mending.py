"""Mending: which shards of a store can stay as they are when it is packed again."""

import numpy as np
from numpy.typing import NDArray

from brimful.samples import FINGERPRINT, Progress
from brimful.sources.index import Index
from brimful.sources.read_files import NO_PRINT
from brimful.store.format import Shard
from brimful.store.provenance import read_prints, targets_digest
from brimful.store.reader import StoreReader
from brimful.store.verify import damages


def unchanged_prints(old: StoreReader, reader: Index, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fingerprints of the files that are, as far as times tell, those that a store was packed from.

    Args:
        old: The store; of its files only the manifest and the fingerprints are looked at.
        reader: The source.
        rows: Rows of the source, in the order of the store.

    Returns:
        One for each row, NO_PRINT where the store's row of the same number is, or may be, of something else.
    """
    told = read_prints(old, reader)
    if told is None or len(old) != len(rows) or told.targets != targets_digest(reader, rows):
        return np.full((len(rows), len(FINGERPRINT)), NO_PRINT)
    prints = reader.fingerprints(rows)
    return np.where((prints == told.prints).all(axis=1, keepdims=True), prints, NO_PRINT)


def whole_shards(
    old: StoreReader,
    reader: Index,
    rows: NDArray[np.int64],
    prints: NDArray[np.int64],
    progress: Progress | None = None,
) -> dict[int, Shard]:
    """The shards of a store that packing would write again as they are, by number.

    Args:
        old: The store, whatever else is damaged or missing of it.
        reader: The source.
        rows: Rows of the source, in the order of the store.
        prints: The fingerprints of their files; NO_PRINT of those that are other ones than the store's.
        progress: Called with the number of samples looked at so far.
    """
    whole, first, start = {}, 0, 0
    for number, shard in enumerate(old.manifest.shards):
        at = slice(start, start + old.manifest.layout.rows_per_shard)
        if (prints[at] != NO_PRINT).all() and _keys_if_whole(old, shard, first) == reader.keys(rows[at]):
            whole[number] = shard
        first, start = first + len(shard.chunks), at.stop
        if progress:
            progress(min(len(rows), start))
    return whole


def _keys_if_whole(old: StoreReader, shard: Shard, first: int) -> list[str] | None:
    """The keys of a shard whose first chunk has a number; None if anything of it is damaged."""
    if any(damages(old, shard, first)):
        return None
    return [key for at in range(first, first + len(shard.chunks)) for key in old.chunk_keys(at).to_pylist()]
