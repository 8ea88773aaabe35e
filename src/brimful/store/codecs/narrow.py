"""NarrowCodec: float32 values kept as small integers, and given back bit for bit.

A codec holds for an array if each of its values is `float32(code) / float32(divisor)` for a code of the
codec's dtype. Codes are found by rounding `value * divisor`, and are used only if dividing gives back the
same bits for every value: negative zero, NaN and values with too many digits do not pass. Dividing is exact
where multiplying by the reciprocal is not: that gives other bits for 126 of the 256 values k/255.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Field

BLOCK = 1 << 16  # values that are rounded and compared while they are in the processor's cache
DECODED_BYTES = 1 << 22  # of values at a time: with their codes they stay in the processor's cache
RULES = (
    *((dtype, divisor) for divisor in (255, 1, 10, 100) for dtype in ("uint8", "int8")),
    *((dtype, divisor) for divisor in (1, 10, 100, 1_000, 10_000, 65_535) for dtype in ("uint16", "int16")),
)
"""The dtypes of codes and the divisors, in the order in which they are tried."""

_scratch = threading.local()


@dataclass(frozen=True)
class NarrowCodec:
    """Keeps values of a float32 field as codes of an integer dtype: values are `code / divisor`."""

    field: Field
    dtype: str
    divisor: int

    @property
    def name(self) -> str:
        """Dtype and divisor, like `uint8/255`."""
        return f"{self.dtype}/{self.divisor}"

    @cached_property
    def kept(self) -> Field:
        """The codes."""
        return Field(self.field.shape, self.dtype)

    @classmethod
    def for_field(cls, field: Field) -> Sequence[Self]:
        """All rules, for float32."""
        return (
            [cls(field, *rule) for rule in RULES] if field.dtype == "float32" and not field.encoding else []
        )

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The codec of a name like `uint8/255`."""
        return next((codec for codec in cls.for_field(field) if codec.name == name), None)

    def encode(self, values: NDArray[Any]) -> NDArray[Any] | None:
        """The codes of some values, or None if not all of them would come back bit for bit."""
        codes = np.empty(values.shape, self.dtype)
        flat, flat_codes = values.reshape(-1), codes.reshape(-1)
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK]
            with np.errstate(invalid="ignore", over="ignore"):
                rounded = np.rint(block * np.float32(self.divisor))
                low, high = rounded.min(), rounded.max()
            if not (self._limits.min <= low and high <= self._limits.max):  # also where one is NaN
                return None
            some = rounded.astype(self.dtype)
            if not np.array_equal(self.values(some).view(np.uint32), block.view(np.uint32)):
                return None
            flat_codes[start : start + BLOCK] = some
        return codes

    def values(
        self, codes: NDArray[np.integer], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The values of some codes, bit for bit those that were encoded."""
        values: NDArray[np.float32] = np.divide(codes, np.float32(self.divisor), out=out, dtype=np.float32)
        return values

    def decode(self, column: NDArray[np.uint8], rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Gather the codes of some rows and divide them, as many at a time as fit the processor's cache."""
        step = max(1, DECODED_BYTES * len(rows) // max(1, out.nbytes))
        codes = _memory(min(step, len(rows)) * self.kept.nbytes).reshape(-1, self.kept.nbytes)
        for first in range(0, len(rows), step):
            some = out[first : first + step]
            column.take(rows[first : first + step], 0, codes[: len(some)], "clip")
            self.values(codes[: len(some)].view(self._kept_dtype).reshape(some.shape), some)

    @cached_property
    def _limits(self) -> np.iinfo[Any]:
        return np.iinfo(self.dtype)

    @cached_property
    def _kept_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype).newbyteorder("<")


def _memory(n: int) -> NDArray[np.uint8]:
    """Memory that this thread reuses."""
    memory: NDArray[np.uint8] = getattr(_scratch, "memory", np.empty(0, np.uint8))
    if memory.size < n:
        memory = _scratch.memory = np.empty(n, np.uint8)
    return memory[:n]
