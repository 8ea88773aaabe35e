"""WindowPrefetcher: the windows of an epoch, read into the cache while the one before is consumed.

While the last one is consumed, the first of the next epoch is read: it stays in the cache for the next epoch.
"""

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import cached_property
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.feed.budget import WindowBudget
from brimful.feed.chunks import Places, ViewChunks
from brimful.order.epochs import Order, Window
from brimful.prefetch import ended

NEVER = np.iinfo(np.int64).max


class LoadingWindow:
    """A window that is being loaded into the cache.

    Args:
        chunks: The chunks of the view.
        window: Its pieces, and the order of their rows.
        slots: The slot of the cache for each piece.
        left: Rows that are still to be handed out.
    """

    def __init__(self, chunks: ViewChunks, window: Window, slots: NDArray[np.int64], left: int) -> None:
        self.window = window
        self.slots = slots
        self.left = left
        self.work: list[Future[Any]] = []
        self.ordering: Future[None] | None = None
        self.reads = False  # whether any of its chunks was not in the cache
        self._reader, self._view = chunks.reader, chunks.view
        self._numbers = chunks.numbers[window.pieces]
        decoders = chunks.decoders_of(self._numbers)
        self._decoders = decoders if len(chunks.decoders) > 1 else None
        rows = map(self._reader.rows_of, self._numbers.tolist())
        places = zip(decoders.tolist(), slots.tolist(), rows, strict=True)
        firsts = np.array(
            [chunks.decoders[number].first_rows(chunks.cache, slot, n) for number, slot, n in places]
        )
        self._first_rows = self._numbers * self._reader.rows_per_chunk
        self._to_cache = firsts.T - self._first_rows  # what to add to a row of the store to get the cache's
        self._keys: list[Any] = []

    @property
    def is_loaded(self) -> bool:
        """Whether its chunks are loaded."""
        return all(each.done() for each in self.work)

    def is_ready(self, stop: int) -> bool:
        """Whether its chunks are loaded, and the order of its rows up to a position is made."""
        is_ordered = not self.ordering or self.ordering.done() or self.window.is_ready(stop)
        return is_ordered and self.is_loaded

    def wait(self, stop: int) -> None:
        """Wait until `is_ready`; raises the error of a thread that failed."""
        for each in self.work:
            each.result()
        if self.ordering and not self.window.is_ready(stop):
            self.ordering.result()

    def load_keys(self) -> None:
        """Read the keys of its chunks."""
        self._keys = list(map(self._reader.keys, self._numbers.tolist()))

    def places(self, start: int, stop: int) -> Places:
        """Where the rows at some positions in the window are, once it is ready."""
        at, piece = self.window.drawn(start, stop)
        if isinstance(self._view.rows, range):  # faster: rows of window, view and cache differ by constants
            found = self._shifts.take(piece, axis=1)
            found += at
            rows, cache = found[0], found[1:]
        else:
            rows = at + self.window.shifts.take(piece)
            cache = self._view.at(rows) + self._to_cache.take(piece, axis=1)
        decoders = None if self._decoders is None else self._decoders.take(piece)
        return Places(rows, cache, decoders, self._keys_of(rows, piece))

    @cached_property
    def _shifts(self) -> NDArray[np.int64]:
        """What to add to the number of a row in the window to get that in the view, and in each column."""
        rows = self.window.shifts
        return np.vstack((rows, self._view.at(rows) + self._to_cache))

    def _keys_of(self, rows: NDArray[np.int64], piece: NDArray[np.unsignedinteger]) -> list[str]:
        if not self._keys:
            return []
        within = self._view.at(rows) - self._first_rows[piece]
        return [self._keys[i][j].as_py() for i, j in zip(piece.tolist(), within.tolist(), strict=True)]


class WindowPrefetcher:
    """Loads the windows of an epoch into the cache.

    Args:
        chunks: The chunks of the view.
        order: The order of the rows in each epoch.
        budget: How memory is divided.
        span: The epoch, the first position that is wanted, and that behind the last.
        with_keys: Whether keys are wanted.
    """

    def __init__(
        self,
        chunks: ViewChunks,
        order: Order,
        budget: WindowBudget,
        span: tuple[int, int, int],
        *,
        with_keys: bool,
    ) -> None:
        self._chunks = chunks
        self._order = order
        self._number, self._start, self._stop = span
        self._with_keys = with_keys
        self._io_bytes = budget.sizes.io_bytes
        self.epoch = order.epoch(self._number)
        self._window_of_piece = self.epoch.window_of_piece
        self._changed = threading.Condition()
        self._loading: dict[int, LoadingWindow] = {}
        self._following = self.epoch.at(self._start)  # the window that is read next
        self._closed = self._released = False
        self._closing = threading.Lock()
        self._threads = ThreadPoolExecutor(budget.readers, "brimful-read")
        self._own = threading.local()

    def begin(self) -> None:
        """Begin to load the first two windows."""
        with self._changed:
            if self._closed:
                raise ended()
            self._begin()
            self._begin()

    def loaded(self, number: int, stop: int) -> LoadingWindow:
        """A window, once it is ready up to a position; raises the error of a thread that failed."""
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

    def is_loaded(self, position: int) -> bool:
        """Whether no chunk of the window that holds a position is still read, or it is decoded to its end."""
        number = self.epoch.at(position)
        if loading := self._loading.get(number):
            return not loading.reads or loading.is_loaded
        pieces = np.flatnonzero(self._window_of_piece == number)
        return number < self._following or self._chunks.cache.holds(pieces)  # which is not begun yet

    def are_loaded(self, start: int, stop: int) -> bool:
        """Whether all windows that hold some positions are ready."""
        parts = self.epoch.parts(start, stop)
        return all((each := self._loading.get(number)) and each.is_ready(end) for number, _, end in parts)

    def count_off(self, number: int, rows: int) -> None:
        """Count rows of a window that are decoded; after the last of them, its slots are free for others."""
        with self._changed:
            if self._closed:
                return
            loading, half = self._loading[number], len(self._loading[number].window) // 2
            if loading.left > half >= loading.left - rows and len(self.epoch) == 1:
                self._threads.submit(self._order.first_of(self._number + 1)[1].prepare)
            loading.left -= rows
            if loading.left == 0:
                del self._loading[number]
                self._chunks.cache.let_go(loading.slots)
                self._begin()

    def stop(self) -> None:
        """Let no more work begin."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for work under way, and let go of all slots; what was read stays in the cache.

        Only once: a pass that another one has ended is closed again when its loop notices, and by then the
        slots belong to the other pass.
        """
        with self._closing:
            self._threads.shutdown(wait=True)
            if not self._released:
                self._chunks.cache.let_go(slice(None))
                self._loading.clear()
                self._released = True

    def _begin(self) -> None:
        """Begin to load the next window; the lock is held."""
        number, self._following = self._following, self._following + 1
        if number < len(self.epoch) and self.epoch.starts[number] < self._stop:
            self._begin_own(number)
        elif number == len(self.epoch) > 1:
            self._begin_next()

    def _begin_own(self, number: int) -> None:
        """Begin to load a window of this epoch."""
        starts = self.epoch.starts
        window = self._order.window_of(self.epoch, number)

        def next_use(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
            used = self._window_of_piece[pieces]
            return np.where(used > number, used, NEVER)

        slots, is_there = self._chunks.cache.take(window.pieces, next_use)
        left = min(self._stop, starts[number + 1]) - max(self._start, starts[number])
        loading = LoadingWindow(self._chunks, window, slots, left)
        if not window.is_prepared:
            loading.work.append(self._threads.submit(window.begin))
        if self._with_keys:
            loading.work.append(self._threads.submit(loading.load_keys))
        reading = self._load_missing(window, slots, is_there)
        loading.work += reading
        loading.reads = bool(reading)
        if not window.is_prepared:
            loading.ordering = self._threads.submit(window.prepare)
        self._loading[number] = loading
        self._changed.notify_all()

    def _begin_next(self) -> None:
        """Begin to load the first window of the next epoch, and to make its order."""
        epoch, window = self._order.first_of(self._number + 1)
        slots, is_there = self._chunks.cache.take(window.pieces, epoch.window_of_piece.__getitem__)
        self._threads.submit(window.prepare)
        self._load_missing(window, slots, is_there)

    def _load_missing(
        self, window: Window, slots: NDArray[np.int64], is_there: NDArray[np.bool_]
    ) -> list[Future[None]]:
        """Begin to load the chunks of a window that are not in the cache."""
        missing = zip(window.pieces[~is_there].tolist(), slots[~is_there].tolist(), strict=True)
        return [self._threads.submit(self._load, *each) for each in missing]

    def _load(self, piece: int, slot: int) -> None:
        self._chunks.load(piece, slot, self._memory())
        with self._changed:
            self._chunks.cache.put(piece, slot)

    def _memory(self) -> memoryview:
        """The memory that this thread reads into."""
        if not hasattr(self._own, "memory"):
            self._own.memory = mmap(-1, self._io_bytes)
        return memoryview(self._own.memory)
