"""WindowLoader: batches from a store, a window of its chunks at a time.

order ──► windows of chunks ──► threads that read and check chunks ──► slab: this window and the next
                                                                            │
order ──► batches, a few together ──► threads that gather and decode rows ──┴──► batches, in order

A window is read while the one before is consumed, the first of an epoch while the last of the one before is.
A chunk is read into memory aligned to pages, checked there, and its columns copied into the slab, where rows
are gathered from all chunks in one step.
"""

import threading
import time
from collections.abc import Iterator
from functools import cached_property
from operator import length_hint
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from brimful.errors import MemoryBudgetError
from brimful.feed.buffers import BufferPool
from brimful.feed.chunk_cache import ChunkCache
from brimful.feed.decode import Kind, decode_mixed
from brimful.feed.loader import STAGES, Block, Finish
from brimful.feed.loading import Places
from brimful.feed.prefetcher import WindowPrefetcher
from brimful.feed.window_budget import WindowBudget
from brimful.memory import format_bytes
from brimful.order.epochs import Epoch, Order, Window
from brimful.order.view import View
from brimful.prefetch import Prefetch
from brimful.samples import Samples
from brimful.store.chunk_reader import ChunkFiles
from brimful.store.reader import StoreReader


class Span(NamedTuple):
    """Positions whose batches are made together: the first, and that behind the last."""

    start: int
    stop: int


class WindowLoader:
    """Batches from a store.

    Args:
        reader: The store.
        view: The rows to feed.
        order: Which comes when; its pieces are the chunks that hold rows of the view.
        chunks: The chunk that each piece is, ascending.
        batch_size: Samples a batch.
        budget: What may be held.
        direct: Whether to read past the page cache.
        with_keys: Whether keys are wanted.
        finish: What becomes of each batch.
    """

    def __init__(
        self,
        reader: StoreReader,
        view: View,
        order: Order,
        chunks: NDArray[np.int64],
        batch_size: int,
        budget: WindowBudget,
        *,
        direct: bool,
        with_keys: bool,
        finish: Finish,
    ) -> None:
        self.reader = reader
        self.view = view
        self.order = order
        self.chunks = chunks
        self.batch_size = batch_size
        self.budget = budget
        self.with_keys = with_keys
        self.finish = finish
        self.busy = dict.fromkeys(STAGES, 0.0)
        self._ahead: tuple[int, Epoch, Window] | None = None
        self._lock = threading.Lock()
        self._rules = list(dict.fromkeys(shard.rules for shard in reader.manifest.shards))
        self.kinds = [Kind(reader.manifest.layout, rules) for rules in self._rules]
        n = min(budget.group * batch_size, order.n)
        self._memory = [
            BufferPool((n, *field.shape), field.dtype, budget.groups) for field in reader.schema.fields
        ]
        self.files = ChunkFiles(reader, direct=direct, clock=self.count)

    @cached_property
    def slab(self) -> ChunkCache:
        """The memory for chunks; there from the first pass on, so that what fits is read once."""
        return ChunkCache(self.budget.slots, self.budget.slot_bytes, len(self.chunks))

    def kind_of(self, chunks: NDArray[np.int64]) -> NDArray[np.uint16]:
        """The number of the way in which each of some chunks is kept."""
        rules = (self.reader.place(chunk)[0].rules for chunk in chunks.tolist())
        return np.array([self._rules.index(each) for each in rules], np.uint16)

    def epoch(self, number: int) -> Epoch:
        """The windows of an epoch."""
        ahead = self._ahead
        return ahead[1] if ahead is not None and ahead[0] == number else self.order.epoch(number)

    def window(self, windows: Epoch, number: int) -> Window:
        """A window of an epoch, its permutation made already if there was time."""
        ahead, self._ahead = self._ahead, None
        is_it = ahead is not None and ahead[1] is windows and number == 0
        return ahead[2] if ahead and is_it else windows.window(number)

    def first_of(self, epoch: int) -> tuple[Epoch, Window]:
        """An epoch that is still to come and its first window, kept so that they need not be made again."""
        windows = self.order.epoch(epoch)
        window = windows.window(0)
        self._ahead = epoch, windows, window
        return windows, window

    def empty(self, n: int) -> Block:
        """A block for n samples, with any values in it."""
        arrays = (recycler.empty(n) for recycler in self._memory)
        return Block(np.empty(n, np.int64), Samples(*self.reader.schema.structured(arrays)), [])

    def decode(self, places: Places, block: Block, here: slice) -> None:
        """Decode the rows at some places into a part of a block."""
        block.rows[here] = places.rows
        block.keys.extend(places.keys)
        outs = [array[here] for array in block.samples.arrays]
        if places.kinds is None:
            self.kinds[0].decode(self.slab, places.slab, outs)
        else:
            decode_mixed(self.kinds, places.kinds, self.slab, places.slab, outs)

    def begin(self, epoch: int, start: int, stop: int) -> "WindowIterator":
        """The batches of the rows at some positions of an epoch."""
        return WindowIterator(self, epoch, start, stop)

    def identity(self) -> dict[str, Any]:
        """The store, its rows, and how many chunks are mixed."""
        rows = self.view.rows
        said = [rows.start, rows.stop] if isinstance(rows, range) else xxh3_64_hexdigest(rows.data)
        data = xxh3_64_hexdigest(f"{self.reader.digest} {said}".encode())
        return {"data": data, "window": self.order.window}

    def plan(self) -> str:
        """How much of the data is mixed at a time."""
        order, held = self.order, self.budget.slots * self.budget.slot_bytes / 1e6
        rows = sum(map(self.reader.rows_of, self.chunks.tolist()))
        read = "" if rows < 1.05 * order.n else f"; the chunks read hold {rows / order.n:.1f} x as many rows"
        if order.window == order.pieces:
            return f"all of it is kept in memory ({held:,.0f} MB), and shuffled as a whole{read}"
        past = ", past the page cache" if self.files.direct else ""
        return (
            f"windows of {order.window:,} of {order.pieces:,} chunks are mixed at a time, "
            f"{held:,.0f} MB of chunks are held{past}{read}"
        )

    def set_window(self, window: int) -> None:
        """Take as many chunks a window as a saved position had."""
        needed = self.budget.memory_for(window)
        if needed > self.budget.memory:
            raise MemoryBudgetError(
                f"This position was saved with windows of {window:,} chunks, for which "
                f"memory={format_bytes(self.budget.memory)!r} is too small.",
                f"Give at least memory={format_bytes(needed)!r}.",
            )
        self.order.window = min(window, self.order.pieces)
        self._ahead = None  # it was made for windows of another size

    def count(self, stage: str, seconds: float) -> None:
        """Count what a thread has spent in a stage."""
        with self._lock:
            self.busy[stage] += seconds


class WindowIterator:
    """A pass over some positions of an epoch.

    Args:
        supply: Where from.
        epoch: Which.
        start: First position.
        stop: Position behind the last.
    """

    def __init__(self, supply: WindowLoader, epoch: int, start: int, stop: int) -> None:
        self._supply = supply
        self._number, self._start, self._stop = epoch, start, stop
        self._position = start
        self._at_hand: Iterator[Block] = iter([])
        self._reads = WindowPrefetcher(supply, epoch, start, stop)
        self._groups = Prefetch(
            self._made,
            self._spans(),
            threads=supply.budget.threads,
            depth=supply.budget.depth,
            is_at_hand=lambda span: self._reads.are_loaded(*span),
        )

    def __iter__(self) -> Iterator[Block]:
        self._reads.begin()
        for batches in self._groups:
            self._at_hand = iter(batches)
            for batch in self._at_hand:
                self._position += len(batch.rows)
                yield batch

    def stage(self) -> str:
        """Handing over where the batch is there; else decoding if its window is, or reading or checking."""
        if length_hint(self._at_hand) or self._groups.is_ready:
            return "queue"
        if self._reads.is_loaded(self._position):
            return "decode"
        return max(("read", "verify"), key=self._supply.busy.__getitem__)

    def check(self) -> None:
        """Refuse to go on once it is closed."""
        self._groups.check()

    def close(self) -> None:
        """Stop the threads, and let go of all batches."""
        self._reads.stop()
        self._groups.close()
        self._reads.close()
        self._at_hand = iter([])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _spans(self) -> Iterator[Span]:
        """Positions of groups of batches. The first are small, so that the first batch comes soon."""
        first, size = self._start, 1
        while first < self._stop:
            last = min(first + size * self._supply.batch_size, self._stop)
            yield Span(first, last)
            first, size = last, min(2 * size, self._supply.budget.group)

    def _made(self, span: Span) -> list[Block]:
        """The batches of a group, decoded together. Done in threads, and by the loop."""
        supply, (start, stop), began = self._supply, span, time.perf_counter()
        block = supply.empty(stop - start)
        waited = self._fill(block, start)
        self.check()  # what was decoded of chunks that another pass has read meanwhile means nothing
        batches = [
            supply.finish(batch, self._number, start + at * supply.batch_size)
            for at, batch in enumerate(block.batches(supply.batch_size))
        ]
        supply.count("decode", time.perf_counter() - began - waited)
        return batches

    def _fill(self, block: Block, first: int) -> float:
        """Decode the rows from a position on into a block.

        Returns:
            Seconds that were spent on waiting for windows.
        """
        done, waited = 0, 0.0
        for number, begin, end in self._reads.epoch.parts(first, first + len(block.rows)):
            wanted = time.perf_counter()
            loading = self._reads.loaded(number, end)
            waited += time.perf_counter() - wanted
            here = slice(done, done + end - begin)
            self._supply.decode(loading.places(begin, end), block, here)
            self._reads.count_off(number, end - begin)
            done = here.stop
        return waited
