"""NpzFile: the members of a NumPy archive; stored ones are mapped into memory, compressed ones unpacked."""

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, ReadError
from brimful.memory import format_bytes, memory_limit
from brimful.sources.arrays.column import MemoryColumn
from brimful.sources.arrays.npy import MOST_HEADER, NpyHeader, map_array, read_header

SUFFIX = ".npy"
LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a member: signature, lengths of its name and of extra fields
PIECE = 1 << 20
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, KeyError)
HINT = "The archive is damaged or no archive of NumPy: copy it again, or write it with np.savez."


class NpzFile:
    """A NumPy archive.

    Args:
        path: The file.

    Raises:
        MalformedFileError: It is no intact archive.
        ReadError: It cannot be read.

    Attributes:
        unpacked: Bytes of memory that each compressed member takes, by name, of those that were taken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unpacked: dict[str, int] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                members = [each for each in archive.infolist() if not each.is_dir()]
                named = [(each.filename.removesuffix(SUFFIX), each) for each in members]
                self._members = dict(named)
                if len(self._members) < len(named):
                    raise zipfile.BadZipFile("two members have the same name")
                self._headers = {name: self._header(archive, name) for name, _ in named}
        except BROKEN as error:
            raise MalformedFileError(f"{path}: this is no intact archive: {error}.", HINT) from error
        except OSError as error:
            if isinstance(error, ReadError):
                raise
            raise ReadError(f"{path}: the file cannot be read: {error.strerror or error}.") from error

    def arrays(self) -> dict[str, str]:
        """Shape and dtype of each member, in words."""
        return {name: f"{each.shape} {each.dtype}" for name, each in self._headers.items() if each.shape}

    def column(self, name: str) -> MemoryColumn:
        """A member, all of whose bytes were checked against its checksum.

        Raises:
            MalformedFileError: It is damaged.
        """
        place, member, header = f"{self.path}[{name}]", self._members[name], self._headers[name]
        try:
            with zipfile.ZipFile(self.path) as archive:
                if member.compress_type == zipfile.ZIP_STORED:
                    for _ in _pieces(archive, member):
                        pass  # the last one checks the checksum
                    return MemoryColumn(
                        place, map_array(self.path, header, self._offset(member) + header.offset)
                    )
                return MemoryColumn(place, self._unpack(archive, name, place))
        except BROKEN as error:
            raise MalformedFileError(f"{place}: this member is damaged: {error}.", HINT) from error

    def _header(self, archive: zipfile.ZipFile, name: str) -> NpyHeader:
        place, member = f"{self.path}[{name}]", self._members[name]
        with archive.open(member) as file:
            header = read_header(_Counted(file), place)
        header.check(member.file_size, place)
        return header

    def _offset(self, member: zipfile.ZipInfo) -> int:
        """Where the bytes of a stored member begin."""
        with self.path.open("rb") as file:
            file.seek(member.header_offset)
            signature, name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        if signature != b"PK\3\4":
            raise zipfile.BadZipFile("there is no member where the directory says")
        return int(member.header_offset + LOCAL_HEADER.size + name + extra)

    def _unpack(self, archive: zipfile.ZipFile, name: str, place: str) -> NDArray[Any]:
        """All values of a compressed member, in memory."""
        member, header = self._members[name], self._headers[name]
        if header.nbytes > memory_limit() // 2:
            raise MalformedFileError(
                f"{place}: this member is compressed, and unpacking it takes {format_bytes(header.nbytes)} "
                "of memory, more than half of what this process may have.",
                "Write it with np.savez, which does not compress, or as HDF5 or Zarr in chunks.",
                kind="unreadable",
            )
        content = np.empty(member.file_size, np.uint8)
        filled = 0
        for piece in _pieces(archive, member):
            content[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
            filled += len(piece)
        if filled < member.file_size:
            raise zipfile.BadZipFile("it is cut off")
        self.unpacked[name] = math.prod(header.shape) * header.dtype.itemsize
        return header.array(content)


class _Counted:
    """A file that only reads, as deep as a header goes, and knows where it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._at = 0

    def read(self, n: int) -> bytes:
        piece = self._file.read(min(n, 2 * MOST_HEADER))
        self._at += len(piece)
        return piece

    def tell(self) -> int:
        return self._at


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of a member, unpacked, the last of which are only there if the checksum is right."""
    with archive.open(member) as file:
        while piece := file.read(PIECE):
            yield piece
