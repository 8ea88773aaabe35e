"""HalfCodec: float32 values that float16 has too, kept as such, as a user would add another codec."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Field


@dataclass(frozen=True)
class HalfCodec:
    """Values are kept as float16, where each comes back bit for bit."""

    field: Field
    name = "half"

    @property
    def kept(self) -> Field:
        """The same in float16."""
        return Field(self.field.shape, "float16")

    @classmethod
    def for_field(cls, field: Field) -> Sequence[Self]:
        """For float32 alone."""
        return [cls(field)] if field.dtype == "float32" else []

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The codec, if the name is its own."""
        return cls(field) if name == cls.name else None

    def encode(self, values: NDArray[Any]) -> NDArray[Any] | None:
        """The values in float16, if none changes."""
        with np.errstate(over="ignore"):
            codes = values.astype(np.float16)
        same = np.array_equal(codes.astype(np.float32).view(np.uint32), values.view(np.uint32))
        return codes if same else None

    def decode(self, column: NDArray[np.uint8], rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Back to float32."""
        out[...] = column[rows].view("<f2").reshape(out.shape)
