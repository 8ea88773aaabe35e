"""Prefetch: an ordered, bounded map in threads. The loop that consumes the results does work, too."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

from brimful.errors import PassEndedError

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 8  # more of them only contend for the GIL
PATIENCE = 0.05  # seconds of waiting more than half of the time, until more threads are let in


class Prefetch(Generic[Item, Result]):
    """Map `work` over `items` in threads; iterating gives the results in order.

    Work starts at the first `next`. If the next result is not ready, the loop does not wait while there is an
    item that no thread has begun: it works on that itself. At most `depth` results exist at a time: being
    made, waiting, or handed out. An error in work is raised when its result is due. Leaving the context stops
    the threads, whatever is left.

    At first only as many threads work as keep the cores busy, for more would contend for the GIL. If those
    spend most of their time waiting, as for a slow disk, all threads are let in.

    Args:
        work: The function; called in several threads at once, including that of the loop.
        items: The items to map it over.
        threads: How many threads, at the most.
        depth: How many results may exist at a time, at least 2.
        is_at_hand: Whether an item other than the next can be worked on without waiting; the loop leaves the
            others to the threads.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        threads: int,
        depth: int,
        is_at_hand: Callable[[Item], bool] = lambda _: True,
    ) -> None:
        self._work = work
        self._items = iter(items)
        self._depth = depth
        self._is_at_hand = is_at_hand
        self._pending: deque[_Task[Item, Result]] = deque()  # those whose result was not handed out
        self._unbegun: deque[_Task[Item, Result]] = deque()  # those of them that no thread has begun
        self._taking = threading.Lock()
        self._closed = False
        few = min(threads, busy_threads())
        self._at_work, self._left_out = threading.Semaphore(few), threads - few
        self._waited, self._noting = 0.0, threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="brimful")

    def __iter__(self) -> Iterator[Result]:
        try:
            self._submit(self._depth - 1)
            while self._pending:
                result = self._next()
                self.check()
                self._submit(1)
                yield result
                del result  # or it would live on beside the next one
        except (IndexError, RuntimeError):
            self.check()  # closed by another thread while this one waited
            raise
        self.check()

    @property
    def is_ready(self) -> bool:
        """Whether the next result can be had without waiting."""
        try:
            return self._pending[0].is_done
        except IndexError:
            return False

    def check(self) -> None:
        """Raise PassEndedError if it is closed."""
        if self._closed:
            raise ended()

    def _submit(self, count: int) -> None:
        for _, item in zip(range(count), self._items, strict=False):
            task = _Task[Item, Result](item)
            self._pending.append(task)
            self._unbegun.append(task)
            self._pool.submit(self._in_thread)

    def _in_thread(self) -> None:
        """Begin the next item once few enough threads are at work; until then this thread holds nothing."""
        with self._at_work:
            self.check()
            began, used = time.perf_counter(), time.thread_time()
            with self._taking:
                task = self._unbegun.popleft() if self._unbegun else None
            if task:
                task.do(self._work)
            self._note(time.perf_counter() - began, time.thread_time() - used)

    def _note(self, seconds: float, used: float) -> None:
        """Note the time and the CPU time of a task; let more threads in if tasks mostly wait."""
        with self._noting:
            self._waited = max(-PATIENCE, self._waited + seconds - 2 * used)
            if self._left_out and self._waited > PATIENCE:
                self._at_work.release(self._left_out)
                self._left_out = 0

    def _next(self) -> Result:
        wanted = self._pending.popleft()
        while not wanted.is_done:
            if task := self._take(wanted):
                task.do(self._work)
            else:
                wanted.wait()
            del task  # or its result would live on until the wanted one is there
        try:
            return wanted.take()
        finally:
            del wanted  # an error would hold on to it, and it to the error

    def _take(self, wanted: "_Task[Item, Result]") -> "_Task[Item, Result] | None":
        """A task for the loop: the wanted one, or the next one if that needs no waiting; None if neither."""
        with self._taking:
            first = self._unbegun[0] if self._unbegun else None
            if first and (first is wanted or self._is_at_hand(first.item[0])):
                return self._unbegun.popleft()
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop all threads, that of the loop too, after their current task, and drop all results."""
        self._closed = True
        with self._taking:
            self._pending.clear()
            self._unbegun.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Task(Generic[Item, Result]):
    """An item to work on, once, and then its result, which nothing but the task refers to.

    No frame of the thread that made a result refers to it: a thread can be suspended at any point.
    """

    def __init__(self, item: Item) -> None:
        self.item = [item]  # none once it is begun
        self._under_way = threading.Lock()  # an Event, and a Future, take half a kilobyte
        self._under_way.acquire()
        self._result: list[Result] = []
        self._error: BaseException | None = None

    def do(self, work: Callable[[Item], Result]) -> None:
        try:
            self._result.append(work(self.item.pop()))
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise  # Ctrl-C is for now
        finally:
            self._under_way.release()

    @property
    def is_done(self) -> bool:
        return not self._under_way.locked()

    def wait(self) -> None:
        with self._under_way:
            pass

    def take(self) -> Result:
        """Return the result, or raise the error; the task then no longer refers to it."""
        if self._error is None:
            return self._result.pop()
        error, self._error = self._error, None
        try:
            raise error
        finally:
            del error  # or it would refer to itself, through this frame


@dataclass(frozen=True)
class ReadBudget:
    """How many threads read how many rows at a time, so that all blocks fit into some memory."""

    threads: int
    block_rows: int

    @property
    def depth(self) -> int:
        """Blocks that may exist at a time: being read, waiting, or handed out."""
        return 2 * self.threads + 1


def divide(memory: int, nbytes: Callable[[int], int], most: int) -> ReadBudget | None:
    """The most threads, and the most rows at a time up to `most`, that fit into some bytes of memory.

    `nbytes` gives the bytes that a number of rows takes while they are read, the result included. None if
    there is not enough memory for one row at a time in one thread.
    """
    for threads in range(reading_threads(), 0, -1):
        budget = ReadBudget(threads, most)
        while budget.block_rows > 1 and budget.depth * nbytes(budget.block_rows) > memory:
            budget = replace(budget, block_rows=budget.block_rows // 2)
        if budget.depth * nbytes(budget.block_rows) <= memory:
            return budget
    return None


def reading_threads() -> int:
    """How many threads to read and parse with: one more than this process has cores, up to a limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 1, MOST_THREADS)


def busy_threads() -> int:
    """How many of those keep the cores busy, beside the loop that consumes their results."""
    return max(1, reading_threads() - 2)


def ended() -> PassEndedError:
    """The error for a pass that another one has ended."""
    return PassEndedError(
        "This pass has ended, because another one over the same batches has begun.",
        "Give each of several loops at a time its own batches.",
    )
