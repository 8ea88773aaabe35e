"""Storage: a flat set of named files that are seen whole or not at all. The contract of every kind of place.

Stores and runs use their folders through these calls only, so that a new kind of place is an added file: a
class of this shape, an entry in `locate`, and a subclass of `brimful.testing.StorageContract`.
"""

import io
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self, runtime_checkable


class Writer(Protocol):
    """A file that is being written; leaving its context without `commit` leaves nothing.

    Every method raises WriteError if the place does not take the bytes.
    """

    def write(self, data: bytes | memoryview) -> None:
        """Append some bytes."""

    def read(self, n: int, offset: int) -> bytes:
        """Read back some bytes of what was written."""

    def commit(self, name: str) -> None:
        """Make the file visible under a name, in one step and durably, in place of what had the name."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@runtime_checkable
class Storage(Protocol):
    """Named files in one place, used by several threads at once. Names hold no `/`.

    Attributes:
        name: The name of the place for a person; errors begin with it.
        block: Bytes; uncached reads are fastest if offset, length and memory are multiples of it.
    """

    name: str
    block: int

    def list(self) -> list[str]:
        """The names of all files.

        Raises:
            FileNotFoundError: There is no such place.
            OSError: It cannot be listed.
        """

    def size(self, name: str) -> int:
        """Bytes of a file.

        Raises:
            FileNotFoundError: There is none of that name.
            OSError: It is no plain file, or cannot be looked at.
        """

    def read_into(self, name: str, offset: int, memory: memoryview, *, cached: bool = True) -> int:
        """Read from an offset on until the memory is full or the file ends; returns the bytes read.

        Args:
            name: The file.
            offset: Where to begin, in bytes.
            memory: Writable bytes to read into.
            cached: Whether the system may keep the bytes for the next read. A place may ignore it.

        Raises:
            FileNotFoundError: There is none of that name.
            OSError: It is no plain file, or cannot be read.
        """

    def write(self, name: str) -> Writer:
        """Begin to write a file; `commit` gives the final name, this one is only for the time before."""

    def remove(self, name: str) -> None:
        """Remove a file.

        Raises:
            WriteError: It cannot be removed.
        """

    def sync(self) -> None:
        """Make all removals durable."""

    def lock(self) -> AbstractContextManager[None]:
        """Lock the place for this process, making it if there is none, until the context is left.

        The lock ends with the process, even if that is killed. A place that is empty at the end is removed.

        Raises:
            BlockingIOError: Another process holds it.
            WriteError: It cannot be made.
        """

    def free_bytes(self) -> int | None:
        """Bytes that can still be written; None where nothing limits them."""


def read_file(storage: Storage, name: str, most: int) -> bytes:
    """The content of a file, of which at most the first `most` bytes; OSError if it cannot be read."""
    content = bytearray(min(storage.size(name), most))
    return bytes(memoryview(content)[: storage.read_into(name, 0, memoryview(content))])


def write_file(storage: Storage, name: str, content: bytes) -> None:
    """Write a whole file; if that fails, with WriteError, the name leads to what it led to before."""
    with storage.write(name) as file:
        file.write(content)
        file.commit(name)


class StoredFile(io.RawIOBase):
    """A file of a storage as a Python file object that can be read."""

    def __init__(self, storage: Storage, name: str) -> None:
        super().__init__()
        self._storage, self._name = storage, name
        self._size, self._at = storage.size(name), 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position of the next read, and return it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, memory: Any) -> int:
        """Read into memory, and return how many bytes were read."""
        count = self._storage.read_into(self._name, self._at, memoryview(memory).cast("B"))
        self._at += count
        return count


class WrittenFile(io.RawIOBase):
    """A file that is being written as a Python file object; closing it commits nothing."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer
        self._at = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The bytes written so far."""
        return self._at

    def write(self, data: Any) -> int:
        """Append some bytes, and return their number."""
        view = memoryview(data).cast("B")
        self._writer.write(view)
        self._at += len(view)
        return len(view)
