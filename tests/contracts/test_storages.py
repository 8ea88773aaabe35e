"""The contract of storages, for each of them."""

from pathlib import Path

from brimful.storage.base import Storage
from brimful.storage.local import LocalStorage
from brimful.testing.faulty import FaultyStorage
from brimful.testing.storage import StorageContract
from tests.toys.memory_storage import MemoryStorage


class TestLocalStorage(StorageContract):
    """A folder."""

    def make_storage(self, folder: Path) -> Storage:
        """One that is not there yet."""
        return LocalStorage(folder / "place")


class TestMemoryStorage(StorageContract):
    """The toy."""

    def make_storage(self, folder: Path) -> Storage:
        """An empty dict."""
        return MemoryStorage()


class TestFaultyStorage(StorageContract):
    """One that could fail, and does not."""

    def make_storage(self, folder: Path) -> Storage:
        """Around a folder."""
        return FaultyStorage(LocalStorage(folder / "place"), piece=7)
