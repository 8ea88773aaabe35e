"""Layout: how samples are divided into chunks and shards, and where the columns of a chunk are.

The number, the sizes and the places of all columns follow from the manifest, and nothing of that from the
bytes of a chunk. So wrong bytes are wrong values at most, which the checksums show.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.samples import Samples
from brimful.schema import Field, Fields, Schema
from brimful.store.codecs.base import Codec
from brimful.store.codecs.raw import RawCodec

CHUNK_BYTES = 16 * 2**20  # as delivered
SHARD_BYTES = 512 * 2**20


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
    """

    schema: Schema
    chunk_bytes: int = CHUNK_BYTES
    shard_bytes: int = SHARD_BYTES

    @property
    def rows_per_chunk(self) -> int:
        """Rows of every chunk but the last of a shard."""
        return max(1, self.chunk_bytes // self.schema.nbytes)

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
        """How each column is kept: the inputs by codecs of their own, all else as it is."""
        return (*codecs, *map(RawCodec, self.schema.fields[len(codecs) :]))

    def row_bytes(self, codecs: Sequence[Codec]) -> int:
        """Bytes of a row's data in a chunk, without padding."""
        return sum(codec.kept.nbytes for codec in self.every_codec(codecs))

    def data_bytes(self, rows: int, codecs: Sequence[Codec]) -> int:
        """Bytes of the data of a chunk of so many rows."""
        return sum(padded(rows * codec.kept.nbytes) for codec in self.every_codec(codecs))

    def columns(self, data: bytes | memoryview, n: int, codecs: Sequence[Codec]) -> list[NDArray[np.uint8]]:
        """Views of the columns of a chunk of n rows as they are kept, each of shape `(n, bytes of a row)`."""
        columns, at = [], 0
        for codec in self.every_codec(codecs):
            size = n * codec.kept.nbytes
            columns.append(np.frombuffer(data, np.uint8, size, at).reshape(n, -1))
            at += padded(size)
        return columns

    def decode(
        self, data: bytes | memoryview, n: int, codecs: Sequence[Codec], rows: NDArray[np.int64]
    ) -> Samples:
        """Some rows of the data of a chunk of n rows as samples, in arrays of their own."""
        arrays = [np.empty((len(rows), *field.shape), field.dtype) for field in self.schema.fields]
        columns = self.columns(data, n, codecs)
        for codec, column, out in zip(self.every_codec(codecs), columns, arrays, strict=True):
            codec.decode(column, rows, out)
        return Samples(*self.schema.structured(arrays))

    def arrow(self, codecs: Sequence[Codec]) -> pa.Schema:
        """The Arrow schema of a shard."""
        fields = [pa.field("key", pa.string(), nullable=False)]
        fields += map(_input_field, self.names, codecs)
        others = zip(self.names[len(codecs) :], self.schema.fields[len(codecs) :], strict=True)
        return pa.schema(fields + [_arrow_field(*other) for other in others])


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
    return _arrow_field(name, Field((codec.kept.size,), codec.kept.dtype)).with_metadata(described)


def _arrow_field(name: str, field: Field) -> pa.Field:
    item = pa.from_numpy_dtype(np.dtype(field.dtype))
    if field.shape:
        item = pa.list_(pa.field("item", item, nullable=False), field.size)
    return pa.field(name, item, nullable=False)
