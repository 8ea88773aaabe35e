"""View: the rows of a part of a source, without a copy of anything; a range where rows are consecutive."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """Some rows of a source, ascending."""

    rows: range | NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def index(self) -> slice | NDArray[np.int64]:
        """The index that picks these rows out of an array over all rows; a slice copies nothing."""
        return slice(self.rows.start, self.rows.stop) if isinstance(self.rows, range) else self.rows

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows at some positions of this view."""
        return positions + self.rows.start if isinstance(self.rows, range) else self.rows[positions]

    def part(self, positions: NDArray[np.int64]) -> "View":
        """The view of some ascending positions of this one; a range where they are consecutive."""
        rows = self.at(positions)
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            return View(range(int(rows[0]), int(rows[-1]) + 1))
        return View(rows)

    def between(self, first: int, last: int) -> "View":
        """The view of the rows from `first` to below `last`."""
        if isinstance(self.rows, range):
            start = min(max(first, self.rows.start), self.rows.stop)
            return View(range(start, max(start, min(last, self.rows.stop))))
        here = slice(*np.searchsorted(self.rows, (first, last)))
        return View(self.rows[here])

    def pieces(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The chunks of `size` rows that hold rows of this view.

        Returns:
            Their numbers, ascending, and the position in this view at which the rows of each begin, with the
            number of rows at the end.
        """
        if isinstance(self.rows, range):
            chunks = np.arange(self.rows.start // size, -(-self.rows.stop // size))
            starts = np.maximum(chunks * size - self.rows.start, 0)
        else:
            chunks, starts = np.unique(self.rows // size, return_index=True)
        return chunks, np.append(starts, len(self))
