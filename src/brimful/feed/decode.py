"""ChunkDecoder: columns of chunks -> the cache -> samples, for chunks whose codecs are the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.encodings.samples import UndecodableSampleError
from brimful.feed.chunk_cache import ChunkCache
from brimful.store.codecs.base import Codec
from brimful.store.codecs.encoded import EncodedColumn, PlacedColumn
from brimful.store.layout import Layout

MIXED_BYTES = 1 << 17  # of rows decoded at a time, where they go to places that are not consecutive


class ChunkDecoder:
    """Decodes rows of chunks whose inputs are kept by the same codecs."""

    def __init__(self, layout: Layout, codecs: Sequence[Codec]) -> None:
        self._layout = layout
        self._codecs = codecs
        self._columns = layout.every_codec(codecs)
        self.row_bytes = [codec.kept.nbytes for codec in self._columns]
        self._is_encoded = layout.schema.is_encoded

    def slot_bytes(self, n: int, data: int) -> int:
        """Bytes of a slot for n rows of so many bytes of data, with up to a row per column for alignment."""
        return (n + 1) * sum(self.row_bytes) + (data if self._is_encoded else 0)

    def first_rows(self, cache: ChunkCache, slot: int, n: int) -> list[int]:
        """Where the columns of n rows begin in a slot."""
        return cache.first_rows(slot, [n * each for each in self.row_bytes], self.row_bytes)

    def copy(self, data: memoryview, n: int, cache: ChunkCache, slot: int) -> None:
        """Copy the data of a chunk of n rows into a slot."""
        columns = self._layout.columns(data, n, self._codecs)
        firsts = self.first_rows(cache, slot, n)
        end = firsts[-1] * self.row_bytes[-1] + n * self.row_bytes[-1]  # where encoded values go, one by one
        for values, first, row_bytes in zip(columns, firsts, self.row_bytes, strict=True):
            if isinstance(values, EncodedColumn):
                places = np.stack([end + values.bounds[:-1], np.diff(values.bounds)], axis=1)
                np.copyto(cache.rows(1)[end : end + len(values.content), 0], values.content)
                end += len(values.content)
                values = places.view(np.uint8)  # noqa: PLW2901 (what is kept of it in memory)
            np.copyto(cache.rows(row_bytes)[first : first + n], values)

    def decode(self, cache: ChunkCache, places: NDArray[np.int64], outs: Sequence[NDArray[Any]]) -> None:
        """Decode n rows of the cache, `places` of shape `(columns, n)`, into an array per column."""
        for codec, rows, out in zip(self._columns, places, outs, strict=True):
            column = cache.rows(codec.kept.nbytes)
            is_encoded = codec.field.encoding is not None
            codec.decode(PlacedColumn(cache.rows(1)[:, 0], column) if is_encoded else column, rows, out)


def decode_mixed(
    decoders: Sequence[ChunkDecoder],
    which: NDArray[np.uint16],
    cache: ChunkCache,
    places: NDArray[np.int64],
    outs: Sequence[NDArray[Any]],
) -> None:
    """Decode n rows as `ChunkDecoder.decode` does, with the decoder numbers `which` of shape `(n,)`."""
    step = max(1, MIXED_BYTES * len(which) // max(1, sum(out.nbytes for out in outs)))
    for number in np.unique(which).tolist():
        own = np.flatnonzero(which == number)
        for start in range(0, len(own), step):
            these = own[start : start + step]
            some = [np.empty((len(these), *out.shape[1:]), out.dtype) for out in outs]
            try:
                decoders[number].decode(cache, places[:, these], some)
            except UndecodableSampleError as error:
                error.at = int(these[error.at])
                raise
            for out, values in zip(outs, some, strict=True):
                out[these] = values
