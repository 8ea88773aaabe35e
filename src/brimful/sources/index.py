"""Index: the rows of any format, with their labels; everything above the sources reads from it."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.encodings.samples import UndecodableSampleError, check_encoded, decoded
from brimful.errors import LabelError, SourceError
from brimful.keys import DRAW_SEED, KEYS_PER_PIECE, hash_keys, row_order
from brimful.samples import FINGERPRINT, Fault, Finding, Samples
from brimful.schema import Classes, Field, Schema
from brimful.sides import Sides
from brimful.sources.base import Format
from brimful.sources.decoded import DecodedFormat, undecodable
from brimful.sources.labels import FAULTS, FIT, Labels

NO_NUMBERS = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class RowOrder:
    """Which samples of a format are rows, and in which order: ascending by (`xxh3_64(key)`, key bytes).

    `numbers` is None if the format numbers its samples in row order.
    """

    hashes: NDArray[np.uint64]
    numbers: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls, n: int, keys: Callable[[NDArray[np.int64]], pa.LargeStringArray], limit: int | None = None
    ) -> "RowOrder":
        """Order n samples by their keys, of which few are in memory at a time.

        With a limit, that many are drawn by a second, independent hash.

        Raises:
            SourceError: Two samples have the same key.
        """
        numbers = np.arange(n)
        if limit is not None and limit < n:
            numbers = np.sort(np.argsort(_hashes(keys, numbers, DRAW_SEED), kind="stable")[:limit])
        hashes = _hashes(keys, numbers, 0)
        order = row_order(hashes, lambda: keys(numbers))
        rows = cls(hashes[order], numbers[order])
        for row in np.flatnonzero(rows.hashes[1:] == rows.hashes[:-1]).tolist():
            first, second = keys(rows.at(np.array([row, row + 1]))).to_pylist()
            if first == second:
                raise SourceError(
                    f"Two samples have the same key: {first!r}.", "Keys name samples: make them unique."
                )
        return rows

    def __len__(self) -> int:
        return len(self.hashes)

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The format's numbers of some rows."""
        return rows if self.numbers is None else self.numbers[rows]

    def take(self, rows: NDArray[np.int64]) -> "RowOrder":
        """The order of some rows, which must ascend."""
        return RowOrder(self.hashes[rows], self.at(rows))

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self.hashes.nbytes + (0 if self.numbers is None else self.numbers.nbytes)


class Index:
    """The rows of a format: hashes, order, labels, what was left out. A Reader.

    The format reads a row's sample; the index keeps the row's place, and its label if a table or a folder's
    name gives it.

    Attributes:
        is_fingerprinted: Whether fingerprints show, without reading, that a sample has changed.
        findings: What was noticed about labels and samples during the scan, counted in full.
        sampled_findings: What was noticed in the samples that the schema was inferred from.
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
        """All samples of a format, or `limit` of them, drawn.

        Raises:
            SourceError: There are no samples, or two have the same key.
        """
        if not len(samples):
            raise SourceError(f"{samples.name}: there are no samples.", "Check what it was made from.")
        return cls(samples, RowOrder.of(len(samples), samples.keys, limit))

    def without(self, faults: Sequence[Fault], rows: NDArray[np.int64], *, is_clean: bool) -> "Index":
        """The index of the given rows, ascending; `faults` are the samples left out.

        It is clean if there is nothing wrong with any sample that is left.
        """
        labels = self._labels and self._labels.take(rows).without_classes_left_out()
        fewer = Index(self.format, self._order.take(rows), labels, (*self.skipped, *faults))
        if is_clean:
            fewer.findings = tuple(each for each in self.findings if not each.is_problem)
        else:
            fewer.findings = tuple(filter(None, (_of_these(each, labels) for each in self.findings)))
            kept = (
                each for each in self.sampled_findings if each.kind not in {fault.kind for fault in faults}
            )
            fewer.sampled_findings = tuple(kept)
        return fewer

    def numbered(self, classes: Classes) -> "Index":
        """The same rows with the numbers of given classes, among which all of its own must be."""
        labels = self._labels and self._labels.numbered(classes)
        other = Index(self.format, self._order, labels, self.skipped)
        other.findings, other.sampled_findings = self.findings, self.sampled_findings
        return other

    def decoded(self) -> "Index":
        """The same rows, whose encoded values are decoded when they are read, and not for each batch."""
        other = Index(DecodedFormat(self.format), self._order, self._labels, self.skipped)
        other.findings, other.sampled_findings = self.findings, self.sampled_findings
        return other

    def __len__(self) -> int:
        return len(self._order)

    @property
    def name(self) -> str:
        """The name shown to users."""
        return self.format.name

    @property
    def identity(self) -> str:
        """What is read, and how: unchanged samples of an equal identity are not read again."""
        return self.format.identity

    @property
    def root(self) -> Path | None:
        """The folder of the data; None for data outside the file system."""
        return self.format.root

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided during the scan, one line per fact, for the user to check."""
        first, *others = self.format.facts or (f"{len(self):,} samples",)
        own = [f"{self.nbytes / len(self):.0f} bytes of memory per sample for the listing"]
        if self.format.schema.target is None:
            own.insert(0, self._labels.described if self._labels else "no labels")
        if self.skipped:
            own.append(f"{len(self.skipped):,} samples left out because they cannot be used")
        return (first, *own, *others)

    @property
    def is_sequential(self) -> bool:
        """Whether rows are cheap to read only in the order of the format, so that many are read in that."""
        return bool(getattr(self.format, "is_sequential", False))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that names, order and labels of the rows take."""
        return self.format.nbytes + self._order.nbytes + (self._labels.nbytes if self._labels else 0)

    @property
    def sides(self) -> Sides | None:
        """The side of each row, if the label table says so."""
        return None if self._labels is None else self._labels.sides

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
        encoded: bool = False,
    ) -> Samples:
        """Read some samples, in the order given, as freshly owned arrays.

        Without targets, a missing label is no error. The fingerprints of the samples as they are read are
        written to `prints`, unless the format has none. Encoded values are decoded, or else only looked at.

        Raises:
            SourceError: A sample cannot be read, or does not fit the schema.
        """
        numbers = self._order.at(rows)
        samples = self.format.read(numbers, prints if self.is_fingerprinted else None)
        if self.schema.is_encoded:
            samples = self._decoded(samples, numbers, encoded=encoded)
        if not targets:
            return Samples(samples.x)
        return Samples(samples.x, *self.targets(rows)) if self._labels else samples

    def _decoded(self, samples: Samples, numbers: NDArray[np.int64], *, encoded: bool) -> Samples:
        """Samples with their encoded values decoded, or as they are if these can be values."""
        try:
            if not encoded:
                return decoded(samples, self.format.schema)
            check_encoded(samples, self.format.schema)
        except UndecodableSampleError as error:
            raise undecodable(self.format, numbers, error) from error
        return samples

    def working_bytes(self, n: int) -> int:
        """Most bytes of memory that reading n rows takes, the result included."""
        joined = 0 if self.has_own_targets else self.schema.nbytes - self.format.schema.nbytes
        return self.format.working_bytes(n) + 2 * n * joined

    @property
    def has_own_targets(self) -> bool:
        """Whether samples carry their targets: these are read with the inputs, and `targets` returns none."""
        return self.format.schema.target is not None

    def targets(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any] | None, NDArray[np.float32] | None]:
        """Target and weight of some rows, if they were joined; None for each that was not.

        Raises:
            LabelError: A row has no label that can be used.
        """
        labels = self._labels
        if labels is None:
            return None, None
        for at, kind in self.label_faults(rows).items():
            key = self.keys(rows[at : at + 1])[0]
            raise LabelError(f"{self.name}: {key!r}: {kind.replace('_', ' ')}.", "Correct the label table.")
        return labels.values[rows], None if labels.weights is None else labels.weights[rows]

    def label_faults(self, rows: NDArray[np.int64]) -> dict[int, str]:
        """The kind of fault in the joined label of some rows, by position in them."""
        if self._labels is None:
            return {}
        state = self._labels.state[rows]
        return {at: FAULTS[state[at] - 1] for at in np.flatnonzero(state).tolist()}

    def class_counts(self, rows: NDArray[np.int64]) -> dict[int, int] | dict[str, int] | None:
        """How many of some rows are of each class; None if only reading them would show that."""
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
        """What shows whether some rows have changed, shape `(len(rows), len(FINGERPRINT))`, or -1."""
        prints = self.format.fingerprints(self._order.at(rows))
        return np.full((len(rows), len(FINGERPRINT)), -1) if prints is None else prints

    def disk_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Positions in rows, in the order in which reading is cheap; None if no such order is known.

        None also if samples are encoded, since only arrays are sorted on the disk.
        """
        return None if self.schema.is_encoded else self.format.natural_order(self._order.at(rows))


def _of_these(finding: Finding, labels: Labels | None) -> Finding | None:
    """A finding about labels, counted for those that are left; None if it is about none of them."""
    if labels is None or finding.kind not in FAULTS or not finding.is_problem:
        return finding
    count = int(np.count_nonzero(labels.state == FAULTS.index(finding.kind) + 1))
    return replace(finding, count=count) if count else None


def _hashes(
    keys: Callable[[NDArray[np.int64]], pa.LargeStringArray], numbers: NDArray[np.int64], seed: int
) -> NDArray[np.uint64]:
    pieces = (numbers[start : start + KEYS_PER_PIECE] for start in range(0, len(numbers), KEYS_PER_PIECE))
    return np.concatenate([hash_keys(keys(piece), seed) for piece in pieces])


def _labelled(schema: Schema, labels: Labels | None) -> Schema:
    if labels is None:
        return schema
    weight = None if labels.weights is None else Field((), labels.weights.dtype.name)
    return Schema(schema.inputs, labels.target, labels.classes, weight)
