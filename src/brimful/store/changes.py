"""Origin: where packing takes each sample from: its file, or the store as it is, if the file is unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import DamagedStoreError, StoreError
from brimful.keys import PIECE, hash_keys, row_order
from brimful.samples import FINGERPRINT, Reader, Samples
from brimful.schema import flatten
from brimful.sources.index import Index
from brimful.sources.read_files import NO_PRINT
from brimful.store.provenance import read_prints, targets_digest
from brimful.store.reader import StoreReader

if TYPE_CHECKING:
    from brimful.store.sort import ExternalSort


@dataclass(frozen=True)
class Changes:
    """How a source differs from what was packed of it before.

    Attributes:
        added: Samples that are new.
        removed: Samples that are gone.
        edited: Samples whose file is another, or may be; with the content checked, whose values are.
        relabelled: Samples that have another target or weight.
    """

    added: int = 0
    removed: int = 0
    edited: int = 0
    relabelled: int = 0


class Origin:
    """Reads samples that are to be packed, in several threads at once.

    Args:
        reader: The source.
        rows: Rows of the source, in the order of the store.
        old: The store as it is; None if there is none, or its samples are of another kind.
        check_content: Whether to read every file, and compare, whatever its times say.
    """

    def __init__(
        self, reader: Index, rows: NDArray[np.int64], old: StoreReader | None, *, check_content: bool
    ) -> None:
        self.reader = reader
        self.rows = rows
        self.prints = np.full((len(rows), len(FINGERPRINT)), NO_PRINT)
        self._old = old
        self._old_rows = np.full(len(rows), -1)
        self._is_same = np.zeros(len(rows), bool)  # the file is, as far as its times tell
        self._is_edited = np.zeros(len(rows), bool)
        self._is_relabelled = np.zeros(len(rows), bool)
        self._same_targets = False
        self._check_content = check_content or not reader.is_fingerprinted
        self.piles: ExternalSort | None = None  # where samples of the source are read, once it is set
        if old:
            self._compare(old)

    @property
    def changes(self) -> Changes | None:
        """How the source differs from the store as it was, once all was read; None where there was none."""
        if self._old is None:
            return None
        added = int(np.count_nonzero(self._old_rows < 0))
        removed = len(self._old) - (len(self.rows) - added)
        edited, relabelled = (
            int(np.count_nonzero(flags)) for flags in (self._is_edited, self._is_relabelled)
        )
        return Changes(added, removed, edited, relabelled)

    @property
    def is_unchanged(self) -> bool:
        """Whether the store is what packing would make of the source, as far as its files' times tell."""
        old, reader = self._old, self.reader
        return (
            old is not None
            and not self._check_content
            and self._same_targets
            and old.schema == reader.schema
            and old.manifest.skipped == len(reader.skipped)
            and np.array_equal(self._old_rows, np.arange(len(old)))
            and bool(self._is_same.all())
        )

    def read(self, at: NDArray[np.int64]) -> Samples:
        """Read the samples at some positions in the order of the store."""
        known = self._old_rows[at] >= 0 if self._check_content else self._is_same[at]
        old = self._old_samples(at[known])
        if old is None or self._check_content:
            samples = self._read_source(at)
        else:
            samples = self._merged(at, known, old)
        if old is not None:
            self._note_changes(at[known], old, samples, known)
        return samples

    @property
    def unread(self) -> NDArray[np.int64]:
        """Positions of the samples that will be read from the source."""
        return np.arange(len(self.rows)) if self._check_content else np.flatnonzero(~self._is_same)

    def _read_source(self, at: NDArray[np.int64], *, targets: bool = True) -> Samples:
        """Read samples from the source, or from piles of them, and note the fingerprints of their files."""
        prints = np.full((len(at), len(FINGERPRINT)), NO_PRINT)
        if self.piles:
            samples = self.piles.read(at, prints)
            if targets:
                samples = Samples(samples.x, *self.reader.targets(self.rows[at]))
        else:
            samples = self.reader.read(self.rows[at], targets=targets, prints=prints)
        self.prints[at] = prints
        return samples

    def _compare(self, old: StoreReader) -> None:
        """Find the rows of the store that may be kept."""
        for start in range(0, len(self.rows), PIECE):
            keys = pa.array(self.reader.keys(self.rows[start : start + PIECE]), pa.large_string())
            self._old_rows[start : start + PIECE] = old.find(keys)
        known = np.flatnonzero(self._old_rows >= 0)
        told = read_prints(old, self.reader)
        if told is not None and self.reader.is_fingerprinted:
            prints = self.reader.fingerprints(self.rows[known])
            before = told.prints[self._old_rows[known]]
            self._same_targets = told.targets == targets_digest(self.reader, self.rows)
            if not self.reader.has_own_targets or old.schema == self.reader.schema:
                self._is_same[known] = (prints == before).all(axis=1) & (before != NO_PRINT).all(axis=1)
            self.prints[known] = prints  # as they are now: what changes later is read again the next time
        self._is_edited[known] = ~self._is_same[known] & (not self._check_content)

    def _old_samples(self, at: NDArray[np.int64]) -> Samples | None:
        """What the store has at some positions; None if there is nothing, or it is damaged."""
        if self._old is None or not at.size:
            return None
        try:
            return self._old.read(self._old_rows[at])
        except DamagedStoreError:
            return None

    def _merged(self, at: NDArray[np.int64], known: NDArray[np.bool_], old: Samples) -> Samples:
        """What is known from the store, the rest from the source, and all labels from there."""
        own = self.reader.has_own_targets  # then they are in the store, and are read with the inputs
        merged = [np.empty((len(at), *x.shape[1:]), x.dtype) for x in (old.arrays if own else old.inputs)]
        parts = [(known, old)]
        if not known.all():
            parts.append((~known, self._read_source(at[~known], targets=own)))
        for which, samples in parts:
            for x, values in zip(merged, samples.arrays, strict=False):
                x[which] = values
        samples = Samples(*self.reader.schema.structured(chain(merged, repeat(None))))
        return samples if own else Samples(samples.x, *self.reader.targets(self.rows[at]))

    def _note_changes(
        self, at: NDArray[np.int64], old: Samples, samples: Samples, known: NDArray[np.bool_]
    ) -> None:
        """Note what differs from the store."""
        if self._check_content:
            self._is_edited[at] = _any_differ(samples.inputs, old.inputs, known)
        was = (*map(self._renumbered, flatten(old.y)), *flatten(old.w))
        now = samples.arrays[len(samples.inputs) :]
        self._is_relabelled[at] = _any_differ(now, was, known)

    def _renumbered(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Old targets as numbers of the classes as they are now."""
        old, new = self._old and self._old.schema.classes, self.reader.schema.classes
        if not old or not new or isinstance(old[0], int) or old == new:
            return targets
        numbers = {name: number for number, name in enumerate(new)}
        return np.array([numbers.get(name, -1) for name in old])[targets]


def by_hash(reader: Reader, rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Some rows in the order of another hash."""
    keys = pa.array(reader.keys(rows), pa.large_string())
    return rows[row_order(hash_keys(keys, seed), lambda: keys)]


def is_current(reader: Index, rows: NDArray[np.int64], path: Path) -> bool:
    """Whether a store is what packing some samples would make: sizes, times and inodes of files tell.

    Args:
        reader: The source.
        rows: Which of its rows.
        path: Where the store is, or is not. Its data are not looked at: they are checked when they are read.
    """
    try:
        old = StoreReader(path)
        in_order = rows if old.split_seed == reader.split_seed else by_hash(reader, rows, old.split_seed)
        return Origin(reader, in_order, old, check_content=False).is_unchanged
    except StoreError:
        return False


def _any_differ(
    now: Sequence[NDArray[Any]], was: Sequence[NDArray[Any]], known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Of which known samples any of some arrays is not the same bits as before."""
    differ = np.zeros(np.count_nonzero(known), bool)
    for one, other in zip(now, was, strict=True):
        differ |= _differ(one[known], other)
    return differ


def _differ(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Which samples are not the same bits."""
    differ: NDArray[np.bool_] = (_bits(one) != _bits(other)).any(axis=1)
    return differ


def _bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
