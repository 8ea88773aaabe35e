"""ReadAhead: work done ahead of its use, in threads, a bounded number of pieces, in order."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from brimful.errors import PassEndedError

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MOST_THREADS = 8  # beyond, they wait for one another's Python
PATIENCE = 0.05  # seconds of waiting more than half of the time, until more threads are let in


class ReadAhead(Generic[Piece, Result]):
    """Do `work` on each of `pieces` in threads; iterating gives the results in order.

    Work starts at the first `next`. Who wants a result that is not there does not wait for it while there is
    work that no thread has begun: it does that itself, be it the next piece or one behind it. At most `depth`
    pieces exist at a time: in work, done and waiting, or handed out. An error is raised in its turn. Leaving
    the context stops the threads, whatever is left.

    At first as many are at work as keep the cores busy, for more only take one another's time. Should they
    wait most of the time, as for a slow disk, all threads are let in.

    Args:
        work: What to do; called in several threads at once.
        pieces: What to do it on.
        threads: How many threads, at the most.
        depth: How many pieces may exist at a time, at least 2.
    """

    def __init__(
        self,
        work: Callable[[Piece], Result],
        pieces: Iterable[Piece],
        *,
        threads: int,
        depth: int,
    ) -> None:
        self._work = work
        self._pieces = iter(pieces)
        self._depth = depth
        self._pending: deque[_Task[Piece, Result]] = deque()
        self._closed = False
        few = min(threads, busy_threads())
        self._at_work, self._left_out = threading.Semaphore(few), threads - few
        self._waited = 0.0
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
        """Whether the next result is there."""
        return bool(self._pending) and self._pending[0].result.done()

    def check(self) -> None:
        """Refuse to go on once it is closed.

        Raises:
            PassEndedError: It is.
        """
        if self._closed:
            raise ended()

    def _submit(self, count: int) -> None:
        for _, piece in zip(range(count), self._pieces, strict=False):
            task = _Task(self._work, piece)
            self._pending.append(task)
            self._pool.submit(self._in_thread, task)

    def _in_thread(self, task: "_Task[Piece, Result]") -> None:
        """Do a task, once fewer others are at work."""
        with self._at_work:
            self.check()
            began, used = time.perf_counter(), time.thread_time()
            task.do()
            self._waited += time.perf_counter() - began - 2 * (time.thread_time() - used)
            if self._left_out and self._waited > PATIENCE:
                left_out, self._left_out = self._left_out, 0
                self._at_work.release(left_out)

    def _next(self) -> Result:
        """The next result."""
        task = self._pending.popleft()
        task.do()
        while not task.result.done() and any(other.do() for other in self._pending):
            pass
        return task.result.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads once they are done with the piece in hand, and let go of all results."""
        self._closed = True
        self._pending.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Task(Generic[Piece, Result]):
    """Work to do once, by whoever comes first.

    Args:
        work: What to do.
        piece: What to do it on.
    """

    def __init__(self, work: Callable[[Piece], Result], piece: Piece) -> None:
        self.result: Future[Result] = Future()
        self._work = work
        self._piece = piece
        self._begun = threading.Lock()

    def do(self) -> bool:
        """Do it, unless another thread has begun to. Returns whether it has been done here."""
        if not self._begun.acquire(blocking=False):
            return False
        try:
            self.result.set_result(self._work(self._piece))
        except BaseException as error:
            self.result.set_exception(error)
            if not isinstance(error, Exception):
                raise  # Ctrl-C is for now
        return True


def reading_threads() -> int:
    """How many threads to read and parse with: one more than cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 1, MOST_THREADS)


def busy_threads() -> int:
    """How many keep the cores busy, beside the one that wants what they make."""
    return max(1, reading_threads() - 2)


def ended() -> PassEndedError:
    """The error for a pass that another one has ended."""
    return PassEndedError(
        "This pass has ended, because another one over the same batches has begun.",
        "Make batches of their own for each of several loops at a time.",
    )
