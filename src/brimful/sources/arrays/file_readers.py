"""File readers: one array, or inputs and a target, from each file of a folder."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brimful.errors import BrimfulError, MalformedFileError
from brimful.sources.arrays.npy import HINT, MOST_HEADER, read_header
from brimful.sources.arrays.npz import BROKEN, SUFFIX
from brimful.sources.read_files import fingerprint, read_files

REPAIR = "Repair the file, or take it out of the folder."
TOGETHER = 8 * 2**20  # bytes of small files that are read at a time

FileArrays = tuple[NDArray[Any], NDArray[Any] | None]
"""The input and the target in a file, None if it has none; views of memory that is used again."""


class FileReader(Protocol):
    """Reads the arrays of files."""

    identity: str
    """What is read, and how."""

    def read(
        self, root: Path, paths: Sequence[str], largest: int, prints: NDArray[np.int64] | None
    ) -> Iterator[FileArrays]:
        """The arrays of some files below a folder, one after the other.

        Args:
            root: The folder.
            paths: Paths below it.
            largest: Most bytes that a file may have.
            prints: Where to write the fingerprint of each file as it is read.

        Raises:
            SourceError: A file cannot be read, or is damaged.
        """


class NpyFiles:
    """Files of NumPy: `.npy`, or `.npz` with one array, or with x and y."""

    identity = "npy"

    def read(
        self, root: Path, paths: Sequence[str], largest: int, prints: NDArray[np.int64] | None
    ) -> Iterator[FileArrays]:
        """The arrays of some files, which are read ahead."""
        at = 0
        at_a_time = max(largest, min(TOGETHER, largest * len(paths)))
        for group in read_files(root, paths, largest=largest, at_a_time=at_a_time, prints=prints):
            begin = 0
            for end in group.ends.tolist():
                yield arrays_in(group.joined[begin:end].data, str(root / paths[at]))
                at, begin = at + 1, end


class FunctionFiles:
    """Files that a function of the user's reads, in several threads at once.

    A function that holds the interpreter's lock, as pure Python does, gains nothing from threads.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.name = getattr(function, "__qualname__", type(function).__name__)
        module = getattr(function, "__module__", "")
        self.identity = f"read by {module}.{self.name}"

    def read(
        self, root: Path, paths: Sequence[str], largest: int, prints: NDArray[np.int64] | None
    ) -> Iterator[FileArrays]:
        """What the function gives for each file."""
        for at, path in enumerate(paths):
            if prints is not None:
                prints[at] = fingerprint(root, path)
            yield self._array(root / path), None

    def _array(self, path: Path) -> NDArray[Any]:
        try:
            given = self._function(str(path))
        except BrimfulError:
            raise
        except Exception as error:  # (whatever the user's function raises)
            raise MalformedFileError(
                f"{path}: {self.name} raised {type(error).__name__}: {error}", REPAIR
            ) from error
        try:
            array = np.asarray(given)
        except ValueError as error:
            raise MalformedFileError(f"{path}: {self.name} returned no array: {error}.", REPAIR) from error
        if given is None or isinstance(given, tuple):
            raise MalformedFileError(
                f"{path}: {self.name} returned {type(given).__name__}, not an array.",
                "The function reads the input of a sample. Labels come from a table, or the folders' names.",
            )
        return array


def arrays_in(content: memoryview, place: str) -> FileArrays:
    """The arrays in the content of a NumPy file; views of it, if it is a plain one.

    Raises:
        MalformedFileError: It is damaged, or holds something else.
    """
    if bytes(content[:2]) == b"PK":
        return _of_archive(content, place)
    if not len(content):
        raise MalformedFileError(f"{place}: the file is empty.", HINT, kind="empty")
    return _array(content, place), None


def _array(content: memoryview | bytes, place: str) -> NDArray[Any]:
    header = read_header(BytesIO(content[: 2 * MOST_HEADER]), place)
    header.check(len(content), place)
    return header.array(content)


def _of_archive(content: memoryview, place: str) -> FileArrays:
    """The arrays of an archive: one, or those called x and y."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            arrays = {
                name.removesuffix(SUFFIX): _array(archive.read(name), f"{place}[{name.removesuffix(SUFFIX)}]")
                for name in names
                if len(names) == 1 or name in ("x.npy", "y.npy")
            }
    except BROKEN as error:
        raise MalformedFileError(f"{place}: this is no intact archive: {error}.", HINT) from error
    if len(names) == 1:
        return next(iter(arrays.values())), None
    if set(arrays) != {"x", "y"} or len(names) > 2:
        raise MalformedFileError(
            f"{place}: expected one array, or x and y. Found {', '.join(names)}.",
            "Read such files by a function: read=lambda path: numpy.load(path)['image'].",
        )
    return arrays["x"], arrays["y"]
