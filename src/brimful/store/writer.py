"""ShardWriter: samples in row order -> one shard, each input kept by the first codec that holds for all."""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import dropwhile
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xxhash import xxh3_64, xxh3_64_hexdigest

from brimful.samples import Samples
from brimful.schema import Field
from brimful.storage.base import Storage, Writer
from brimful.store.codecs.base import Codec
from brimful.store.codecs.encoded import EncodedCodec
from brimful.store.codecs.registry import candidates
from brimful.store.format import Chunk, Shard
from brimful.store.layout import Layout, decode_keys, padded

FEW = 1024  # values on which a codec is tried first

Codecs = tuple[Codec, ...]
"""How each input is kept."""

Rows = tuple[pa.StringArray, Samples]
"""Some samples in row order, their keys first."""


class ShardWriter:
    """Writes a shard, a chunk at a time, and gives it its name once it is whole.

    The codec of an input is the first that holds for the first chunk. If it does not hold for a later chunk,
    the chunks before are read back and written again by the next codec that holds for all.

    Leaving the context without `finish` leaves nothing.
    """

    def __init__(self, storage: Storage, number: int, layout: Layout) -> None:
        self._storage = storage
        self._name = f"shard-{number:05d}"
        self._layout = layout
        self._tries = 0
        self._files = ExitStack()
        self._file: _ShardFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def write(self, rows: Rows) -> None:
        """Append a chunk."""
        file = self._file or self._start(self._holding(rows, None))
        codes = _encoded(rows, file.codecs)
        while codes is None:
            file = self._widened(file, self._holding(rows, file.codecs))
            codes = _encoded(rows, file.codecs)
        file.append(rows, codes)
        self._file = file

    def finish(self) -> Shard:
        """Make the shard visible, durably, under a name that ends in its checksum."""
        if self._file is None:
            raise ValueError("a shard of no rows")
        return self._file.finish(self._name)

    def _start(self, codecs: Codecs) -> "_ShardFile":
        self._tries += 1
        writer = self._files.enter_context(self._storage.write(f"{self._name}-{self._tries}"))
        return _ShardFile(writer, self._layout, codecs)

    def _widened(self, file: "_ShardFile", codecs: Codecs) -> "_ShardFile":
        """The same chunks by other codecs, or by later ones that hold for them too."""
        tried = None
        while tried != codecs:  # one that a later chunk needs may not hold for an earlier one
            tried = codecs
            for rows in file:
                codecs = self._holding(rows, codecs)
        written, self._files = self._files, ExitStack()
        with written:
            wider = self._start(codecs)
            for rows in file:
                codes = _encoded(rows, codecs)
                assert codes is not None  # noqa: S101 (it was tried above)
                wider.append(rows, codes)
        return wider

    def _holding(self, rows: Rows, codecs: Codecs | None) -> Codecs:
        """For each input the given codec if it holds, or the first one after it that does."""
        fields = self._layout.schema.input_fields
        known: Sequence[Codec | None] = codecs or [None] * len(fields)
        return tuple(map(first_codec, fields, rows[1].inputs, known))


def first_codec(field: Field, values: NDArray[Any], start: Codec | None = None) -> Codec:
    """The first codec that holds for all of some values of a field, beginning with `start` if given."""
    few = values[: -(-FEW // field.size)]
    left = dropwhile(lambda each: start is not None and each != start, candidates(field))
    return next(each for each in left if each.encode(few) is not None and each.encode(values) is not None)


def _encoded(rows: Rows, codecs: Codecs) -> list[NDArray[Any]] | None:
    """The codes of each input, or None if a codec does not hold."""
    codes = []
    for values, codec in zip(rows[1].inputs, codecs, strict=True):
        some = codec.encode(values)
        if some is None:
            return None
        codes.append(some)
    return codes


def take(sink: io.BytesIO) -> bytes:
    """Everything written to a sink since the last call."""
    content = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return content


class _ShardFile:
    """A shard that is being written, by one codec per input. Iterating gives back its chunks."""

    def __init__(self, file: Writer, layout: Layout, codecs: Codecs) -> None:
        self.codecs = codecs
        self._layout = layout
        self._schema = layout.arrow(codecs)
        self._file = file
        self._sink = io.BytesIO()
        self._writer = pa.ipc.new_file(pa.PythonFile(self._sink, "w"), self._schema)
        self._size = 0
        self._digest = xxh3_64()
        self._chunks: list[Chunk] = []
        self._counts: list[int] = []

    def __iter__(self) -> Iterator[Rows]:
        for chunk, n in zip(self._chunks, self._counts, strict=True):
            content = memoryview(self._file.read(chunk.nbytes, chunk.offset))[chunk.head :]
            keys, data = content[: chunk.keys], content[chunk.keys :]
            yield decode_keys(keys, n), self._layout.decode(data, n, self.codecs, np.arange(n), encoded=True)

    def append(self, rows: Rows, codes: list[NDArray[Any]]) -> None:
        """Append a chunk whose inputs were encoded."""
        columns = [*codes, *rows[1].arrays[len(codes) :]]
        fields = list(self._schema)[1:]
        codecs = self._layout.every_codec(self.codecs)
        arrays = list(map(_column, codecs, columns, (field.type for field in fields)))
        batch = pa.RecordBatch.from_arrays([rows[0], *arrays], schema=self._schema)
        self._writer.write_batch(batch)
        n, message = len(batch), pa.ipc.get_record_batch_size(batch)
        data = self._layout.data_bytes(n, self.codecs)
        data += sum(padded(sum(map(len, values))) for values in columns if values.dtype == object)
        keys = padded(4 * n + 4) + padded(pc.sum(pc.binary_length(rows[0])).as_py())
        content = self._flush()
        chunk = content[len(content) - message :]  # before the first, there is the schema
        offset = self._size - message
        digests = (xxh3_64_hexdigest(part) for part in (chunk[: message - data], chunk[message - data :]))
        self._chunks.append(Chunk(offset, message - keys - data, keys, data, *digests))
        self._counts.append(n)

    def finish(self, name: str) -> Shard:
        """Commit it under a name that ends in its checksum."""
        self._writer.close()
        self._flush()
        file = f"{name}-{self._digest.hexdigest()}.arrow"
        self._file.commit(file)
        return Shard(file, self._size, sum(self._counts), self.codecs, tuple(self._chunks))

    def _flush(self) -> memoryview:
        """Write what the Arrow writer has produced."""
        content = memoryview(take(self._sink))
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)
        return content


def _column(codec: Codec, values: NDArray[Any], dtype: pa.DataType) -> pa.Array:
    if isinstance(codec, EncodedCodec):
        return codec.column(values)
    flat = pa.array(values.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=dtype) if pa.types.is_fixed_size_list(dtype) else flat
