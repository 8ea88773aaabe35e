"""MemoryStorage: a place in memory, as a user would add another kind of place."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self


class MemoryStorage:
    """Files in a dict, gone with the process."""

    name = "memory"
    block = 1

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._exists = False
        self._lock = threading.Lock()

    def list(self) -> list[str]:
        """The names of all files."""
        if not self._exists:
            raise FileNotFoundError(self.name)
        return list(self.files)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return len(self._content(name))

    def read_into(self, name: str, offset: int, memory: memoryview, *, cached: bool = True) -> int:
        """Copy from a file."""
        content = self._content(name)[offset : offset + len(memory)]
        memory[: len(content)] = content
        return len(content)

    def write(self, name: str) -> "MemoryWriter":
        """Begin to write a file."""
        return MemoryWriter(self)

    def remove(self, name: str) -> None:
        """Forget a file."""
        del self.files[name]

    def sync(self) -> None:
        """Nothing is kept anyway."""

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the place."""
        if not self._lock.acquire(blocking=False):
            raise BlockingIOError(self.name)
        self._exists = True
        try:
            yield
        finally:
            self._exists = bool(self.files)
            self._lock.release()

    def free_bytes(self) -> int | None:
        """No limit is known."""
        return None

    def _content(self, name: str) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]


class MemoryWriter:
    """A file that is being written.

    Args:
        storage: Where to.
    """

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._content = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        """Append some bytes."""
        self._content += data

    def read(self, n: int, offset: int) -> bytes:
        """Read back some bytes."""
        return bytes(self._content[offset : offset + n])

    def commit(self, name: str) -> None:
        """Make the file visible."""
        self._storage.files[name] = bytes(self._content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._content.clear()
