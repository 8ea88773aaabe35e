"""ChunkCache: one block of memory with a slot for each of many chunks, and which chunk is in which slot.

A chunk stays until its slot is taken, so that the next pass need not read it again. Each chunk is used once
per epoch, so the slots to take first are those of chunks that this epoch has used.
"""

import mmap
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

EMPTY = -1


class ChunkCache:
    """Memory for chunks, in `slots` slots of `slot_bytes`.

    A column of rows of b bytes begins at a multiple of b, so that each of its rows is a row of the cache seen
    as rows of b bytes, whichever slot it is in.
    """

    def __init__(self, slots: int, slot_bytes: int, chunks: int) -> None:
        self._slot_bytes = slot_bytes
        memory = mmap.mmap(-1, max(1, slots * slot_bytes), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            memory.madvise(mmap.MADV_HUGEPAGE)
        self._bytes: NDArray[np.uint8] = np.frombuffer(memory, np.uint8)
        self._chunk_in = np.full(slots, EMPTY)
        self._in_use = np.zeros(slots, bool)
        self._slot_of = np.full(chunks, EMPTY)

    def take(
        self, chunks: NDArray[np.int64], next_use: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Take a slot for each of some chunks, until `let_go`.

        Args:
            chunks: The chunks.
            next_use: When each chunk will be used next: the later, the sooner its slot is taken.

        Returns:
            Their slots, and which of them hold the chunk already.
        """
        slots = self._slot_of[chunks]
        is_there = slots != EMPTY
        self._in_use[slots[is_there]] = True
        free = np.flatnonzero(~self._in_use)
        held = self._chunk_in[free]
        when = np.full(len(free), np.iinfo(np.int64).max)
        when[held != EMPTY] = next_use(held[held != EMPTY])
        taken = free[np.argsort(-when, kind="stable")[: np.count_nonzero(~is_there)]]
        if len(taken) < np.count_nonzero(~is_there):
            raise RuntimeError(f"{len(free)} slots are free, for {np.count_nonzero(~is_there)} chunks")
        slots[~is_there] = taken
        self._in_use[taken] = True
        forgotten = self._chunk_in[taken]
        self._slot_of[forgotten[forgotten != EMPTY]] = EMPTY
        self._chunk_in[taken] = EMPTY
        return slots, is_there

    def holds(self, chunks: NDArray[np.int64]) -> bool:
        """Whether all of some chunks are in memory."""
        return bool((self._slot_of[chunks] != EMPTY).all())

    def rows(self, row_bytes: int) -> NDArray[np.uint8]:
        """The cache as rows of so many bytes."""
        n = self._bytes.size // row_bytes
        return self._bytes[: n * row_bytes].reshape(n, row_bytes)

    def first_rows(self, slot: int, column_bytes: Sequence[int], row_bytes: Sequence[int]) -> list[int]:
        """For each column of a chunk its first row, counted in rows of the cache of its `row_bytes`."""
        firsts, at = [], slot * self._slot_bytes
        for size, row in zip(column_bytes, row_bytes, strict=True):
            first = -(-at // row)
            firsts.append(first)
            at = first * row + size
        return firsts

    def put(self, chunk: int, slot: int) -> None:
        """Note that a chunk is complete in a slot."""
        self._chunk_in[slot] = chunk
        self._slot_of[chunk] = slot

    def let_go(self, slots: NDArray[np.int64] | slice) -> None:
        """Let others take some slots; their chunks stay until then."""
        self._in_use[slots] = False
