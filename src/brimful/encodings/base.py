"""Encoding: how bytes of any number become a value of a field. The contract of every encoding."""

from typing import Any, Protocol, Self

import pyarrow as pa
from numpy.typing import NDArray

from brimful.schema import Field


class UndecodableError(ValueError):
    """Bytes that are no value: what is wrong with them, and the kind of fault."""

    def __init__(self, message: str, kind: str = "malformed") -> None:
        super().__init__(message)
        self.kind = kind


class Encoding(Protocol):
    """How bytes become a value. Methods are thread-safe; the same bytes give the same value, or an error."""

    @property
    def name(self) -> str:
        """Its name, with all that the value depends on besides the bytes, the shape and the dtype."""

    @property
    def item(self) -> pa.DataType | None:
        """What the bytes are to other readers of a store: a list of these items, or None: binary."""

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The encoding of this family that has a name; None if none of them has."""

    @property
    def options(self) -> dict[str, Any]:
        """The options of `brimful.scan` by which other samples get this encoding."""

    def check(self, encoded: bytes) -> None:
        """Raise UndecodableError for bytes that are no value, as far as can be seen without decoding."""

    def decode(self, encoded: Any, out: NDArray[Any]) -> None:
        """Decode a value.

        Args:
            encoded: Its bytes, as a buffer.
            out: The array to decode into, of the field's shape and dtype, C-contiguous.

        Raises:
            UndecodableError: The bytes are no value.
        """
