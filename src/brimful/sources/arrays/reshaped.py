"""Reshaped columns: another column with its axes in another order, or without an axis of length 1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.sources.arrays.column import Column


class ReshapedColumn(Column):
    """The samples of another column, each made into another shape.

    Args:
        column: The column.
        transposed: Whether the axes of each sample are reversed, as MATLAB writes them.
        squeezed: Whether an axis of length 1, the only one beside that of the samples, is left out.
        across: Whether samples lie along the second axis of an array of shape `(1, n)`.
    """

    def __init__(
        self, column: Column, *, transposed: bool = False, squeezed: bool = False, across: bool = False
    ) -> None:
        shape = column.sample_shape[::-1] if transposed else () if squeezed else column.sample_shape
        count = column.shape[1] if across else len(column)
        super().__init__(column.name, (count, *shape), column.given)
        self.column, self._transposed, self._across = column, transposed, across
        self.chunks = column.chunks
        self.chunk_rows = column.chunk_rows
        self.in_memory = column.in_memory
        if across and column.chunks:
            self.chunk_rows = column.chunks[1]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A view of some samples of the other column."""
        if self._across:
            return self.column.read(0, 1)[0, start:stop]
        block = self.column.read(start, stop)
        if self._transposed:
            return np.transpose(block, (0, *range(block.ndim - 1, 0, -1)))
        return block.reshape(stop - start, *self.sample_shape)
