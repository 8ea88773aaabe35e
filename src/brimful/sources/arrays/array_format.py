"""ArrayFormat: a Format: arrays whose first axis counts the samples, keyed by the index in decimal."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError
from brimful.samples import FINGERPRINT, Samples
from brimful.schema import Field, Fields, Schema, flatten, map_structure
from brimful.sources.arrays.column import Column
from brimful.sources.arrays.dtypes import cast
from brimful.sources.arrays.files import Files
from brimful.sources.base import BaseFormat
from brimful.sources.objects import decimals

Columns = Column | dict[str, Column]
"""One array, or several by name."""


@dataclass(frozen=True)
class Parts:
    """The arrays that make samples.

    Attributes:
        name: What they are from, as shown to users.
        inputs: The inputs.
        targets: Targets that samples carry; None if they are labels, or there are none.
        weights: Weights that samples carry beside such targets.
        files: The files that they are read from; None for arrays in memory, and objects of the user's.
        root: The folder of the data, in which no store may be made.
        facts: What was decided, beside what can be seen of the arrays.
        missing: Which samples lie in chunks that were never written, by the name of the array.
    """

    name: str
    inputs: Columns
    targets: Columns | None = None
    weights: Column | None = None
    files: Files | None = None
    root: Path | None = None
    facts: tuple[str, ...] = ()
    missing: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All arrays, in the order of the schema's fields."""
        return (*flatten(self.inputs), *flatten(self.targets), *flatten(self.weights))


class ArrayFormat(BaseFormat):
    """Arrays whose first axis counts the samples.

    Chunks are read whole, in rising order. Reading shuffled samples unpacks a chunk for each of them, which
    is why such arrays are audited and packed in the order of the chunks.

    Args:
        parts: The arrays, of equal length.
        shape: The shape to give to the input; None to keep it.
        dtype: The dtype of the inputs; None to keep it.
        regression: Whether targets that samples carry are floats, even if they are integers.
    """

    def __init__(
        self, parts: Parts, *, shape: tuple[int, ...] | None, dtype: str | None, regression: bool
    ) -> None:
        self._parts = parts
        self.name = parts.name
        self.root = parts.root
        inputs: Fields = map_structure(
            parts.inputs, lambda column: Field(column.sample_shape, dtype or column.dtype.name)
        )
        target = map_structure(parts.targets, lambda column: Field(column.sample_shape, _target(column)))
        if regression:
            target = map_structure(target, lambda each: Field(each.shape, "float32"))
        weight = None if parts.weights is None else Field((), "float32")
        self.schema = Schema(_reshaped(inputs, shape, parts), target, None, weight)
        self.is_sequential = any(column.chunk_rows > 1 for column in parts.columns)
        self.identity = json.dumps(
            [repr(self.schema), *((column.name, column.shape, column.given.str) for column in parts.columns)]
        )
        self.facts = (f"{len(self):,} samples of {self.name}, keyed by index", *parts.facts, *self._costs())

    def __len__(self) -> int:
        return len(self._parts.columns[0])

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """The indices in decimal."""
        return decimals(numbers)

    def place(self, number: int) -> str:
        """The array of the inputs, or the first of them, and the index."""
        return f"{self._parts.columns[0].name}[{number}]"

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples, chunk by chunk."""
        files = self._parts.files
        if files:
            files.refuse_changed()
            if prints is not None:
                prints[:] = files.prints_as_opened(len(self))
        self._refuse_missing(numbers)
        arrays = []
        for column, wanted in zip(self._parts.columns, self.schema.fields, strict=True):
            values = cast(column.take(numbers), wanted.dtype, column.name, numbers)
            arrays.append(values.reshape(len(numbers), *wanted.shape))
        if self._parts.weights is not None:
            _refuse_negative(arrays[-1], self._parts.weights, numbers)
        return Samples(*self.schema.structured(arrays))

    def working_bytes(self, n: int) -> int:
        """The arrays as they are stored and as they are delivered, and the chunks that are unpacked."""
        stored = sum(column.row_bytes for column in self._parts.columns)
        held = sum(column.held_bytes for column in self._parts.columns)
        return 2 * (n + 1) * (stored + self.schema.nbytes) + held

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Size, times and inode of the files, which all samples share; None for arrays in memory."""
        files = self._parts.files
        if files is None:
            return None
        if not len(numbers):
            return np.empty((0, len(FINGERPRINT)), np.int64)
        return np.tile(np.array(files.prints_now(len(self)), np.int64), (len(numbers), 1))

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """By index, and so chunk by chunk; None for arrays in memory."""
        if all(column.in_memory for column in self._parts.columns):
            return None
        return np.argsort(numbers, kind="stable")

    def _refuse_missing(self, numbers: NDArray[np.int64]) -> None:
        for name, is_missing in self._parts.missing.items():
            at = np.flatnonzero(is_missing[numbers])
            if at.size:
                raise MalformedFileError(
                    f"{name}[{numbers[at[0]]}]: its chunk was never written to the file, and would be "
                    "delivered as the fill value.",
                    "Write the data again, or take what is missing for that value: fill=0, --fill 0.",
                    kind="missing_chunk",
                )

    def _costs(self) -> tuple[str, ...]:
        """The chunks of each array, and what it costs to read shuffled samples without a store."""
        said = []
        for column in self._parts.columns:
            if column.chunk_rows < 2:
                continue
            how = f"in chunks of {column.chunks}" if column.chunks else "in Fortran order"
            said.append(
                f"{column.name} is stored {how}: read shuffled, {column.chunk_rows:,} bytes are read for "
                "each byte used; pack it"
            )
        return tuple(said)


def _target(column: Column) -> str:
    """The dtype of targets that samples carry."""
    return "float32" if column.given.kind == "f" else "int64"


def _reshaped(inputs: Fields, shape: tuple[int, ...] | None, parts: Parts) -> Fields:
    """The inputs, a single one in the shape that was asked for."""
    if shape is None:
        return inputs
    if isinstance(inputs, dict):
        raise ArgumentError(
            f"Expected no `shape`, for {parts.name} has several inputs: {', '.join(inputs)}. "
            f"Received: shape={shape}"
        )
    asked = Field(shape, inputs.dtype)
    if asked.size != inputs.size:
        raise ArgumentError(
            f"Expected a `shape` of {inputs.size:,} values, as the samples of {parts.name} have "
            f"({inputs.shape}). Received: shape={shape}"
        )
    return asked


def _refuse_negative(weights: NDArray[Any], column: Column, numbers: NDArray[np.int64]) -> None:
    below = np.flatnonzero(weights < 0)
    if below.size:
        raise MalformedFileError(
            f"{column.name}[{numbers[below[0]]}]: the weight {weights[below[0]]} is below 0.",
            "Correct the data, or leave the sample out.",
        )
