"""Codec: how the values of one field are kept in a store and given back. The contract of every codec.

What every codec promises: the same value on every machine with the same versions, bit for bit; and a plain
Arrow type on the disk, so that other readers of Arrow still open the file.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Field


class Codec(Protocol):
    """How the values of one field are kept. Equal codecs hash alike; it is safe in threads."""

    @property
    def name(self) -> str:
        """What the manifest and the metadata of a shard call it."""

    @property
    def field(self) -> Field:
        """The field as delivered."""

    @property
    def kept(self) -> Field:
        """The shape and dtype of a row as it lies in a chunk, little-endian."""

    @classmethod
    def for_field(cls, field: Field) -> Sequence[Self]:
        """All codecs of this family that may hold for values of a field, in the order to try them."""

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The codec of this family that a name stands for; None if it is none of them."""

    def encode(self, values: NDArray[Any]) -> NDArray[Any] | None:
        """What is kept of some values.

        Args:
            values: Of shape `(n, *field.shape)` and the field's dtype.

        Returns:
            Of shape `(n, *kept.shape)` and the kept dtype; None unless each value comes back bit for bit.
        """

    def decode(self, column: NDArray[np.uint8], rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Give back the values of some rows, in the order given.

        Args:
            column: Rows as they are kept, shape `(any, kept.nbytes)`: of a chunk, or of memory for many.
            rows: Which of them, shape `(n,)`.
            out: Where to, shape `(n, *field.shape)` and the field's dtype, C-contiguous.
        """


def as_rows(array: NDArray[Any]) -> NDArray[np.uint8]:
    """An array as bytes, a row for each sample; a view of it."""
    return array.reshape(len(array), math.prod(array.shape[1:])).view(np.uint8)
