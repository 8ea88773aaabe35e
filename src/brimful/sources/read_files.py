"""Reading files: many small ones whole, while the disk already reads the next ones."""

import os
import resource
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, ReadError
from brimful.prefetch import reading_threads
from brimful.sources.text.contents import FileContents

OPEN_FILE_BYTES = 320  # of memory for each file that is open ahead
OPEN_AHEAD = 256  # per thread; one thread with 64 reads a cold disk as fast as 8 without, for less CPU
SHARE = 4  # one in so many of the files that this process may open is open ahead
SETTLED = 2.0  # seconds: file systems count time in steps of up to two
NO_PRINT = -1  # in a fingerprint: the file is gone, or nothing is known of it
PATIENCE = 0.02  # seconds; reading a group that is cached takes one or two milliseconds

_reading = threading.Lock()

Print = tuple[int, int, int, int]
"""A fingerprint: size, time of modification, time of change of state, inode."""


def read_files(
    folder: Path,
    paths: Sequence[str],
    *,
    largest: int,
    at_a_time: int,
    prints: NDArray[np.int64] | None = None,
) -> Iterator[FileContents]:
    """Read files whole and hand them out in groups.

    The memory of a group is used again for the next one: copy what is needed before going on.

    Args:
        folder: The folder of all files.
        paths: Paths below the folder, `/`-separated.
        largest: Most bytes that a file may have.
        at_a_time: Bytes per group, at least `largest`.
        prints: Where to write the fingerprint of each, shape `(len(paths), 4)`.

    Raises:
        ReadError: A file cannot be read.
        MalformedFileError: A file is too large.
    """
    memory = np.empty(max(at_a_time, largest) + 1, np.uint8)
    with closing(_Reading(folder, paths, largest, prints)) as reading:
        while not reading.is_done:
            with nullcontext() if reading.waits else _turn():
                lengths = reading.fill(memory)
            if lengths:
                yield FileContents(memory[: sum(lengths)], np.array(lengths))


@contextmanager
def _turn() -> Iterator[None]:
    """A turn at reading cached files, one thread at a time: such short calls would contend for the GIL.

    It is worth a tenth of the time where every cell of a file differs. A thread does not wait long for its
    turn, so that a slow `open`, or a fork while another thread reads, delays no other.
    """
    is_taken = _reading.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        if is_taken:
            _reading.release()


def read_file(path: Path) -> bytes:
    """Read a file whole; raises ReadError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def read_print(folder: Path, path: str) -> tuple[bytes, Print]:
    """Read a file whole, and its fingerprint; raises ReadError, also if it changed meanwhile."""
    try:
        with open(f"{folder}/{path}", "rb", buffering=0) as file:  # noqa: PTH123 (half the time of pathlib's)
            found = _print_of(os.fstat(file.fileno()))
            content = file.read(found[0] + 1)
            while content and len(content) < found[0] and (more := file.read(found[0] + 1 - len(content))):
                content += more  # some file systems return less than asked for
    except OSError as error:
        raise unreadable(folder / path, error) from error
    if len(content) != found[0]:
        raise ReadError(
            f"{folder / path}: the file changed while it was read.",
            "Train when nothing writes to the folder any more.",
        )
    return content, found


def fingerprint(folder: Path, path: str) -> Print:
    """Size, time of modification, time of change of state, and inode of a file; NO_PRINT if it is gone."""
    try:
        status = os.stat(f"{folder}/{path}")  # noqa: PTH116 (half the time of pathlib's)
    except OSError:
        return (NO_PRINT, NO_PRINT, NO_PRINT, NO_PRINT)
    return _print_of(status)


def is_settled(prints: NDArray[np.int64], began: float) -> NDArray[np.bool_]:
    """Which files had not changed for so long that another change would show in their times.

    `began` is `time.time()` before the first of them was read.
    """
    settled: NDArray[np.bool_] = prints[:, 1:3].max(axis=1) < (began - SETTLED) * 1e9
    settled &= (prints != NO_PRINT).all(axis=1)
    return settled


def _open_ahead() -> int:
    """How many files each reading thread, and the loop, may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_AHEAD if soft == resource.RLIM_INFINITY else soft // SHARE // (1 + reading_threads())
    return max(1, min(OPEN_AHEAD, allowed))


def _print_of(status: os.stat_result) -> Print:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def unreadable(path: Path, error: OSError) -> ReadError:
    """The error for a file that the system cannot read."""
    return ReadError(
        f"{path}: the file cannot be read: {error.strerror or error}.",
        "Check that it is still there and that you may read it; scan again if the folder has changed.",
    )


class _Reading:
    """Files being read whole, in order; each as soon as it is opened while all are in the page cache.

    From the first one that is not, files are opened ahead of the one being read, and the kernel is asked for
    their content, so that one thread keeps a disk busy. `waits` is True from then on.
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
        self._opened_as: deque[Print] = deque()  # at the time of opening: a later change is noticed
        self._ahead = _open_ahead()
        self._done = 0
        self.waits = not hasattr(os, "RWF_NOWAIT")  # macOS has none

    @property
    def is_done(self) -> bool:
        return self._done == len(self._paths)

    def fill(self, memory: NDArray[np.uint8]) -> list[int]:
        """Read as many as fit into the memory; returns the length of each."""
        view, lengths, held = memory.data, [], 0
        while not self.is_done:
            self._open(self._ahead if self.waits else 1)
            size = self._opened_as[0][0]
            if held + size >= len(view):
                break
            count = self._read(view[held : held + size + 1])  # one more, to see whether it has grown
            if count < size and not self.waits:
                self.waits = True
                break
            self._finish(count)
            lengths.append(size)
            held += size
        return lengths

    def _open(self, count: int) -> None:
        """Open files until `count` are open."""
        for path in islice(self._unopened, count - len(self._opened)):
            try:
                descriptor = os.open(self._prefix + path.encode(), os.O_RDONLY)
                self._opened.append(descriptor)
                opened_as = _print_of(os.fstat(descriptor))
                if self.waits and hasattr(os, "posix_fadvise"):  # macOS has none
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
            except OSError as error:
                raise unreadable(self._folder / path, error) from error
            if opened_as[0] > self._largest:
                raise MalformedFileError(
                    f"{self._folder / path}: the file has {opened_as[0]:,} bytes, "
                    f"more than the {self._largest:,} that a sample of this shape takes.",
                    "Repair the file, or take it out of the folder.",
                    kind="wrong_shape",
                )
            self._opened_as.append(opened_as)

    def _read(self, memory: memoryview) -> int:
        """Read the next file; returns the bytes read, too few if reading would have to wait."""
        descriptor, size = self._opened[0], len(memory) - 1
        try:
            if not self.waits:
                return os.preadv(descriptor, [memory], 0, os.RWF_NOWAIT)
            count = os.preadv(descriptor, [memory], 0)
            while 0 < count < size and (more := os.preadv(descriptor, [memory[count:]], count)):
                count += more  # some file systems return less than asked for
        except OSError as error:
            if not self.waits:  # not in the page cache, or not known by the file system
                return -1
            raise unreadable(self._folder / self._paths[self._done], error) from error
        return count

    def _finish(self, count: int) -> None:
        """Close the file of which `count` bytes were read, and go on to the next one."""
        opened_as = self._opened_as.popleft()
        if count != opened_as[0]:
            raise ReadError(
                f"{self._folder / self._paths[self._done]}: the file changed while it was read.",
                "Train when nothing writes to the folder any more.",
            )
        if self._prints is not None:
            self._prints[self._done] = opened_as
        os.close(self._opened.popleft())
        self._done += 1

    def close(self) -> None:
        """Close the files that were opened and not read."""
        while self._opened:
            os.close(self._opened.popleft())
