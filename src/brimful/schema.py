"""Schema: shapes, dtypes and classes of one sample."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Part = TypeVar("Part")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""A valid name of one of several inputs or targets."""

MOST_CLASSES = 10_000  # of integers that samples carry; more are no classes


@dataclass(frozen=True)
class Field:
    """One array of a sample.

    Attributes:
        shape: Shape of one sample, without the batch axis; `()` for a scalar.
        dtype: NumPy name of the dtype it is delivered in.
        encoding: The name of the encoding (see `encodings`) in which a source gives it and a store keeps it:
            bytes of any number for each sample, decoded when a batch is made. None for an array of this shape
            and dtype.
        vocabulary: The words of which a sample has the position here; None for numbers.
    """

    shape: tuple[int, ...]
    dtype: str
    encoding: str | None = None
    vocabulary: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        """Values per sample."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes per sample, as delivered."""
        return self.size * np.dtype(self.dtype).itemsize

    def empty(self, n: int) -> NDArray[Any]:
        """An array for n samples as they are kept: of `bytes` where they are encoded; uninitialized."""
        return np.empty(n, object) if self.encoding else np.empty((n, *self.shape), self.dtype)


def flatten(whole: Part | dict[str, Part] | None) -> tuple[Part, ...]:
    """The parts, in order, of something that is one part, a dict of parts by name, or None."""
    return () if whole is None else tuple(whole.values()) if isinstance(whole, dict) else (whole,)


Fields = Field | dict[str, Field]
"""One field, or several by name."""


def map_structure(whole: Any, what: Callable[[Any], Any]) -> Any:
    """Apply a function to one part, or to each of a dict of parts by name; None stays None."""
    if isinstance(whole, dict):
        return {name: what(part) for name, part in whole.items()}
    return None if whole is None else what(whole)


Classes = tuple[int, ...] | tuple[str, ...]
"""Labels: integers that are delivered as they are, or names that are delivered as their position."""


def count_from_zero(numbers: Sequence[int]) -> bool:
    """Whether ascending integers can be classes as they are: none is below 0, or far above their number."""
    return numbers[0] >= 0 and numbers[-1] < max(1000, 10 * len(numbers))


def numbers_of(classes: Classes) -> dict[str, int]:
    """The number that is delivered for each class, by name."""
    return {str(name): name if isinstance(name, int) else at for at, name in enumerate(classes)}


@dataclass(frozen=True)
class Schema:
    """What every sample of a source has.

    Attributes:
        inputs: The inputs of the model, by name if there are several.
        target: What to predict, by name if there are several outputs; None without labels.
        classes: The labels that occur, or may occur. Integers, ascending, are delivered as they are; strings
            as their position here. None if the target is not a class, or classes are not known beforehand.
        weight: The weight of a sample in the loss; None if all weights are equal.
    """

    inputs: Fields
    target: Fields | None = None
    classes: Classes | None = None
    weight: Field | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields of a batch, in this order: inputs, targets, weight."""
        return (*flatten(self.inputs), *flatten(self.target), *flatten(self.weight))

    @property
    def input_fields(self) -> tuple[Field, ...]:
        """The inputs, one or several."""
        return flatten(self.inputs)

    def structured(self, arrays: Iterable[Any]) -> tuple[Any, Any, Any]:
        """Arrange one array for each of `fields` as x, y, w: each an array, a dict by name, or None."""
        left = iter(arrays)
        x, y, w = (
            {name: next(left) for name in whole} if isinstance(whole, dict) else whole and next(left)
            for whole in (self.inputs, self.target, self.weight)
        )
        return x, y, w

    @property
    def is_encoded(self) -> bool:
        """Whether a source gives any field as bytes that are decoded when a batch is made."""
        return any(field.encoding for field in self.fields)

    @property
    def described(self) -> str:
        """Shapes and dtypes of the inputs, in words."""
        if isinstance(self.inputs, dict):
            return ", ".join(f"{name} {field.shape} {field.dtype}" for name, field in self.inputs.items())
        return f"{self.inputs.shape} {self.inputs.dtype}"

    @property
    def kept(self) -> str:
        """The same, and how they are encoded, or how many words they have."""
        kinds = {
            field.encoding or f"{len(field.vocabulary or ())} words"
            for field in self.input_fields
            if field.encoding or field.vocabulary
        }
        return f"{self.described}{''.join(f', {kind}' for kind in sorted(kinds))}"

    @property
    def num_classes(self) -> int | None:
        """The outputs that a classifier needs; integer labels count from 0 to the largest."""
        if not self.classes:
            return None
        last = self.classes[-1]
        return last + 1 if isinstance(last, int) else len(self.classes)

    @property
    def nbytes(self) -> int:
        """Bytes per sample, as delivered."""
        return sum(field.nbytes for field in self.fields)


def to_json(part: Fields) -> dict[str, Any]:
    """Shape and dtype, by name for several fields, fit for JSON."""
    if isinstance(part, dict):
        return {
            "shape": {name: list(field.shape) for name, field in part.items()},
            "dtype": {name: field.dtype for name, field in part.items()},
        }
    return {"shape": list(part.shape), "dtype": part.dtype}
