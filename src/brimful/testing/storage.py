"""StorageContract: what every place for the files of a store or a run promises."""

import contextlib
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from mmap import mmap
from pathlib import Path

import pyarrow as pa
import pytest

from brimful.storage.base import Storage, StoredFile, read_file, write_file

CONTENT = bytes(range(256)) * 40


class StorageContract(ABC):
    """Subclass it as `Test...` and give `make_storage`."""

    @abstractmethod
    def make_storage(self, folder: Path) -> Storage:
        """A new storage with nothing in it, as a rule one that is not there yet.

        Args:
            folder: An empty folder, if the storage wants to lie in one.
        """

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        """The storage to test, with one file, `a`."""
        storage = self.make_storage(tmp_path)
        with storage.lock():
            write_file(storage, "a", CONTENT)
        return storage

    def test_it_is_a_storage(self, storage: Storage) -> None:
        """It has all that is called, and a name for people."""
        assert isinstance(storage, Storage)
        assert storage.name
        assert storage.block >= 1
        assert storage.free_bytes() is None or storage.free_bytes()

    def test_a_place_that_is_not_there_is_said_to_be_missing(self, tmp_path: Path) -> None:
        """It is made by who holds it, and is gone again if nothing was put there."""
        storage = self.make_storage(tmp_path)
        with pytest.raises(FileNotFoundError):
            storage.list()
        with storage.lock():
            assert storage.list() == []
        with pytest.raises(FileNotFoundError):
            storage.list()

    def test_what_was_committed_is_there(self, storage: Storage) -> None:
        """By its name, whole, in any part, and up to its end."""
        assert storage.list() == ["a"]
        assert storage.size("a") == len(CONTENT)
        assert read_file(storage, "a", 10**9) == CONTENT
        assert read_file(storage, "a", 17) == CONTENT[:17]
        for offset, n in ((0, 1), (1000, 300), (len(CONTENT) - 5, 100), (len(CONTENT), 9), (10**6, 9)):
            memory = bytearray(n)
            count = storage.read_into("a", offset, memoryview(memory))
            assert bytes(memory[:count]) == CONTENT[offset : offset + n]

    def test_reads_that_are_not_cached_give_the_same_bytes(self, storage: Storage) -> None:
        """In whole blocks, into memory that begins at a page; also where the file ends within a block."""
        n = 2 * storage.block
        memory = mmap(-1, n)
        for offset in range(0, len(CONTENT), storage.block * (1 + len(CONTENT) // 50 // storage.block)):
            count = storage.read_into("a", offset, memoryview(memory)[:n], cached=False)
            assert memory[:count] == CONTENT[offset : offset + n]

    def test_what_is_not_committed_leaves_nothing(self, storage: Storage) -> None:
        """Neither under its name nor in the place of what has it; also after an error."""
        with contextlib.suppress(ZeroDivisionError), storage.write("a") as file:
            file.write(b"other")
            raise ZeroDivisionError
        with storage.write("b") as file:
            file.write(b"more")
        assert storage.list() == ["a"]
        assert read_file(storage, "a", 10**9) == CONTENT

    def test_until_the_commit_the_old_file_is_seen(self, storage: Storage) -> None:
        """And from then on the new one, under the name that the commit gives."""
        with storage.write("new") as file:
            file.write(CONTENT[:10])
            file.write(memoryview(CONTENT)[10:20])
            assert read_file(storage, "a", 10**9) == CONTENT
            file.commit("a")
            assert read_file(storage, "a", 10**9) == CONTENT[:20]
        assert storage.list() == ["a"]

    def test_a_writer_reads_back_what_it_wrote(self, storage: Storage) -> None:
        """For who finds out late that it must be written otherwise."""
        with storage.write("b") as file:
            file.write(CONTENT)
            assert file.read(100, 50) == CONTENT[50:150]
            file.write(b"end")
            assert file.read(10, len(CONTENT)) == b"end"
            file.commit("b")
        assert read_file(storage, "b", 10**9) == CONTENT + b"end"

    def test_an_empty_file_is_a_file(self, storage: Storage) -> None:
        """It has a name, and no bytes."""
        write_file(storage, "empty", b"")
        assert sorted(storage.list()) == ["a", "empty"]
        assert storage.size("empty") == 0
        assert read_file(storage, "empty", 10) == b""

    def test_what_was_removed_is_gone(self, storage: Storage) -> None:
        """And is not there for any call."""
        write_file(storage, "b", b"b")
        storage.remove("b")
        storage.sync()
        assert storage.list() == ["a"]
        with pytest.raises(FileNotFoundError):
            storage.size("b")
        with pytest.raises(FileNotFoundError):
            storage.read_into("b", 0, memoryview(bytearray(1)))

    def test_one_holds_it_at_a_time(self, storage: Storage) -> None:
        """The second is refused at once; once the first has let go, another one may."""
        with storage.lock(), pytest.raises(BlockingIOError), storage.lock():
            pass
        with storage.lock():
            write_file(storage, "b", b"b")
        assert sorted(storage.list()) == ["a", "b"]

    def test_many_threads_read_at_once_while_one_writes(self, storage: Storage) -> None:
        """Each sees a whole file, the old one or a new one."""
        contents = [bytes([at]) * 5000 for at in range(20)]
        write_file(storage, "b", contents[0])
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                assert read_file(storage, "b", 5000) in contents

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            for content in contents:
                write_file(storage, "b", content)
            done.set()
            for reader in readers:
                reader.result()

    def test_arrow_reads_a_file_of_it(self, storage: Storage) -> None:
        """Through a file object: seeks, parts, the end."""
        table = pa.table({"number": list(range(1000))})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        write_file(storage, "table", sink.getvalue().to_pybytes())
        file = StoredFile(storage, "table")
        assert pa.ipc.open_file(pa.PythonFile(file, "r")).read_all() == table
        file.seek(-6, 2)
        assert (file.readable(), file.seekable(), file.read()) == (True, True, b"ARROW1")
