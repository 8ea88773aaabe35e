"""The contract of codecs, for each of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.store.codecs.base import Codec
from brimful.store.codecs.narrow import NarrowCodec
from brimful.store.codecs.raw import RawCodec
from brimful.testing.codec import CodecContract
from tests.toys.half_codec import HalfCodec


class TestRawCodec(CodecContract):
    """It holds for everything."""

    dtypes = ("float16", "float32", "float64")

    def family(self) -> type[Codec]:
        """As it is."""
        return RawCodec

    def values(self, codec: Any, n: int, random: np.random.Generator) -> NDArray[Any]:
        """Any values."""
        return np.asarray(random.standard_normal((n, *codec.field.shape)), codec.field.dtype)


class TestNarrowCodec(CodecContract):
    """It holds for multiples of one over its divisor."""

    def family(self) -> type[Codec]:
        """Small integers."""
        return NarrowCodec

    def values(self, codec: Any, n: int, random: np.random.Generator) -> NDArray[Any]:
        """Such multiples."""
        limits = np.iinfo(codec.dtype)
        codes = random.integers(limits.min, limits.max, (n, *codec.field.shape), endpoint=True)
        return np.asarray(codes / codec.divisor, np.float32)


class TestHalfCodec(CodecContract):
    """The toy."""

    def family(self) -> type[Codec]:
        """Half as wide."""
        return HalfCodec

    def values(self, codec: Any, n: int, random: np.random.Generator) -> NDArray[Any]:
        """Values that float16 has."""
        return random.standard_normal((n, *codec.field.shape)).astype(np.float16).astype(np.float32)
