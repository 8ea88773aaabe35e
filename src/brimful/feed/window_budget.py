"""WindowBudget: how a feed from a store divides its memory.

Three sixteenths are for batches. In the rest is what chunks are read into, and two windows, that which is
consumed and that which is read; or all of the view, where it fits. A window is of so many chunks whatever the
batch size and the machine, for the order depends on it.
"""

from dataclasses import dataclass, replace

from brimful.errors import MemoryBudgetError
from brimful.memory import format_bytes
from brimful.order.epochs import DRAWN_BYTES
from brimful.prefetch import busy_threads

SIXTEENTHS = 3  # of the memory, for batches
READERS = 3  # chunks that are read at a time: more brings nothing, on any disk tried
READERS_SHARE = 8  # of the memory, one part in so many at the most is read into, but for one chunk
GROUP_BYTES = 10 * 2**20  # of batches made at a time: with less, threads wait for Python; with more, for RAM


@dataclass(frozen=True)
class WindowBudget:
    """How a feed from a store divides its memory.

    Attributes:
        memory: All of it, in bytes.
        io_bytes: What a chunk is read into.
        slot_bytes: What its columns take in the slab.
        piece_bytes: What a chunk of a window takes: its slot, the order of its rows, their keys.
        pieces: Chunks that hold rows of the view.
        threads: How many decode, one a core but for the loop's.
        group: Batches that are made at a time.
        finishes: Whether batches are made anew from what was decoded.
    """

    memory: int
    io_bytes: int
    slot_bytes: int
    piece_bytes: int
    pieces: int
    threads: int
    group: int
    finishes: bool

    @property
    def readers(self) -> int:
        """Chunks that are read at a time."""
        return self._for_reading // self.io_bytes

    @property
    def depth(self) -> int:
        """Groups that are made ahead, one handed out and two waiting among them."""
        return self.threads + 3

    @property
    def groups(self) -> int:
        """Groups that may exist at a time: the loop may hold on to the last batch of one."""
        return self.depth + 1

    @property
    def batches(self) -> int:
        """Batches that may exist at a time: also what was decoded of those that are being finished."""
        unfinished = self.threads + 1 if self.finishes else 0
        return (self.groups + unfinished) * self.group

    @property
    def window(self) -> int:
        """Chunks a window."""
        fit = self.for_chunks // self.piece_bytes
        return self.pieces if fit >= self.pieces else fit // 2

    @property
    def slots(self) -> int:
        """Chunks that the slab has room for."""
        if self.window == self.pieces:
            return self.pieces
        others = 2 * self.window * (self.piece_bytes - self.slot_bytes)
        return min(self.pieces, (self.for_chunks - others) // self.slot_bytes)

    def memory_for(self, window: int) -> int:
        """The memory that windows of so many chunks need."""
        held = self.pieces if window >= self.pieces else min(2 * window, self.pieces)
        low, high = self.io_bytes, 2**63
        while low < high:  # what is left for chunks grows with the memory
            middle = (low + high) // 2
            fits = replace(self, memory=middle).for_chunks >= held * self.piece_bytes
            low, high = (low, middle) if fits else (middle + 1, high)
        return low

    @property
    def _for_reading(self) -> int:
        return min(max(self.memory // READERS_SHARE, self.io_bytes), READERS * self.io_bytes)

    @property
    def for_chunks(self) -> int:
        """Bytes for the chunks of windows."""
        return self.memory * (16 - SIXTEENTHS) // 16 - self._for_reading


def divide_windows(
    memory: int,
    *,
    io_bytes: int,
    slot_bytes: int,
    key_bytes: int,
    rows_per_chunk: int,
    pieces: int,
    batch_bytes: int,
    finishes: bool,
) -> WindowBudget:
    """Divide a budget of memory for feeding batches from a store.

    Args:
        memory: The budget, in bytes.
        io_bytes: What a chunk is read into.
        slot_bytes: What its columns take.
        key_bytes: What its keys take, where they are wanted.
        rows_per_chunk: Rows of a chunk.
        pieces: Chunks that hold rows of the view.
        batch_bytes: What a batch takes.
        finishes: Whether batches are made anew from what was decoded.

    Raises:
        MemoryBudgetError: It is too small; says the least that would do.
    """
    piece_bytes = slot_bytes + key_bytes + rows_per_chunk * DRAWN_BYTES

    def divided(threads: int, group: int) -> WindowBudget:
        return WindowBudget(memory, io_bytes, slot_bytes, piece_bytes, pieces, threads, group, finishes)

    share = memory * SIXTEENTHS // 16
    budget = divided(busy_threads(), max(1, GROUP_BYTES // batch_bytes))
    while budget.batches * batch_bytes > share and (budget.threads, budget.group) != (1, 1):
        fewer = (budget.threads, budget.group // 2) if budget.group > 1 else (budget.threads - 1, 1)
        budget = divided(*fewer)
    for_batches = -(-16 * divided(1, 1).batches * batch_bytes // SIXTEENTHS)
    for_chunks = budget.memory_for(1)
    if max(for_batches, for_chunks) > memory:
        smaller = ", or a smaller batch_size." if for_batches > for_chunks else "."
        raise MemoryBudgetError(
            f"memory={format_bytes(memory)!r} is too small for chunks of {slot_bytes:,} bytes and batches of "
            f"{batch_bytes:,} bytes.",
            f"Give at least memory={format_bytes(max(for_batches, for_chunks))!r}{smaller}",
        )
    return budget
