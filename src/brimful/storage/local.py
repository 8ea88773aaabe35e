"""Durable: writes that are on the disk for good once they return, and names that are given in one step.

Whatever happens to the process or the machine, a name leads to what it led to before or to all of what was
written: a file is written under another name, brought to the disk, renamed, and then its folder is.
"""

import contextlib
import errno
import fcntl
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from brimful.errors import StoreBusyError, WriteError
from brimful.memory import format_bytes
from brimful.store.format import PARTIAL


class PartialFile:
    """A file that is being written, under a name that says so.

    Leaving the context without `commit` removes it.

    Args:
        path: Its name for now; ends in `.partial`.

    Raises:
        WriteError: It cannot be written; as every method does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        self._committed = False

    def write(self, data: memoryview) -> None:
        """Append some bytes."""
        with writing(self.path):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def read(self, n: int, offset: int) -> bytes:
        """Read back some bytes."""
        with writing(self.path):
            return os.pread(self._descriptor, n, offset)

    def commit(self, name: str) -> None:
        """Bring it to the disk, and give it its name in the same folder."""
        with writing(self.path):
            _sync(self._descriptor)
            os.rename(self.path, self.path.with_name(name))  # noqa: PTH104 (the calls, as the disk sees them)
        self._committed = True
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Remove it, unless it was committed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if not self._committed:
                with contextlib.suppress(OSError):
                    os.unlink(self.path)  # noqa: PTH108

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sink(io.RawIOBase):
    """A file to Arrow, that keeps what is written to it until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Keep some bytes."""
        self._pieces.append(data)
        return len(data)

    def take(self) -> bytes:
        """All that was written since it was last taken."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that its name leads to all of it or to what it led to before."""
    with PartialFile(path.with_name(path.name + PARTIAL)) as file:
        file.write(memoryview(content))
        file.commit(path.name)


def remove(path: Path) -> None:
    """Remove a file."""
    with writing(path):
        os.unlink(path)  # noqa: PTH108


def make_folder(path: Path) -> None:
    """Make a folder, if it is not there, for good."""
    if not os.path.isdir(path):  # noqa: PTH112 (pathlib raises where a name is too long)
        with writing(path):
            os.mkdir(path)  # noqa: PTH102
        sync_folder(path.parent)


def remove_if_empty(path: Path) -> None:
    """Remove a folder in which there is nothing."""
    with contextlib.suppress(OSError):
        os.rmdir(path)  # noqa: PTH106


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    with writing(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the system lets go of it whatever becomes of the process.

    Raises:
        StoreBusyError: Another process holds it.
    """
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusyError(
                f"{folder}: another process is packing this store.", "Wait for it, or stop it."
            ) from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the system into one that says what cannot be written, and why."""
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


def _sync(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone leaves it in the drive's cache
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)
