"""Files: many small ones read whole, the next ones already on their way from the disk."""

import os
import resource
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, ReadError
from brimful.read_ahead import reading_threads

OPEN_AHEAD = 256  # files a thread; cold, one with 64 reads as much as 8 threads of plain reads, for less CPU
SHARE = 4  # of the files that this process may open, one in so many is open ahead
SETTLED = 2.0  # seconds: file systems count time in steps of up to two
NO_PRINT = -1  # in a fingerprint: the file is gone, or nothing is known of it


def read_files(
    folder: Path,
    paths: Sequence[str],
    *,
    largest: int,
    at_a_time: int,
    prints: NDArray[np.int64] | None = None,
) -> Iterator[list[bytes]]:
    """Read files whole and hand them out in groups.

    Some files ahead of the one being read are open already, and the kernel has been asked for their
    content, so that one thread keeps a disk busy.

    Args:
        folder: Where they are.
        paths: Paths below the folder, `/`-separated.
        largest: Bytes that none may exceed.
        at_a_time: Bytes a group, unless a single file is larger.
        prints: Where to write the fingerprint of each, shape `(len(paths), 4)`.

    Raises:
        ReadError: One cannot be read.
        MalformedFileError: One is too large.
    """
    prefix = os.fsencode(folder) + b"/"
    most = _open_ahead()
    opened: deque[int] = deque()
    group: list[bytes] = []
    held = 0
    try:
        following = iter(paths)
        for at, path in enumerate(paths):
            for ahead in following:
                opened.append(_open(prefix + ahead.encode()))
                if len(opened) >= most:
                    break
            file, status = _read_whole(opened.popleft(), largest, folder, path)
            if prints is not None:
                prints[at] = _print_of(status)
            if group and held + len(file) > at_a_time:
                yield group
                group, held = [], 0
            group.append(file)
            held += len(file)
        yield group
    finally:
        for descriptor in opened:
            os.close(descriptor)


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


def _open(path: bytes) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise unreadable(Path(os.fsdecode(path)), error) from error
    if hasattr(os, "posix_fadvise"):  # macOS has none
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    return descriptor


def _read_whole(descriptor: int, largest: int, folder: Path, path: str) -> tuple[bytes, os.stat_result]:
    """Read all of an open file, and close it; with its status before it was read."""
    try:
        status = os.fstat(descriptor)
        size = status.st_size
        if size > largest:
            raise MalformedFileError(
                f"{folder / path}: the file has {size:,} bytes, "
                f"more than the {largest:,} that a sample of this shape takes.",
                "Mend the file, or take it out of the folder.",
                kind="wrong_shape",
            )
        file = os.read(descriptor, size + 1)
        while len(file) < size and (more := os.read(descriptor, size + 1 - len(file))):
            file += more  # some file systems give less than asked for
    except OSError as error:
        raise unreadable(folder / path, error) from error
    finally:
        os.close(descriptor)
    if len(file) != size:
        raise ReadError(
            f"{folder / path}: the file changed while it was read.",
            "Train when nothing writes to the folder any more.",
        )
    return file, status
