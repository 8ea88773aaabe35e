"""Recycler: memory for batches, taken back once nobody holds the batch any more, and used again.

Memory fresh from the system costs a page fault each 4 KiB, more than to fill it. A batch is its owner's for
as long as anything refers to its memory, a view or a tensor too.
"""

import math
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1 << 16  # bytes: what is smaller, NumPy and the C library keep at hand anyway


class Recycler:
    """Gives memory for arrays, in several threads at once.

    Args:
        most: How many pieces of memory of one size may wait for use.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free: dict[int, list[NDArray[np.uint8]]] = {}
        self._leased: dict[int, tuple[weakref.ref[memoryview], NDArray[np.uint8]]] = {}

    def empty(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An array with any values in it, in memory that nothing else refers to."""
        n = math.prod(shape) * np.dtype(dtype).itemsize
        if n < LEAST:
            return np.empty(shape, dtype)
        free = self._free.setdefault(n, [])
        try:
            memory = free.pop()
        except IndexError:
            memory = np.empty(n, np.uint8)
        lease = memory.data  # a view that lives as long as any array over it
        reference = weakref.ref(lease, self._take_back)
        self._leased[id(reference)] = reference, memory
        return np.frombuffer(lease, dtype).reshape(shape)

    def clear(self) -> None:
        """Let go of all that waits for use."""
        self._free.clear()

    def _take_back(self, reference: "weakref.ref[memoryview]") -> None:
        _, memory = self._leased.pop(id(reference))
        free = self._free.get(memory.nbytes)
        if free is not None and len(free) < self._most:
            free.append(memory)
