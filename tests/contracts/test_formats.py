"""Each format keeps the contract of all formats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brimful as bf
from brimful.sources.base import Format
from brimful.testing.format import CHANGED, FormatContract
from tests import photos
from tests.archives import npy, sample, write_shards, write_tar
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


class TestMaskedImages(FormatContract):
    """A folder of images, and of the mask of each."""

    @pytest.fixture(autouse=True)
    def _make(self, tmp_path: Path) -> None:
        self._images, self._masks = tmp_path / "images", tmp_path / "masks"
        for at in range(24):
            photos.write(self._images, {f"{at}.png": photos.photo("png", (20, 24), seed=at)})
            photos.write(self._masks, {f"{at}_mask.png": photos.png(np.full((20, 24), at % 5, np.uint8))})

    def format(self) -> Format:
        """Resized."""
        return bf.scan(self._images, y=str(self._masks), image_size=(8, 10))._reader.format

    def files(self) -> list[Path]:
        """Images and masks."""
        return sorted((*self._images.iterdir(), *self._masks.iterdir()))

    def change(self) -> None:
        """Another mask."""
        self._mask_of(CHANGED).write_bytes(photos.png(np.full((20, 24), 6, np.uint8)))

    def damage(self) -> tuple[int, str]:
        """A mask of colours."""
        self._mask_of(11).write_bytes(photos.png(np.zeros((20, 24, 3), np.uint8)))
        return 11, self.format().place(11)

    def _mask_of(self, number: int) -> Path:
        return self._masks / f"{Path(self.format().place(number)).stem}_mask.png"


class TestRaggedText(FormatContract):
    """A folder of text files of unequal lengths."""

    @pytest.fixture(autouse=True)
    def _make(self, tmp_path: Path) -> None:
        self._root = tmp_path
        for at in range(24):
            (tmp_path / f"{at}.csv").write_text("".join(f"{at},{line}\n" for line in range(1 + at % 9)))

    def format(self) -> Format:
        """Of five steps."""
        return bf.scan(self._root, maxlen=5, labels=False)._reader.format

    def files(self) -> list[Path]:
        """Its files."""
        return sorted(self._root.iterdir())

    def change(self) -> None:
        """A longer one."""
        Path(self.format().place(CHANGED)).write_text("1,2\n" * 40)

    def damage(self) -> tuple[int, str]:
        """Write a word."""
        file = Path(self.format().place(5))
        file.write_text("1,2\n3,x\n")
        return 5, f"{file}:2:2: expected a number"


class TestTar(FormatContract):
    """Tar archives."""

    @pytest.fixture(autouse=True)
    def _make(self, tmp_path: Path) -> None:
        self._root = write_shards(tmp_path / "shards", 30, 10)

    def format(self) -> Format:
        """Images and arrays."""
        return bf.scan(self._root)._reader.format

    def files(self) -> list[Path]:
        """The archives."""
        return sorted(self._root.iterdir())

    def change(self) -> None:
        """Write its archive again, with a longer array."""
        members = {f"{n:06d}.{name}": part for n in range(10) for name, part in sample(n).items()}
        write_tar(self._root / "train-000000.tar", {**members, f"{CHANGED:06d}.npy": npy(np.ones(9))})

    def damage(self) -> tuple[int, str]:
        """Another array in place of one, of another shape."""
        members = {f"{n:06d}.{name}": part for n in range(10, 20) for name, part in sample(n).items()}
        write_tar(self._root / "train-000001.tar", {**members, "000015.npy": npy(np.ones(3, np.float32))})
        return 15, "'000015'"


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
