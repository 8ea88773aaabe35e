"""Each reader keeps the contract of all readers."""

from collections.abc import Callable

import numpy as np
import pytest

from brimful.source import scan
from brimful.sources.base import Reader
from tests.contracts import ReaderContract
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
