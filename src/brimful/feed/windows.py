"""WindowLoader: batches from a store, a window of its chunks at a time.

order ──► windows of chunks ──► threads that read and check chunks ──► cache: this window and the next
                                                                            │
order ──► batches, a few together ──► threads that gather and decode rows ──┴──► batches, in order

A window is read while the one before is consumed, also across epochs.
A chunk is read into memory aligned to pages, checked there, and its columns are copied into the cache, where
rows are gathered from all chunks in one step.
"""

import time
from collections.abc import Iterator
from operator import length_hint
from typing import Any

import numpy as np
from xxhash import xxh3_64_hexdigest

from brimful.errors import MemoryBudgetError
from brimful.feed.budget import divide_windows
from brimful.feed.buffers import BufferPool
from brimful.feed.chunks import ViewChunks, place_bytes
from brimful.feed.loader import Block, EpochIterator
from brimful.feed.postprocess import Postprocessor
from brimful.feed.prefetcher import WindowPrefetcher
from brimful.memory import format_bytes, memory_limit
from brimful.options import FeedOptions
from brimful.order.epochs import Order
from brimful.order.view import View
from brimful.prefetch import Prefetch
from brimful.samples import Samples
from brimful.store.reader import StoreReader

CACHED_SHARE = 2  # a store of up to one part in so many of the machine's memory fits the page cache

Span = tuple[int, int]
"""Positions whose batches are made together: the first, and that behind the last."""


class WindowLoader:
    """Batches from a store.

    Raises:
        MemoryBudgetError: The memory is too small.
        DamagedStoreError: A shard is missing or cut.
    """

    def __init__(self, reader: StoreReader, view: View, options: FeedOptions) -> None:
        self.reader = reader
        self.view = view
        self.options = options
        self.postprocess = Postprocessor(reader.schema, options)
        self.schema = self.postprocess.schema
        self.chunks = chunks = ViewChunks(reader, view)
        self.busy = chunks.busy
        row_bytes = self.schema.nbytes + place_bytes(len(reader.schema.fields))
        self.budget = divide_windows(
            options.memory,
            chunks.sizes(with_keys=options.include_keys),
            min(options.batch_size, len(view)) * row_bytes,
            is_plain=self.postprocess.is_plain,
        )
        slots, slot_bytes = self.budget.slots, self.budget.sizes.slot_bytes
        chunks.hold(slots, slot_bytes, cached=len(chunks) * slot_bytes <= memory_limit() // CACHED_SHARE)
        self.order = Order(
            len(view),
            seed=options.seed,
            shuffle=options.shuffle,
            bounds=chunks.bounds,
            window=self.budget.window,
        )
        n = min(self.budget.group * options.batch_size, self.order.n)
        self._pools = [
            BufferPool((n, *field.shape), field.dtype, self.budget.groups) for field in reader.schema.fields
        ]

    def empty(self, n: int) -> Block:
        """A block for n samples, uninitialized."""
        arrays = (pool.empty(n) for pool in self._pools)
        return Block(np.empty(n, np.int64), Samples(*self.reader.schema.structured(arrays)), [])

    def epoch(self, number: int, start: int, stop: int) -> "WindowIterator":
        """The batches of some positions of an epoch."""
        return WindowIterator(self, number, start, stop)

    def identity(self) -> dict[str, Any]:
        """A checksum of the store and the view, and the chunks per window."""
        rows = self.view.rows
        which = [rows.start, rows.stop] if isinstance(rows, range) else xxh3_64_hexdigest(rows.data)
        data = xxh3_64_hexdigest(f"{self.reader.digest} {which}".encode())
        return {"data": data, "window": self.order.window}

    def plan(self) -> str:
        """How much of the data is mixed at a time."""
        order, held = self.order, self.budget.slots * self.budget.sizes.slot_bytes / 1e6
        rows = sum(map(self.chunks.reader.rows_of, self.chunks.numbers.tolist()))
        read = "" if rows < 1.05 * order.n else f"; the chunks read hold {rows / order.n:.1f} x as many rows"
        if order.window == order.pieces:
            return f"all of it is kept in memory ({held:,.0f} MB), and shuffled as a whole{read}"
        past = "" if self.chunks.cached else ", past the page cache"
        return (
            f"windows of {order.window:,} of {order.pieces:,} chunks are mixed at a time, "
            f"{held:,.0f} MB of chunks are held{past}{read}"
        )

    @property
    def whole_memory(self) -> int:
        """Memory with which all of it is kept, and nothing is read in later epochs, in bytes."""
        return self.budget.memory_for(self.order.pieces)

    def set_window(self, window: int) -> None:
        """Set how many chunks a window has: as many as when a position was saved."""
        needed = self.budget.memory_for(window)
        if needed > self.budget.memory:
            raise MemoryBudgetError(
                f"This position was saved with windows of {window:,} chunks, for which "
                f"memory={format_bytes(self.budget.memory)!r} is too small.",
                f"Give at least memory={format_bytes(needed)!r}.",
            )
        self.order.set_window(window)


class WindowIterator(EpochIterator):
    """The batches of some positions of an epoch."""

    def __init__(self, loader: WindowLoader, epoch: int, start: int, stop: int) -> None:
        self._loader = loader
        self._number, self._start, self._stop = epoch, start, stop
        self._position = start
        self._at_hand: Iterator[Block] = iter([])
        self._windows = WindowPrefetcher(
            loader.chunks,
            loader.order,
            loader.budget,
            (epoch, start, stop),
            with_keys=loader.options.include_keys,
        )
        self._groups = Prefetch(
            self._made,
            self._spans(),
            threads=loader.budget.threads,
            depth=loader.budget.depth,
            is_at_hand=lambda span: self._windows.are_loaded(*span),
        )

    def __iter__(self) -> Iterator[Block]:
        self._windows.begin()
        for batches in self._groups:
            self._at_hand = iter(batches)
            for batch in self._at_hand:
                self._position += len(batch.rows)
                yield batch

    def stage(self) -> str:
        """Handing over if the batch is ready, or else what has taken longest so far of what is left to do.

        If its window is loaded, that is decoding or the transform, and otherwise reading or checking.
        """
        if length_hint(self._at_hand) or self._groups.is_ready:
            return "queue"
        stages = ("decode", "transform") if self._windows.is_loaded(self._position) else ("read", "verify")
        return max(stages, key=self._loader.busy.__getitem__)

    def check(self) -> None:
        """Raise PassEndedError if it is closed."""
        self._groups.check()

    def close(self) -> None:
        """Stop the threads, and drop all batches."""
        self._windows.stop()
        self._groups.close()
        self._windows.close()
        self._at_hand = iter([])

    def _spans(self) -> Iterator[Span]:
        """Positions of groups of batches. The first are small, so that the first batch comes soon."""
        first, size, batch_size = self._start, 1, self._loader.options.batch_size
        while first < self._stop:
            last = min(first + size * batch_size, self._stop)
            yield first, last
            first, size = last, min(2 * size, self._loader.budget.group)

    def _made(self, span: Span) -> list[Block]:
        """The batches of a group, decoded together. Done in threads, and by the loop."""
        loader, (start, stop), began = self._loader, span, time.perf_counter()
        block, batch_size = loader.empty(stop - start), loader.options.batch_size
        waited = self._fill(block, start)
        self.check()  # if another pass has begun, its chunks may have replaced those that were decoded
        decoded = time.perf_counter()
        batches = [
            loader.postprocess(batch, self._number, start + at * batch_size)
            for at, batch in enumerate(block.batches(batch_size))
        ]
        loader.chunks.count("decode", decoded - began - waited)
        loader.chunks.count("transform", time.perf_counter() - decoded)
        return batches

    def _fill(self, block: Block, first: int) -> float:
        """Decode the rows from a position on into a block; returns the seconds spent waiting for windows."""
        done, waited = 0, 0.0
        for number, begin, end in self._windows.epoch.parts(first, first + len(block.rows)):
            wanted = time.perf_counter()
            loading = self._windows.loaded(number, end)
            waited += time.perf_counter() - wanted
            here = slice(done, done + end - begin)
            self._loader.chunks.decode(loading.places(begin, end), block, here)
            self._windows.count_off(number, end - begin)
            done = here.stop
        return waited
