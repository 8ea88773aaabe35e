"""RowLoader: batches from a reader of single samples, usually of raw files.

order.rows ──► blocks of rows ──► Prefetch: threads that read and parse ──► batches, cut from the
(integers)     (a few hundred)    (a bounded number at a time, in order)    blocks into new arrays
"""

import threading
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from brimful.errors import StateError
from brimful.feed.budget import divide_rows
from brimful.feed.loader import STAGES, Block, EpochIterator
from brimful.feed.postprocess import Postprocessor
from brimful.options import FeedOptions
from brimful.order.epochs import Order
from brimful.order.view import View
from brimful.prefetch import Prefetch
from brimful.samples import Reader, Samples
from brimful.schema import Schema


class RowLoader:
    """Batches from a reader, each row read by itself, so that every order is an exact permutation.

    Raises:
        MemoryBudgetError: The memory is too small.
    """

    def __init__(self, reader: Reader, view: View, options: FeedOptions) -> None:
        self.reader = reader
        self.view = view
        self.options = options
        self.postprocess = Postprocessor(reader.schema, options)
        self.schema = self.postprocess.schema
        self.order = Order(len(view), seed=options.seed, shuffle=options.shuffle)
        self.budget, self.ahead = divide_rows(
            options.memory,
            reader,
            self.schema,
            (options.batch_size, len(view)),
            is_plain=self.postprocess.is_plain,
            is_slow=self.postprocess.is_worth_a_thread,
        )
        self.busy = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()

    def epoch(self, number: int, start: int, stop: int) -> "RowIterator":
        """The batches of some positions of an epoch."""
        return RowIterator(self, number, start, stop)

    def read(self, rows: NDArray[np.int64]) -> Block:
        """Read a block: some rows of the view. Done in threads."""
        began = time.perf_counter()
        rows_of_reader = self.view.at(rows)
        keys = self.reader.keys(rows_of_reader) if self.options.include_keys else []
        block = Block(rows, self.reader.read(rows_of_reader), keys)
        self.count("read", time.perf_counter() - began)
        return block

    def count(self, stage: str, seconds: float) -> None:
        """Add to the seconds that threads have spent in a stage."""
        with self._lock:
            self.busy[stage] += seconds

    def identity(self) -> dict[str, Any]:
        """A checksum of the samples."""
        return {"data": self._digest, "window": 1}

    def plan(self) -> str:
        """About how long reading an epoch takes, judging by the first samples and one thread."""
        rows = np.arange(min(self.budget.block_rows, len(self.view)))
        began = time.perf_counter()
        self.read(rows)
        seconds = (time.perf_counter() - began) / len(rows) * len(self.view)
        threads = self.budget.threads
        return f"reading an epoch takes about {seconds:.1f} s of one thread; up to {threads} read ahead"

    @property
    def whole_memory(self) -> None:
        """Raw data are read again in every epoch, whatever memory there is."""
        return None

    def set_window(self, window: int) -> None:
        """Refuse any number of windows but 1, with StateError."""
        if window != 1:
            raise StateError(
                f"This position was saved with window={window!r}, raw data have window=1.",
                "Go on with the store that it was saved with.",
            )

    @cached_property
    def _digest(self) -> str:
        """A hash over the hashes of all keys in the view."""
        return xxh3_64_hexdigest(np.ascontiguousarray(self.reader.hashes[self.view.index]).data)


class RowIterator(EpochIterator):
    """The batches of some positions of an epoch."""

    def __init__(self, loader: RowLoader, epoch: int, start: int, stop: int) -> None:
        self._loader = loader
        self._span = epoch, start, stop
        budget, ahead = loader.budget, loader.ahead
        self._blocks = Prefetch(loader.read, self._rows(), threads=budget.threads, depth=budget.depth)
        self._processed = (
            Prefetch(self._process, self._cut(), threads=ahead - 1, depth=ahead) if ahead else None
        )

    def __iter__(self) -> Iterator[Block]:
        return iter(self._processed) if self._processed else map(self._process, self._cut())

    def _cut(self) -> Iterator[tuple[Block, int]]:
        """Batches as they were read, and their positions."""
        _, position, stop = self._span
        size = self._loader.options.batch_size
        sizes = (min(size, stop - at) for at in range(position, stop, size))
        for batch in rebatched(iter(self._blocks), sizes, self._loader.reader.schema):
            n = len(batch.rows)
            yield batch, position
            position += n
            del batch  # or it would live on beside the next one

    def _process(self, cut: tuple[Block, int]) -> Block:
        (batch, position), began = cut, time.perf_counter()
        processed = self._loader.postprocess(batch, self._span[0], position)
        self._loader.count("transform", time.perf_counter() - began)
        return processed

    def stage(self) -> str:
        """Handing over if the batch is ready, postprocessing if its block is, or else reading."""
        if self._processed and self._processed.is_ready:
            return "queue"
        if self._blocks.is_ready:
            return "transform" if self._processed else "queue"
        return "read"

    def check(self) -> None:
        """Raise PassEndedError if it is closed."""
        self._blocks.check()

    def close(self) -> None:
        """Stop the threads."""
        self._blocks.close()
        if self._processed:
            self._processed.close()

    def _rows(self) -> Iterator[NDArray[np.int64]]:
        """The rows of the view at these positions, a block at a time."""
        epoch, start, stop = self._span
        size = self._loader.budget.block_rows
        for first in range(start, stop, size):
            yield self._loader.order.rows(epoch, first, min(first + size, stop))


def rebatched(blocks: Iterator[Block], sizes: Iterator[int], schema: Schema) -> Iterator[Block]:
    """Cut batches of some sizes out of blocks with as many samples, each batch in memory of its own."""
    block, used = None, 0
    for size in sizes:
        rows, keys, filled = np.empty(size, np.int64), list[str](), 0
        arrays = [np.empty((size, *field.shape), field.dtype) for field in schema.fields]
        while filled < size:
            if block is None:
                block, used = next(blocks), 0
            there = slice(used, used + size - filled)
            here = slice(filled, filled + len(block.rows[there]))
            rows[here] = block.rows[there]
            for array, part in zip(arrays, block.samples.arrays, strict=True):
                array[here] = part[there]
            keys += block.keys[there]
            used, filled = used + here.stop - here.start, here.stop
            if used == len(block.rows):
                block = None
        batch = Block(rows, Samples(*schema.structured(arrays)), keys)
        del arrays, rows, keys
        yield batch
        del batch  # or it would live on beside the next one
