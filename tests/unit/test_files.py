"""Many small files read whole: the same bytes whatever is cached, nothing left open, the right one named."""

import contextlib
import os
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import brimful as bf
from brimful.sources import read_files as files
from brimful.sources.read_files import read_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc and the page cache")

LARGEST = 50


class Kernel:
    """A file system that has some files in its cache, gives few bytes at a time, and tells what it was asked.

    Attributes:
        waited: Files whose reads might wait for the disk, in order.
        wanted: Files of which the content was asked for before it was read.
        most_open: How many were open at once.
    """

    def __init__(self, uncached: frozenset[int] = frozenset(), most: int = LARGEST + 1) -> None:
        self.uncached = uncached
        self.most = most
        self.waited: list[int] = []
        self.wanted: list[int] = []
        self.most_open = 0
        self._before = opened()
        self._preadv = os.preadv

    def preadv(self, descriptor: int, memories: Sequence[memoryview], offset: int, flags: int = 0) -> int:
        """Read, or refuse to wait."""
        number = self._number(descriptor)
        self.most_open = max(self.most_open, opened() - self._before)
        if flags and number in self.uncached:
            raise BlockingIOError
        if not flags:
            self.waited.append(number)
        return self._preadv(descriptor, [memories[0][: self.most]], offset, flags)

    def posix_fadvise(self, descriptor: int, offset: int, length: int, advice: int) -> None:
        """Note which file will be needed."""
        assert (offset, length, advice) == (0, 0, os.POSIX_FADV_WILLNEED)
        self.wanted.append(self._number(descriptor))

    def _number(self, descriptor: int) -> int:
        return int(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def under(self, patch: pytest.MonkeyPatch) -> "Kernel":
        """Put it under `os`."""
        patch.setattr(os, "preadv", self.preadv)
        patch.setattr(os, "posix_fadvise", self.posix_fadvise)
        return self


@pytest.fixture
def tmp_path(disk_path: Path) -> Path:
    """A folder on a disk: these tests are about what is in its page cache, and a tmpfs is one itself."""
    return disk_path


def written(folder: Path, contents: Sequence[bytes]) -> list[str]:
    """Files of some contents, named by their numbers."""
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
    return [str(number) for number in range(len(contents))]


def read(folder: Path, paths: Sequence[str], at_a_time: int = 100) -> list[bytes]:
    """The content of some files; no group of them is larger than it may be."""
    content = []
    for texts in read_files(folder, paths, largest=LARGEST, at_a_time=at_a_time):
        assert len(texts) > 0
        assert texts.joined.size <= max(at_a_time, LARGEST)
        content += texts.split()
    return content


def let_go(path: Path) -> None:
    """Have the page cache forget a file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


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
    before = opened()
    with pytest.MonkeyPatch.context() as patch:
        Kernel(uncached, most).under(patch)
        assert read(tmp_path, paths, at_a_time) == contents
    assert opened() == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, LARGEST), max_size=20), at_a_time=st.integers(LARGEST, 200))
def test_groups_are_as_large_as_they_may_be(tmp_path: Path, sizes: list[int], at_a_time: int) -> None:
    """The next file would not have had room."""
    paths = written(tmp_path, [bytes(size) for size in sizes])
    groups = [
        texts.lengths.tolist() for texts in read_files(tmp_path, paths, largest=LARGEST, at_a_time=at_a_time)
    ]
    assert [size for group in groups for size in group] == sizes
    for group, after in pairwise(groups):
        assert sum(group) <= at_a_time < sum(group) + after[0]


def test_what_is_cached_is_read_as_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file at a time, without a word to the disk."""
    contents = [b"%d" % number for number in range(10)]
    kernel = Kernel().under(monkeypatch)
    assert read(tmp_path, written(tmp_path, contents)) == contents
    assert (kernel.waited, kernel.wanted, kernel.most_open) == ([], [], 1)


def test_what_is_not_cached_is_asked_for_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first such file on; all that follow are open when it is waited for."""
    contents = [b"%d" % number for number in range(10)]
    kernel = Kernel(frozenset({4})).under(monkeypatch)
    assert read(tmp_path, written(tmp_path, contents)) == contents
    assert kernel.waited == [4, 5, 6, 7, 8, 9]
    assert kernel.wanted == [5, 6, 7, 8, 9]
    assert kernel.most_open == 6


def test_files_that_the_page_cache_has_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third, really: read all the same, and waited for."""
    contents = [os.urandom(LARGEST) for _ in range(30)]
    paths = written(tmp_path, contents)
    (tmp_path / "probe").write_bytes(contents[0])
    for path in [*paths[::3], "probe"]:
        let_go(tmp_path / path)
    with (tmp_path / "probe").open("rb") as probe, contextlib.suppress(BlockingIOError):
        os.preadv(probe.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)  # this itself has the kernel fetch it
        pytest.skip("this file system keeps in memory what it has")
    kernel = Kernel().under(monkeypatch)
    assert read(tmp_path, paths) == contents
    assert kernel.waited == [*range(30)]


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
    before = opened()
    Kernel(uncached).under(monkeypatch)
    with pytest.raises(bf.ReadError, match="7: the file cannot be read"):
        read(tmp_path, paths)
    assert opened() == before
    assert len(read(tmp_path, paths[:7])) == 7


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder can be opened, but not read; the files before it can."""
    paths = written(tmp_path, [b"1"] * 3)
    (tmp_path / "3").mkdir()
    groups = read_files(tmp_path, [*paths, "3", *paths], largest=1 << 20, at_a_time=1 << 20)
    assert len(next(groups)) == 3
    with pytest.raises(bf.ReadError, match="3: the file cannot be read: Is a directory"):
        next(groups)


@pytest.mark.parametrize("uncached", [frozenset(), frozenset(range(10))])
def test_a_file_too_large_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncached: frozenset[int]
) -> None:
    """Before any of it is read."""
    paths = written(tmp_path, [b"1"] * 7 + [bytes(LARGEST + 1)])
    Kernel(uncached).under(monkeypatch)
    with pytest.raises(bf.MalformedFileError, match="7: the file has 51 bytes"):
        read(tmp_path, paths)


@pytest.mark.parametrize("uncached", [frozenset(), frozenset(range(10))])
@pytest.mark.parametrize("size", [0, 3, 7])
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncached: frozenset[int], size: int
) -> None:
    """Shorter or longer than it was when it was opened: neither is handed out."""
    paths = written(tmp_path, [b"12345"] * 3)
    Kernel(uncached).under(monkeypatch)
    inode, fstat = (tmp_path / "1").stat().st_ino, os.fstat

    def fstat_then_write(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        if status.st_ino == inode:
            (tmp_path / "1").write_bytes(b"6" * size)
        return status

    monkeypatch.setattr(os, "fstat", fstat_then_write)
    with pytest.raises(bf.ReadError, match="1: the file changed while it was read"):
        read(tmp_path, paths)


def test_fewer_files_may_be_open_from_now_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit falls while files are read: those that are open are used up."""
    contents = [bytes([number]) * LARGEST for number in range(20)]
    paths = written(tmp_path, contents)
    Kernel(frozenset(range(20))).under(monkeypatch)
    groups = read_files(tmp_path, paths, largest=LARGEST, at_a_time=LARGEST)
    first = next(groups).split()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened() + 20, hard))
    try:
        assert first + [text for texts in groups for text in texts.split()] == contents
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_call_has_memory_of_its_own(tmp_path: Path) -> None:
    """What one has been handed stays while another reads, in this thread or another one."""
    paths = written(tmp_path, [b"1", b"2"])
    one = next(read_files(tmp_path, paths[:1], largest=LARGEST, at_a_time=LARGEST))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(read, tmp_path, paths[1:]).result(10) == [b"2"]
    assert read(tmp_path, paths[1:]) == [b"2"]
    assert one.split() == [b"1"]


def test_who_stops_in_between_leaves_nothing(tmp_path: Path) -> None:
    """A loop over the groups that is left: no file open."""
    paths = written(tmp_path, [b"1" * LARGEST] * 10)
    before = opened()
    groups = read_files(tmp_path, paths, largest=LARGEST, at_a_time=LARGEST)
    next(groups)
    assert len(read(tmp_path, paths)) == 10  # while the other one is in between
    del groups
    assert opened() == before


def test_no_thread_waits_long_for_another_that_reads(tmp_path: Path) -> None:
    """A turn that does not come, as after a fork, is not waited for."""
    contents = [b"%d" % number for number in range(10)]
    paths = written(tmp_path, contents)
    with files._reading:
        assert read(tmp_path, paths) == contents
        assert files._reading.locked()  # it is still the other one's
    assert not files._reading.locked()
    assert read(tmp_path, paths) == contents
    assert not files._reading.locked()
