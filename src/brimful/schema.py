"""What one sample looks like: shapes, dtypes, classes."""

import math
from dataclasses import dataclass

import numpy as np


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


@dataclass(frozen=True)
class Schema:
    """What every sample of a source has.

    Attributes:
        inputs: What the model sees.
        target: What it is to predict; None where there are no labels.
        classes: The labels that occur, ascending. Integers are delivered as they are, strings as
            their position here. None where the target is not a class, or not known beforehand.
        weight: How much a sample counts in the loss; None where all count the same.
    """

    inputs: Field
    target: Field | None = None
    classes: tuple[int, ...] | tuple[str, ...] | None = None
    weight: Field | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """What a batch holds, in this order: inputs, target, weight, as far as there are such."""
        return tuple(field for field in (self.inputs, self.target, self.weight) if field)

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
