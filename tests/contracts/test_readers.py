"""Each reader keeps the contract of all readers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brimful as bf
from brimful.samples import Reader
from brimful.store.reader import StoreReader
from brimful.testing.reader import ReaderContract
from tests.faults.stores import pack_small, small_tree
from tests.toys.record_file import RecordFile, write_records
from tests.trees import Tree


class TestTextFolder(ReaderContract):
    """The index of a folder of text files."""

    @pytest.fixture(autouse=True)
    def _tree(self, make_tree: Callable[..., Tree]) -> None:
        self._reader = bf.scan(make_tree(40).path)._reader

    def reader(self) -> Reader:
        """A small tree."""
        return self._reader


class TestPartOfATextFolder(TestTextFolder):
    """The index of drawn samples, some of which are left out."""

    @pytest.fixture(autouse=True)
    def _tree(self, make_tree: Callable[..., Tree]) -> None:
        tree = make_tree(60)
        for number in range(1, 60, 5):
            tree.file(f"train/{number:05d}").write_text("1 2 x\n" * 4)
        self._reader = bf.scan(tree.path, limit=50, on_bad="skip")._reader
        assert self._reader.skipped


class TestObject(ReaderContract):
    """The index of an object that Python can index."""

    def reader(self) -> Reader:
        """A list of pairs."""
        random = np.random.default_rng(0)
        return bf.scan([(random.random((2, 3)), number % 4) for number in range(40)])._reader


class TestToy(ReaderContract):
    """The index of a format that a user has written."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self._reader = bf.scan(RecordFile(write_records(tmp_path / "toy.rec")), limit=30)._reader

    def reader(self) -> Reader:
        """A file of records."""
        return self._reader


class TestStoreReader(ReaderContract):
    """A store."""

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        pack_small(small_tree(tmp_path / "data").path, tmp_path / "data.brim")
        self._reader = StoreReader(tmp_path / "data.brim")

    def reader(self) -> Reader:
        """A small store of many chunks."""
        return self._reader


class TestStoreReaderOfAnotherSeed(TestStoreReader):
    """A store that was packed in another order."""

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        pack_small(small_tree(tmp_path / "data").path, tmp_path / "data.brim", split_seed=7)
        self._reader = StoreReader(tmp_path / "data.brim")
