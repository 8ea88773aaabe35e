"""Many small files read whole: the same bytes whatever is cached, nothing left open, the right one named."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import brimful as bf
from brimful.sources import files
from brimful.sources.files import read_files

LARGEST = 50


class Kernel:
    """`os.preadv` of a file system that has some files in its cache, and gives few bytes at a time."""

    def __init__(self, uncached: frozenset[int], most: int = LARGEST) -> None:
        self.uncached = uncached
        self.most = most
        self.waited: list[int] = []
        self._preadv = os.preadv

    def preadv(self, descriptor: int, memories: Sequence[memoryview], offset: int, flags: int = 0) -> int:
        """Read, or refuse to wait."""
        number = int(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        if flags and number in self.uncached:
            raise BlockingIOError
        if not flags:
            self.waited.append(number)
        return self._preadv(descriptor, [memories[0][: self.most]], offset)


def written(folder: Path, contents: Sequence[bytes]) -> list[str]:
    """Files of some contents, named by their numbers."""
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
    return [str(number) for number in range(len(contents))]


def read(folder: Path, paths: Sequence[str], at_a_time: int = 100) -> list[bytes]:
    """The content of some files; no group of them is larger than it may be."""
    content = []
    for texts in read_files(folder, paths, largest=LARGEST, at_a_time=at_a_time):
        assert texts.joined.size <= max(at_a_time, LARGEST)
        content += texts.split()
    return content


def opened() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contents=st.lists(st.binary(max_size=LARGEST), max_size=20),
    at_a_time=st.integers(1, 200),
    uncached=st.frozensets(st.integers(0, 19)),
    most=st.integers(1, LARGEST + 1),
)
def test_all_bytes_come_in_order(
    tmp_path: Path, contents: list[bytes], at_a_time: int, uncached: frozenset[int], most: int
) -> None:
    """Whatever is cached, however few bytes the kernel gives, however small the groups: each file, whole."""
    paths = written(tmp_path, contents)
    kernel, before = Kernel(uncached, most), opened()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "preadv", kernel.preadv)
        assert read(tmp_path, paths, at_a_time) == contents
    assert opened() == before


def test_what_is_cached_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the first file that is not; those from there on are opened ahead."""
    contents = [b"%d" % number for number in range(10)]
    paths = written(tmp_path, contents)
    kernel = Kernel(frozenset({4}))
    monkeypatch.setattr(os, "preadv", kernel.preadv)
    assert read(tmp_path, paths) == contents
    assert kernel.waited == [4, 5, 6, 7, 8, 9]


def test_files_that_the_disk_holds(tmp_path: Path) -> None:
    """The page cache has let go of every third: read all the same."""
    contents = [os.urandom(LARGEST) for _ in range(30)]
    paths = written(tmp_path, contents)
    for path in paths[::3]:
        with (tmp_path / path).open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert read(tmp_path, paths) == contents


def test_fingerprints_are_those_of_each_file(tmp_path: Path) -> None:
    """Size, times and inode, in the order of the files."""
    paths = written(tmp_path, [bytes(number) for number in range(20)])
    prints = np.full((20, 4), -1)
    for _ in read_files(tmp_path, paths, largest=LARGEST, at_a_time=100, prints=prints):
        pass
    assert prints.tolist() == [list(files.fingerprint(tmp_path, path)) for path in paths]


@pytest.mark.parametrize("uncached", [frozenset(), frozenset(range(10))])
def test_the_file_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncached: frozenset[int]
) -> None:
    """Also one that was to be opened ahead; nothing stays open, and others can read on."""
    paths = written(tmp_path, [b"1"] * 10)
    (tmp_path / "7").unlink()
    monkeypatch.setattr(os, "preadv", Kernel(uncached).preadv)
    before = opened()
    with pytest.raises(bf.ReadError, match="7: the file cannot be read"):
        read(tmp_path, paths)
    assert opened() == before
    assert len(read(tmp_path, paths[:7])) == 7


def test_who_stops_in_between_leaves_nothing(tmp_path: Path) -> None:
    """A loop over the groups that is left: no file open, and the turn is free."""
    paths = written(tmp_path, [b"1" * LARGEST] * 10)
    before = opened()
    groups = read_files(tmp_path, paths, largest=LARGEST, at_a_time=LARGEST)
    next(groups)
    assert len(read(tmp_path, paths)) == 10  # while the other one is in between
    del groups
    assert opened() == before
