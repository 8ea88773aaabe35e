"""Changes: how a source differs from the store that was packed from it before.

Samples whose files are unchanged are taken from that store, and shards that packing would write again as they
are stay.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import DamagedStoreError, OtherStoreError, StoreError, StoreNotFoundError
from brimful.keys import KEYS_PER_PIECE, HashedKeys, find_keys, hash_keys, row_order
from brimful.samples import FINGERPRINT, Progress, Reader
from brimful.sources.index import Index
from brimful.sources.read_files import NO_PRINT
from brimful.storage.base import Storage
from brimful.storage.locate import Place
from brimful.store.format import Shard
from brimful.store.provenance import read_provenance, targets_digest
from brimful.store.reader import StoreReader
from brimful.store.verify import damages

OVERWRITE = "Name another store, or replace this one: overwrite=True, --overwrite."


@dataclass(frozen=True)
class Changes:
    """How a source differs from what was packed from it before.

    Attributes:
        added: Samples that are new.
        removed: Samples that are gone.
        edited: Samples whose inputs have other values.
        relabelled: Samples that have another target or weight.
    """

    added: int = 0
    removed: int = 0
    edited: int = 0
    relabelled: int = 0


class Comparison:
    """Which samples of a source an old store holds as they are.

    Args:
        source: The source.
        rows: Rows of the source, in the order of the new store.
        store: The old store; None if there is none, or its samples have another schema.
        check_content: Whether to read and compare every file, even if its times are unchanged.

    Attributes:
        store_rows: The row of the old store that has each sample's key, -1 for none.
        is_same: Whether each sample's file is unchanged, as far as its times show.
        prints: The present fingerprints of the files of samples that are in the old store.
    """

    def __init__(
        self, source: Index, rows: NDArray[np.int64], store: StoreReader | None, *, check_content: bool
    ) -> None:
        self.source = source
        self.rows = rows
        self.store = store
        self.check_content = check_content or not source.is_fingerprinted
        self.store_rows = np.full(len(rows), -1)
        self.is_same = np.zeros(len(rows), bool)
        self.prints = np.full((len(rows), len(FINGERPRINT)), NO_PRINT)
        self._same_targets = False
        if store:
            self._compare(store)

    @property
    def is_unchanged(self) -> bool:
        """Whether packing would make the same store, as far as the times of files show."""
        store, source = self.store, self.source
        return (
            store is not None
            and not self.check_content
            and self._same_targets
            and store.schema == source.schema
            and store.manifest.skipped == len(source.skipped)
            and store.sides == (source.sides and source.sides.take(self.rows))
            and np.array_equal(self.store_rows, np.arange(len(store)))
            and bool(self.is_same.all())
        )

    @property
    def unread(self) -> NDArray[np.int64]:
        """Positions of the samples that will be read from the source."""
        return np.arange(len(self.rows)) if self.check_content else np.flatnonzero(~self.is_same)

    def _compare(self, store: StoreReader) -> None:
        """Find the rows of the store that may be kept."""
        for start in range(0, len(self.rows), KEYS_PER_PIECE):
            piece = slice(start, start + KEYS_PER_PIECE)
            self.store_rows[piece] = store.find(
                pa.array(self.source.keys(self.rows[piece]), pa.large_string())
            )
        known = np.flatnonzero(self.store_rows >= 0)
        kept_prints, kept_targets = read_provenance(store, self.source)
        if kept_prints is not None and self.source.is_fingerprinted:
            prints = self.source.fingerprints(self.rows[known])
            before = kept_prints[self.store_rows[known]]
            self._same_targets = kept_targets == targets_digest(self.source, self.rows)
            if not self.source.has_own_targets or store.schema == self.source.schema:
                self.is_same[known] = (prints == before).all(axis=1) & (before != NO_PRINT).all(axis=1)
            self.prints[known] = prints  # a file that changes from now on is read again the next time


def find_previous(
    storage: Storage, source: Index, split_seed: int, *, overwrite: bool
) -> tuple[StoreReader | None, StoreReader | None]:
    """Find the store that packing will update.

    Returns:
        The store if samples can be taken from it, or else None; and a store with damaged keys or a shard of
        the wrong size, of which only intact shards can stay. Both are None if it will be replaced.

    Raises:
        OtherStoreError: It holds other data, and `overwrite` is False.
    """
    try:
        store = StoreReader(storage, check_sizes=False)
    except (StoreNotFoundError, DamagedStoreError):
        return None, None
    except StoreError:
        if overwrite:
            return None, None
        raise
    mine, its = source.schema, store.schema
    same_fields = (mine.inputs, mine.target, mine.weight) == (its.inputs, its.target, its.weight)
    if not same_fields or store.split_seed != split_seed:
        if overwrite:
            return None, None
        raise OtherStoreError(
            f"{store.name}: the store holds samples of {its.kept}, split_seed={store.split_seed}; the "
            f"new ones are of {mine.kept}, split_seed={split_seed}, or have other targets or weights.",
            OVERWRITE,
        )
    if not overwrite and not _shares_keys(store, source):
        raise OtherStoreError(
            f"{store.name}: the store has no sample in common with {source.name}.", OVERWRITE
        )
    return (None, store) if _is_damaged(store) else (store, None)


def shards_that_stay(
    store: StoreReader,
    source: Index,
    rows: NDArray[np.int64],
    prints: NDArray[np.int64],
    progress: Progress | None = None,
) -> dict[int, Shard]:
    """The shards of a store, parts of which may be damaged, that packing would write again as they are.

    `prints` are the fingerprints of the files of `rows`, NO_PRINT where the store is of another file.
    """
    stay, first, start = {}, 0, 0
    for number, shard in enumerate(store.manifest.shards):
        at = slice(start, start + store.manifest.layout.rows_per_shard)
        if (prints[at] != NO_PRINT).all() and _keys_if_intact(store, shard, first) == source.keys(rows[at]):
            stay[number] = shard
        first, start = first + len(shard.chunks), at.stop
        if progress:
            progress(min(len(rows), start))
    return stay


def unchanged_prints(store: StoreReader, source: Index, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fingerprints of the files that are, as far as times show, those that a store was packed from.

    NO_PRINT where the store's row of the same number was, or may have been, packed from another file. Only
    the manifest and the fingerprints of the store are read.
    """
    kept, targets = read_provenance(store, source)
    if kept is None or len(store) != len(rows) or targets != targets_digest(source, rows):
        return np.full((len(rows), len(FINGERPRINT)), NO_PRINT)
    prints = source.fingerprints(rows)
    return np.where((prints == kept).all(axis=1, keepdims=True), prints, NO_PRINT)


def by_hash(reader: Reader, rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Some rows in the order of another hash."""
    keys = pa.array(reader.keys(rows), pa.large_string())
    return rows[row_order(hash_keys(keys, seed), lambda: keys)]


def numbered_as(source: Index, place: Place) -> Index:
    """The source with its classes numbered as in the store that is there, if any; new ones come after them.

    A model that was trained on the store before goes on to fit it.
    """
    try:
        old = StoreReader(place, check_sizes=False).schema.classes
    except (StoreError, ValueError):  # there is no store, or no path could be like that
        return source
    new = source.schema.classes
    if not old or not new or isinstance(old[0], int) or isinstance(new[0], int):
        return source
    return source.numbered((*old, *(name for name in new if name not in old)))


def is_current(source: Index, rows: NDArray[np.int64], storage: Storage) -> bool:
    """Whether packing would make the same store, judging by sizes, times and inodes of files.

    The data of the store are checked when they are read, not now.
    """
    try:
        store = StoreReader(storage)
        in_order = rows if store.split_seed == source.split_seed else by_hash(source, rows, store.split_seed)
        return Comparison(source, in_order, store, check_content=False).is_unchanged
    except StoreError:
        return False


def _keys_if_intact(store: StoreReader, shard: Shard, first: int) -> list[str] | None:
    """The keys of a shard, given the number of its first chunk; None if anything in it is damaged."""
    if any(damages(store.chunks, shard, first)):
        return None
    numbers = range(first, first + len(shard.chunks))
    return [key for number in numbers for key in store.chunks.keys(number).to_pylist()]


def _shares_keys(store: StoreReader, source: Index) -> bool:
    """Whether a sample of the store is in the source; True if no key of the store is intact."""
    nothing_known = True
    for keys in store.chunks.intact_keys():
        nothing_known = False
        wanted = HashedKeys.of(keys.cast(pa.large_string()), source.split_seed)
        rows = find_keys(wanted, source.hashes, lambda rows: pa.array(source.keys(rows), pa.large_string()))
        if (rows >= 0).any():
            return True
    return nothing_known


def _is_damaged(store: StoreReader) -> bool:
    """Whether a shard has the wrong size, or keys are damaged; the rest is checked when it is read."""
    try:
        store.check_sizes()
        store.hashes  # noqa: B018
    except DamagedStoreError:
        return True
    return False
