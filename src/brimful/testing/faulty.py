"""FaultyStorage: a storage that fails when told to, writes in small pieces, and can lose power."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self

from brimful.storage.base import Storage, Writer, read_file, write_file

LARGEST = 2**40


class FaultyStorage:
    """A storage between its user and another one.

    Args:
        inner: Where the files really are.
        before: Called before each call that changes something, with its number and name; may raise.
        piece: Bytes that are written at a time, each a call of its own.

    Attributes:
        calls: How many calls have changed something.
    """

    def __init__(
        self,
        inner: Storage,
        before: Callable[[int, str], None] = lambda *_: None,
        piece: int = 1000,
    ) -> None:
        self.inner = inner
        self.name, self.block = inner.name, inner.block
        self.calls = 0
        self._before = before
        self._piece = piece
        self._unsynced: dict[str, bytes] = {}  # removed files, which power loss may bring back

    def list(self) -> list[str]:
        """The names of all files."""
        return self.inner.list()

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self.inner.size(name)

    def read_into(self, name: str, offset: int, memory: memoryview, *, cached: bool = True) -> int:
        """Read."""
        return self.inner.read_into(name, offset, memory, cached=cached)

    def write(self, name: str) -> "FaultyWriter":
        """Begin to write a file."""
        self.count("write")
        return FaultyWriter(self, self.inner.write(name), self._piece)

    def remove(self, name: str) -> None:
        """Remove a file; until the next `sync` it may come back."""
        self.count("remove")
        self._unsynced[name] = read_file(self.inner, name, LARGEST)
        self.inner.remove(name)

    def sync(self) -> None:
        """What was removed stays so."""
        self.count("sync")
        self.inner.sync()
        self._unsynced.clear()

    def lock(self) -> AbstractContextManager[None]:
        """Hold the place."""
        return self.inner.lock()

    def free_bytes(self) -> int | None:
        """Bytes that can still be written."""
        return self.inner.free_bytes()

    def lose_power(self, seed: int) -> None:
        """Put some of what was removed and not synced back, whichever the seed says."""
        for name, content in self._unsynced.items():
            if random.Random(f"{seed}{name}").random() < 0.5:  # noqa: S311 (no secret)
                write_file(self.inner, name, content)
        self._unsynced.clear()

    def count(self, name: str) -> None:
        """Count a call that is about to change something."""
        self._before(self.calls, name)
        self.calls += 1


class FaultyWriter:
    """A file that is being written.

    Args:
        storage: Which counts the calls.
        inner: Where to.
        piece: Bytes at a time.
    """

    def __init__(self, storage: FaultyStorage, inner: Writer, piece: int) -> None:
        self._storage = storage
        self._inner = inner
        self._piece = piece

    def write(self, data: bytes | memoryview) -> None:
        """Append some bytes, a piece at a time."""
        left = memoryview(data)
        for start in range(0, len(left), self._piece):
            self._storage.count("append")
            self._inner.write(left[start : start + self._piece])

    def read(self, n: int, offset: int) -> bytes:
        """Read back some bytes."""
        return self._inner.read(n, offset)

    def commit(self, name: str) -> None:
        """Make the file visible."""
        self._storage.count("commit")
        self._inner.commit(name)

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._inner.__exit__(*exception)
