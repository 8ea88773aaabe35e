"""One-hot: a class as a row of a 1 among 0s."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError
from brimful.schema import Field, Schema


def one_hot_schema(schema: Schema) -> Schema:
    """The schema of samples with one-hot targets, float32.

    Raises:
        ArgumentError: The target is not a class, or the classes are not known or do not count from 0.
    """
    if schema.num_classes is None or schema.classes is None:
        raise ArgumentError("Expected `one_hot` with classes as target. Received: a target that is none")
    first = schema.classes[0]
    if isinstance(first, int) and first < 0:
        raise ArgumentError(f"Expected `one_hot` with classes from 0. Received: {first}")
    return replace(schema, target=Field((schema.num_classes,), "float32"))


def one_hot_rows(y: Any, target: Field) -> NDArray[Any]:
    """Rows of a 1 at the class, shape `(n, num_classes)`."""
    rows = np.zeros((len(y), *target.shape), target.dtype)
    rows[np.arange(len(y)), y] = 1
    return rows
