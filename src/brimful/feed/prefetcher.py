"""WindowPrefetcher: the windows of an epoch, read into the slab while the one before is consumed.

While the last one is consumed, the first of the next epoch is read: it stays in the slab for the next pass.
"""

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from mmap import mmap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brimful.feed.loading import Loading
from brimful.prefetch import ended

if TYPE_CHECKING:
    from brimful.feed.windows import WindowLoader

NEVER = np.iinfo(np.int64).max


class WindowPrefetcher:
    """The windows of an epoch on their way into the slab.

    Args:
        supply: Where from.
        epoch: Which.
        start: First position that is wanted.
        stop: Position behind the last.
    """

    def __init__(self, supply: "WindowLoader", epoch: int, start: int, stop: int) -> None:
        self.epoch = supply.epoch(epoch)
        self._supply = supply
        self._number, self._start, self._stop = epoch, start, stop
        self._window_of_piece = self.epoch.window_of_piece
        self._changed = threading.Condition()
        self._loading: dict[int, Loading] = {}
        self._following = self.epoch.at(start)  # the window that is read next
        self._closed = self._released = False
        self._closing = threading.Lock()
        self._threads = ThreadPoolExecutor(supply.budget.readers, "brimful-read")
        self._own = threading.local()

    def begin(self) -> None:
        """Begin to read the first two windows."""
        with self._changed:
            if self._closed:
                raise ended()
            self._begin()
            self._begin()

    def loaded(self, number: int, stop: int) -> Loading:
        """A window, once it is there, and the order of its rows up to a position.

        Raises what kept it from being so.
        """
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
        """Whether the window that holds a position is there."""
        loading = self._loading.get(self.epoch.at(position))
        return loading is not None and loading.is_loaded

    def are_loaded(self, start: int, stop: int) -> bool:
        """Whether all windows that hold some positions are there, and the order of their rows."""
        parts = self.epoch.parts(start, stop)
        return all((each := self._loading.get(number)) and each.is_ready(end) for number, _, end in parts)

    def count_off(self, number: int, rows: int) -> None:
        """Count rows of a window that are decoded; after the last of them, its slots are for another one."""
        with self._changed:
            if self._closed:
                return
            loading, half = self._loading[number], len(self._loading[number].window) // 2
            if loading.left > half >= loading.left - rows and len(self.epoch) == 1:
                self._threads.submit(self._supply.first_of(self._number + 1)[1].prepare)
            loading.left -= rows
            if loading.left == 0:
                del self._loading[number]
                self._supply.slab.let_go(loading.slots)
                self._begin()

    def stop(self) -> None:
        """Begin nothing any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for what is under way. What was read stays in the slab, but nobody holds on to it.

        Only once: a pass that another one has ended is closed again when its loop finds out, and by then the
        slots are those of the other one.
        """
        with self._closing:
            self._threads.shutdown(wait=True)
            if not self._released:
                self._supply.slab.let_go_of_all()
                self._loading.clear()
                self._released = True

    def _begin(self) -> None:
        """Begin to read the next window; the lock is held."""
        number, self._following = self._following, self._following + 1
        if number < len(self.epoch) and self.epoch.starts[number] < self._stop:
            self._begin_own(number)
        elif number == len(self.epoch) > 1:
            self._begin_next()

    def _begin_own(self, number: int) -> None:
        """Begin to read a window of this epoch."""
        supply, slab, starts = self._supply, self._supply.slab, self.epoch.starts
        window = supply.window(self.epoch, number)

        def next_use(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
            used = self._window_of_piece[pieces]
            return np.where(used > number, used, NEVER)

        slots, is_there = slab.take(window.pieces, next_use)
        chunks = supply.chunks[window.pieces]
        left = min(self._stop, starts[number + 1]) - max(self._start, starts[number])
        kinds, kind_of = supply.kinds, supply.kind_of(chunks)
        loading = Loading(supply.reader, supply.view, window, chunks, slab, slots, kinds, kind_of, left)
        if not window.is_prepared:
            loading.work.append(self._threads.submit(window.begin))
        if supply.with_keys:
            loading.work.append(self._threads.submit(loading.load_keys))
        for piece, slot in zip(window.pieces[~is_there].tolist(), slots[~is_there].tolist(), strict=True):
            loading.work.append(self._threads.submit(self._load, piece, slot))
        if not window.is_prepared:
            loading.ordering = self._threads.submit(window.prepare)
        self._loading[number] = loading
        self._changed.notify_all()

    def _begin_next(self) -> None:
        """Begin to read the first window of the next epoch, and to make its order."""
        epoch, window = self._supply.first_of(self._number + 1)
        slots, is_there = self._supply.slab.take(window.pieces, epoch.window_of_piece.__getitem__)
        self._threads.submit(window.prepare)
        for piece, slot in zip(window.pieces[~is_there].tolist(), slots[~is_there].tolist(), strict=True):
            self._threads.submit(self._load, piece, slot)

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
