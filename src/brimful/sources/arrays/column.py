"""Column: an array along whose first axis the samples lie, in memory, in a file, or behind any object."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import BrimfulError, ReadError
from brimful.sources.arrays.chunk_cache import ChunkCache, held
from brimful.sources.arrays.dtypes import TEXT

MOST_SPAN = 128 * 2**20  # bytes of chunks that are held at a time, unless one sample takes more
RUN_BYTES = 8 * 2**20  # bytes that are read at a time where there are no chunks
PAGE = 4096  # bytes that a memory map reads at least


class Column(ABC):
    """An array of which each sample is a slice along the first axis.

    Chunks are read whole, each once, in rising order, and their rows put into the order that was asked for.

    Attributes:
        name: How messages call it, like `data.h5[images]`.
        shape: Its shape, the samples along the first axis.
        given: The dtype as it is stored.
        chunks: The shape of a chunk, if it is stored in chunks.
        chunk_rows: Samples that are unpacked together; 0 if any run of them can be read alone.
        in_memory: Whether all of it is in memory.
    """

    chunks: tuple[int, ...] | None = None
    chunk_rows = 0
    in_memory = False

    def __init__(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.name = name
        self.shape = shape
        self.given = dtype
        self._cache = ChunkCache()

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Some consecutive samples; the array may be a view that nobody writes into.

        Raises:
            SourceError: They cannot be read.
        """

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in the byte order of this machine."""
        return self.given.newbyteorder("=")

    @property
    def row_bytes(self) -> int:
        """Bytes of a sample."""
        return int(np.prod(self.sample_shape, dtype=object)) * self.given.itemsize

    @cached_property
    def span_rows(self) -> int:
        """Samples read at a time: those of a chunk, or fewer if it is very large; 0 without chunks."""
        return min(self.chunk_rows, max(1, MOST_SPAN // max(1, self.row_bytes)))

    @property
    def held_bytes(self) -> int:
        """Most bytes that reading takes beside the result."""
        if not self.span_rows:
            return min(RUN_BYTES, len(self) * self.row_bytes) + self.row_bytes
        span = self.span_rows * self.row_bytes
        return held(span) * span

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Some samples in the order given, repeats allowed, as memory of their own."""
        taken = np.empty((len(numbers), *self.sample_shape), self.dtype)
        order = np.argsort(numbers, kind="stable")
        ascending = numbers[order]
        for group in self._groups(ascending):
            wanted = ascending[group]
            first, block = self._block(int(wanted[0]), int(wanted[-1]) + 1)
            at = wanted - first
            is_run = bool((np.diff(at) == 1).all())
            taken[order[group]] = block[at[0] : at[-1] + 1] if is_run else block[at]
        return taken

    def _groups(self, ascending: NDArray[np.int64]) -> Iterator[slice]:
        """The parts of ascending numbers that are read at a time."""
        if not len(ascending):
            return
        if self.span_rows:
            is_next = np.diff(ascending // self.span_rows) > 0
        else:
            most = max(1, RUN_BYTES // max(1, self.row_bytes))
            is_next = (np.diff(ascending) > 1) | (np.arange(1, len(ascending)) % most == 0)
        starts = [0, *(np.flatnonzero(is_next) + 1).tolist(), len(ascending)]
        for start, stop in pairwise(starts):
            yield slice(start, stop)

    def _block(self, start: int, stop: int) -> tuple[int, NDArray[Any]]:
        """An array with some consecutive samples, and the number of its first one."""
        if not self.span_rows:
            return start, self.read(start, stop)
        number = start // self.span_rows
        first = number * self.span_rows
        last = min(first + self.span_rows, len(self))
        most = held(self.span_rows * self.row_bytes)
        return first, self._cache.get(number, most, lambda: self.read(first, last))


class MemoryColumn(Column):
    """A NumPy array, in memory or mapped into it."""

    def __init__(self, name: str, array: NDArray[Any]) -> None:
        super().__init__(name, array.shape, array.dtype)
        self._array = array.view(np.ndarray)
        self.in_memory = not isinstance(array, np.memmap)
        is_far_apart = array.ndim > 1 and abs(array.strides[0]) < max(map(abs, array.strides[1:]))
        if is_far_apart and not self.in_memory:  # in Fortran order each page holds values of many samples
            self.chunk_rows = min(len(array), max(1, PAGE // array.dtype.itemsize))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A view."""
        return self._array[start:stop]

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Rows gathered by NumPy, where each is in one piece."""
        if self.chunk_rows:
            return super().take(numbers)
        taken = np.take(self._array, numbers, axis=0)
        return np.ascontiguousarray(taken, self.dtype).reshape(taken.shape)


class SlicedColumn(Column):
    """Any object with a shape, a dtype and slices; one thread at a time asks it."""

    def __init__(self, name: str, array: Any, dtype: np.dtype[Any]) -> None:
        super().__init__(name, tuple(int(n) for n in array.shape), dtype)
        self._array = array
        self._lock = threading.Lock()
        self.chunks = chunks_of(array, len(self.shape))
        self.chunk_rows = self.chunks[0] if self.chunks else 0

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """What the object gives for a slice, as an array."""
        try:
            with self._lock:
                block = np.asarray(self._array[start:stop])
        except BrimfulError:
            raise
        except Exception as error:  # (of whatever object the user has)
            raise ReadError(f"{self.name}[{start}:{stop}]: this cannot be read: {error!r:.300}.") from error
        if block.shape != (stop - start, *self.sample_shape) or not self._is_as_said(block.dtype):
            raise ReadError(
                f"{self.name}[{start}:{stop}]: expected the shape {(stop - start, *self.sample_shape)} and "
                f"{self.given}. Found {block.shape} and {block.dtype}."
            )
        return block

    def _is_as_said(self, dtype: np.dtype[Any]) -> bool:
        """Whether a dtype is the one that the object says it has; text may be shorter or longer."""
        return dtype.newbyteorder("=") == self.dtype or dtype.kind == self.given.kind in (*TEXT, "O")


def chunks_of(array: Any, axes: int) -> tuple[int, ...] | None:
    """The shape of the chunks of an object, if it says so: of h5py and Zarr, or of Dask."""
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != axes:
        return None
    firsts = [max(each, default=0) if isinstance(each, tuple) else each for each in chunks]
    return tuple(map(int, firsts)) if all(isinstance(each, (int, np.integer)) for each in firsts) else None
