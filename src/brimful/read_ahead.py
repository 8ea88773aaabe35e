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
    pieces exist at a time: in work, done and waiting, or handed out. An error in work is raised in its turn.
    Leaving the context stops the threads, whatever is left.

    At first as many are at work as keep the cores busy, for more only take one another's time. Should they
    wait most of the time, as for a slow disk, all threads are let in.

    Args:
        work: What to do; called in several threads at once, that of the loop among them.
        pieces: What to do it on.
        threads: How many threads, at the most.
        depth: How many pieces may exist at a time, at least 2.
        is_at_hand: Whether a piece behind the wanted one can be done now; the loop leaves to threads what
            would only make it wait.
    """

    def __init__(
        self,
        work: Callable[[Piece], Result],
        pieces: Iterable[Piece],
        *,
        threads: int,
        depth: int,
        is_at_hand: Callable[[Piece], bool] = lambda _: True,
    ) -> None:
        self._work = work
        self._pieces = iter(pieces)
        self._depth = depth
        self._is_at_hand = is_at_hand
        self._pending: deque[_Task[Piece, Result]] = deque()
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
        """Whether the next result is there."""
        tasks = list(self._pending)
        return bool(tasks) and tasks[0].result.done()

    def check(self) -> None:
        """Refuse to go on once it is closed.

        Raises:
            PassEndedError: It is.
        """
        if self._closed:
            raise ended()

    def _submit(self, count: int) -> None:
        for _, piece in zip(range(count), self._pieces, strict=False):
            self._pending.append(_Task(piece))
            self._pool.submit(self._in_thread)

    def _in_thread(self) -> None:
        """Do what nobody has begun, if there is such work once fewer others are at work.

        Until then a thread holds no piece: the loop could do it, and its result would live on.
        """
        with self._at_work:
            self.check()
            began, used = time.perf_counter(), time.thread_time()
            any(task.do(self._work) for task in list(self._pending))
            self._note(time.perf_counter() - began, time.thread_time() - used)

    def _note(self, seconds: float, used: float) -> None:
        """Note how long a piece took, and how long it kept a core busy; let others in if it mostly waited."""
        with self._noting:
            self._waited = max(-PATIENCE, self._waited + seconds - 2 * used)
            if self._left_out and self._waited > PATIENCE:
                self._at_work.release(self._left_out)
                self._left_out = 0

    def _next(self) -> Result:
        """The next result."""
        task = self._pending.popleft()
        task.do(self._work)
        while not task.result.done() and any(
            other.do(self._work, self._is_at_hand) for other in list(self._pending)
        ):
            pass
        try:
            return task.result.result()
        finally:
            del task  # an error would hold on to it, and it to the error

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
        """Stop the threads once they are done with the piece in hand, and let go of all results.

        A loop in another thread stops once it is done with its own.
        """
        self._closed = True
        self._pending.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Task(Generic[Piece, Result]):
    """Work to do on a piece once, by whoever comes first."""

    def __init__(self, piece: Piece) -> None:
        self.result: Future[Result] = Future()
        self._pieces = [piece]  # none once it is begun

    def do(
        self, work: Callable[[Piece], Result], is_at_hand: Callable[[Piece], bool] = lambda _: True
    ) -> bool:
        """Do it, unless another thread has begun to or it is not at hand. Returns whether it is done."""
        try:
            if not is_at_hand(self._pieces[0]):
                return False
            piece = self._pieces.pop()
        except IndexError:
            return False
        try:
            result = work(piece)
        except BaseException as error:
            self.result.set_exception(error)
            if not isinstance(error, Exception):
                raise  # Ctrl-C is for now
        else:
            self.result.set_result(result)
        finally:
            del self  # an error would hold on to it, and it to the error
        return True


def reading_threads() -> int:
    """How many threads to read and parse with: one more than cores that this process may use, of a few."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 1, MOST_THREADS)


def busy_threads() -> int:
    """How many of those keep the cores busy, beside the loop that wants what they make."""
    return max(1, reading_threads() - 2)


def ended() -> PassEndedError:
    """The error for a pass that another one has ended."""
    return PassEndedError(
        "This pass has ended, because another one over the same batches has begun.",
        "Make batches of their own for each of several loops at a time.",
    )
