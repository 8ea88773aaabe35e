"""ZarrStore: the arrays of a Zarr folder, of format 2 or 3."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from brimful.errors import MalformedFileError
from brimful.sources.arrays.column import Column
from brimful.sources.arrays.library import library

METADATA = ("zarr.json", ".zarray", ".zgroup")


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((path / name).is_file() for name in METADATA)


class ZarrStore:
    """A Zarr folder, which is an array or a group of them.

    Raises:
        MalformedFileError: Zarr cannot open it.
        DependencyError: zarr is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        zarr = library("zarr", "Zarr folders")
        try:
            top = zarr.open(path, mode="r")
            members = {"": top} if isinstance(top, zarr.Array) else dict(top.members(max_depth=None))
            self._arrays = {name: each for name, each in members.items() if isinstance(each, zarr.Array)}
        except Exception as error:  # (of codecs and stores of any kind)
            raise MalformedFileError(
                f"{path}: Zarr cannot open this folder: {error!r:.300}.", "Copy it again."
            ) from error

    def arrays(self) -> dict[str, str]:
        """Shape and dtype of each array that has an axis, in words, by its path."""
        return {
            name or "array": f"{each.shape} {each.dtype}" for name, each in self._arrays.items() if each.shape
        }

    def column(self, path: str) -> "ZarrColumn":
        """An array."""
        key = path if path in self._arrays else ""
        return ZarrColumn(self._arrays[key], f"{self.path}[{path}]" if key else str(self.path))


class ZarrColumn(Column):
    """An array of Zarr, which several threads read at once."""

    def __init__(self, array: Any, name: str) -> None:
        super().__init__(name, tuple(array.shape), array.dtype)
        self._array = array
        self.chunks = tuple(map(int, array.chunks))
        self.chunk_rows = self.chunks[0] if self.chunks else 0
        self.attributes = array.attrs.asdict()

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Some consecutive samples."""
        try:
            block: NDArray[Any] = self._array[start:stop]
        except Exception as error:  # (of codecs and stores of any kind)
            raise MalformedFileError(
                f"{self.name}[{start}:{stop}]: Zarr cannot read this: {error!r:.300}.",
                "A chunk is damaged: copy it again, or leave these samples out (on_bad='skip').",
            ) from error
        return block

    @property
    def all_chunks(self) -> int:
        """How many chunks there should be."""
        return int(self._array.nchunks)

    def missing_chunks(self) -> int:
        """How many chunks are not in the folder; lists it."""
        return max(0, self.all_chunks - int(self._array.nchunks_initialized))

    @property
    def fill(self) -> Any:
        """What Zarr gives for chunks that are not there."""
        return self._array.fill_value
