"""Npy: the header of a NumPy file, checked against the bytes that are there before any memory is taken."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, ReadError
from brimful.sources.arrays.column import MemoryColumn

MAGIC = b"\x93NUMPY"
MOST_HEADER = 10_000  # bytes: a header of an array of numbers takes about a hundred
HINT = "Write the file again with np.save, or take it out of the folder."


class Readable(Protocol):
    """A file that is read from its beginning."""

    def read(self, n: int, /) -> bytes:
        """The next bytes, n at the most."""

    def tell(self) -> int:
        """How many bytes were read."""


@dataclass(frozen=True)
class NpyHeader:
    """What the header of a NumPy file says.

    Attributes:
        shape: The shape of the array.
        dtype: Its dtype as it is stored.
        is_fortran: Whether it is in Fortran order.
        offset: Bytes before the first value.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes that the values take."""
        return math.prod(self.shape) * self.dtype.itemsize

    def array(self, content: Any) -> NDArray[Any]:
        """The array in the bytes of a file, which must be as long as `check` demands; a view of them."""
        flat = np.frombuffer(content, self.dtype, math.prod(self.shape), self.offset)
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")

    def check(self, size: int, place: str) -> None:
        """Refuse a file of another size than the header says.

        Raises:
            MalformedFileError: It has another one.
        """
        expected = self.offset + self.nbytes
        if size != expected:
            what = "is cut off" if size < expected else "goes on behind the array"
            raise MalformedFileError(
                f"{place}: the file {what}: its header says shape {self.shape} of {self.dtype}, which takes "
                f"{expected:,} bytes. It has {size:,}.",
                HINT,
            )


def read_header(file: Readable, place: str) -> NpyHeader:
    """Read the header of a NumPy file, from its beginning.

    Raises:
        MalformedFileError: There is no header, or one of an array of objects.
    """
    start = file.tell()
    try:
        version = np.lib.format.read_magic(cast("Any", file))
        read: Any = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"this is version {version} of the format, which holds no plain numbers")
        shape, is_fortran, dtype = read(file, max_header_size=MOST_HEADER)
        if any(isinstance(n, bool) or n < 0 for n in shape):
            raise ValueError(f"the shape is {shape}")
    except (ValueError, EOFError, TypeError, SyntaxError, KeyError) as error:
        raise MalformedFileError(f"{place}: this is no intact NumPy file: {error}.", HINT) from error
    if dtype.hasobject:
        raise MalformedFileError(
            f"{place}: it holds Python objects (dtype {dtype}), which would have to be unpickled.",
            "Loading such a file can run any program. Save arrays of numbers, all of one shape.",
            kind="wrong_dtype",
        )
    return NpyHeader(tuple(map(int, shape)), dtype, bool(is_fortran), file.tell() - start)


def map_npy(path: Path) -> MemoryColumn:
    """A NumPy file as a column, mapped into memory.

    Raises:
        MalformedFileError: It is no intact file of numbers.
        ReadError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = read_header(file, str(path))
        header.check(path.stat().st_size, str(path))
        return MemoryColumn(str(path), map_array(path, header, header.offset))
    except OSError as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{path}: the file cannot be read: {error.strerror or error}.") from error


def map_array(path: Path, header: NpyHeader, offset: int) -> NDArray[Any]:
    """The values of an array at some offset of a file, mapped into memory."""
    if not header.nbytes:
        return np.empty(header.shape, header.dtype)
    order = "F" if header.is_fortran else "C"
    return np.memmap(path, header.dtype, "r", offset, header.shape, order)  # type: ignore[call-overload,no-any-return]
