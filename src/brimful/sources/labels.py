"""Labels: what to predict for every row, however that was found out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brimful.errors import LabelError
from brimful.samples import EXAMPLES, Finding
from brimful.schema import Classes, Field, numbers_of
from brimful.sides import Sides
from brimful.sources.words import INTEGER

CLASSES_NAMED = 12
MANY = 20  # classes; fewer may well be as many as there are samples
FAR = 10  # times the greatest integer but one
FAULTS = ("missing_label", "conflicting_label", "malformed", "unknown_label")
OF_LINES = ("orphan_label", "duplicate_label")  # kinds of findings about lines of a table, not about rows
FIT, MISSING, CONFLICTING, MALFORMED, UNKNOWN = range(5)  # the `state` of a row's label


class Placed(Protocol):
    """Samples that a user can find by their places."""

    @property
    def name(self) -> str:
        """The name of all of them."""

    def __len__(self) -> int: ...

    def places(self, rows: NDArray[np.int64]) -> Sequence[str]:
        """Where some samples are: a file, or a line of one."""


@dataclass(frozen=True)
class Labels:
    """What to predict for every row.

    Attributes:
        values: What is delivered: int64 of shape `(n,)` for classes, the integer itself or the
            position of a string in `classes`; float32 of shape `(n,)` or `(n, columns)` otherwise.
        state: FIT if a row has all that is needed to train on it: one target, and a weight if there
            are weights. Otherwise the fault, and `values` mean nothing. uint8.
        classes: The labels that occur, ascending; None for floats.
        weights: Sample weights, float32 of shape `(n,)`, or None.
        how: How they were joined, for the user to check.
        sides: On which side of a split each row is, if the label table says so.
        are_given: Whether the user has named the classes: they stay, even those that no row has.
    """

    values: NDArray[Any]
    state: NDArray[np.uint8]
    classes: Classes | None
    weights: NDArray[np.float32] | None
    how: str
    findings: tuple[Finding, ...] = ()
    sides: Sides | None = None
    are_given: bool = False

    @property
    def target(self) -> Field:
        """Shape and dtype of a target."""
        return Field(self.values.shape[1:], self.values.dtype.name)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        arrays = (self.values, self.state, self.weights, self.sides and self.sides.codes)
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def described(self) -> str:
        """How they were joined, and the classes or the number of targets, in words."""
        weighted = "" if self.weights is None else ", with weights"
        if self.classes is None:
            columns = self.target.size
            return f"{self.how}; {columns} number{'s' * (columns > 1)} to predict{weighted}"
        return f"{self.how}; {len(self.classes):,} classes: {_few(self.classes)}{weighted}"

    def take(self, rows: NDArray[np.int64]) -> "Labels":
        """The labels of some rows."""
        weights = None if self.weights is None else self.weights[rows]
        sides = self.sides and self.sides.take(rows)
        return replace(self, values=self.values[rows], state=self.state[rows], weights=weights, sides=sides)

    def with_findings(self, samples: Placed) -> "Labels":
        """The labels of a part of a listing, with findings about its rows alone."""
        findings = [each for each in self.findings if each.kind not in (*FAULTS, *OF_LINES)]
        for state, kind in enumerate(FAULTS, start=1):
            rows = np.flatnonzero(self.state == state)
            findings += of_rows(kind, rows, samples, "Correct the label table.")
        return replace(self, findings=tuple(findings))

    def numbered(self, classes: Classes) -> "Labels":
        """The same labels with the numbers of given classes; a label that is none of them is a fault."""
        if self.classes is None or self.classes == classes:
            return self
        number_of = numbers_of(classes)
        number_of |= {str(int(name)): at for name, at in number_of.items() if re.match(INTEGER, name)}
        numbers = np.array([number_of.get(str(name), -1) for name in self.classes])
        values = numbers[self._places().clip(max=len(numbers) - 1)]
        state = np.where((self.state == FIT) & (values < 0), UNKNOWN, self.state).astype(np.uint8)
        return replace(self, values=values.clip(min=0), state=state, classes=classes)

    def _places(self) -> NDArray[np.int64]:
        """The place of each row's label in `classes`."""
        classes = self.classes or ()
        is_number = bool(classes) and isinstance(classes[0], int)
        return np.searchsorted(np.array(classes), self.values) if is_number else self.values

    def without_classes_left_out(self) -> "Labels":
        """The same labels with only the classes that a row has, unless they were given; numbered anew."""
        if self.classes is None or self.are_given:
            return self
        used, places = np.unique(self.values, return_inverse=True)
        if isinstance(self.classes[0], int):
            return replace(self, classes=tuple(used.tolist()))
        return replace(self, values=places, classes=tuple(str(self.classes[at]) for at in used.tolist()))


def finished(labels: Labels, samples: Placed, classes: Classes | None, name: str) -> Labels:
    """The labels with the numbers of given classes, or with what is doubtful about those that were found.

    `name` says where the labels are from.

    Raises:
        LabelError: Classes were given, but the targets are none.
    """
    if classes is None:
        count = int((labels.state == FIT).sum())
        found = [
            *_mapped(labels.classes, count),
            *_many(labels.classes, count, name),
            *_far(labels.classes, count),
        ]
        return replace(labels, findings=(*labels.findings, *found))
    if labels.classes is None:
        raise LabelError(
            f"{samples.name}: classes were given, but several columns of numbers are to be predicted.",
            "Leave out `classes`, or name the one column of the labels (target=, --target).",
        )
    numbered = labels.numbered(classes)
    unknown = np.flatnonzero(numbered.state == UNKNOWN)
    names = [str(labels.classes[at]) for at in labels._places()[unknown[:EXAMPLES]].tolist()]  # noqa: SLF001
    hint = f"There are the classes {_few(classes)}. Correct the labels, or name all classes."
    found = of_rows(FAULTS[UNKNOWN - 1], unknown, samples, hint, names)
    return replace(numbered, findings=(*labels.findings, *found), are_given=True)


def _few(classes: Classes) -> str:
    return ", ".join(map(str, classes[:CLASSES_NAMED])) + (", ..." if len(classes) > CLASSES_NAMED else "")


def _mapped(classes: Classes | None, count: int) -> list[Finding]:
    """The warning that integer labels are delivered as other integers, if they are."""
    if (
        not classes
        or isinstance(classes[0], int)
        or not all(map(re.compile(INTEGER).match, map(str, classes)))
    ):
        return []
    examples = tuple(f"{name} is delivered as {number}" for number, name in enumerate(classes[:EXAMPLES]))
    hint = (
        "Integer labels that do not count from 0 are numbered in ascending order. If they are values to come "
        "close to, say so: regression=True, --regression."
    )
    return [Finding("renumbered_label", count, examples, is_problem=False, hint=hint)]


def _many(classes: Classes | None, count: int, name: str) -> list[Finding]:
    """The problem that there is a class for nearly every sample."""
    if not count or not classes or len(classes) < MANY or len(classes) * 10 < count * 9:
        return []
    example = f"{name}: {len(classes):,} classes for {count:,} samples"
    hint = (
        "If these are values to come close to: regression=True, --regression. If the labels are elsewhere: "
        "--labels, --target. If they are classes, name them: classes=[...], --classes."
    )
    return [Finding("many_classes", count, (example,), is_problem=True, hint=hint)]


def _far(classes: Classes | None, count: int) -> list[Finding]:
    """The warning that the greatest integer is far from all others, as one that says "no label" would be."""
    numbers = [each for each in classes or () if isinstance(each, int)]
    if len(numbers) < 2 or numbers[-1] <= FAR * max(1, numbers[-2]):
        return []
    example = f"{numbers[-1]} is far from the others, {', '.join(map(str, numbers[:-1][-3:]))}"
    hint = (
        f"A model for them has {numbers[-1] + 1:,} outputs. If {numbers[-1]} says that there is no label, "
        "leave it empty; if it is a class, name all: classes=[...], --classes."
    )
    return [Finding("far_class", count, (example,), is_problem=False, hint=hint)]


def of_rows(
    kind: str, rows: NDArray[np.int64], samples: Placed, hint: str, remarks: Sequence[str] = ()
) -> list[Finding]:
    """The finding about the labels of some samples, if there are any, with remarks on the first of them."""
    if not rows.size:
        return []
    places = samples.places(rows[:EXAMPLES])
    examples = tuple(map(": ".join, zip(places, remarks, strict=True)) if remarks else places)
    return [Finding(kind, rows.size, examples, is_problem=True, hint=hint)]
