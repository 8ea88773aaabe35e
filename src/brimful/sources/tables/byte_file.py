"""ByteFile: the bytes of a file, as they are or unpacked, read from any place by several threads."""

import gzip
import os
import threading
import zlib
from pathlib import Path

from brimful.errors import MalformedFileError, ReadError, SourceError
from brimful.sources.read_files import Print, fingerprint, unreadable


class ByteFile:
    """A file that is read by offsets; a packed one is unpacked from its beginning to the place asked for.

    The file must stay as it was when this was made: reading another one is an error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.print = print_of(path)
        self.is_packed = path.name.lower().endswith(".gz")
        self._lock = threading.Lock()
        self._unpacked: gzip.GzipFile | None = None

    def read(self, offset: int, size: int) -> bytes:
        """Read so many bytes from a place; fewer at the end of the file.

        Raises:
            ReadError: The file cannot be read, or has changed.
            MalformedFileError: It cannot be unpacked.
        """
        try:
            if self.is_packed:
                return self._unpack(offset, size)
            with self.path.open("rb", buffering=0) as file:
                check_unchanged(self.path, self.print, file.fileno())
                return _read_at(file.fileno(), offset, size)
        except SourceError:
            raise
        except OSError as error:
            raise unreadable(self.path, error) from error

    def release(self) -> None:
        """Close what is kept open."""
        with self._lock:
            if self._unpacked:
                self._unpacked.close()
            self._unpacked = None

    def _unpack(self, offset: int, size: int) -> bytes:
        with self._lock:
            try:
                if self._unpacked is None:
                    self._unpacked = gzip.open(self.path, "rb")  # noqa: SIM115 (kept open)
                check_unchanged(self.path, self.print)
                self._unpacked.seek(offset)
                return self._unpacked.read(size)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise MalformedFileError(
                    f"{self.path}: this cannot be unpacked: {error}.", "Fetch the file again: it is damaged."
                ) from error


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    """Read so many bytes, or all that are left: one call may give fewer."""
    parts = [os.pread(descriptor, size, offset)]
    done = len(parts[0])
    while len(parts[-1]) > 0 and done < size:
        parts.append(os.pread(descriptor, size - done, offset + done))
        done += len(parts[-1])
    return parts[0] if len(parts) == 1 else b"".join(parts)


def print_of(path: Path) -> Print:
    """The fingerprint of a file.

    Raises:
        ReadError: It cannot be read.
    """
    try:
        path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return fingerprint(path.parent, path.name)


def check_unchanged(path: Path, before: Print, descriptor: int | None = None) -> None:
    """Refuse a file that is not as it was when it was scanned.

    Raises:
        ReadError: It has changed, or is gone.
    """
    status = os.stat(path if descriptor is None else descriptor)  # noqa: PTH116 (also of a descriptor)
    now = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if now != before:
        raise ReadError(f"{path}: the file has changed since it was scanned.", "Scan it again.")
