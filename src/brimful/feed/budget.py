"""Budget: what `memory` says, and how a feed divides it."""

from dataclasses import dataclass

from brimful.errors import MemoryBudgetError
from brimful.memory import format_bytes, parse_bytes
from brimful.prefetch import reading_threads
from brimful.samples import Reader
from brimful.schema import Schema

AHEAD = 3  # batches that are finished ahead
BLOCK_ROWS = 512  # samples that a thread reads at a time, several native calls long


@dataclass(frozen=True)
class Budget:
    """How a feed divides its memory.

    Attributes:
        threads: How many read and parse.
        blocks: How many blocks may exist at a time: being read, waiting, being cut into a batch.
        block_rows: Rows a block.
        ahead: Batches that are finished ahead in threads; 0 where that is for the loop.
    """

    threads: int
    blocks: int
    block_rows: int
    ahead: int = 0


def divide(
    memory: str | float, reader: Reader, schema: Schema, batch_size: int, n: int, *, finishes: bool = False
) -> Budget:
    """Divide a budget of memory for feeding batches from a reader.

    Two batches are held (the one handed out and the one being filled), those that are finished ahead, and up
    to `blocks` blocks, each at what it takes while it is parsed.

    Args:
        memory: The budget, as for `parse_bytes`.
        reader: Where samples come from.
        schema: What a sample of a batch has.
        batch_size: Samples a batch.
        n: Samples in all.
        finishes: Whether there is anything to do to a batch that is worth a thread.

    Raises:
        MemoryBudgetError: It is too small; says the least that would do.
    """
    total = parse_bytes(memory)
    batch = min(batch_size, n) * schema.nbytes
    batches = 2 * batch
    ahead = AHEAD if finishes and (2 + AHEAD) * batch <= total // 2 else 0
    more = schema.nbytes - reader.schema.nbytes  # one-hot targets are wider than what is read
    for threads in range(reading_threads(), 0, -1):
        blocks = 2 * threads + 1
        left = (total - batches - ahead * batch) // blocks
        rows = min(BLOCK_ROWS, n)
        while rows > 1 and reader.working_bytes(rows) + rows * more > left:
            rows //= 2
        if reader.working_bytes(rows) + rows * more <= left:
            return Budget(threads, blocks, rows, ahead)
    least = batches + 3 * (reader.working_bytes(1) + more)
    raise MemoryBudgetError(
        f"memory={memory!r} is too small for batches of {batch_size:,} samples of {schema.nbytes:,} bytes.",
        f"Give at least memory={format_bytes(least)!r}, or a smaller batch_size.",
    )
