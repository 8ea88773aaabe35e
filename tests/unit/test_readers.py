"""Each reader keeps the contract of all readers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brimful.samples import Reader
from brimful.source import scan
from brimful.store.reader import StoreReader
from tests.contracts import ReaderContract
from tests.faults.stores import pack_small, small_tree
from tests.trees import Tree


class TestCsvTree(ReaderContract):
    """A folder of text files."""

    @pytest.fixture(autouse=True)
    def _tree(self, make_tree: Callable[..., Tree]) -> None:
        self._reader = scan(make_tree(40).path)._reader

    def reader(self) -> Reader:
        """A small tree."""
        return self._reader


class TestIndexable(ReaderContract):
    """An object that Python can index."""

    def reader(self) -> Reader:
        """A list of pairs."""
        random = np.random.default_rng(0)
        return scan([(random.random((2, 3)), number % 4) for number in range(40)])._reader


class TestStoreReader(ReaderContract):
    """A store."""

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        pack_small(small_tree(tmp_path / "data").path, tmp_path / "data.brim")
        self._reader = StoreReader(tmp_path / "data.brim")

    def reader(self) -> Reader:
        """A small store of many chunks."""
        return self._reader
