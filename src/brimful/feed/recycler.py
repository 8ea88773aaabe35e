"""Recycler: memory for batches, taken back once nobody holds the batch any more, and used again.

Memory fresh from the system costs a page fault each 4 KiB, more than to fill it. A batch is its owner's for
as long as anything refers to its memory, a view or a tensor too.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1 << 16  # bytes: what is smaller, NumPy and the C library keep at hand anyway

Memory = NDArray[np.uint8]


class Recycler:
    """Gives memory for arrays, in several threads at once.

    Args:
        most: Bytes of memory that may wait for use.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0
        self._free: dict[int, list[Memory]] = {}
        self._lock = threading.RLock()  # the collector may end a lease while this thread holds it

    def empty(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An array with any values in it, in memory that nothing else refers to."""
        n = math.prod(shape) * np.dtype(dtype).itemsize
        if n < LEAST:
            return np.empty(shape, dtype)
        with self._lock:
            free = self._free.get(n)
            memory = free.pop() if free else None
            self._waiting -= 0 if memory is None else n
        if memory is None:
            memory = np.empty(n, np.uint8)
        return np.asarray(_Lease(memory, self._take_back)).view(dtype).reshape(shape)

    def _take_back(self, memory: Memory) -> None:
        with self._lock:
            if self._waiting + memory.nbytes > self._most:  # of other sizes, or of a list that was dropped
                self._free.clear()
                self._waiting = 0
            self._free.setdefault(memory.nbytes, []).append(memory)
            self._waiting += memory.nbytes


class _Lease:
    """The owner of an array's memory to NumPy: every view and tensor over it keeps this alive.

    (A view of the memory itself would not do: NumPy and memoryview refer to whoever owns the memory, past
    those in between.)
    """

    def __init__(self, memory: Memory, give_back: Callable[[Memory], None]) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory = memory
        self._give_back = give_back

    def __del__(self) -> None:
        self._give_back(self._memory)
