"""CodecContract: what every codec promises."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from brimful.dataset import open as open_store
from brimful.dataset import pack
from brimful.schema import Field
from brimful.source import scan
from brimful.store.codecs.base import Codec, as_rows

N = 300
SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (3,), (2, 5))


class CodecContract(ABC):
    """Subclass it as `Test...` and give `family` and `values`."""

    dtypes: tuple[str, ...] = ("float32",)
    """NumPy names of the dtypes that it is for."""

    @abstractmethod
    def family(self) -> type[Codec]:
        """The class of the codecs."""

    @abstractmethod
    def values(self, codec: Any, n: int, random: np.random.Generator) -> NDArray[Any]:
        """Values for which a codec holds, of shape `(n, *codec.field.shape)` and the field's dtype."""

    def codecs(self) -> list[Codec]:
        """All codecs of the family for some fields."""
        fields = [Field(shape, dtype) for shape in SHAPES for dtype in self.dtypes]
        return [codec for field in fields for codec in self.family().for_field(field)]

    def test_a_name_stands_for_its_codec(self) -> None:
        """Codecs of one field have different names; equal ones are equal and hash alike; others are None."""
        codecs = self.codecs()
        assert codecs
        assert len({(codec.name, codec.field) for codec in codecs}) == len(codecs)
        for codec in codecs:
            again = self.family().parse(codec.name, codec.field)
            assert again == codec
            assert hash(again) == hash(codec)
        assert self.family().parse("no such codec", codecs[0].field) is None

    def test_what_is_kept_is_plain_to_other_readers(self) -> None:
        """A dtype that NumPy and Arrow have, of a fixed number of bytes per row."""
        for codec in self.codecs():
            assert pa.types.is_primitive(pa.from_numpy_dtype(np.dtype(codec.kept.dtype)))
            assert codec.kept.nbytes > 0

    def test_every_value_comes_back_bit_for_bit(self) -> None:
        """All rows, some, in any order, more than once; also out of memory that holds other rows too."""
        random = np.random.default_rng(0)
        for codec in self.codecs():
            values = self.values(codec, N, random)
            column = self._kept(codec, values)
            for rows in (np.arange(N), random.permutation(N), random.integers(0, N, 50), np.arange(0)):
                assert self._decoded(codec, column, rows).tobytes() == values[rows].tobytes()
            wider = np.concatenate([column[::-1], column])
            assert self._decoded(codec, wider, np.arange(N) + N).tobytes() == values.tobytes()

    def test_values_that_would_not_come_back_are_refused(self) -> None:
        """Whatever their bits are: None, or codes that give them back."""
        random = np.random.default_rng(1)
        for codec in self.codecs():
            for _ in range(20):
                field = codec.field
                bits = random.integers(0, 256, (40, max(1, field.size), np.dtype(field.dtype).itemsize))
                values = bits.astype(np.uint8).view(field.dtype).reshape(40, *field.shape)
                if codec.encode(values) is not None:
                    column = self._kept(codec, values)
                    assert self._decoded(codec, column, np.arange(40)).tobytes() == values.tobytes()

    def test_encoding_changes_nothing(self) -> None:
        """The values given stay as they are, and the same ones give the same codes."""
        for codec in self.codecs():
            values = self.values(codec, N, np.random.default_rng(2))
            before = values.tobytes()
            assert self._kept(codec, values).tobytes() == self._kept(codec, values).tobytes()
            assert values.tobytes() == before

    def test_threads_decode_at_once(self) -> None:
        """Each gets its own rows."""
        for codec in self.codecs():
            values = self.values(codec, N, np.random.default_rng(3))
            column = self._kept(codec, values)
            parts = [np.arange(start, N, 7) for start in range(7)] * 5
            with ThreadPoolExecutor(7) as pool:
                decoded = pool.map(partial(self._decoded, codec, column), parts)
                for rows, got in zip(parts, decoded, strict=True):
                    assert got.tobytes() == values[rows].tobytes()

    @pytest.mark.parametrize("shape", [(3,), (2, 5)])
    def test_a_store_keeps_what_it_holds_for(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        """By the first codec that holds; what is delivered is what was packed, and every byte is checked."""
        codec = next(codec for codec in self.codecs() if codec.field.shape == shape)
        values = self.values(codec, N, np.random.default_rng(4))
        source = scan([(row, at) for at, row in enumerate(values)], dtype=codec.field.dtype)
        pack(source, tmp_path / "x.brim")
        data = open_store(tmp_path / "x.brim")
        delivered = {key: data[at][0] for at, key in enumerate(data.keys)}
        assert all(delivered[str(at)].tobytes() == row.tobytes() for at, row in enumerate(values))
        assert data.verify().ok

    def _kept(self, codec: Codec, values: NDArray[Any]) -> NDArray[np.uint8]:
        codes = codec.encode(values)
        assert codes is not None
        assert codes.shape == (len(values), *codec.kept.shape)
        assert codes.dtype == codec.kept.dtype
        return as_rows(np.ascontiguousarray(codes))

    def _decoded(self, codec: Codec, column: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[Any]:
        out = np.empty((len(rows), *codec.field.shape), codec.field.dtype)
        codec.decode(column, rows, out)
        return out
