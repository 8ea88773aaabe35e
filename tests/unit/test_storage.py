"""LocalStorage: files seen whole or not at all, special files refused, the page cache spared where asked."""

import errno
import fcntl
import io
import mmap
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import brimful as bf
from brimful.storage import local
from brimful.storage.base import Storage, StoredFile, read_file, write_file
from brimful.storage.local import LocalStorage
from brimful.storage.locate import locate

BLOCK = LocalStorage.block
CONTENT = bytes(range(256)) * 64 + b"and the end, which fills no block"
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="O_DIRECT, RWF_NOWAIT and posix_fadvise are Linux's"
)


@pytest.fixture
def tmp_path(disk_path: Path) -> Path:
    """A folder on a disk: some of these tests are about its page cache, which a tmpfs does not have."""
    return disk_path


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """A folder with one file."""
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "file").write_bytes(CONTENT)
    return LocalStorage(tmp_path / "place")


def memory_for(n: int) -> memoryview:
    """Memory that begins at a page, for n bytes."""
    return memoryview(mmap.mmap(-1, n))


def let_go(path: Path) -> None:
    """Have the page cache forget a file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def is_cached(path: Path) -> bool:
    """Whether a file's first byte can be had without waiting; asking may bring it into the cache."""
    with path.open("rb") as file:
        try:
            return os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT) == 1
        except BlockingIOError:
            return False


@pytest.fixture
def forgotten(storage: LocalStorage) -> Path:
    """The file, out of the page cache, on a file system that can forget it and be asked whether it has."""
    path = storage.path / "file"
    let_go(path)
    try:
        if is_cached(path):
            pytest.skip("this file system keeps in memory what it has")
    except OSError:
        pytest.skip("this file system cannot tell what is cached")
    let_go(path)
    return path


@linux
def test_what_is_read_past_the_page_cache_is_not_in_it(
    storage: LocalStorage, forgotten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes go straight to the memory: no page has to be given back. What may be cached is cached."""
    memory = memory_for(8 * BLOCK)
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: None)
    assert storage.read_into("file", 0, memory, cached=False) == len(CONTENT)
    if not storage.can_read_direct:
        pytest.skip("this file system refuses O_DIRECT")
    assert memory[: len(CONTENT)] == CONTENT
    assert not is_cached(forgotten)
    monkeypatch.undo()
    let_go(forgotten)
    assert storage.read_into("file", 0, memory) == len(CONTENT)
    assert is_cached(forgotten)


@linux
def test_past_the_page_cache_means_with_o_direct(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file is opened so, and no page is given back, for there is none; what may be cached is not."""
    flags: list[int] = []
    advice: list[int] = []
    opened = os.open

    def note(path: Path, how: int, mode: int = 0o777, **options: Any) -> int:
        flags.append(how & os.O_DIRECT)
        return opened(path, how & ~os.O_DIRECT, mode, **options)

    monkeypatch.setattr(os, "open", note)
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: advice.append(1))
    for cached in (False, True, False):
        assert storage.read_into("file", 0, memory_for(8 * BLOCK), cached=cached) == len(CONTENT)
    assert [bool(each) for each in flags] == [True, False, True]
    assert not advice


@linux
def test_a_file_system_that_refuses_o_direct_is_read_all_the_same(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once; the same bytes come, and the pages that were read are given back."""
    asked: list[bool] = []
    given_back: list[tuple[int, ...]] = []
    opened = os.open

    def refuse(path: Path, how: int, mode: int = 0o777, **options: Any) -> int:
        asked.append(bool(how & os.O_DIRECT))
        if how & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no O_DIRECT here")
        return opened(path, how, mode, **options)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "posix_fadvise", lambda _, *what: given_back.append(what))
    for cached in (False, False, True):
        memory = memory_for(8 * BLOCK)
        assert storage.read_into("file", BLOCK, memory, cached=cached) == len(CONTENT) - BLOCK
        assert memory[: len(CONTENT) - BLOCK] == CONTENT[BLOCK:]
    assert asked == [True, False, False, False]
    assert not storage.can_read_direct
    assert given_back == [(BLOCK, 8 * BLOCK, os.POSIX_FADV_DONTNEED)] * 2


@linux
def test_the_pages_given_back_are_gone(storage: LocalStorage, forgotten: Path) -> None:
    """Really, where the file system reads through its cache only."""
    storage.can_read_direct = False
    assert storage.read_into("file", 0, memory_for(8 * BLOCK), cached=False) == len(CONTENT)
    assert not is_cached(forgotten)


@pytest.mark.parametrize(("number", "cached"), [(errno.EIO, False), (errno.EINVAL, True)])
def test_other_errors_are_errors(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int, cached: bool
) -> None:
    """A disk that fails is not read twice, nor is O_DIRECT blamed where it was not asked for."""
    calls: list[int] = []

    def fail(*_: object) -> int:
        calls.append(1)
        raise OSError(number, "broken")

    before, can = open_files(), storage.can_read_direct
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(OSError, match="broken"):
        storage.read_into("file", 0, memory_for(BLOCK), cached=cached)
    monkeypatch.undo()
    assert (len(calls), storage.can_read_direct, open_files()) == (1, can, before)


def open_files() -> int:
    """How many this process has open."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 (names are enough)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("offset", [0, BLOCK, 4 * BLOCK, 5 * BLOCK])
def test_reading_ends_with_the_memory_or_the_file(storage: LocalStorage, offset: int, cached: bool) -> None:
    """Whichever comes first, past the page cache or through it; no file stays open."""
    for size in (BLOCK, 2 * BLOCK, 8 * BLOCK):
        memory = memory_for(size)
        wanted = CONTENT[offset : offset + size]
        before = open_files()
        assert storage.read_into("file", offset, memory, cached=cached) == len(wanted)
        assert memory[: len(wanted)] == wanted
        assert open_files() == before


@pytest.mark.parametrize("most", [1, BLOCK, 3 * BLOCK])
def test_a_read_that_gives_little_is_gone_on_with(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Until there is nothing more; past the page cache, less than a block is the end of the file."""
    asked: list[int] = []
    preadv = os.preadv

    def little(descriptor: int, memories: Sequence[memoryview], offset: int) -> int:
        asked.append(offset)
        return preadv(descriptor, [memories[0][:most]], offset)

    monkeypatch.setattr(os, "preadv", little)
    memory = memory_for(8 * BLOCK)
    if most >= BLOCK:
        assert storage.read_into("file", 0, memory, cached=False) == len(CONTENT)
        assert memory[: len(CONTENT)] == CONTENT
        assert asked == list(range(0, len(CONTENT), most)) + (
            [] if storage.can_read_direct else [len(CONTENT)]
        )
    assert storage.read_into("file", len(CONTENT) - 5, memory[:7]) == 5
    assert storage.read_into("file", 3, memory[:2]) == 2


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_refused(storage: LocalStorage, what: str) -> None:
    """Its size, and its content, without waiting for anybody."""
    path = storage.path / "special"
    if what == "link":
        path.symlink_to(storage.path / "file")
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(OSError, match="this is no plain file"):
        storage.size("special")
    with pytest.raises(OSError, match=r"no plain file|symbolic links|Is a directory"):
        storage.read_into("special", 0, memory_for(BLOCK))


def test_a_place_that_is_none(tmp_path: Path, storage: LocalStorage) -> None:
    """It cannot be listed, and neither can a file."""
    assert storage.list() == ["file"]
    for path in (tmp_path / "nowhere", storage.path / "file", tmp_path / ("n" * 300)):
        with pytest.raises(FileNotFoundError, match="no such folder"):
            LocalStorage(path).list()
    with pytest.raises(FileNotFoundError):
        storage.size("nothing")


def test_a_file_is_seen_once_it_is_committed(storage: LocalStorage) -> None:
    """In place of the one before; not committed, nothing is left of it."""
    with storage.write("file") as file:
        file.write(b"half ")
        file.write(memoryview(b"of it"))
        assert file.read(4, 2) == b"lf o"
        assert set(storage.list()) == {"file", "file.partial"}
    assert storage.list() == ["file"]
    assert read_file(storage, "file", 10**6) == CONTENT
    before = open_files()
    with storage.write("x") as file:
        file.write(b"new")
        file.commit("file")
        assert storage.list() == ["file"]
    assert open_files() == before
    assert read_file(storage, "file", 10**6) == b"new"
    write_file(storage, "file", b"a shorter life")
    assert (read_file(storage, "file", 9), storage.size("file")) == (b"a shorter", 14)
    storage.remove("file")
    storage.sync()
    assert storage.list() == []
    with pytest.raises(bf.WriteError, match="file: this cannot be written: No such file"):
        storage.remove("file")


def test_what_is_committed_is_no_longer_the_writers(storage: LocalStorage) -> None:
    """It leaves alone what another has begun under the same name meanwhile."""
    with storage.write("x") as first:
        first.write(b"first")
        first.commit("one")
        second = storage.write("x")
    with second:
        second.write(b"second")
        second.commit("two")
    assert read_file(storage, "one", 100) == b"first"
    assert read_file(storage, "two", 100) == b"second"


def test_a_file_may_be_read_by_whom_the_mask_lets(storage: LocalStorage) -> None:
    """As one that any other program makes."""
    mask = os.umask(0o027)
    try:
        write_file(storage, "new", b"this")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((storage.path / "new").stat().st_mode) == 0o640
    os.umask(0)
    try:
        write_file(storage, "new", b"this")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((storage.path / "new").stat().st_mode) == 0o666


def test_a_whole_file_is_read_from_its_beginning(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one call, of as many bytes as it has, or as are wanted."""
    calls: list[tuple[int, int]] = []
    read_into = storage.read_into

    def noted(name: str, offset: int, memory: memoryview) -> int:
        calls.append((offset, len(memory)))
        return read_into(name, offset, memory)

    monkeypatch.setattr(storage, "read_into", noted)
    assert read_file(storage, "file", 10**6) == CONTENT
    assert read_file(storage, "file", 10) == CONTENT[:10]
    assert calls == [(0, len(CONTENT)), (0, 10)]


def test_a_file_begun_before_is_begun_anew(storage: LocalStorage) -> None:
    """What an interrupted run has left does not show at the end; a link in its place is not followed."""
    (storage.path / "new.partial").write_bytes(b"more than what follows")
    write_file(storage, "new", b"this")
    assert read_file(storage, "new", 100) == b"this"
    (storage.path / "trap.partial").symlink_to(storage.path / "file")
    with pytest.raises(bf.WriteError, match="cannot be written"):
        storage.write("trap")
    assert read_file(storage, "file", 10**6) == CONTENT


def test_what_is_committed_is_on_the_disk(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the file, then its name, then the folder; by F_FULLFSYNC where there is such a thing."""
    done: list[str] = []
    rename = os.rename

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def named(path: Path, to: Path) -> None:
        done.append("name")
        rename(path, to)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", named)
    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
    write_file(storage, "new", b"this")
    assert done == ["file", "name", "folder"]
    storage.sync()
    assert done[3:] == ["folder"]
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda _, what: done.append(f"full {what}"))
    storage.sync()
    assert done[4:] == ["full 51"]


def test_a_place_is_held_by_one(tmp_path: Path) -> None:
    """It is made, if it must be, and is gone again if nothing has come into it."""
    place = LocalStorage(tmp_path / "new")
    before = open_files()
    with place.lock():
        assert place.path.is_dir()
        with pytest.raises(BlockingIOError), LocalStorage(place.path).lock():
            pass
    assert not place.path.exists()
    with place.lock():
        write_file(place, "file", b"something")
    with place.lock():
        assert place.list() == ["file"]
    assert place.list() == ["file"]
    assert open_files() == before
    with (
        pytest.raises(bf.WriteError, match="nowhere/x: this cannot be written"),
        LocalStorage(tmp_path / "nowhere" / "x").lock(),
    ):
        pass


def test_free_bytes_are_those_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the folder, or of the next one above that there is."""
    looked: list[Path] = []

    def usage(path: Path) -> object:
        looked.append(path)
        return type("Usage", (), {"free": 123})

    monkeypatch.setattr("shutil.disk_usage", usage)
    assert LocalStorage(tmp_path).free_bytes() == 123
    assert LocalStorage(tmp_path / "a" / "b").free_bytes() == 123
    assert looked == [tmp_path, tmp_path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_write_that_fails_says_why(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """And what to do: make room, or look at the disk. Nothing of the file is left."""

    def fail(*_: object) -> int:
        raise OSError(number, "it failed")

    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 123_000}))
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(bf.WriteError, match=r"new\.partial: this cannot be written: it failed") as caught:
        write_file(storage, "new", b"this")
    assert ("123KB free" in caught.value.hint) == (number != errno.EIO)
    assert storage.list() == ["file"]


def test_a_place_has_the_name_of_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the moment; a storage stands for itself."""
    monkeypatch.chdir(tmp_path)
    storage = locate("place")
    monkeypatch.chdir("/")
    assert isinstance(storage, LocalStorage)
    assert isinstance(storage, Storage)
    assert (storage.name, repr(storage)) == (str(tmp_path / "place"), f"LocalStorage('{tmp_path / 'place'}')")
    assert locate(storage) is storage
    assert locate(tmp_path).name == str(tmp_path)


def test_a_stored_file_is_one_of_pythons(storage: LocalStorage) -> None:
    """It can be read from anywhere, to its end."""
    file = StoredFile(storage, "file")
    assert (file.readable(), file.seekable(), file.tell()) == (True, True, 0)
    assert file.read(5) == CONTENT[:5]
    assert file.seek(3, io.SEEK_CUR) == file.tell() == 8
    assert file.read(2) == CONTENT[8:10]
    assert file.seek(-6, io.SEEK_END) == len(CONTENT) - 6
    assert file.read() == CONTENT[-6:]
    assert file.read(1) == b""
    assert file.seek(1) == 1
    assert file.readall() == CONTENT[1:]
    with pytest.raises(FileNotFoundError):
        StoredFile(storage, "nothing")


def test_flags_keep_out_links_and_pipes_that_hang() -> None:
    """Of every file that is read."""
    assert local.READ_FLAGS & os.O_NOFOLLOW
    assert local.READ_FLAGS & os.O_NONBLOCK
    assert local.READ_FLAGS & os.O_CLOEXEC
    assert local.READ_FLAGS & os.O_ACCMODE == os.O_RDONLY
