"""Loader: where a feed gets its batches from, whatever way they are read."""

from collections.abc import Callable, Iterator
from operator import itemgetter
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from brimful.order.epochs import Order
from brimful.samples import Samples
from brimful.schema import map_structure

STAGES = ("read", "verify", "decode", "queue")
"""What a loop can wait for: bytes from the disk (of raw files: and numbers from their text), their checksums,
arrays made of them, and a batch that is ready to be handed over."""


class Block(NamedTuple):
    """Samples that are handed on together.

    Attributes:
        rows: Their rows in the view.
        samples: Their arrays.
        keys: Their keys, empty where nobody asked.
    """

    rows: NDArray[np.int64]
    samples: Samples
    keys: list[str]

    def batches(self, size: int) -> "Iterator[Block]":
        """The same samples, so many at a time, in the same memory."""
        n = len(self.rows)
        if n <= size:
            yield self
            return
        for first in range(0, n, size):
            here = slice(first, first + size)
            samples = Samples(*(map_structure(whole, itemgetter(here)) for whole in self.samples))
            yield Block(self.rows[here], samples, self.keys[here])


Finish = Callable[[Block, int, int], Block]
"""What becomes of a batch before it is handed out, given epoch and first position. Done in threads."""


class EpochIterator(Protocol):
    """The batches of one epoch from a position on. Iterating gives them in order, closing stops threads."""

    def __iter__(self) -> Iterator[Block]: ...

    def stage(self) -> str:
        """What the next batch is waiting for at this moment, one of STAGES."""

    def check(self) -> None:
        """Refuse to go on once it is closed, with PassEndedError."""

    def close(self) -> None:
        """Stop the threads once they are done with what is in hand, and let go of all batches."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Loader(Protocol):
    """Where batches come from.

    Attributes:
        order: Which row comes when.
        busy: Seconds that threads have spent in each stage, over all passes.
    """

    order: Order
    busy: dict[str, float]

    def begin(self, epoch: int, start: int, stop: int) -> EpochIterator:
        """The batches of some positions of an epoch; nothing is read before the first is wanted."""

    def identity(self) -> dict[str, Any]:
        """What decides which sample comes when, but for seed and shuffle. Fit for JSON."""

    def plan(self) -> str:
        """How it will read, for a person; may read a few samples to find out."""

    def set_window(self, window: int) -> None:
        """Take as many pieces a window as a saved position had.

        Raises:
            MemoryBudgetError: There is not enough memory for it.
        """
