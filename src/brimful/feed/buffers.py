"""BufferPool: memory for batches, used again once nobody holds the batch any more.

Memory fresh from the system costs a page fault each 4 KiB, more than to fill it; and what was filled a moment
ago is in the processor's cache yet. A batch is its owner's for as long as anything refers to its memory, a
view or a tensor too: to NumPy each of them refers to the array that owns it.
"""

import math
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1 << 16  # bytes: what is smaller, NumPy and the C library keep at hand anyway

_alone = [np.empty(0)]
UNUSED = sys.getrefcount(_alone[0])  # references to an array that is in a list and nowhere else


class BufferPool:
    """Gives memory for arrays of one shape, in several threads at once.

    Args:
        shape: Shape of the arrays.
        dtype: NumPy name of their dtype.
        most: How many may be remembered: what is lent beyond, its owner keeps or gives back to the system.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, most: int) -> None:
        self._shape, self._dtype, self._most = shape, dtype, most
        self._is_small = math.prod(shape) * np.dtype(dtype).itemsize < LEAST
        self._lent: list[NDArray[Any]] = []  # that lent last in front
        self._lock = threading.Lock()

    def empty(self, n: int) -> NDArray[Any]:
        """An array of n rows with any values in it, in memory that nothing else refers to."""
        if self._is_small:
            return np.empty((n, *self._shape[1:]), self._dtype)
        with self._lock:
            memory = self._unused()
            self._lent.insert(0, memory)
            del self._lent[self._most :]
        return memory[:n]

    def _unused(self) -> NDArray[Any]:
        for at in range(len(self._lent)):
            if sys.getrefcount(self._lent[at]) == UNUSED:
                return self._lent.pop(at)
        return np.empty(self._shape, self._dtype)
