"""RaggedEncoding: values whose first axis has any length, padded or cut to one when delivered.

The words are those of `keras.utils.pad_sequences`, and so are the defaults.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.encodings.base import UndecodableError
from brimful.schema import Field

ENDS = ("pre", "post")


@dataclass(frozen=True)
class RaggedEncoding:
    """Numbers in C order, little-endian.

    Attributes:
        field: Shape `(maxlen, ...)`: all axes but the first are those of every sample.
        padding: Where shorter samples are padded: "pre" or "post".
        truncating: Where longer samples are cut.
        value: What they are padded with.
    """

    field: Field
    padding: str = "pre"
    truncating: str = "pre"
    value: float = 0.0

    @property
    def name(self) -> str:
        """Like `ragged/pre/pre/0.0`."""
        return f"ragged/{self.padding}/{self.truncating}/{self.value!r}"

    @property
    def item(self) -> pa.DataType:
        """One number."""
        return pa.from_numpy_dtype(np.dtype(self.field.dtype))

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The encoding of a name like `ragged/pre/pre/0.0`."""
        family, *rule = name.split("/")
        if family != "ragged" or len(rule) != 3 or not field.shape:
            return None
        padding, truncating, value = rule
        if padding not in ENDS or truncating not in ENDS:
            return None
        with suppress(ValueError):
            return cls(field, padding, truncating, float(value))
        return None

    @property
    def options(self) -> dict[str, Any]:
        """Length and ends."""
        ends = {"padding": self.padding, "truncating": self.truncating, "value": self.value}
        return {"maxlen": self.field.shape[0], **ends}

    def encode(self, values: NDArray[Any]) -> bytes:
        """The bytes of a sample of shape `(length, ...)`."""
        return np.ascontiguousarray(values, self._kept).tobytes()

    def check(self, encoded: bytes) -> None:
        """Refuse bytes that are no whole number of steps, or none."""
        step = self.field.nbytes // self.field.shape[0]
        if not len(encoded) or len(encoded) % step:
            raise UndecodableError(f"{len(encoded)} bytes are no steps of {step} bytes", "wrong_shape")

    def decode(self, encoded: Any, out: NDArray[Any]) -> None:
        """Put a sample into its place, cut or padded."""
        self.check(encoded)
        maxlen = self.field.shape[0]
        values = np.frombuffer(encoded, self._kept).reshape(-1, *self.field.shape[1:])
        values = values[-maxlen:] if self.truncating == "pre" else values[:maxlen]
        filled = slice(maxlen - len(values), None) if self.padding == "pre" else slice(len(values))
        out[...] = self.value
        out[filled] = values

    @property
    def _kept(self) -> np.dtype[Any]:
        return np.dtype(self.field.dtype).newbyteorder("<")
