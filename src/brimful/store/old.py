"""Old: the store that packing finds in its place, as far as it is one of the same samples."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from brimful.errors import DamagedStoreError, OtherStoreError, StoreError, StoreNotFoundError
from brimful.keys import HashedKeys, find_keys
from brimful.sources.index import Index
from brimful.store.reader import StoreReader

OVERWRITE = "Name another store, or say that this one is to be replaced: overwrite=True, --overwrite."


class Old(NamedTuple):
    """The store that is there: one of these, or neither if there is none or it is to be replaced.

    Attributes:
        whole: One of which samples can be taken over.
        damaged: One with a shard of another size, or damaged keys: only whole shards can stay.
    """

    whole: StoreReader | None = None
    damaged: StoreReader | None = None


def find_old(path: Path, reader: Index, split_seed: int, *, overwrite: bool) -> Old:
    """Find the store that is to be brought up to date.

    Args:
        path: Where it is, or is not.
        reader: The source to pack.
        split_seed: Seed of the hash that orders the rows.
        overwrite: Whether to replace a store of other data.

    Raises:
        OtherStoreError: It is of other data, and not to be replaced.
    """
    try:
        old = StoreReader(path, check_sizes=False)
    except (StoreNotFoundError, DamagedStoreError):
        return Old()
    except StoreError:
        if overwrite:
            return Old()
        raise
    mine, its = reader.schema, old.schema
    same_kind = (mine.inputs, mine.target, mine.weight) == (its.inputs, its.target, its.weight)
    if not same_kind or old.split_seed != split_seed:
        if overwrite:
            return Old()
        raise OtherStoreError(
            f"{path}: the store holds samples of {its.described}, split_seed={old.split_seed}; these are of "
            f"{mine.described}, split_seed={split_seed}, or have other targets or weights.",
            OVERWRITE,
        )
    if not overwrite and not _shares_keys(old, reader):
        raise OtherStoreError(f"{path}: the store has no sample in common with {reader.name}.", OVERWRITE)
    return Old(damaged=old) if _is_damaged(old) else Old(whole=old)


def _shares_keys(old: StoreReader, reader: Index) -> bool:
    """Whether a sample of the store is one of the source; also where that cannot be told any more."""
    nothing_known = True
    for keys in old.well_keys():
        nothing_known = False
        wanted = HashedKeys.of(keys.cast(pa.large_string()), reader.split_seed)
        rows = find_keys(wanted, reader.hashes, lambda rows: pa.array(reader.keys(rows), pa.large_string()))
        if (rows >= 0).any():
            return True
    return nothing_known


def _is_damaged(old: StoreReader) -> bool:
    """Whether a shard is of another size, or keys are damaged; the rest is looked at as it is read."""
    try:
        for shard in old.manifest.shards:
            old.check_size(shard)
        old.hashes  # noqa: B018
    except DamagedStoreError:
        return True
    return False
