"""EncodingContract: what every Encoding promises, as tests. Subclass it as `Test...`, and say which."""

import contextlib
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from brimful.dataset import open as open_store
from brimful.dataset import pack
from brimful.encodings.base import Encoding, UndecodableError
from brimful.encodings.registry import encoding_of
from brimful.errors import MalformedFileError
from brimful.samples import Samples
from brimful.schema import Schema
from brimful.source import scan
from brimful.sources.base import BaseFormat

N = 24


class EncodingContract(ABC):
    """Tests of one family of encodings. What they need to know of it is for a subclass to say."""

    @abstractmethod
    def family(self) -> type[Encoding]:
        """The class of the encodings."""

    @abstractmethod
    def encodings(self) -> list[Any]:
        """Some encodings of the family, all different, each with its `field`."""

    @abstractmethod
    def values(self, encoding: Any, n: int) -> list[bytes]:
        """So many different values of an encoding."""

    @abstractmethod
    def damaged(self, encoding: Any) -> list[bytes]:
        """Bytes that are no values of an encoding."""

    def test_a_name_stands_for_its_encoding(self) -> None:
        """Encodings of a field have different names; equal ones are equal and hash alike; others are None."""
        encodings = self.encodings()
        assert len({(each.name, each.field) for each in encodings}) == len(encodings) > 0
        for encoding in encodings:
            again = self.family().parse(encoding.name, encoding.field)
            assert again == encoding
            assert hash(again) == hash(encoding)
        for name in ("", "no such encoding", encodings[0].name + "x", encodings[0].name + "/more"):
            assert self.family().parse(name, encodings[0].field) is None

    def test_a_field_leads_to_its_encoding(self) -> None:
        """If the family is registered; a name that nobody knows is an error."""
        for encoding in self.encodings():
            field = replace(encoding.field, encoding=encoding.name)
            assert encoding_of(field).name == encoding.name
            with pytest.raises(ValueError, match="there is no encoding"):
                encoding_of(replace(field, encoding="no such encoding"))

    def test_what_is_kept_is_plain_to_other_readers(self) -> None:
        """Binary, or a list of numbers of a fixed width."""
        for encoding in self.encodings():
            assert encoding.item is None or pa.types.is_primitive(encoding.item)

    def test_the_same_bytes_give_the_same_value(self) -> None:
        """Whatever was in the array before, in every byte of it; as `bytes`, or as a part of an array."""
        for encoding in self.encodings():
            for value in self.values(encoding, 3):
                encoding.check(value)
                wanted = self._decoded(encoding, value, fill=0)
                assert self._decoded(encoding, value, fill=1).tobytes() == wanted.tobytes()
                memory = np.frombuffer(b"abc" + value + b"xyz", np.uint8)
                part = memory[3 : 3 + len(value)].data
                encoding.check(part)
                assert self._decoded(encoding, part, fill=0).tobytes() == wanted.tobytes()

    def test_different_values_are_different(self) -> None:
        """Or this suite would prove little."""
        for encoding in self.encodings():
            values = self.values(encoding, 5)
            assert len({self._decoded(encoding, value).tobytes() for value in values}) == 5

    def test_what_is_no_value_is_refused(self) -> None:
        """With a word for the kind of fault, and what is wrong; and with no error of another kind."""
        for encoding in self.encodings():
            assert self.damaged(encoding)
            for value in self.damaged(encoding):
                with pytest.raises(UndecodableError) as caught:
                    self._decoded(encoding, value)
                assert caught.value.kind.replace("_", "").isalpha()
                assert str(caught.value)
                with contextlib.suppress(UndecodableError):  # it need not see it
                    encoding.check(value)

    def test_threads_decode_at_once(self) -> None:
        """Each gets its own value."""
        for encoding in self.encodings():
            values = self.values(encoding, 4) * 6
            wanted = [self._decoded(encoding, value).tobytes() for value in values]
            with ThreadPoolExecutor(6) as pool:
                found = pool.map(partial(self._decoded, encoding), values)
                assert [value.tobytes() for value in found] == wanted

    def test_a_store_keeps_the_bytes(self, tmp_path: Path) -> None:
        """As they are; what is delivered from it is what is delivered from the source."""
        for number, encoding in enumerate(self.encodings()):
            values = self.values(encoding, N)
            data = pack(scan(_Values(encoding, values)), tmp_path / f"{number}.brim")
            assert data.verify().ok
            with pa.ipc.open_file(next((tmp_path / f"{number}.brim").glob("shard-*"))) as shard:
                table = shard.read_all()
            kept = dict(zip(table["key"].to_pylist(), table["x"].combine_chunks(), strict=True))
            for at, value in enumerate(values):
                raw = kept[f"{at:03d}"]
                assert value == (raw.as_py() if encoding.item is None else raw.values.to_numpy().tobytes())
            batches = open_store(tmp_path / f"{number}.brim").batches(5, include_keys=True)
            for x, keys in batches:
                for row, key in zip(x, keys, strict=True):
                    assert row.tobytes() == self._decoded(encoding, values[int(key)]).tobytes()

    def test_a_value_that_is_none_is_named(self) -> None:
        """Among others, by its key, whenever it is met."""
        encoding = self.encodings()[0]
        values = self.values(encoding, N)
        values[7] = self.damaged(encoding)[0]
        source = scan(_Values(encoding, values))
        assert [fault.key for fault in source.audit().faults] == ["007"]
        with pytest.raises(MalformedFileError, match="007"):
            list(source.batches(5))

    def _decoded(self, encoding: Any, value: Any, fill: int = 0) -> NDArray[Any]:
        out = np.full(encoding.field.shape, fill, encoding.field.dtype)
        encoding.decode(value, out)
        return out


class _Values(BaseFormat):
    """Encoded values as a format."""

    name, identity = "values", "values"

    def __init__(self, encoding: Any, values: list[bytes]) -> None:
        self._values = values
        self.schema = Schema(replace(encoding.field, encoding=encoding.name))
        self.encoded_bytes = sum(map(len, values)) // len(values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        return pa.array([f"{number:03d}" for number in numbers.tolist()], pa.large_string())

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        values = np.empty(len(numbers), object)
        values[:] = [self._values[number] for number in numbers.tolist()]
        return Samples(values)

    def working_bytes(self, n: int) -> int:
        return n * (self.schema.nbytes + max(map(len, self._values)))
