"""WindowSupply: batches from a store, a window of its chunks at a time.

order ──► windows of chunks ──► threads that read and check chunks ──► slab: this window and the next
                                                                            │
order ──► batches, a few together ──► threads that gather and decode rows ──┴──► batches, in order

A window is read while the one before is consumed. A chunk is read into memory aligned to pages, checked
there, and its columns copied into the slab, where rows are gathered from all chunks in one step.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import cached_property
from mmap import mmap
from operator import itemgetter
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from brimful.errors import MemoryBudgetError
from brimful.feed.loading import Kind, Loading
from brimful.feed.pace import Pace
from brimful.feed.recycler import Recycler
from brimful.feed.slab import Slab
from brimful.feed.supply import STAGES, Block, Finish
from brimful.feed.window_budget import WindowBudget
from brimful.order.epochs import Epoch, Order, Window
from brimful.order.view import View
from brimful.read_ahead import ReadAhead, ended
from brimful.schema import each_of
from brimful.sizes import readable
from brimful.sources.base import Samples
from brimful.store.chunk_files import ChunkFiles
from brimful.store.reader import StoreReader

NEVER = np.iinfo(np.int64).max


class WindowSupply:
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
        self.pace = Pace(budget.threads)
        self._ahead: tuple[tuple[int, int], Window] | None = None
        self._lock = threading.Lock()
        layout = reader.manifest.layout
        self._kinds = {shard.rules: Kind(layout, shard.rules) for shard in reader.manifest.shards}
        self._recycler = Recycler(budget.batches * batch_size * reader.schema.nbytes)
        self.files = ChunkFiles(reader, direct=direct, clock=self.count)

    @cached_property
    def slab(self) -> Slab:
        """The memory for chunks; there from the first pass on, so that what fits is read once."""
        return Slab(self.budget.slots, self.budget.slot_bytes, len(self.chunks))

    def kinds_of(self, chunks: Iterable[int]) -> list[Kind]:
        """How some chunks are kept."""
        rules = (self.reader.place(chunk)[0].rules for chunk in chunks)
        return [self._kinds[each] for each in rules]

    def window(self, epoch: int, windows: Epoch, number: int) -> Window:
        """A window of an epoch, its permutation made already if there was time."""
        if self._ahead is not None and self._ahead[0] == (epoch, number):
            window, self._ahead = self._ahead[1], None
            return window
        return windows.window(number)

    def prepare(self, epoch: int) -> None:
        """Make the permutation of the next epoch, where all rows are one window, while this one goes on."""
        window = self.order.epoch(epoch).window(0)
        window.prepare()
        self._ahead = (epoch, 0), window

    def empty(self, n: int) -> Block:
        """A block for n samples, with any values in it."""
        schema = self.reader.schema
        size = min(self.budget.group * self.batch_size, self.order.n)  # the same for all: each fits each
        arrays = (self._recycler.empty((size, *field.shape), field.dtype)[:n] for field in schema.fields)
        return Block(np.empty(n, np.int64), Samples(*schema.structured(arrays)), [])

    def begin(self, epoch: int, start: int, stop: int) -> "WindowPass":
        """The batches of the rows at some positions of an epoch."""
        return WindowPass(self, epoch, start, stop)

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
                f"memory={readable(self.budget.memory)!r} is too small.",
                f"Give at least memory={readable(needed)!r}.",
            )
        self.order.window = min(window, self.order.pieces)
        self._ahead = None  # it was made for windows of another size

    def count(self, stage: str, seconds: float) -> None:
        """Count what a thread has spent in a stage."""
        with self._lock:
            self.busy[stage] += seconds


class WindowPass:
    """A pass over some positions of an epoch.

    Args:
        supply: Where from.
        epoch: Which.
        start: First position.
        stop: Position behind the last.
    """

    def __init__(self, supply: WindowSupply, epoch: int, start: int, stop: int) -> None:
        self._supply = supply
        self._number, self._start, self._stop = epoch, start, stop
        self._position = start
        self._changed = threading.Condition()
        self._loading: dict[int, Loading] = {}
        self._closed = False
        budget = supply.budget
        self._at_hand = 0
        self._groups = ReadAhead(
            self._batches,
            self._spans(),
            threads=budget.threads,
            depth=budget.depth,
            in_threads=lambda: not supply.pace.is_hungry,
        )
        self._readers = ThreadPoolExecutor(budget.readers, "brimful-read")
        self._own = threading.local()

    def __iter__(self) -> Iterator[Block]:
        first = next(self._epoch.parts(self._position, self._stop))[0]
        with self._changed:
            self._begin(first)
            self._begin(first + 1)
        for batches in self._groups:
            began = time.perf_counter()
            self._at_hand = len(batches)
            for batch in batches:
                self._at_hand -= 1
                self._position += len(batch.rows)
                yield batch
            self._supply.pace.away(time.perf_counter() - began)

    def _spans(self) -> Iterator[tuple[int, int]]:
        """The positions of groups of batches; the first are small, so that the first batch comes soon."""
        first, size = self._start, 0
        while first < self._stop:
            size = min(2 * size or 1, self._supply.budget.group)
            last = min(first + size * self._supply.batch_size, self._stop)
            yield first, last
            first = last

    @cached_property
    def _epoch(self) -> Epoch:
        return self._supply.order.epoch(self._number)

    @cached_property
    def _window_of_piece(self) -> NDArray[np.int64]:
        return self._epoch.window_of_piece

    def stage(self) -> str:
        """Handing over where the batch is there; else decoding if its window is, or reading or checking."""
        if self._at_hand or self._groups.is_ready:
            return "queue"
        number = int(np.searchsorted(self._epoch.starts, self._position, side="right")) - 1
        loading = self._loading.get(number)
        if loading is not None and loading.is_loaded:
            return "decode"
        busy = self._supply.busy
        return max(("read", "verify"), key=busy.__getitem__)

    def check(self) -> None:
        """Refuse to go on once it is closed."""
        self._groups.check()

    def close(self) -> None:
        """Stop the threads; what was read stays in the slab, but nobody holds on to it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._groups.close()
        self._readers.shutdown(wait=True)
        for loading in self._loading.values():
            self._supply.slab.let_go(loading.slots)
        self._loading.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, number: int) -> None:
        """Begin to read a window, if this pass needs it; the lock is held."""
        supply, slab, starts = self._supply, self._supply.slab, self._epoch.starts
        if self._closed or number >= len(self._epoch) or starts[number] >= self._stop:
            return
        window = supply.window(self._number, self._epoch, number)

        def next_use(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
            used = self._window_of_piece[pieces]
            return np.where(used > number, used, NEVER)

        slots, is_there = slab.take(window.pieces, next_use)
        chunks = supply.chunks[window.pieces]
        left = min(self._stop, int(starts[number + 1])) - max(self._start, int(starts[number]))
        loading = Loading(
            supply.reader, supply.view, window, chunks, slab, slots, supply.kinds_of(chunks), left
        )
        if not window.is_prepared:
            loading.work.append(self._readers.submit(window.begin))
        if supply.with_keys:
            loading.work.append(self._readers.submit(loading.load_keys))
        for piece, slot in zip(window.pieces[~is_there].tolist(), slots[~is_there].tolist(), strict=True):
            loading.work.append(self._readers.submit(self._load, piece, slot))
        if not window.is_prepared:
            loading.ordering = self._readers.submit(window.prepare)
        self._loading[number] = loading
        self._changed.notify_all()

    def _load(self, piece: int, slot: int) -> None:
        supply, chunk = self._supply, int(self._supply.chunks[piece])
        data = supply.files.read(chunk, self._memory())
        began = time.perf_counter()
        (kind,) = supply.kinds_of([chunk])
        kind.copy(data, supply.reader.rows_of(chunk), supply.slab, slot)
        supply.count("decode", time.perf_counter() - began)
        with self._changed:
            supply.slab.put(piece, slot)

    def _memory(self) -> mmap:
        """The memory that this thread reads into."""
        if not hasattr(self._own, "memory"):
            self._own.memory = mmap(-1, self._supply.budget.io_bytes)
        memory: mmap = self._own.memory
        return memory

    def _batches(self, span: tuple[int, int]) -> list[Block]:
        """A few batches, decoded together. Done in threads."""
        start, stop = span
        supply = self._supply
        block = supply.empty(stop - start)
        done, seconds = 0, 0.0
        for number, first, last in self._epoch.parts(start, stop):
            loading = self._loaded(number, last)
            began = time.perf_counter()
            part = _part(block, slice(done, done + last - first), block.keys)
            helper = self._readers if supply.pace.is_hungry else None
            loading.read_into(first, last, part, helper)
            seconds += time.perf_counter() - began
            self._count_off(number, loading, last - first)
            done += last - first
        began = time.perf_counter()
        size = supply.batch_size
        batches = []
        for at in range(0, done, size):
            here = slice(at, at + size)
            batch = _part(block, here, block.keys[here])
            batches.append(supply.finish(batch, self._number, start + at))
        seconds += time.perf_counter() - began
        supply.count("decode", seconds)
        supply.pace.made(seconds)
        return batches

    def _loaded(self, number: int, stop: int) -> Loading:
        """A window, once it is there, and the order of its rows up to a position."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or number in self._loading)
            if self._closed:
                raise ended()
            loading = self._loading[number]
        try:
            loading.wait(stop)
        except CancelledError as error:
            raise ended() from error
        return loading

    def _count_off(self, number: int, loading: Loading, rows: int) -> None:
        """Count rows of a window that are decoded; after the last of them, its slots are for another one."""
        with self._changed:
            if self._closed:
                return
            half = len(loading.window) // 2
            if loading.left > half >= loading.left - rows and len(self._epoch) == 1:
                self._readers.submit(self._supply.prepare, self._number + 1)
            loading.left -= rows
            if loading.left == 0:
                del self._loading[number]
                self._supply.slab.let_go(loading.slots)
                self._begin(number + 2)


def _part(block: Block, here: slice, keys: list[str]) -> Block:
    """Some samples of a block, in the same memory."""
    samples = Samples(*(each_of(whole, itemgetter(here)) for whole in block.samples))
    return Block(block.rows[here], samples, keys)
