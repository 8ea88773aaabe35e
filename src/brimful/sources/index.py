"""Index: the rows of any format, with their labels. What everything above the sources reads from."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import LabelError, SourceError
from brimful.keys import DRAW_SEED, KEYS_PER_PIECE, hash_keys, row_order
from brimful.samples import FINGERPRINT, Fault, Finding, Samples
from brimful.schema import Field, Schema
from brimful.sources.base import Format
from brimful.sources.labels import FAULTS, FIT, Labels

NO_NUMBERS = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class RowOrder:
    """Which samples of a format are rows, and in which order: ascending by (`xxh3_64(key)`, key bytes).

    Attributes:
        hashes: The hash of every row's key, ascending.
        numbers: The format's number of every row; None where the format numbers its samples in row order.
    """

    hashes: NDArray[np.uint64]
    numbers: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls, n: int, keys: Callable[[NDArray[np.int64]], pa.LargeStringArray], limit: int | None = None
    ) -> "RowOrder":
        """Order samples by their keys, of which few are in memory at a time.

        Args:
            n: How many there are.
            keys: Gives the keys of some numbers.
            limit: How many to draw, by a second, independent hash; None for all.

        Raises:
            SourceError: Two samples have the same key.
        """
        numbers = np.arange(n)
        if limit is not None and limit < n:
            numbers = np.sort(np.argsort(_hashes(keys, numbers, DRAW_SEED), kind="stable")[:limit])
        hashes = _hashes(keys, numbers, 0)
        order = row_order(hashes, lambda: keys(numbers))
        rows = cls(hashes[order], numbers[order])
        rows._refuse_equal(keys)
        return rows

    def __len__(self) -> int:
        return len(self.hashes)

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The format's numbers of some rows."""
        return rows if self.numbers is None else self.numbers[rows]

    def take(self, rows: NDArray[np.int64]) -> "RowOrder":
        """Only some rows, which must ascend."""
        return RowOrder(self.hashes[rows], self.at(rows))

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self.hashes.nbytes + (0 if self.numbers is None else self.numbers.nbytes)

    def _refuse_equal(self, keys: Callable[[NDArray[np.int64]], pa.LargeStringArray]) -> None:
        for row in np.flatnonzero(self.hashes[1:] == self.hashes[:-1]).tolist():
            first, second = keys(self.at(np.array([row, row + 1]))).to_pylist()
            if first == second:
                raise SourceError(
                    f"Two samples have the same key: {first!r}.", "Keys name samples: make them unique."
                )


class Index:
    """The rows of a format: hashes, order, labels, what was left out. A Reader.

    A row's sample, and the way to it, are the format's; a row's place, and its label where a table or a
    folder's name gives it, are kept here.

    Args:
        samples: The format.
        order: Which of its samples are rows, and in which order.
        labels: A label for each row; None where there are none, or where samples carry their own.
        skipped: Samples that were left out because they cannot be used.

    Attributes:
        schema: What every sample has, with its label.
        is_fingerprinted: Whether it shows without reading if a sample has changed.
        findings: What was noticed about labels and samples when the source was scanned, counted in full.
        sampled_findings: What was noticed in those samples that the schema was inferred from.
    """

    split_seed = 0

    def __init__(
        self, samples: Format, order: RowOrder, labels: Labels | None = None, skipped: tuple[Fault, ...] = ()
    ) -> None:
        self.format = samples
        self.skipped = skipped
        self.is_fingerprinted = samples.fingerprints(NO_NUMBERS) is not None
        self.findings: tuple[Finding, ...] = (*(labels.findings if labels else ()), *samples.findings)
        self.sampled_findings: tuple[Finding, ...] = ()
        self._order = order
        self._labels = labels
        self.schema = _labelled(samples.schema, labels)

    @classmethod
    def of(cls, samples: Format, limit: int | None = None) -> "Index":
        """All samples of a format, or as many as are to be drawn.

        Args:
            samples: The format.
            limit: How many to draw, None for all.

        Raises:
            SourceError: There are none, or two have the same key.
        """
        if not len(samples):
            raise SourceError(f"{samples.name}: there are no samples.", "Check what it was made from.")
        return cls(samples, RowOrder.of(len(samples), samples.keys, limit))

    def without(self, faults: Sequence[Fault], rows: NDArray[np.int64]) -> "Index":
        """The same index without some samples that cannot be used: only the given rows, ascending."""
        labels = self._labels and self._labels.take(rows).without_classes_left_out()
        fewer = Index(self.format, self._order.take(rows), labels, (*self.skipped, *faults))
        fewer.findings = tuple(finding for finding in self.findings if not finding.is_problem)
        return fewer

    def __len__(self) -> int:
        return len(self._order)

    @property
    def name(self) -> str:
        """What a person calls the samples."""
        return self.format.name

    @property
    def identity(self) -> str:
        """What this source is and how it is read: what was seen under the same one need not be read again."""
        return self.format.identity

    @property
    def root(self) -> Path | None:
        """The folder in which the source lies, if there is one."""
        return self.format.root

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided when the source was scanned, a line each, for a person to check."""
        first, *others = self.format.facts or (f"{len(self):,} samples",)
        own = [f"{self.nbytes / len(self):.0f} bytes of memory per sample for the listing"]
        if self.format.schema.target is None:
            own.insert(0, self._labels.described if self._labels else "no labels")
        if self.skipped:
            own.append(f"{len(self.skipped):,} samples left out because they cannot be used")
        return (first, *own, *others)

    @property
    def nbytes(self) -> int:
        """Bytes that names, order and labels of the rows take in memory."""
        return self.format.nbytes + self._order.nbytes + (self._labels.nbytes if self._labels else 0)

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """`xxh3_64(key)` of every row, ascending."""
        return self._order.hashes

    def row_from(self, value: int) -> int:
        """The first row whose hash is at least a value."""
        return bisect_left(self.hashes, value)

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Keys of some rows."""
        return list(self.format.keys(self._order.at(rows)).to_pylist())

    def read(
        self,
        rows: NDArray[np.int64],
        *,
        targets: bool = True,
        prints: NDArray[np.int64] | None = None,
    ) -> Samples:
        """Read some samples, in the order given, as freshly owned arrays.

        Args:
            rows: Which.
            targets: Whether labels are wanted; without, it is no error if one is missing.
            prints: Where to write the fingerprints of the samples as they are read; left as it is where
                nothing shows whether they have changed.

        Raises:
            SourceError: One of them cannot be read, or is not what the schema says.
        """
        samples = self.format.read(self._order.at(rows), prints if self.is_fingerprinted else None)
        if not targets:
            return Samples(samples.x)
        return Samples(samples.x, *self.targets(rows)) if self._labels else samples

    def working_bytes(self, n: int) -> int:
        """Bytes of memory that reading n rows takes at the most, the result included."""
        joined = 0 if self.has_own_targets else self.schema.nbytes - self.format.schema.nbytes
        return self.format.working_bytes(n) + 2 * n * joined

    @property
    def has_own_targets(self) -> bool:
        """Whether samples carry their targets: these are read with the inputs then, `targets` has none."""
        return self.format.schema.target is not None

    def targets(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any] | None, NDArray[np.float32] | None]:
        """Target and weight of some rows, where they were joined; None for each that was not.

        Raises:
            LabelError: One of them has none.
        """
        labels = self._labels
        if labels is None:
            return None, None
        for at, kind in self.label_faults(rows).items():
            key = self.keys(rows[at : at + 1])[0]
            raise LabelError(f"{self.name}: {key!r}: {kind.replace('_', ' ')}.", "Correct the label table.")
        return labels.values[rows], None if labels.weights is None else labels.weights[rows]

    def label_faults(self, rows: NDArray[np.int64]) -> dict[int, str]:
        """Kind of what is wrong with the joined label of some rows, by position in them."""
        if self._labels is None:
            return {}
        state = self._labels.state[rows]
        return {at: FAULTS[state[at] - 1] for at in np.flatnonzero(state).tolist()}

    def class_counts(self, rows: NDArray[np.int64]) -> dict[int, int] | dict[str, int] | None:
        """How many of some rows there are of each class; None where that cannot be known without reading."""
        if self._labels is None or self._labels.classes is None:
            return None
        fit = rows[self._labels.state[rows] == FIT]
        values, counts = np.unique(self._labels.values[fit], return_counts=True)
        by_value = dict(zip(values.tolist(), counts.tolist(), strict=True))
        return {
            name: by_value.get(name if isinstance(name, int) else at, 0)
            for at, name in enumerate(self._labels.classes)
        }  # type: ignore[return-value]

    def fingerprints(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """What shows whether some rows have changed, shape `(len(rows), len(FINGERPRINT))`.

        -1 where nothing does.
        """
        prints = self.format.fingerprints(self._order.at(rows))
        return np.full((len(rows), len(FINGERPRINT)), -1) if prints is None else prints

    def disk_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Positions in rows, in the order in which reading is cheap; None where none is known.

        None also where samples carry their own targets, since what is sorted on the disk is inputs alone.
        """
        return None if self.has_own_targets else self.format.natural_order(self._order.at(rows))


def _hashes(
    keys: Callable[[NDArray[np.int64]], pa.LargeStringArray], numbers: NDArray[np.int64], seed: int
) -> NDArray[np.uint64]:
    pieces = (numbers[start : start + KEYS_PER_PIECE] for start in range(0, len(numbers), KEYS_PER_PIECE))
    return np.concatenate([hash_keys(keys(piece), seed) for piece in pieces])


def _labelled(schema: Schema, labels: Labels | None) -> Schema:
    """What every sample has, with its label."""
    if labels is None:
        return schema
    weight = None if labels.weights is None else Field((), labels.weights.dtype.name)
    return Schema(schema.inputs, labels.target, labels.classes, weight)
