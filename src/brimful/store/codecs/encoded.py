"""EncodedCodec: values kept as the bytes in which their source gives them, of any number for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.encodings.registry import encoding_of
from brimful.encodings.samples import decode_values
from brimful.schema import Field

PLACE = Field((2,), "int64")
"""Where a value is in memory: its first byte, and how many it has."""


class EncodedColumn(NamedTuple):
    """The values of a column.

    Attributes:
        bounds: Where in the content each value begins, and where the last one ends, shape `(n + 1,)`.
        content: The bytes of all values.
    """

    bounds: NDArray[np.int64]
    content: NDArray[np.uint8]

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The values of some rows, an array of `bytes`."""
        values = np.empty(len(rows), object)
        for at, row in enumerate(rows.tolist()):
            values[at] = self.content[self.bounds[row] : self.bounds[row + 1]].tobytes()
        return values


class PlacedColumn(NamedTuple):
    """The values of a column that lie anywhere in memory.

    Attributes:
        memory: The memory.
        places: The PLACE of each value in it, as bytes, shape `(any, 16)`.
    """

    memory: NDArray[np.uint8]
    places: NDArray[np.uint8]

    def take(self, rows: NDArray[np.int64]) -> list[memoryview]:
        """The values of some rows, where they lie."""
        places = self.places.take(rows, 0).view(np.int64).reshape(-1, 2).tolist()
        return [self.memory[first : first + size].data for first, size in places]


Values = EncodedColumn | PlacedColumn
"""Encoded values, of which rows can be taken."""


@dataclass(frozen=True)
class EncodedCodec:
    """Keeps encoded values as they are. In memory, a row is the PLACE of its bytes."""

    field: Field
    kept = PLACE

    @property
    def name(self) -> str:
        """The name of the encoding."""
        return self.field.encoding or ""

    @classmethod
    def for_field(cls, field: Field) -> Sequence[Self]:
        """The codec, for a field that has an encoding."""
        return [cls(field)] if field.encoding else []

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The codec, if the field's encoding has this name, and is known."""
        return cls(field) if field.encoding and field.encoding == name and encoding_of(field) else None

    @property
    def item_bytes(self) -> int:
        """Bytes of an item of which Arrow's offsets count."""
        item = encoding_of(self.field).item
        return 1 if item is None else item.bit_width // 8

    @property
    def arrow(self) -> pa.DataType:
        """The type that other readers of Arrow see."""
        item = encoding_of(self.field).item
        return pa.large_binary() if item is None else pa.large_list(pa.field("item", item, nullable=False))

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values, which are encoded already."""
        return values

    def column(self, values: NDArray[Any]) -> pa.Array:
        """Encoded values as an array of Arrow."""
        sizes = np.fromiter(map(len, values), np.int64, len(values))
        bounds = np.concatenate([[0], np.cumsum(sizes)]) // self.item_bytes
        offsets, content = pa.py_buffer(bounds), pa.py_buffer(b"".join(values))
        item = encoding_of(self.field).item
        if item is None:
            return pa.LargeBinaryArray.from_buffers(self.arrow, len(values), [None, offsets, content])
        items = pa.Array.from_buffers(item, int(bounds[-1]), [None, content])
        return pa.LargeListArray.from_buffers(self.arrow, len(values), [None, offsets], children=[items])

    def decode(self, column: Values, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Decode some rows; UndecodableSampleError if one is no value."""
        decode_values(self.field, column.take(rows), out)
