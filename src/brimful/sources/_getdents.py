"""Entries: the entries of folders, names and types, thousands at a time.

Python's `os.scandir` makes an object for each name. On Linux, `getdents64` gives records one after another
(`man 2 getdents64`), which NumPy and Arrow turn into arrays; if the C library has no such function,
`os.scandir` is used.
"""

import ctypes
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.memory import POOL

BUFFER = 1 << 18  # bytes of records that are parsed together
LARGEST_RECORD = 512  # bytes: 19 of head, a name of at most 255, a zero, padding to 8
LENGTH, NAME = 16, 19  # offsets in a record; the byte before the name is the type
SHORTEST_RECORD = 24
DOT = ord(".")
SCANNED_TOGETHER = 8_192  # entries of `os.scandir`
FOLDER, FILE, OTHER = 4, 8, 0  # DT_DIR, DT_REG; links, pipes and unknown ones take a system call each

_getdents64 = getattr(ctypes.CDLL(None, use_errno=True), "getdents64", None)
if _getdents64 is not None:
    _getdents64.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
    _getdents64.restype = ctypes.c_ssize_t


class Entries(NamedTuple):
    """Some entries of folders; `.` and `..` are not among them.

    Attributes:
        initials: The first byte of each name.
        types: FOLDER, FILE, or OTHER, which says nothing. Links are not followed.
        folders: The position of the folder that holds each.
    """

    names: pa.LargeBinaryArray
    initials: NDArray[np.uint8]
    types: NDArray[np.uint8]
    folders: NDArray[np.int64]
    inodes: NDArray[np.uint64]


def read_entries(folders: Sequence[bytes]) -> Iterator[Entries]:
    """List folders.

    Raises:
        OSError: A folder cannot be listed; `filename` names it.
    """
    return by_scandir(folders) if _getdents64 is None else by_getdents(folders)


def by_scandir(folders: Sequence[bytes]) -> Iterator[Entries]:
    """List folders with `os.scandir`."""
    for number, folder in enumerate(folders):
        with os.scandir(folder) as entries:
            while some := list(islice(entries, SCANNED_TOGETHER)):
                types = np.fromiter(map(_type_of, some), np.uint8, len(some))
                names = [entry.name for entry in some]
                initials = np.fromiter((name[0] for name in names), np.uint8, len(names))
                inodes = np.fromiter((entry.inode() for entry in some), np.uint64, len(some))
                of = np.full(len(some), number)
                yield Entries(pa.array(names, pa.large_binary()), initials, types, of, inodes)


def by_getdents(folders: Sequence[bytes]) -> Iterator[Entries]:
    """List folders with `getdents64`."""
    buffer = np.empty(BUFFER, np.uint8)
    filled, begins = 0, []  # where the records of a folder begin, and its position
    for number, folder in enumerate(folders):
        begins.append((filled, number))
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            while count := _next_records(descriptor, buffer[filled:], folder):
                filled += count
                if BUFFER - filled < LARGEST_RECORD:
                    yield _entries(buffer[:filled], begins)
                    filled, begins = 0, [(0, number)]
        finally:
            os.close(descriptor)
    if filled:
        yield _entries(buffer[:filled], begins)


def _next_records(descriptor: int, buffer: NDArray[np.uint8], folder: bytes) -> int:
    """Fill a buffer with the next records of an open folder; returns their bytes, 0 at the end."""
    count = int(_getdents64(descriptor, buffer.ctypes.data, buffer.size))  # type: ignore[misc]
    if count < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), folder)
    return count


def _entries(records: NDArray[np.uint8], begins: list[tuple[int, int]]) -> Entries:
    """The entries in records; `begins` holds the first byte and the position of each folder."""
    starts = _starts(records)
    names, ends = starts[:-1] + NAME, _ends(records, starts)
    lengths = ends - names
    is_dot = (records[names] == DOT) & ((lengths == 1) | ((lengths == 2) & (records[names + 1] == DOT)))
    bounds = np.append(np.stack((names, ends), axis=1), records.size)  # a name, what is between, a name, ...
    pieces = pa.Array.from_buffers(
        pa.large_binary(), 2 * len(names), [None, pa.py_buffer(bounds), pa.py_buffer(records)]
    )
    wanted = np.flatnonzero(~is_dot)
    types = records[names[wanted] - 1]
    types[(types != FILE) & (types != FOLDER)] = OTHER
    bytes_at, numbers = np.array(begins).T
    folders = numbers[np.searchsorted(bytes_at, names[wanted]) - 1]
    inodes = records.view(np.uint64)[starts[wanted] // 8]  # a record begins with it
    wanted_names = pc.take(pieces, pa.array(2 * wanted), memory_pool=POOL)
    return Entries(wanted_names, records[names[wanted]], types, folders, inodes)


def _starts(records: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where records begin, and where the last one ends: each begins with its length, a multiple of 8.

    A plain loop would run Python code for every record. Here NumPy takes each word for the start of a record
    and finds the one eight records further, so that the loop takes eight at a time.
    """
    end = records.size // 8
    follower = np.arange(end + 1)
    lengths = records.view(np.uint16)[LENGTH // 2 :: 4] >> 3
    follower[: lengths.size] += lengths
    followers = [np.minimum(follower, end)]
    for _ in range(3):
        followers.append(followers[-1].take(followers[-1]))
    eight_further, some, at = followers.pop().data, [], 0
    while at < end:
        some.append(at)
        at = eight_further[at]
    words = np.array(some)
    for each in reversed(followers):
        words = np.stack((words, each[words]), axis=1).ravel()
    return np.append(words[: np.searchsorted(words, end)], end) * 8


def _ends(records: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the names end: at the first zero in the last 8 bytes of a record, which are one word.

    `(word - 0x01..01) & ~word & 0x80..80` has its lowest bit set in the lowest byte that is zero (Warren:
    Hacker's Delight, 6-1). In a record of 24 bytes three of the eight are not of the name.
    """
    words = records.view("<u8")[starts[1:] // 8 - 1]
    words |= np.where(np.diff(starts) == SHORTEST_RECORD, np.uint64(0xFFFFFF), np.uint64(0))
    zeros = (words - np.uint64(0x0101010101010101)) & ~words & np.uint64(0x8080808080808080)
    below = (zeros & (~zeros + np.uint64(1))) - np.uint64(1)  # the bits below the lowest that is set
    ends: NDArray[np.int64] = starts[1:] - 8 + (np.bitwise_count(below) >> 3)
    return ends


def _type_of(entry: "os.DirEntry[bytes]") -> int:
    if entry.is_dir(follow_symlinks=False):
        return FOLDER
    return FILE if entry.is_file(follow_symlinks=False) else OTHER
