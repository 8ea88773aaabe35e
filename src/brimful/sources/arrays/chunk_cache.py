"""ChunkCache: the last few chunks that were unpacked, so that neighbours do not unpack them again."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

HELD = 2  # chunks: threads that read neighbouring blocks meet at the ends of them
LARGE = 32 * 2**20  # bytes of a chunk of which one is held


def held(nbytes: int) -> int:
    """How many chunks of so many bytes are held."""
    return HELD if nbytes <= LARGE else 1


class _Entry:
    """A chunk that is there, or is being read by whoever holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.block: NDArray[Any] | None = None


class ChunkCache:
    """A few blocks of an array by number; several threads that want the same one read it once.

    A block is let go before the next one is read, so those held exist, and one for each further thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, _Entry] = OrderedDict()

    def get(self, number: int, most: int, read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The block of a number, read if it is not there, for nobody to write into; `most` are held."""
        with self._lock:
            entry = self._entries.setdefault(number, _Entry())
            self._entries.move_to_end(number)
            while len(self._entries) > most:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.block is None:
                entry.block = read()
            return entry.block
