"""Each format of arrays keeps the contract of all formats."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import brimful as bf
from brimful.sources.base import Format
from brimful.testing.format import CHANGED, FormatContract
from tests.arrays import inputs, labels, write_folder, write_hdf5, write_zarr

BAD = 11  # the sample that is damaged


class InOneFile(FormatContract):
    """Arrays that are written anew as a whole."""

    @pytest.fixture(autouse=True)
    def _make(self, tmp_path: Path) -> None:
        self.path = tmp_path / self.file_name
        self.x = inputs()
        self.write()

    file_name = ""

    def write(self) -> None:
        """Write the arrays as they are now."""
        raise NotImplementedError

    def format(self) -> Format:
        """Open the file."""
        return bf.scan(self.path)._reader.format

    def files(self) -> list[Path]:
        """The file, or those of the folder."""
        return (
            [self.path] if self.path.is_file() else [each for each in self.path.rglob("*") if each.is_file()]
        )

    def change(self) -> None:
        """Other numbers."""
        self.x[CHANGED] = 7
        self.write()

    def damage(self) -> tuple[int, str]:
        """A number that is none."""
        self.x[BAD, 1, 2] = np.nan
        self.write()
        return BAD, f"[{BAD}, 1, 2]"


class TestHdf5(InOneFile):
    """Compressed chunks of 8 samples, the last of which is not full."""

    file_name = "data.h5"

    def write(self) -> None:
        """Images and labels."""
        write_hdf5(self.path, images=self.x, labels=labels())


class TestHdf5WithMasks(InOneFile):
    """Targets of several axes, and weights."""

    file_name = "masks.hdf5"

    def write(self) -> None:
        """A mask of integers for each input."""
        masks = (inputs() * 5).astype("uint8")
        write_hdf5(self.path, x=self.x, y=masks, w=np.linspace(0, 1, len(masks)))


class TestHdf5InOnePiece(InOneFile):
    """Neither chunks nor compression."""

    file_name = "data.h5"

    def write(self) -> None:
        """As `file[name] = array` does."""
        write_hdf5(self.path, None, x=self.x)


class TestZarr(InOneFile):
    """A group in chunks."""

    file_name = "data.zarr"

    def write(self) -> None:
        """In place of the folder that is there."""
        partial = self.path.with_name("partial")
        write_zarr(partial, x=self.x, y=labels())
        shutil.rmtree(self.path, ignore_errors=True)
        os.replace(partial, self.path)  # noqa: PTH105


class TestNpz(InOneFile):
    """Stored members, which are mapped."""

    file_name = "data.npz"

    def write(self) -> None:
        """In place of the file that is there."""
        partial = self.path.with_name("partial.npz")
        np.savez(partial, x=self.x, y=labels())
        os.replace(partial, self.path)  # noqa: PTH105


class TestCompressedNpz(InOneFile):
    """Compressed members, which are unpacked."""

    file_name = "data.npz"

    def write(self) -> None:
        """In place of the file that is there."""
        partial = self.path.with_name("partial.npz")
        np.savez_compressed(partial, x=self.x, y=labels())
        os.replace(partial, self.path)  # noqa: PTH105


class TestNpy(InOneFile):
    """A file in Fortran order and the other byte order."""

    file_name = "data.npy"

    def write(self) -> None:
        """In place of the file that is there."""
        partial = self.path.with_name("partial.npy")
        np.save(partial, np.asfortranarray(self.x.astype(">f4")))
        os.replace(partial, self.path)  # noqa: PTH105


class TestArrays(FormatContract):
    """Arrays in memory: two inputs, and a target of two axes."""

    @pytest.fixture(autouse=True)
    def _make(self) -> None:
        self.x: dict[str, NDArray[Any]] = {"image": inputs("uint8"), "place": inputs("float64")[:, 0]}

    def format(self) -> Format:
        """A dict."""
        return bf.scan({"x": self.x, "y": inputs("int16")[:, :, 0]})._reader.format

    def damage(self) -> tuple[int, str]:
        """A number that is none."""
        self.x["place"][BAD, 1] = np.inf
        return BAD, f"x['place'][{BAD}, 1]"


class TestSlices(FormatContract):
    """An object that has a shape, a dtype and slices, and nothing else."""

    @pytest.fixture(autouse=True)
    def _make(self) -> None:
        self._given = OnlySlices(inputs())

    def format(self) -> Format:
        """Inputs alone."""
        return bf.scan({"x": self._given, "y": labels()})._reader.format

    def damage(self) -> tuple[int, str]:
        """A number that is none."""
        self._given.array[BAD, 0, 0] = np.nan
        return BAD, f"x[{BAD}, 0, 0]"


class OnlySlices:
    """Like an array of tensorstore."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, part: slice) -> NDArray[Any]:
        assert isinstance(part, slice)
        return self.array[part]


class TestNpyFolder(FormatContract):
    """A folder with a file per sample."""

    @pytest.fixture(autouse=True)
    def _make(self, tmp_path: Path) -> None:
        self._root = write_folder(tmp_path / "data", inputs(), np.save)

    def format(self) -> Format:
        """The folder."""
        return bf.scan(self._root)._reader.format

    def files(self) -> list[Path]:
        """All of it."""
        return sorted(path for path in self._root.rglob("*") if path.is_file())

    def change(self) -> None:
        """Other numbers."""
        np.save(self._file(CHANGED), np.ones((4, 3), np.float32))

    def damage(self) -> tuple[int, str]:
        """A file that is cut off."""
        file = self._file(5)
        file.write_bytes(file.read_bytes()[:-1])
        return 5, str(file)

    def _file(self, number: int) -> Path:
        key: str = self.format().keys(np.array([number]))[0].as_py()
        return self._root / f"{key}.npy"


class TestFunctionFolder(TestNpyFolder):
    """A folder of files that a function reads."""

    def format(self) -> Format:
        """The same files, which brimful would read by itself."""
        return bf.scan(self._root, read=np.load)._reader.format
