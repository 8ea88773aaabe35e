"""BufferPool: memory for batches, reused once nothing refers to the batch any more.

New memory from the system costs a page fault per 4 KiB, which takes longer than filling it; and memory that
was filled a moment ago is still in the processor's cache. A batch keeps its memory for as long as anything
refers to it, including a view or a tensor: each of them refers to the NumPy array that owns the memory.
"""

import math
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1 << 16  # bytes: NumPy and the C library reuse smaller arrays themselves

_alone = [np.empty(0)]
UNUSED = sys.getrefcount(_alone[0])  # references to an array that is in a list and nowhere else


class BufferPool:
    """Gives memory for arrays of one shape and dtype, in several threads at once.

    It remembers the last `most` arrays that it gave; others go back to the system when they are not used.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, most: int) -> None:
        self._shape, self._dtype, self._most = shape, dtype, most
        self._is_small = math.prod(shape) * np.dtype(dtype).itemsize < LEAST
        self._lent: list[NDArray[Any]] = []  # the last one first
        self._lock = threading.Lock()

    def empty(self, n: int) -> NDArray[Any]:
        """An uninitialized array of n rows, in memory that nothing else refers to."""
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
