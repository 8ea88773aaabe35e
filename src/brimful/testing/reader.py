"""ReaderContract: what every Reader promises, as tests. Subclass it as `Test...` and say which reader."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from xxhash import xxh3_64_intdigest

from brimful.samples import Reader


class ReaderContract(ABC):
    """Tests of one reader, of rows that ascend by the hash of their keys."""

    @abstractmethod
    def reader(self) -> Reader:
        """The reader, which must have 20 samples or more."""

    def test_rows_ascend_by_hash_of_key(self) -> None:
        """Row order is (xxh3_64(key, split_seed), key), whatever order the samples were found in."""
        reader = self.reader()
        keys, seed = reader.keys(np.arange(len(reader))), reader.split_seed
        assert len(set(keys)) == len(reader) >= 20
        assert keys == sorted(keys, key=lambda key: (xxh3_64_intdigest(key.encode(), seed), key.encode()))
        hashes = reader.hashes.tolist()
        assert hashes == [xxh3_64_intdigest(key.encode(), seed) for key in keys]
        for row, value in enumerate(hashes):
            assert reader.row_from(value) <= row < reader.row_from(value + 1)
        assert (reader.row_from(0), reader.row_from(2**64)) == (0, len(reader))

    def test_reading_is_deterministic_and_in_the_order_asked_for(self) -> None:
        """The same row gives the same arrays, alone or among others, in any order."""
        reader = self.reader()
        rows = np.random.default_rng(0).permutation(len(reader))
        arrays = reader.read(rows).arrays
        for array, field in zip(arrays, reader.schema.fields, strict=True):
            assert array.shape == (len(rows), *field.shape)
            assert array.dtype == field.dtype
        for at in (0, 7, len(rows) - 1):
            for alone, array in zip(reader.read(rows[at : at + 1]).arrays, arrays, strict=True):
                assert np.array_equal(alone[0], array[at])

    def test_reading_gives_memory_of_its_own(self) -> None:
        """Writing into what was read changes nothing that is read later."""
        reader = self.reader()
        arrays = reader.read(np.arange(3)).arrays
        before = [array.copy() for array in arrays]
        for array in arrays:
            array.fill(1)
        assert all(map(np.array_equal, reader.read(np.arange(3)).arrays, before))

    def test_reading_is_safe_from_several_threads(self) -> None:
        """Many threads at once read what one does."""
        reader = self.reader()
        pieces = [np.arange(start, start + 10) for start in range(0, len(reader) - 10, 3)] * 4
        expected = [reader.read(piece).arrays for piece in pieces]
        with ThreadPoolExecutor(8) as pool:
            for got, wanted in zip(pool.map(reader.read, pieces), expected, strict=True):
                assert all(map(np.array_equal, got.arrays, wanted))

    def test_working_bytes_covers_the_result(self) -> None:
        """The budget a reader asks for is at least what it hands out, and grows with it."""
        reader = self.reader()
        arrays = reader.read(np.arange(10)).arrays
        assert reader.working_bytes(10) >= sum(array.nbytes for array in arrays)
        assert reader.working_bytes(1000) > reader.working_bytes(10)
