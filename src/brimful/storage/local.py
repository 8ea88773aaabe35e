"""LocalStorage: a folder on a disk of this machine.

Whatever happens to the process or the machine, a name leads to the old file or to the whole new one: a file
is written under another name, flushed to the disk, renamed, and then its folder is flushed to the disk, too.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from brimful.errors import WriteError
from brimful.memory import format_bytes

PARTIAL = ".partial"  # suffix of a file's name until it is committed
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # no link, no pipe that blocks


class LocalStorage:
    """A folder. A relative path is resolved at once; links are not followed."""

    block = 4096  # a multiple of the alignment that any disk asks for

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 (links are not followed)
        self.name = str(self.path)
        self.can_read_direct = hasattr(os, "O_DIRECT")  # until the file system refuses

    def __repr__(self) -> str:
        return f"LocalStorage({self.name!r})"

    def list(self) -> list[str]:
        """The names of everything in the folder."""
        if not os.path.isdir(self.path):  # noqa: PTH112 (pathlib raises where a name is too long)
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", self.name)
        return os.listdir(self.path)  # noqa: PTH208 (the names)

    def size(self, name: str) -> int:
        """Bytes of a file, which must be a regular file and no link."""
        status = (self.path / name).lstat()
        _refuse_special(status)
        return status.st_size

    def read_into(self, name: str, offset: int, memory: memoryview, *, cached: bool = True) -> int:
        """Read; if uncached, past the page cache where that is possible, or else drop the pages after."""
        direct = not cached and self.can_read_direct
        try:
            return self._read_into(name, offset, memory, cached=cached, direct=direct)
        except OSError as error:
            if not (direct and error.errno == errno.EINVAL):
                raise
            self.can_read_direct = False  # this file system reads through its cache only
            return self._read_into(name, offset, memory, cached=cached, direct=False)

    def _read_into(self, name: str, offset: int, memory: memoryview, *, cached: bool, direct: bool) -> int:
        descriptor = os.open(self.path / name, READ_FLAGS | (os.O_DIRECT if direct else 0))
        try:
            _refuse_special(os.fstat(descriptor))
            filled = 0
            while filled < len(memory) and (
                count := os.preadv(descriptor, [memory[filled:]], offset + filled)
            ):
                filled += count
                if direct and filled % self.block:  # only at the end of the file
                    break
            if not cached and not direct and hasattr(os, "posix_fadvise"):  # macOS has none
                os.posix_fadvise(descriptor, offset, len(memory), os.POSIX_FADV_DONTNEED)
            return filled
        finally:
            os.close(descriptor)

    def write(self, name: str) -> "LocalWriter":
        """Begin to write a file, `NAME.partial` until it is committed."""
        return LocalWriter(self.path / f"{name}{PARTIAL}")

    def remove(self, name: str) -> None:
        """Remove a file."""
        with _writing(self.path / name):
            os.unlink(self.path / name)  # noqa: PTH108

    def sync(self) -> None:
        """Flush the names in the folder to the disk."""
        _sync_folder(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Make the folder if there is none, and lock it; the system unlocks it if the process ends."""
        if not os.path.isdir(self.path):  # noqa: PTH112 (pathlib raises where a name is too long)
            with _writing(self.path):
                os.mkdir(self.path)  # noqa: PTH102
            _sync_folder(self.path.parent)
        with _writing(self.path):
            descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # usually it is not empty
                    os.rmdir(self.path)  # noqa: PTH106
        finally:
            os.close(descriptor)

    def free_bytes(self) -> int | None:
        """Free bytes of the file system."""
        folder = next(each for each in (self.path, *self.path.parents) if os.path.isdir(each))  # noqa: PTH112
        return shutil.disk_usage(folder).free


class LocalWriter:
    """A file that is being written, with a name that ends in `.partial`. All methods may raise WriteError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _writing(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        self._is_committed = False

    def write(self, data: bytes | memoryview) -> None:
        """Append some bytes."""
        left = memoryview(data)
        with _writing(self.path):
            while left:
                left = left[os.write(self._descriptor, left) :]

    def read(self, n: int, offset: int) -> bytes:
        """Read back some bytes."""
        with _writing(self.path):
            return os.pread(self._descriptor, n, offset)

    def commit(self, name: str) -> None:
        """Flush it to the disk, and rename it in the same folder."""
        with _writing(self.path):
            _sync(self._descriptor)
            os.rename(self.path, self.path.with_name(name))  # noqa: PTH104 (the calls, as the disk sees them)
        self._is_committed = True
        _sync_folder(self.path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it, unless it was committed."""
        os.close(self._descriptor)
        if not self._is_committed:
            with contextlib.suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108


def _refuse_special(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError("this is no plain file")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn an OSError into a WriteError that names what cannot be written, and why."""
    try:
        yield
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        hint = "Check the path, the permissions and the disk; the same command goes on where it stopped."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = format_bytes(shutil.disk_usage(path.parent).free)
            hint = f"The disk is full ({free} free). Make room; the same command goes on where it stopped."
        raise WriteError(f"{path}: this cannot be written: {error.strerror or error}.", hint) from error


def _sync_folder(path: Path) -> None:
    with _writing(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)


def _sync(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone leaves it in the drive's cache
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)
