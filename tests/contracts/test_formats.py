"""Each format keeps the contract of all formats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brimful as bf
from brimful.sources.base import Format
from brimful.testing.format import CHANGED, FormatContract
from tests import photos
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


class TestImageFolder(FormatContract):
    """A folder of images of several formats."""

    @pytest.fixture(autouse=True)
    def _make(self, tmp_path: Path) -> None:
        kinds = {"jpeg": ".jpg", "png": ".PNG", "webp": ".webp", "gif": ".gif", "bmp": ".bmp", "tiff": ".tif"}
        self._root = tmp_path / "photos"
        for at in range(30):
            kind, suffix = list(kinds.items())[at % len(kinds)]
            photos.write(self._root / "ab"[at % 2], {f"{at}{suffix}": photos.photo(kind, seed=at)})

    def format(self) -> Format:
        """Resized."""
        return bf.scan(self._root, image_size=(8, 10))._reader.format

    def files(self) -> list[Path]:
        """Its images."""
        return sorted(path for path in self._root.rglob("*") if path.is_file())

    def change(self) -> None:
        """Another image."""
        Path(self.format().place(CHANGED)).write_bytes(photos.photo(seed=99, size=(40, 40)))

    def damage(self) -> tuple[int, str]:
        """Cut it."""
        file = Path(self.format().place(11))
        file.write_bytes(file.read_bytes()[:-200])
        return 11, str(file)


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
