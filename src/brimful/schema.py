"""What one sample looks like: shapes, dtypes, classes."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

Part = TypeVar("Part")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""What one of several inputs or targets may be called."""


@dataclass(frozen=True)
class Field:
    """One array of a sample.

    Attributes:
        shape: Shape of one sample, without the batch axis; `()` for a scalar.
        dtype: NumPy name of the dtype it is delivered in.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Values a sample."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes a sample, as delivered."""
        return self.size * np.dtype(self.dtype).itemsize


def flatten(whole: Part | dict[str, Part] | None) -> tuple[Part, ...]:
    """What there is of something that is one, several by name, or none, in order."""
    return () if whole is None else tuple(whole.values()) if isinstance(whole, dict) else (whole,)


Fields = Field | dict[str, Field]
"""One field, or several by name."""


def map_structure(whole: Any, what: Callable[[Any], Any]) -> Any:
    """Something of what is one, of several by name, or of none."""
    if isinstance(whole, dict):
        return {name: what(part) for name, part in whole.items()}
    return None if whole is None else what(whole)


@dataclass(frozen=True)
class Schema:
    """What every sample of a source has.

    Attributes:
        inputs: What the model sees; by name where it has several inputs.
        target: What it is to predict, by name where it has several outputs; None where there are no labels.
        classes: The labels that occur, ascending. Integers are delivered as they are, strings as
            their position here. None where the target is not a class, or not known beforehand.
        weight: How much a sample counts in the loss; None where all count the same.
    """

    inputs: Fields
    target: Fields | None = None
    classes: tuple[int, ...] | tuple[str, ...] | None = None
    weight: Field | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """What a batch holds, in this order: inputs, targets, weight, as far as there are such."""
        return (*flatten(self.inputs), *flatten(self.target), *flatten(self.weight))

    @property
    def input_fields(self) -> tuple[Field, ...]:
        """The inputs, one or several."""
        return flatten(self.inputs)

    def structured(self, arrays: Iterable[Any]) -> tuple[Any, Any, Any]:
        """Put something for each of `fields` together as x, y, w: one, several by name, or None.

        Args:
            arrays: What there is for each field.
        """
        left = iter(arrays)
        x, y, w = (
            {name: next(left) for name in whole} if isinstance(whole, dict) else whole and next(left)
            for whole in (self.inputs, self.target, self.weight)
        )
        return x, y, w

    @property
    def described(self) -> str:
        """Shapes and dtypes of the inputs, for a person."""
        if isinstance(self.inputs, dict):
            return ", ".join(f"{name} {field.shape} {field.dtype}" for name, field in self.inputs.items())
        return f"{self.inputs.shape} {self.inputs.dtype}"

    @property
    def num_classes(self) -> int | None:
        """Outputs that a classifier needs: integer labels count from 0 to the largest."""
        if not self.classes:
            return None
        last = self.classes[-1]
        return last + 1 if isinstance(last, int) else len(self.classes)

    @property
    def nbytes(self) -> int:
        """Bytes a sample, as delivered."""
        return sum(field.nbytes for field in self.fields)


def to_json(part: Fields) -> dict[str, Any]:
    """Shape and dtype, by name where there are several, fit for JSON."""
    if isinstance(part, dict):
        return {
            "shape": {name: list(field.shape) for name, field in part.items()},
            "dtype": {name: field.dtype for name, field in part.items()},
        }
    return {"shape": list(part.shape), "dtype": part.dtype}
