"""RowLoader: batches from a reader of single samples, of raw files as a rule.

order.rows ──► blocks of rows ──► Prefetch: threads that read and parse ──► batches, cut from the
(integers)     (a few hundred)    (a bounded number at a time, in order)     blocks into new arrays
"""

import threading
import time
from collections.abc import Iterator
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from brimful.errors import StateError
from brimful.feed.budget import Budget
from brimful.feed.cutter import Cutter
from brimful.feed.loader import STAGES, Block, Finish
from brimful.order.epochs import Order
from brimful.order.view import View
from brimful.prefetch import Prefetch
from brimful.samples import Reader


class RowLoader:
    """Batches from a reader, each row read by itself, so that every order is an exact permutation.

    Args:
        reader: Where samples come from.
        view: The rows to feed.
        order: Which comes when.
        batch_size: Samples a batch.
        budget: How many threads, and how much they read ahead.
        with_keys: Whether keys are wanted.
        finish: What becomes of each batch.
    """

    def __init__(
        self,
        reader: Reader,
        view: View,
        order: Order,
        batch_size: int,
        budget: Budget,
        *,
        with_keys: bool,
        finish: Finish,
    ) -> None:
        self.reader = reader
        self.view = view
        self.order = order
        self.batch_size = batch_size
        self.budget = budget
        self.with_keys = with_keys
        self.finish = finish
        self.busy = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()

    def begin(self, epoch: int, start: int, stop: int) -> "RowIterator":
        """The batches of the rows at some positions of an epoch."""
        return RowIterator(self, epoch, start, stop)

    def read(self, rows: NDArray[np.int64]) -> Block:
        """Read a block: the samples at some positions of the view. Done in threads."""
        began = time.perf_counter()
        rows_of_reader = self.view.at(rows)
        keys = self.reader.keys(rows_of_reader) if self.with_keys else []
        block = Block(rows, self.reader.read(rows_of_reader), keys)
        with self._lock:
            self.busy["read"] += time.perf_counter() - began
        return block

    def identity(self) -> dict[str, Any]:
        """Which samples these are."""
        return {"data": self._digest, "window": 1}

    def plan(self) -> str:
        """About how long an epoch takes to read, by the first samples and one thread."""
        rows = np.arange(min(self.budget.block_rows, len(self.view)))
        began = time.perf_counter()
        self.read(rows)
        seconds = (time.perf_counter() - began) / len(rows) * len(self.view)
        threads = self.budget.threads
        return f"reading an epoch takes about {seconds:.1f} s of one thread; up to {threads} read ahead"

    def set_window(self, window: int) -> None:
        """There is one window, of all rows.

        Raises:
            StateError: The position was saved with several.
        """
        if window != 1:
            raise StateError(
                f"This position was saved with window={window!r}, raw data have window=1.",
                "Go on with the store that it was saved with.",
            )

    @cached_property
    def _digest(self) -> str:
        """A hash over the hashes of all keys in the view."""
        return xxh3_64_hexdigest(np.ascontiguousarray(self.reader.hashes[self.view.index]).data)


class RowIterator:
    """A pass over some positions of an epoch.

    Args:
        supply: Where from.
        epoch: Which.
        start: First position.
        stop: Position behind the last.
    """

    def __init__(self, supply: RowLoader, epoch: int, start: int, stop: int) -> None:
        self._supply = supply
        self._span = epoch, start, stop
        budget = supply.budget
        self._blocks = Prefetch(supply.read, self._rows(), threads=budget.threads, depth=budget.blocks)
        self._finished = (
            Prefetch(self._finish, self._cut(), threads=budget.ahead - 1, depth=budget.ahead)
            if budget.ahead
            else None
        )

    def __iter__(self) -> Iterator[Block]:
        return iter(self._finished) if self._finished else map(self._finish, self._cut())

    def _cut(self) -> Iterator[tuple[Block, int]]:
        """Batches as they were read, and their positions."""
        _, position, stop = self._span
        cutter = Cutter(iter(self._blocks), self._supply.reader.schema)
        while position < stop:
            batch = cutter.take(min(self._supply.batch_size, stop - position))
            yield batch, position
            position += len(batch.rows)

    def _finish(self, cut: tuple[Block, int]) -> Block:
        batch, position = cut
        return self._supply.finish(batch, self._span[0], position)

    def stage(self) -> str:
        """Handing over where the batch is there; else finishing it where its block is, or reading."""
        if self._finished and self._finished.is_ready:
            return "queue"
        if self._blocks.is_ready:
            return "decode" if self._finished else "queue"
        return "read"

    def check(self) -> None:
        """Refuse to go on once it is closed."""
        self._blocks.check()

    def close(self) -> None:
        """Stop the threads."""
        self._blocks.close()
        if self._finished:
            self._finished.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _rows(self) -> Iterator[NDArray[np.int64]]:
        """The rows of the view that are still to come, a block at a time."""
        epoch, start, stop = self._span
        size = self._supply.budget.block_rows
        for first in range(start, stop, size):
            yield self._supply.order.rows(epoch, first, min(first + size, stop))
