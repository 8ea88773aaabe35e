"""Mending: which shards of a store can stay as they are when it is packed again."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from brimful.sources.base import Progress, SourceReader
from brimful.sources.files import NO_PRINT
from brimful.store.format import Layout, Shard
from brimful.store.prints import read_prints, targets_digest
from brimful.store.reader import StoreReader
from brimful.store.verify import damages


class Whole(NamedTuple):
    """A shard that can stay.

    Attributes:
        shard: What the manifest says of it.
        prints: The fingerprints of the files that it was packed from.
    """

    shard: Shard
    prints: NDArray[np.int64]


def whole_shards(
    old: StoreReader,
    reader: SourceReader,
    rows: NDArray[np.int64],
    layout: Layout,
    progress: Progress | None = None,
) -> dict[int, Whole]:
    """The shards that packing would write again as they are, by number.

    Their files have not changed since, as far as times tell, nor have targets and weights, and every byte of
    them is as it was.

    Args:
        old: The store, whatever else is damaged or missing of it.
        reader: The source.
        rows: Rows of the source, in the order of the store.
        layout: How they are to be divided.
        progress: Called with the number of samples looked at so far.
    """
    told = read_prints(old, reader)
    if old.manifest.layout != layout or len(old) != len(rows) or told is None:
        return {}
    if told.targets != targets_digest(reader, rows):
        return {}
    whole, first = {}, 0
    for number, shard in enumerate(old.manifest.shards):
        at = slice(number * layout.rows_per_shard, (number + 1) * layout.rows_per_shard)
        prints = told.prints[at]
        is_same = np.array_equal(reader.fingerprints(rows[at]), prints) and (prints != NO_PRINT).all()
        if is_same and _keys_if_whole(old, shard, first) == reader.keys(rows[at]):
            whole[number] = Whole(shard, prints)
        first += len(shard.chunks)
        if progress:
            progress(min(len(rows), at.stop))
    return whole


def _keys_if_whole(old: StoreReader, shard: Shard, first: int) -> list[str] | None:
    """The keys of a shard whose first chunk has a number; None if anything of it is damaged."""
    if any(damages(old, shard, first)):
        return None
    return [key for at in range(first, first + len(shard.chunks)) for key in old.chunk_keys(at).to_pylist()]
