"""Each format keeps the contract of all formats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brimful as bf
from brimful.sources.base import Format
from brimful.testing.format import CHANGED, FormatContract
from tests.pairs import Pairs
from tests.trees import Tree


class TestTextFolder(FormatContract):
    """A folder of text files."""

    @pytest.fixture(autouse=True)
    def _make(self, make_tree: Callable[..., Tree]) -> None:
        self._tree = make_tree(40)

    def format(self) -> Format:
        """A small tree."""
        return bf.scan(self._tree.path)._reader.format

    def files(self) -> list[Path]:
        """Its files."""
        return sorted(path for path in self._tree.path.rglob("*") if path.is_file())

    def change(self) -> None:
        """Write another number."""
        self._file(CHANGED).write_text("1 2 3\n" * 4)

    def damage(self) -> tuple[int, str]:
        """Write a word."""
        self._file(5).write_text("1 2 3\n1 x 3\n1 2 3\n1 2 3\n")
        return 5, f"{self._file(5)}:2:2: expected a number"

    def _file(self, number: int) -> Path:
        key: str = self.format().keys(np.array([number]))[0].as_py()
        return self._tree.file(key)


class TestObject(FormatContract):
    """An object that Python can index."""

    def format(self) -> Format:
        """Several inputs and targets."""
        return bf.scan(self._pairs)._reader.format

    @pytest.fixture(autouse=True)
    def _make(self) -> None:
        self._pairs = Pairs()

    def damage(self) -> tuple[int, str]:
        """Put in something that is no number."""
        self._pairs.image[11, 0, 0] = np.nan
        return 11, "Pairs[11]"
