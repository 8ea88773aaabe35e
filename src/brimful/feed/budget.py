"""Budgets: how a feed divides its memory.

With raw data, memory holds blocks of samples that are being read, and batches.

With a store, three sixteenths are for batches and the threads that make them. The rest holds the memory that
chunks are read into, and two windows, the one that is consumed and the one that is read; or the whole view,
if that fits. The size of a window does not depend on the batch size or the machine: the order depends on it.
"""

from dataclasses import dataclass, replace

from brimful.errors import MemoryBudgetError
from brimful.memory import format_bytes
from brimful.prefetch import ReadBudget, busy_threads, divide
from brimful.samples import Reader
from brimful.schema import Schema

AHEAD = 3  # batches that are postprocessed ahead
BLOCK_ROWS = 512  # samples that a thread reads at a time, several native calls long

SIXTEENTHS = 3  # of the memory, for batches and for the overhead of threads
OVERHEAD = 2**18  # bytes that threads take for their own objects, at the most, and at the most
OVERHEAD_SHARE = 32  # one part in so many of the memory
READERS = 3  # chunks that are read at a time: more are not faster, on any disk tried
READERS_SHARE = 8  # chunks are read into one part in so many of the memory at the most, or one at a time
GROUP_BYTES = (
    10 * 2**20
)  # of batches made at a time: with less, threads contend for the GIL; with more, for RAM


def divide_rows(
    memory: int, reader: Reader, schema: Schema, rows: tuple[int, int], *, is_plain: bool, is_slow: bool
) -> tuple[ReadBudget, int]:
    """Divide a budget of memory for feeding batches from a reader.

    Memory holds two batches, the one handed out and the one being filled; a third if postprocessing makes new
    arrays; batches that are postprocessed ahead, and what they are made of; and blocks, each counted with
    what it takes while it is parsed.

    Args:
        memory: The budget, in bytes.
        reader: Where samples come from.
        schema: What a sample of a batch has.
        rows: Samples per batch, and in all.
        is_plain: Whether batches are handed out as they were read.
        is_slow: Whether postprocessing a batch is worth a thread.

    Returns:
        How to read, and how many batches are postprocessed ahead in threads; 0 if the loop does it.

    Raises:
        MemoryBudgetError: It is too small; names the least that suffices.
    """
    batch_size, n = rows
    batch = min(batch_size, n) * schema.nbytes
    ahead = AHEAD if is_slow and (2 + 2 * AHEAD) * batch <= memory // 2 else 0
    batches = (2 + 2 * ahead if ahead else 2 if is_plain else 3) * batch
    more = schema.nbytes - reader.schema.nbytes  # one-hot targets are wider than labels

    def nbytes(rows: int) -> int:
        return reader.working_bytes(rows) + rows * more

    if budget := divide(memory - batches, nbytes, min(BLOCK_ROWS, n)):
        return budget, ahead
    least = (2 if is_plain else 3) * batch + ReadBudget(1, 1).depth * nbytes(1)
    raise MemoryBudgetError(
        f"memory={format_bytes(memory)!r} is too small for batches of {batch_size:,} samples of "
        f"{schema.nbytes:,} bytes.",
        f"Give at least memory={format_bytes(least)!r}, or a smaller batch_size.",
    )


@dataclass(frozen=True)
class ChunkSizes:
    """The memory that the chunks of a view take.

    Attributes:
        io_bytes: Bytes into which a chunk is read.
        slot_bytes: Bytes of its columns in the cache.
        piece_bytes: Bytes of a chunk in a window: its slot, the order of its rows, their keys.
        pieces: Chunks that hold rows of the view.
    """

    io_bytes: int
    slot_bytes: int
    piece_bytes: int
    pieces: int


@dataclass(frozen=True)
class WindowBudget:
    """How a feed from a store divides its memory.

    Attributes:
        memory: The budget, in bytes.
        sizes: The memory that chunks take.
        threads: Threads that decode, one for each core but that of the loop.
        group: Batches that are made at a time.
        is_plain: Whether batches are handed out as they were decoded.
    """

    memory: int
    sizes: ChunkSizes
    threads: int
    group: int
    is_plain: bool

    @property
    def readers(self) -> int:
        """Chunks that are read at a time."""
        return self._for_reading // self.sizes.io_bytes

    @property
    def depth(self) -> int:
        """Groups that are made ahead: one for each thread, two that wait, and the one handed out."""
        return self.threads + 3

    @property
    def groups(self) -> int:
        """Groups that may exist at a time: the loop may still hold the last batch of another one."""
        return self.depth + 1

    @property
    def batches(self) -> int:
        """Batches that may exist at a time, including those that are being postprocessed."""
        unfinished = 0 if self.is_plain else self.threads + 1
        return (self.groups + unfinished) * self.group

    @property
    def window(self) -> int:
        """Chunks per window."""
        fit = self.for_chunks // self.sizes.piece_bytes
        return self.sizes.pieces if fit >= self.sizes.pieces else fit // 2

    @property
    def slots(self) -> int:
        """Chunks that fit in the cache."""
        sizes = self.sizes
        if self.window == sizes.pieces:
            return sizes.pieces
        others = 2 * self.window * (sizes.piece_bytes - sizes.slot_bytes)
        return min(sizes.pieces, (self.for_chunks - others) // sizes.slot_bytes)

    def memory_for(self, window: int) -> int:
        """The memory that windows of so many chunks need, in bytes."""
        sizes = self.sizes
        held = sizes.pieces if window >= sizes.pieces else min(2 * window, sizes.pieces)
        low, high = sizes.io_bytes, 2**63
        while low < high:  # what is left for chunks grows with the memory
            middle = (low + high) // 2
            fits = replace(self, memory=middle).for_chunks >= held * sizes.piece_bytes
            low, high = (low, middle) if fits else (middle + 1, high)
        return low

    @property
    def _for_reading(self) -> int:
        io_bytes = self.sizes.io_bytes
        return min(max(self.memory // READERS_SHARE, io_bytes), READERS * io_bytes)

    @property
    def for_chunks(self) -> int:
        """Bytes for the chunks of windows."""
        return self.memory * (16 - SIXTEENTHS) // 16 - self._for_reading


def divide_windows(memory: int, sizes: ChunkSizes, batch_bytes: int, *, is_plain: bool) -> WindowBudget:
    """Divide a budget of memory for feeding batches from a store; the arguments are in bytes.

    Raises:
        MemoryBudgetError: It is too small; names the least that suffices.
    """
    share = memory * SIXTEENTHS // 16 - min(OVERHEAD, memory // OVERHEAD_SHARE)
    budget = WindowBudget(memory, sizes, busy_threads(), max(1, GROUP_BYTES // batch_bytes), is_plain)
    while budget.batches * batch_bytes > share and (budget.threads, budget.group) != (1, 1):
        if budget.group > 1:
            budget = replace(budget, group=budget.group // 2)
        else:
            budget = replace(budget, threads=budget.threads - 1)
    smallest = replace(budget, threads=1, group=1)
    for_batches = _memory_for_batches(smallest.batches * batch_bytes)
    for_chunks = budget.memory_for(1)
    if max(for_batches, for_chunks) > memory:
        smaller = ", or a smaller batch_size." if for_batches > for_chunks else "."
        raise MemoryBudgetError(
            f"memory={format_bytes(memory)!r} is too small for chunks of {sizes.slot_bytes:,} bytes and "
            f"batches of {batch_bytes:,} bytes.",
            f"Give at least memory={format_bytes(max(for_batches, for_chunks))!r}{smaller}",
        )
    return budget


def _memory_for_batches(nbytes: int) -> int:
    """The memory of which the share for batches is so many bytes."""
    while_small = -(-nbytes * 16 * OVERHEAD_SHARE // (SIXTEENTHS * OVERHEAD_SHARE - 16)) + OVERHEAD_SHARE
    return min(while_small, -(-(nbytes + OVERHEAD) * 16 // SIXTEENTHS))
