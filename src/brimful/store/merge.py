"""MergedReader: the samples to be packed, each from the old store, from piles or from the source."""

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import DamagedStoreError
from brimful.samples import FINGERPRINT, Samples
from brimful.schema import MOST_CLASSES, Classes, Field, flatten
from brimful.sources.read_files import NO_PRINT
from brimful.store.changes import Changes, Comparison
from brimful.store.sort import ExternalSort


class MergedReader:
    """Reads samples that are to be packed, in several threads at once.

    Args:
        comparison: Which samples the old store holds as they are.
        prints: The fingerprints that are known, NO_PRINT where a file is still to be read.
        piles: Samples of the source that have been read in the order of the disk; None if none have.

    Attributes:
        prints: The fingerprints of the files when they were read.
    """

    def __init__(self, comparison: Comparison, prints: NDArray[np.int64], piles: ExternalSort | None) -> None:
        self._comparison = comparison
        self._source, self._rows = comparison.source, comparison.rows
        self._piles = piles
        self.prints = prints.copy()
        known = comparison.store_rows >= 0
        self._is_edited = known & ~comparison.is_same & (not comparison.check_content)
        self._is_relabelled = np.zeros(len(known), bool)
        target = self._source.schema.target
        self._counts = target == Field((), "int64") and not (
            self._source.schema.classes or self._source.is_fingerprinted
        )
        self._numbers: set[int] = set()

    @property
    def classes(self) -> Classes | None:
        """The classes, known once all samples are read, if these carry integers as targets."""
        known = self._source.schema.classes
        return known or (tuple(sorted(self._numbers)) if 0 < len(self._numbers) <= MOST_CLASSES else None)

    @property
    def changes(self) -> Changes | None:
        """How the source differs from the old store, once all samples are read; None without an old store."""
        comparison = self._comparison
        if comparison.store is None:
            return None
        added = int(np.count_nonzero(comparison.store_rows < 0))
        removed = len(comparison.store) - (len(self._rows) - added)
        return Changes(added, removed, int(self._is_edited.sum()), int(self._is_relabelled.sum()))

    def read(self, at: NDArray[np.int64]) -> Samples:
        """Read the samples at some positions in the order of the store."""
        known = self._comparison.store_rows[at] >= 0
        same = self._comparison.is_same[at] & (not self._comparison.check_content)
        old = self._stored(at[known])
        samples = self._read_source(at) if old is None else self._merged(at, known, same, old)
        if old is not None:
            self._note_changes(at[known], old, samples, known)
        if self._counts and len(self._numbers) <= MOST_CLASSES:
            self._numbers.update(np.unique(samples.y).tolist())
        return samples

    def _read_source(self, at: NDArray[np.int64], *, targets: bool = True) -> Samples:
        """Read samples from the source, or its piles, and note the fingerprints of their files."""
        prints = np.full((len(at), len(FINGERPRINT)), NO_PRINT)
        if self._piles:
            samples = self._piles.read(at, prints)
            if targets and not self._source.has_own_targets:
                samples = Samples(samples.x, *self._source.targets(self._rows[at]))
        else:
            samples = self._source.read(self._rows[at], targets=targets, prints=prints, encoded=True)
        self.prints[at] = prints
        return samples

    def _stored(self, at: NDArray[np.int64]) -> Samples | None:
        """The samples of the old store at some positions; None if there are none, or they are damaged."""
        store = self._comparison.store
        if store is None or not at.size:
            return None
        try:
            return store.read(self._comparison.store_rows[at], encoded=True)
        except DamagedStoreError:
            return None

    def _merged(
        self, at: NDArray[np.int64], known: NDArray[np.bool_], same: NDArray[np.bool_], old: Samples
    ) -> Samples:
        """The same samples from the old store, the rest from the source, and all targets from the source."""
        own = self._source.has_own_targets  # then they are in the store, and are read with the inputs
        arrays = old.arrays if own else old.inputs
        merged = [np.empty((len(at), *x.shape[1:]), x.dtype) for x in arrays]
        parts = [(same, tuple(x[same[known]] for x in arrays))]
        if not same.all():
            parts.append((~same, self._read_source(at[~same], targets=own).arrays))
        for which, values in parts:
            for x, some in zip(merged, values, strict=False):
                x[which] = some
        samples = Samples(*self._source.schema.structured(chain(merged, repeat(None))))
        return samples if own else Samples(samples.x, *self._source.targets(self._rows[at]))

    def _note_changes(
        self, at: NDArray[np.int64], old: Samples, samples: Samples, known: NDArray[np.bool_]
    ) -> None:
        self._is_edited[at] = _any_differ(samples.inputs, old.inputs, known)
        was = (*map(self._renumbered, flatten(old.y)), *flatten(old.w))
        now = samples.arrays[len(samples.inputs) :]
        self._is_relabelled[at] = _any_differ(now, was, known)

    def _renumbered(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Old targets as numbers of the present classes."""
        store = self._comparison.store
        old, new = store and store.schema.classes, self._source.schema.classes
        if not old or not new or isinstance(old[0], int) or old == new:
            return targets
        numbers = {name: number for number, name in enumerate(new)}
        return np.array([numbers.get(name, -1) for name in old])[targets]


def _any_differ(
    now: Sequence[NDArray[Any]], was: Sequence[NDArray[Any]], known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """For each known sample whether any array has other bits than before."""
    differ = np.zeros(np.count_nonzero(known), bool)
    for one, other in zip(now, was, strict=True):
        if other.dtype == object:
            differ |= np.asarray(one[known] != other, bool)
        else:
            differ |= (_bits(one[known]) != _bits(other)).any(axis=1)
    return differ


def _bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
