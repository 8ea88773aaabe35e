"""Layout: how samples are divided into chunks and shards, and where the columns of a chunk are.

The number, the sizes and the places of all columns follow from the manifest, and nothing of that from the
bytes of a chunk, but for encoded values: their bounds are in the chunk, and are checked before they are
believed. So wrong bytes are wrong values at most, which the checksums show.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import DamagedStoreError
from brimful.samples import Samples
from brimful.schema import Field, Fields, Schema
from brimful.store.codecs.base import Codec
from brimful.store.codecs.encoded import EncodedCodec, EncodedColumn
from brimful.store.codecs.raw import RawCodec

CHUNK_BYTES = 16 * 2**20  # as delivered
SHARD_BYTES = 512 * 2**20


Column = NDArray[np.uint8] | EncodedColumn
"""A column as it is kept: bytes of shape `(n, bytes of a row)`, or encoded values."""


def padded(n: int) -> int:
    """Bytes that a buffer of n bytes takes in a message."""
    return -(-n // 8) * 8


@dataclass(frozen=True)
class Layout:
    """How samples are divided into chunks and shards.

    Attributes:
        schema: What a sample has.
        chunk_bytes: Bytes of a chunk as delivered, at the most.
        shard_bytes: Bytes of a shard as delivered, at the most.
        chunk_rows: Rows of a chunk, where samples are encoded: they take about `chunk_bytes` as kept.
    """

    schema: Schema
    chunk_bytes: int = CHUNK_BYTES
    shard_bytes: int = SHARD_BYTES
    chunk_rows: int | None = None

    @classmethod
    def of(cls, schema: Schema, encoded_bytes: int, chunk_bytes: int, shard_bytes: int) -> "Layout":
        """The layout for samples whose encoded values take so many bytes in the mean.

        The rows per chunk are then a power of two, so that they stay while the mean changes little.
        """
        if not schema.is_encoded:
            return cls(schema, chunk_bytes, shard_bytes)
        fixed = sum(field.nbytes for field in schema.fields if not field.encoding)
        rows = max(1, chunk_bytes // max(1, encoded_bytes + fixed))
        return cls(schema, chunk_bytes, shard_bytes, 1 << (rows.bit_length() - 1))

    @property
    def rows_per_chunk(self) -> int:
        """Rows of every chunk but the last of a shard."""
        return self.chunk_rows or max(1, self.chunk_bytes // self.schema.nbytes)

    @property
    def rows_per_shard(self) -> int:
        """Rows of every shard but the last."""
        return self.rows_per_chunk * max(1, self.shard_bytes // self.chunk_bytes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of the data."""
        parts = {"x": self.schema.inputs, "target": self.schema.target, "weight": self.schema.weight}
        return tuple(name for part in parts.items() for name in _names(*part))

    def every_codec(self, codecs: Sequence[Codec]) -> tuple[Codec, ...]:
        """How each column is kept: the inputs by codecs of their own, all else as it is given."""
        others = self.schema.fields[len(codecs) :]
        return (*codecs, *((EncodedCodec if field.encoding else RawCodec)(field) for field in others))

    def row_bytes(self, codecs: Sequence[Codec]) -> int:
        """Bytes of a row's data in a chunk, without padding."""
        return sum(codec.kept.nbytes for codec in self.every_codec(codecs))

    def data_bytes(self, rows: int, codecs: Sequence[Codec]) -> int:
        """Bytes of the data of a chunk of so many rows; without the content of encoded values."""
        return sum(
            padded(8 * (rows + 1) if codec.field.encoding else rows * codec.kept.nbytes)
            for codec in self.every_codec(codecs)
        )

    def columns(self, data: bytes | memoryview, n: int, codecs: Sequence[Codec]) -> list[Column]:
        """Views of the columns of a chunk of n rows as they are kept.

        Raises:
            DamagedStoreError: The bounds of encoded values are impossible.
        """
        columns: list[Column] = []
        at = 0
        for codec in self.every_codec(codecs):
            if isinstance(codec, EncodedCodec):
                column, size = _encoded_column(codec, data, n, at)
                columns.append(column)
            else:
                size = n * codec.kept.nbytes
                if at + size > len(data):  # what is encoded before may say that it takes all of it
                    raise DamagedStoreError("A chunk ends before its last column.", "Pack the source again.")
                columns.append(np.frombuffer(data, np.uint8, size, at).reshape(n, -1))
            at += padded(size)
        return columns

    def decode(
        self,
        data: bytes | memoryview,
        n: int,
        codecs: Sequence[Codec],
        rows: NDArray[np.int64],
        *,
        encoded: bool = False,
    ) -> Samples:
        """Some rows of the data of a chunk of n rows as samples, in arrays of their own.

        Encoded values are decoded unless they are asked for as they are.

        Raises:
            UndecodableSampleError: An encoded value is none.
        """
        arrays: list[NDArray[Any]] = []
        for codec, column in zip(self.every_codec(codecs), self.columns(data, n, codecs), strict=True):
            if isinstance(column, EncodedColumn) and encoded:
                arrays.append(column.take(rows))
                continue
            out = np.empty((len(rows), *codec.field.shape), codec.field.dtype)
            codec.decode(column, rows, out)
            arrays.append(out)
        return Samples(*self.schema.structured(arrays))

    def arrow(self, codecs: Sequence[Codec]) -> pa.Schema:
        """The Arrow schema of a shard."""
        fields = [pa.field("key", pa.string(), nullable=False)]
        fields += map(_input_field, self.names, codecs)
        for name, codec in zip(
            self.names[len(codecs) :], self.every_codec(codecs)[len(codecs) :], strict=True
        ):
            is_encoded = codec.field.encoding is not None
            fields.append(_input_field(name, codec) if is_encoded else _arrow_field(name, codec.field))
        return pa.schema(fields)


def _encoded_column(
    codec: EncodedCodec, data: bytes | memoryview, n: int, at: int
) -> tuple[EncodedColumn, int]:
    """A column of encoded values that begins at a byte of the data, and how many bytes it takes there."""
    start = padded(8 * (n + 1))
    left = len(data) - at - start
    bounds = np.frombuffer(data, np.dtype("<i8"), n + 1, at).astype(np.int64) if left >= 0 else np.array([1])
    steps = np.diff(bounds)
    if bounds[0] != 0 or (steps < 0).any() or bounds[-1] > left // codec.item_bytes:
        raise DamagedStoreError("The bounds of encoded values are out of order.", "Pack the source again.")
    bounds *= codec.item_bytes
    content = np.frombuffer(data, np.uint8, int(bounds[-1]), at + start)
    return EncodedColumn(bounds, content), start + len(content)


def decode_keys(keys: bytes | memoryview, n: int) -> pa.StringArray:
    """The n keys of a chunk from their bytes; ValueError or ArrowInvalid if these are no keys."""
    offsets = np.frombuffer(keys, np.dtype("<i4"), n + 1)
    start = padded(offsets.nbytes)
    if offsets[0] != 0 or (np.diff(offsets) < 0).any() or padded(int(offsets[-1])) != len(keys) - start:
        raise ValueError("the offsets of the keys are out of order")
    buffer = pa.py_buffer(keys)
    array = pa.StringArray.from_buffers(n, buffer.slice(0, offsets.nbytes), buffer.slice(start))
    array.validate(full=True)
    return array


def _names(name: str, part: Fields | None) -> list[str]:
    return [f"{name}.{each}" for each in part] if isinstance(part, dict) else [name] if part else []


def _input_field(name: str, codec: Codec) -> pa.Field:
    """The Arrow field of an input, always a list; its metadata describe what is delivered."""
    described = {"shape": json.dumps(codec.field.shape), "dtype": codec.field.dtype, "rule": codec.name}
    if isinstance(codec, EncodedCodec):
        return pa.field(name, codec.arrow, nullable=False, metadata=described)
    return _arrow_field(name, Field((codec.kept.size,), codec.kept.dtype)).with_metadata(described)


def _arrow_field(name: str, field: Field) -> pa.Field:
    item = pa.from_numpy_dtype(np.dtype(field.dtype))
    if field.shape:
        item = pa.list_(pa.field("item", item, nullable=False), field.size)
    return pa.field(name, item, nullable=False)
