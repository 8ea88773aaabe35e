"""ViewChunks: the chunks that hold rows of a view, as many in memory as there is room for."""

import threading
import time
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from brimful.encodings.samples import UndecodableSampleError
from brimful.feed.budget import ChunkSizes
from brimful.feed.chunk_cache import ChunkCache
from brimful.feed.decode import ChunkDecoder, decode_mixed
from brimful.feed.loader import STAGES, Block
from brimful.order.epochs import DRAWN_BYTES
from brimful.order.view import View
from brimful.store.reader import StoreReader


class Places(NamedTuple):
    """Where some rows are, in the order in which they are delivered.

    Attributes:
        rows: The rows, as rows of the view, shape `(n,)`.
        cache: The cache's row of each, for each column, shape `(columns, n)`.
        decoders: The number of the decoder of each, shape `(n,)`; None if there is only one.
        keys: Their keys; empty if they were not asked for.
    """

    rows: NDArray[np.int64]
    cache: NDArray[np.int64]
    decoders: NDArray[np.uint16] | None
    keys: list[str]


def place_bytes(columns: int) -> int:
    """Bytes of the place of a row until it is decoded, and of its number in the batch."""
    return 8 * (2 + columns) + 2


class ViewChunks:
    """The chunks that hold rows of a view of a store: read, checked, kept in memory, decoded."""

    def __init__(self, reader: StoreReader, view: View) -> None:
        reader.check_sizes()  # the store may have changed since it was opened
        self._store = reader
        self.reader = reader.chunks
        self.view = view
        self.numbers, self.bounds = view.pieces(self.reader.rows_per_chunk)
        self.cached = True
        self.busy = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()
        shards = reader.manifest.shards
        self._codecs = list(dict.fromkeys(shard.codecs for shard in shards))
        self.decoders = [ChunkDecoder(reader.manifest.layout, codecs) for codecs in self._codecs]
        self._room = 0, 0

    def __len__(self) -> int:
        return len(self.numbers)

    def sizes(self, *, with_keys: bool) -> ChunkSizes:
        """The memory that these chunks take."""
        largest = min(self.reader.rows_per_chunk, self.reader.manifest.samples)
        data = self.reader.largest(lambda chunk: chunk.data)
        slot_bytes = max(decoder.slot_bytes(largest, data) for decoder in self.decoders)
        key_bytes = self.reader.largest(lambda chunk: chunk.keys) if with_keys else 0
        piece_bytes = slot_bytes + key_bytes + largest * DRAWN_BYTES
        return ChunkSizes(self.reader.io_bytes, slot_bytes, piece_bytes, len(self))

    def hold(self, slots: int, slot_bytes: int, *, cached: bool) -> None:
        """Set how many chunks may be in memory, and whether the system's page cache may keep them, too."""
        self._room = slots, slot_bytes
        self.cached = cached

    @cached_property
    def cache(self) -> ChunkCache:
        """The memory for chunks, made for the first epoch and kept, so that what fits is read once."""
        return ChunkCache(*self._room, len(self))

    def decoders_of(self, chunks: NDArray[np.int64]) -> NDArray[np.uint16]:
        """The number of the decoder of each of some chunks."""
        codecs = (self.reader.place(chunk)[0].codecs for chunk in chunks.tolist())
        return np.array([self._codecs.index(each) for each in codecs], np.uint16)

    def load(self, piece: int, slot: int, memory: memoryview) -> None:
        """Read a chunk of the view into a slot of the cache, by way of `memory`. Done in threads."""
        chunk = int(self.numbers[piece])
        data = self.reader.read_data(chunk, memory, cached=self.cached, clock=self.count)
        began = time.perf_counter()
        (number,) = self.decoders_of(np.array([chunk]))
        self.decoders[number].copy(data, self.reader.rows_of(chunk), self.cache, slot)
        self.count("decode", time.perf_counter() - began)

    def decode(self, places: Places, block: Block, here: slice) -> None:
        """Decode the rows at some places into a part of a block."""
        block.rows[here] = places.rows
        block.keys.extend(places.keys)
        outs = [array[here] for array in block.samples.arrays]
        try:
            if places.decoders is None:
                self.decoders[0].decode(self.cache, places.cache, outs)
            else:
                decode_mixed(self.decoders, places.decoders, self.cache, places.cache, outs)
        except UndecodableSampleError as error:
            row = self.view.at(places.rows[error.at : error.at + 1])
            raise self._store.undecodable(int(row[0]), error) from error

    def count(self, stage: str, seconds: float) -> None:
        """Add to the seconds that threads have spent in a stage."""
        with self._lock:
            self.busy[stage] += seconds
