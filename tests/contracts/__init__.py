"""Contracts: what every reader promises, a subclass for each."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from xxhash import xxh3_64_intdigest

from brimful.samples import Reader


class ReaderContract(ABC):
    """Subclass it as `Test...` and give `reader`, which must have 20 samples or more."""

    @abstractmethod
    def reader(self) -> Reader:
        """The reader to test."""

    def test_rows_ascend_by_hash_of_key(self) -> None:
        """Row order is (xxh3_64(key), key), whatever order the files were listed in."""
        reader = self.reader()
        keys = reader.keys(np.arange(len(reader)))
        assert len(set(keys)) == len(reader)
        assert keys == sorted(keys, key=lambda key: (xxh3_64_intdigest(key.encode()), key.encode()))
        hashes = reader.hashes.tolist()
        assert hashes == [xxh3_64_intdigest(key.encode()) for key in keys]
        for row, value in enumerate(hashes):
            assert reader.row_from(value) <= row < reader.row_from(value + 1)
        assert (reader.row_from(0), reader.row_from(2**64)) == (0, len(reader))

    def test_reading_is_deterministic_and_in_the_order_asked_for(self) -> None:
        """The same row gives the same arrays, alone or among others, in any order."""
        reader = self.reader()
        rows = np.random.default_rng(0).permutation(len(reader))
        x, y, _ = reader.read(rows)
        assert x.shape == (len(rows), *reader.schema.input_fields[0].shape)
        assert x.dtype == reader.schema.input_fields[0].dtype
        for at in (0, 7, len(rows) - 1):
            alone_x, alone_y, _ = reader.read(rows[at : at + 1])
            assert np.array_equal(alone_x[0], x[at])
            assert alone_y is None or y is None or np.array_equal(alone_y[0], y[at])

    def test_reading_gives_memory_of_its_own(self) -> None:
        """Writing into what was read changes nothing that is read later."""
        reader = self.reader()
        x, y, _ = reader.read(np.arange(3))
        before = x.copy()
        x.fill(-1)
        if y is not None:
            y.fill(-1)
        assert np.array_equal(reader.read(np.arange(3)).x, before)

    def test_reading_is_safe_from_several_threads(self) -> None:
        """Many threads at once read what one does."""
        reader = self.reader()
        pieces = [np.arange(start, start + 10) for start in range(0, len(reader) - 10, 3)] * 4
        expected = [reader.read(piece).x for piece in pieces]
        with ThreadPoolExecutor(8) as pool:
            for got, wanted in zip(
                pool.map(lambda piece: reader.read(piece).x, pieces), expected, strict=True
            ):
                assert np.array_equal(got, wanted)

    def test_working_bytes_covers_the_result(self) -> None:
        """The budget a reader asks for is at least what it hands out, and grows with it."""
        reader = self.reader()
        x, y, _ = reader.read(np.arange(10))
        assert reader.working_bytes(10) >= x.nbytes + (0 if y is None else y.nbytes)
        assert reader.working_bytes(1000) > reader.working_bytes(10)
