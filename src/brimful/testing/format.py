"""FormatContract: what every Format promises, as tests. Subclass it as `Test...` and say which format."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from brimful.errors import SourceError
from brimful.samples import FINGERPRINT, Samples
from brimful.schema import Field
from brimful.sources.base import Format
from brimful.sources.index import Index, RowOrder

CHANGED = 7  # the sample that `change` changes


class FormatContract(ABC):
    """Tests of one format. What they need to know of it is for a subclass to say."""

    @abstractmethod
    def format(self) -> Format:
        """The format, made anew from the same data, which must be 20 samples or more."""

    def files(self) -> list[Path]:
        """The files of the data, to see that none is written to."""
        return []

    def change(self) -> None:
        """Change the data of sample CHANGED. Override it where there are fingerprints."""
        pytest.skip("nothing shows whether a sample has changed")

    def damage(self) -> tuple[int, str]:
        """Damage a sample; gives its number, and what the error must say of the place.

        Where values are encoded, the damage may be one that only decoding finds.
        """
        pytest.skip("no sample can be damaged")

    def test_it_is_a_format(self) -> None:
        """It has all that a format has, and says who it is."""
        samples = self.format()
        assert isinstance(samples, Format)
        assert len(samples) >= 20
        assert samples.name
        assert samples.identity == self.format().identity
        assert samples.schema == self.format().schema
        assert samples.root is None or samples.root.exists()

    def test_keys_are_unique_and_stable(self) -> None:
        """A key names one sample, today and tomorrow, in whatever company it is asked for."""
        samples = self.format()
        keys = samples.keys(_all(samples)).to_pylist()
        assert len(set(keys)) == len(keys) == len(samples)
        assert keys == self.format().keys(_all(samples)).to_pylist()
        some = _shuffled(samples)[:9]
        assert samples.keys(some).to_pylist() == [keys[number] for number in some.tolist()]
        assert samples.keys(some[:0]).to_pylist() == []

    def test_samples_are_what_the_schema_says(self) -> None:
        """Shapes and dtypes, also of no samples at all."""
        samples = self.format()
        for numbers in (_all(samples), _all(samples)[:0]):
            arrays = samples.read(numbers).arrays
            for array, field in zip(arrays, samples.schema.fields, strict=True):
                _check(array, field, len(numbers))

    def test_encoded_values_decode_to_what_the_schema_says(self) -> None:
        """Each to an array of the field's shape and dtype; they are counted as the bytes that they take."""
        samples = self.format()
        if not samples.schema.is_encoded:
            assert samples.encoded_bytes == 0
            return
        numbers = _all(samples)
        decoded = _index(samples).read(numbers)
        for array, field in zip(decoded.arrays, samples.schema.fields, strict=True):
            assert array.shape == (len(numbers), *field.shape)
            assert array.dtype == field.dtype
        assert samples.encoded_bytes > 0
        assert samples.encoded_bytes < 100 * _nbytes(samples.read(numbers)) / len(numbers)

    def test_any_order_gives_what_each_sample_is_alone(self) -> None:
        """The same number gives the same arrays, alone or among others, asked twice or by another object."""
        samples = self.format()
        numbers = np.concatenate([_shuffled(samples), [3, 3]])
        together = samples.read(numbers)
        assert _equal(together, self.format().read(numbers))
        for at in (0, 7, len(numbers) - 1):
            alone = samples.read(numbers[at : at + 1])
            assert _equal(alone, _taken(together, np.array([at])))

    def test_what_is_read_is_memory_of_its_own(self) -> None:
        """Writing into it changes nothing that is read before or after."""
        samples = self.format()
        numbers = np.arange(3)
        before, spoilt = samples.read(numbers), samples.read(numbers)
        copies = [array.copy() for array in before.arrays]
        for array in spoilt.arrays:
            array.fill(1)
        for read in (before, samples.read(numbers)):
            assert all(map(np.array_equal, read.arrays, copies))

    def test_several_threads_read_what_one_does(self) -> None:
        """At once, and overlapping."""
        samples = self.format()
        pieces = [np.arange(start, start + 10) for start in range(0, len(samples) - 10, 3)] * 4
        expected = [samples.read(piece) for piece in pieces]
        with ThreadPoolExecutor(8) as pool:
            assert all(map(_equal, pool.map(samples.read, pieces), expected))

    def test_working_bytes_covers_the_result(self) -> None:
        """The memory that it asks for is at least what it hands out, and grows with it."""
        samples = self.format()
        for n in (1, 10, len(samples)):
            assert samples.working_bytes(n) >= _nbytes(samples.read(np.arange(n)))
        assert samples.working_bytes(1000) > samples.working_bytes(10)

    def test_fingerprints_stay_while_nothing_changes(self) -> None:
        """One per sample, the same when asked again and when read; or none for any sample."""
        samples, numbers = self.format(), _all(self.format())[::-1]
        prints = samples.fingerprints(numbers)
        if prints is None:
            assert samples.fingerprints(numbers[:0]) is None
            return
        assert prints.shape == (len(numbers), len(FINGERPRINT))
        assert prints.dtype == np.int64
        assert samples.fingerprints(numbers[:0]) is not None
        as_read = np.full_like(prints, -1)
        samples.read(numbers, as_read)
        assert np.array_equal(as_read, prints)
        again = self.format().fingerprints(numbers)
        assert again is not None
        assert np.array_equal(again, prints)

    def test_fingerprints_change_with_the_data(self) -> None:
        """Of the sample that has changed at least."""
        samples = self.format()
        before = samples.fingerprints(np.array([CHANGED]))
        self.change()
        after = samples.fingerprints(np.array([CHANGED]))
        assert before is not None
        assert after is not None
        assert not np.array_equal(after, before)

    def test_the_natural_order_is_a_permutation(self) -> None:
        """Each position once, also of a part; or no order at all."""
        samples = self.format()
        for numbers in (_all(samples), _shuffled(samples)[:9]):
            order = samples.natural_order(numbers)
            assert order is None or sorted(order.tolist()) == list(range(len(numbers)))

    def test_an_error_has_the_place(self) -> None:
        """A damaged sample is named, alone and among others, and harms no other one."""
        number, place = self.damage()
        samples = self.format()
        index = _index(samples)
        for numbers in (np.array([number]), _all(samples)):
            with pytest.raises(SourceError) as caught:
                index.read(numbers)
            assert place in caught.value.message
        others = np.delete(_all(samples), number)
        assert len(index.read(others).inputs[0]) == len(others)

    def test_nothing_is_written_to(self) -> None:
        """Not a byte, and not a time of modification, whatever is asked."""
        before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in self.files()]
        samples = self.format()
        numbers = _all(samples)
        samples.read(numbers)
        samples.keys(numbers)
        samples.fingerprints(numbers)
        samples.natural_order(numbers)
        assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in self.files()] == before


def _all(samples: Format) -> NDArray[np.int64]:
    return np.arange(len(samples))


def _index(samples: Format) -> Index:
    """Rows that are the samples in their own order: what is encoded is decoded when they are read."""
    return Index(samples, RowOrder(np.zeros(len(samples), np.uint64)))


def _check(array: NDArray[Any], field: Field, n: int) -> None:
    """An array of n values of a field: of `bytes` if they are encoded."""
    if field.encoding:
        assert array.shape == (n,)
        assert array.dtype == object
        assert all(type(value) is bytes for value in array)
    else:
        assert array.shape == (n, *field.shape)
        assert array.dtype == field.dtype


def _nbytes(samples: Samples) -> int:
    """Bytes of all values."""
    return sum(len(b"".join(_bits(array))) for array in samples.arrays)


def _bits(array: NDArray[Any]) -> list[bytes]:
    """The bits of all values."""
    return array.tolist() if array.dtype == object else [array.tobytes()]


def _shuffled(samples: Format) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(len(samples))


def _taken(samples: Samples, at: NDArray[np.int64]) -> list[NDArray[np.generic]]:
    return [array[at] for array in samples.arrays]


def _equal(one: Samples, other: Samples | list[NDArray[np.generic]]) -> bool:
    """Whether all arrays are the same bits."""
    arrays = other.arrays if isinstance(other, Samples) else other
    return list(map(_bits, one.arrays)) == list(map(_bits, arrays))
