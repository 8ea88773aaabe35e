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
from itertools import cycle
from mmap import mmap
from operator import length_hint
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from brimful.errors import MemoryBudgetError
from brimful.feed.kind import Kind, decode_mixed
from brimful.feed.loading import Loading, Places
from brimful.feed.pace import Pace
from brimful.feed.recycler import Recycler
from brimful.feed.slab import Slab
from brimful.feed.supply import STAGES, Block, Finish
from brimful.feed.window_budget import STEPS, WindowBudget
from brimful.order.epochs import Epoch, Order, Window
from brimful.order.view import View
from brimful.read_ahead import ReadAhead, ended
from brimful.sizes import readable
from brimful.sources.base import Samples
from brimful.store.chunk_files import ChunkFiles
from brimful.store.reader import StoreReader

NEVER = np.iinfo(np.int64).max

OWN, WHOLE = 4, 7  # a loop that makes batches too makes so many of so many; it decodes in smaller steps


class Span(NamedTuple):
    """Positions whose batches are made together.

    Attributes:
        start: First position.
        stop: Position behind the last.
        ahead: Whether in a thread, before they are wanted; else by the loop, step by step as it wants them.
    """

    start: int
    stop: int
    ahead: bool


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
        self._ahead: tuple[int, Epoch, Window] | None = None
        self._lock = threading.Lock()
        self._rules = list(dict.fromkeys(shard.rules for shard in reader.manifest.shards))
        self.kinds = [Kind(reader.manifest.layout, rules) for rules in self._rules]
        self._of_groups = self._recyclers(budget.group, budget.depth)
        self._of_steps = self._recyclers(budget.step, STEPS)
        self.files = ChunkFiles(reader, direct=direct, clock=self.count)

    @cached_property
    def slab(self) -> Slab:
        """The memory for chunks; there from the first pass on, so that what fits is read once."""
        return Slab(self.budget.slots, self.budget.slot_bytes, len(self.chunks))

    def kind_of(self, chunks: NDArray[np.int64]) -> NDArray[np.intp]:
        """The number of the way in which each of some chunks is kept."""
        rules = (self.reader.place(chunk)[0].rules for chunk in chunks.tolist())
        return np.array([self._rules.index(each) for each in rules])

    def epoch(self, number: int) -> Epoch:
        """The windows of an epoch."""
        ahead = self._ahead
        return ahead[1] if ahead is not None and ahead[0] == number else self.order.epoch(number)

    def window(self, windows: Epoch, number: int) -> Window:
        """A window of an epoch, its permutation made already if there was time."""
        ahead, self._ahead = self._ahead, None
        return ahead[2] if ahead is not None and ahead[1] is windows else windows.window(number)

    def prepare(self, epoch: int) -> None:
        """Make the permutation of the next epoch, where all rows are one window, while this one goes on."""
        windows = self.order.epoch(epoch)
        window = windows.window(0)
        window.prepare()
        self._ahead = epoch, windows, window

    def _recyclers(self, batches: int, most: int) -> list[Recycler]:
        """Memory for that many batches at a time, an array for each field."""
        n = min(batches * self.batch_size, self.order.n)
        return [Recycler((n, *field.shape), field.dtype, most) for field in self.reader.schema.fields]

    def empty(self, n: int, *, is_group: bool) -> Block:
        """A block for n samples, of a group or a step, with any values in it."""
        arrays = (recycler.empty(n) for recycler in (self._of_groups if is_group else self._of_steps))
        return Block(np.empty(n, np.int64), Samples(*self.reader.schema.structured(arrays)), [])

    def decode(self, places: Places, these: slice, block: Block, here: slice) -> None:
        """Decode those rows of some whose places are known, into a part of a block."""
        block.rows[here] = places.rows[these]
        block.keys.extend(places.keys[these])
        outs = [array[here] for array in block.samples.arrays]
        if len(self.kinds) == 1:
            self.kinds[0].decode(self.slab, places.slab[:, these], outs)
        else:
            decode_mixed(self.kinds, places.kinds[these], self.slab, places.slab[:, these], outs)

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
        self._at_hand: Iterator[Block] = iter([])
        self._groups: ReadAhead[Span, Iterable[Block]] = ReadAhead(
            self._made,
            self._spans(),
            here=self._batches,
            threads=budget.threads,
            depth=budget.depth,
            in_threads=lambda span: span.ahead,
        )
        self._readers = ThreadPoolExecutor(budget.readers, "brimful-read")
        self._own_until = start  # position up to which the loop makes batches itself, once it has begun to
        self._own = threading.local()

    def __iter__(self) -> Iterator[Block]:
        first = next(self._epoch.parts(self._position, self._stop))[0]
        with self._changed:
            self._begin(first)
            self._begin(first + 1)
        for batches in self._groups:
            self._at_hand = iter(batches)
            away = 0.0
            for batch in self._at_hand:
                self.check()  # made here while another thread closed it, it may be of chunks read since
                self._position += len(batch.rows)
                began = time.perf_counter()
                yield batch
                away += time.perf_counter() - began
            self._supply.pace.away(away)

    def _spans(self) -> Iterator[Span]:
        """Positions of groups of batches. The first are small, so that the first batch comes soon."""
        budget, pace = self._supply.budget, self._supply.pace
        turns = cycle([False] + [True] * budget.threads)
        first, size = self._start, 0
        while first < self._stop:
            if pace.is_hungry:
                ahead = next(turns)
                size = max(1, budget.group * (WHOLE - OWN if ahead else OWN) // WHOLE)
            else:
                ahead, size = True, min(2 * size or 1, budget.group)
            last = min(first + size * self._supply.batch_size, self._stop)
            yield Span(first, last, ahead)
            first = last

    @cached_property
    def _epoch(self) -> Epoch:
        return self._supply.epoch(self._number)

    @cached_property
    def _window_of_piece(self) -> NDArray[np.int64]:
        return self._epoch.window_of_piece

    def stage(self) -> str:
        """Handing over where the batch is there; else decoding if its window is, or reading or checking."""
        if self._position < self._own_until:
            return "decode"
        if length_hint(self._at_hand) or self._groups.is_ready:
            return "queue"
        loading = self._loading.get(self._epoch.at(self._position))
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
        window = supply.window(self._epoch, number)

        def next_use(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
            used = self._window_of_piece[pieces]
            return np.where(used > number, used, NEVER)

        slots, is_there = slab.take(window.pieces, next_use)
        chunks = supply.chunks[window.pieces]
        left = min(self._stop, int(starts[number + 1])) - max(self._start, int(starts[number]))
        kinds, kind_of = supply.kinds, supply.kind_of(chunks)
        loading = Loading(supply.reader, supply.view, window, chunks, slab, slots, kinds, kind_of, left)
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
        (kind,) = supply.kind_of(np.array([chunk]))
        supply.kinds[kind].copy(data, supply.reader.rows_of(chunk), supply.slab, slot)
        supply.count("decode", time.perf_counter() - began)
        with self._changed:
            supply.slab.put(piece, slot)

    def _memory(self) -> mmap:
        """The memory that this thread reads into."""
        if not hasattr(self._own, "memory"):
            self._own.memory = mmap(-1, self._supply.budget.io_bytes)
        memory: mmap = self._own.memory
        return memory

    def _made(self, span: Span) -> list[Block]:
        """The batches of a group, decoded together. Done in threads."""
        return list(self._batches(span, is_group=True))

    def _batches(self, span: Span, *, is_group: bool = False) -> Iterator[Block]:
        """The batches of a group, or only some when the first of them is wanted."""
        supply, (start, stop, _) = self._supply, span
        if not is_group:
            self._own_until = stop
        until = {number: last for number, _, last in self._epoch.parts(start, stop)}
        found: dict[int, tuple[int, Places]] = {}
        seconds = 0.0
        size = stop - start if is_group else supply.budget.step * supply.batch_size
        for first in range(start, stop, size):
            began = time.perf_counter()
            last = min(first + size, stop)
            block, done = supply.empty(last - first, is_group=is_group), 0
            for number, begin, end in self._epoch.parts(first, last):
                if number not in found:
                    wanted = time.perf_counter()
                    loading = self._loaded(number, until[number])
                    began += time.perf_counter() - wanted
                    found[number] = begin, loading.places(begin, until[number])
                at, places = found[number]
                here = slice(done, done + end - begin)
                supply.decode(places, slice(begin - at, end - at), block, here)
                done = here.stop
                if end == until[number]:
                    self._count_off(number, end - at)
            batches = [
                supply.finish(batch, self._number, first + number * supply.batch_size)
                for number, batch in enumerate(block.batches(supply.batch_size))
            ]
            seconds += time.perf_counter() - began
            yield from batches
        supply.count("decode", seconds)
        supply.pace.made(seconds)

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

    def _count_off(self, number: int, rows: int) -> None:
        """Count rows of a window that are decoded; after the last of them, its slots are for another one."""
        with self._changed:
            if self._closed:
                return
            loading, half = self._loading[number], len(self._loading[number].window) // 2
            if loading.left > half >= loading.left - rows and len(self._epoch) == 1:
                self._readers.submit(self._supply.prepare, self._number + 1)
            loading.left -= rows
            if loading.left == 0:
                del self._loading[number]
                self._supply.slab.let_go(loading.slots)
                self._begin(number + 2)
