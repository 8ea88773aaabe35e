"""ReadAhead: work done ahead of its use, in threads, a bounded number of pieces, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from brimful.errors import PassEndedError

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class ReadAhead(Generic[Piece, Result]):
    """Do `work` on each of `pieces` in threads; iterating gives the results in order.

    Work starts at the first `next`; what no thread has begun when its result is wanted is done by the thread
    that wants it. At most `depth` pieces exist at a time: in work, done and waiting, or handed out. An error
    in a thread is raised in its turn. Leaving the context stops the threads, whatever is left.

    Args:
        work: What to do; called in several threads at once.
        pieces: What to do it on.
        threads: How many threads.
        depth: How many pieces may exist at a time, at least 2.
        here: What to do instead on what no thread has begun when its result is wanted; by default `work`.
        in_threads: Asked for each piece: whether a thread may begin it.
    """

    def __init__(
        self,
        work: Callable[[Piece], Result],
        pieces: Iterable[Piece],
        *,
        threads: int,
        depth: int,
        here: Callable[[Piece], Result] | None = None,
        in_threads: Callable[[Piece], bool] = lambda _: True,
    ) -> None:
        self._work = work
        self._here = here or work
        self._pieces = iter(pieces)
        self._depth = depth
        self._in_threads = in_threads
        self._pending: deque[tuple[Piece, Future[Result] | None]] = deque()
        self._closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="brimful")

    def __iter__(self) -> Iterator[Result]:
        try:
            self._submit(self._depth - 1)
            while self._pending:
                piece, future = self._pending.popleft()
                # rather than wait for what no thread has begun, do it here
                result = self._here(piece) if future is None or future.cancel() else future.result()
                self.check()
                self._submit(1)
                yield result
                del result  # or it would live on beside the next one
        except (CancelledError, IndexError, RuntimeError):
            self.check()  # closed by another thread while this one waited
            raise
        self.check()

    @property
    def is_ready(self) -> bool:
        """Whether the next result is there."""
        future = self._pending[0][1] if self._pending else None
        return future is not None and future.done()

    def check(self) -> None:
        """Refuse to go on once it is closed.

        Raises:
            PassEndedError: It is.
        """
        if self._closed:
            raise ended()

    def _submit(self, count: int) -> None:
        for _, piece in zip(range(count), self._pieces, strict=False):
            future = self._pool.submit(self._work, piece) if self._in_threads(piece) else None
            self._pending.append((piece, future))

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


def ended() -> PassEndedError:
    """The error for a pass that another one has ended."""
    return PassEndedError(
        "This pass has ended, because another one over the same batches has begun.",
        "Make batches of their own for each of several loops at a time.",
    )
