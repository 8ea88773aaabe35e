"""Files: many small ones read whole, the next ones already on their way from the disk."""

import os
import resource
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brimful.errors import BrimfulError, MalformedFileError, ReadError
from brimful.read_ahead import reading_threads
from brimful.sources.texts import Texts

OPEN_AHEAD = 256  # files a thread; cold, one with 64 reads as much as 8 threads of plain reads, for less CPU
SHARE = 4  # of the files that this process may open, one in so many is open ahead
SETTLED = 2.0  # seconds: file systems count time in steps of up to two
NO_PRINT = -1  # in a fingerprint: the file is gone, or nothing is known of it

_scratch = threading.local()
_turn = threading.Lock()  # to read what is cached: calls that short wait longer for one another's Python


def read_files(
    folder: Path,
    paths: Sequence[str],
    *,
    largest: int,
    at_a_time: int,
    prints: NDArray[np.int64] | None = None,
) -> Iterator[Texts]:
    """Read files whole and hand them out in groups, each in the memory of the one before.

    Args:
        folder: Where they are.
        paths: Paths below the folder, `/`-separated.
        largest: Bytes that none may exceed.
        at_a_time: Bytes a group, at least `largest`.
        prints: Where to write the fingerprint of each, shape `(len(paths), 4)`.

    Raises:
        ReadError: One cannot be read.
        MalformedFileError: One is too large.
    """
    memory = _memory(max(at_a_time, largest) + 1)
    with closing(_Reading(folder, paths, largest, prints)) as reading:
        while not reading.is_done:
            with _turn if reading.is_cached else nullcontext():
                lengths = reading.fill(memory)
            if lengths:
                yield Texts(memory[: sum(lengths)], np.array(lengths))


def read_file(path: Path) -> bytes:
    """Read one file whole.

    Raises:
        ReadError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def fingerprint(folder: Path, path: str) -> tuple[int, int, int, int]:
    """Size, time of modification, time of change of state, and inode of a file; NO_PRINT if it is gone."""
    try:
        status = os.stat(f"{folder}/{path}")  # noqa: PTH116 (half the time of pathlib's)
    except OSError:
        return (NO_PRINT, NO_PRINT, NO_PRINT, NO_PRINT)
    return _print_of(status)


def is_settled(prints: NDArray[np.int64], began: float) -> NDArray[np.bool_]:
    """Which files had not changed for so long that another change would show in their times.

    Args:
        prints: The fingerprint of each file as it was read.
        began: `time.time()` before the first of them was.
    """
    settled: NDArray[np.bool_] = prints[:, 1:3].max(axis=1) < (began - SETTLED) * 1e9
    settled &= (prints != NO_PRINT).all(axis=1)
    return settled


def _open_ahead() -> int:
    """How many files each of the threads that read, and the loop, may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_AHEAD if soft == resource.RLIM_INFINITY else soft // SHARE // (1 + reading_threads())
    return max(1, min(OPEN_AHEAD, allowed))


def _print_of(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def unreadable(path: Path, error: OSError) -> ReadError:
    """The error for a file that the system will not let us read."""
    return ReadError(
        f"{path}: the file cannot be read: {error.strerror or error}.",
        "Check that it is still there and that you may read it; scan again if the folder has changed.",
    )


class _Reading:
    """Files read whole, in order: each as it is opened while they are in the page cache.

    From the first that is not, some ahead of the one being read are open already, and the kernel has been
    asked for their content, so that one thread keeps a disk busy.

    Args:
        folder: Where they are.
        paths: Paths below the folder.
        largest: Bytes that none may exceed.
        prints: Where to write the fingerprint of each.
    """

    def __init__(
        self, folder: Path, paths: Sequence[str], largest: int, prints: NDArray[np.int64] | None
    ) -> None:
        self._folder = folder
        self._paths = paths
        self._largest = largest
        self._prints = prints
        self._prefix = os.fsencode(folder) + b"/"
        self._unopened = iter(paths)
        self._opened: deque[int] = deque()  # the first is that of the next file
        self._done = 0
        self.is_cached = hasattr(os, "RWF_NOWAIT")  # macOS has none

    @property
    def is_done(self) -> bool:
        """Whether all were read."""
        return self._done == len(self._paths)

    def fill(self, memory: NDArray[np.uint8]) -> list[int]:
        """Read as many as the memory takes, or as are in the page cache; returns the length of each."""
        view, lengths, held = memory.data, [], 0
        while not self.is_done:
            try:
                if (size := self._read_next(view[held:])) is None:
                    break
            except BrimfulError:
                raise
            except OSError as error:
                raise unreadable(self._folder / self._paths[self._done], error) from error
            os.close(self._opened.popleft())
            self._done += 1
            lengths.append(size)
            held += size
        return lengths

    def _read_next(self, memory: memoryview) -> int | None:
        """Read the next file; returns its size, or None if it has no room or is not in the page cache."""
        self._open(1 if self.is_cached else _open_ahead())
        status = os.fstat(self._opened[0])
        size = status.st_size
        if size > self._largest:
            raise MalformedFileError(
                f"{self._folder / self._paths[self._done]}: the file has {size:,} bytes, "
                f"more than the {self._largest:,} that a sample of this shape takes.",
                "Mend the file, or take it out of the folder.",
                kind="wrong_shape",
            )
        if size >= len(memory):
            return None
        count = self._read(self._opened[0], memory[: size + 1], size)
        if self.is_cached and count < size:
            self.is_cached = False
            return None
        if count != size:
            raise ReadError(
                f"{self._folder / self._paths[self._done]}: the file changed while it was read.",
                "Train when nothing writes to the folder any more.",
            )
        if self._prints is not None:
            self._prints[self._done] = _print_of(status)
        return size

    def _read(self, descriptor: int, memory: memoryview, size: int) -> int:
        """Read a file of some bytes, or of one more if it has grown; returns how many there were."""
        if self.is_cached:
            try:
                return os.preadv(descriptor, [memory], 0, os.RWF_NOWAIT)
            except OSError:  # it would wait for the disk, or cannot tell
                return -1
        count = os.preadv(descriptor, [memory], 0)
        while 0 < count < size and (more := os.preadv(descriptor, [memory[count:]], count)):
            count += more  # some file systems give less than asked for
        return count

    def _open(self, count: int) -> None:
        """Open files until so many are."""
        for path in islice(self._unopened, count - len(self._opened)):
            try:
                descriptor = os.open(self._prefix + path.encode(), os.O_RDONLY)
            except OSError as error:
                raise unreadable(self._folder / path, error) from error
            self._opened.append(descriptor)
            if not self.is_cached and hasattr(os, "posix_fadvise"):  # macOS has none
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Close what was opened and not read."""
        while self._opened:
            os.close(self._opened.popleft())


def _memory(size: int) -> NDArray[np.uint8]:
    """Some bytes that this thread uses again: fresh ones cost page faults, a third of the time to parse."""
    if getattr(_scratch, "memory", np.empty(0)).size < size:
        _scratch.memory = np.empty(size, np.uint8)
    memory: NDArray[np.uint8] = _scratch.memory[:size]
    return memory
