"""RawCodec: values kept as they are."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Field
from brimful.store.codecs.base import as_rows

RAW = "raw"


@dataclass(frozen=True)
class RawCodec:
    """Keeps values as they are."""

    field: Field
    name = RAW

    @property
    def kept(self) -> Field:
        """The field itself; truth values as bytes, since Arrow would pack them into bits."""
        return Field(self.field.shape, "uint8" if self.field.dtype == "bool" else self.field.dtype)

    @classmethod
    def for_field(cls, field: Field) -> Sequence[Self]:
        """The codec, which holds for every field of arrays."""
        return () if field.encoding else (cls(field),)

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The codec, if the name is its own."""
        return cls(field) if name == RAW and not field.encoding else None

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values."""
        return values.view(np.uint8) if values.dtype == bool else values

    def decode(self, column: NDArray[np.uint8], rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copy some rows."""
        column.take(rows, 0, as_rows(out), "clip")  # with another mode, NumPy would copy twice
        if sys.byteorder == "big":
            out.byteswap(inplace=True)
