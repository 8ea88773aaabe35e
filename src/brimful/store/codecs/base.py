"""Codec: how the values of one field are kept in a store and given back. The contract of every codec.

Every codec promises the same value on every machine with the same versions, bit for bit, and a plain Arrow
type on the disk, so that other readers of Arrow can open the file.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Field


class Codec(Protocol):
    """How the values of one field are kept. Equal codecs have equal hashes; methods are thread-safe."""

    @property
    def name(self) -> str:
        """Its name in the manifest and in the metadata of a shard."""

    @property
    def field(self) -> Field:
        """The field as delivered."""

    @property
    def kept(self) -> Field:
        """The shape and dtype of a row as it is kept in a chunk, little-endian."""

    @classmethod
    def for_field(cls, field: Field) -> Sequence[Self]:
        """All codecs of this family that may hold for values of a field, in the order to try them."""

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The codec of this family that has a name; None if none of them has."""

    def encode(self, values: NDArray[Any]) -> NDArray[Any] | None:
        """The codes that are kept for some values.

        Args:
            values: Of shape `(n, *field.shape)` and the field's dtype.

        Returns:
            Of shape `(n, *kept.shape)` and the kept dtype; None unless each value comes back bit for bit.
        """

    def decode(self, column: Any, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Decode some rows, in the order given.

        Args:
            column: Rows as they are kept, bytes of shape `(any, kept.nbytes)`, of one chunk or of memory for
                many; encoded values are something of which rows can be taken.
            rows: The rows of it to decode, shape `(n,)`.
            out: The array to decode into, shape `(n, *field.shape)`, the field's dtype, C-contiguous.
        """


def as_rows(array: NDArray[Any]) -> NDArray[np.uint8]:
    """A view of an array as bytes, one row per sample."""
    return array.reshape(len(array), math.prod(array.shape[1:])).view(np.uint8)
