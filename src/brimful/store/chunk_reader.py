"""ChunkReader: the chunks of a store, every byte checked when it is read; and what a damaged chunk held."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_hexdigest

from brimful.errors import DamagedStoreError
from brimful.keys import hash_keys, row_order
from brimful.storage.base import Storage
from brimful.store.format import Chunk, Manifest, Shard
from brimful.store.layout import decode_keys

REPAIR = "Pack the source again: that repairs the store. `brimful verify` lists all damage."
AGAIN = f"If it has been packed again since, open it again. {REPAIR}"

Clock = Callable[[str, float], None]
"""Called with the name of a stage and the seconds that it took."""

Span = tuple[int, int]
"""The first and the last row, or hash."""


class ChunkReader:
    """Reads the chunks of a store, from several threads at once."""

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self.storage = storage
        self.manifest = manifest
        layout = manifest.layout
        self.rows_per_chunk = layout.rows_per_chunk
        self._chunks_per_shard = layout.rows_per_shard // layout.rows_per_chunk
        self._known_ends: dict[int, Span | None] = {}
        self._next_intact: dict[Span, int] = {}

    @cached_property
    def chunks(self) -> int:
        """How many chunks there are."""
        return sum(len(shard.chunks) for shard in self.manifest.shards)

    def largest(self, nbytes: Callable[[Chunk], int]) -> int:
        """The most bytes that anything takes of a chunk."""
        return max(map(nbytes, chain.from_iterable(shard.chunks for shard in self.manifest.shards)))

    @cached_property
    def io_bytes(self) -> int:
        """Bytes of memory into which the data of any chunk can be read."""
        return self.largest(self._blocks)

    def place(self, chunk: int) -> tuple[Shard, Chunk]:
        """The shard that a chunk is in, and where it is in that."""
        shard, within = divmod(chunk, self._chunks_per_shard)
        return self.manifest.shards[shard], self.manifest.shards[shard].chunks[within]

    def rows_of(self, chunk: int) -> int:
        """How many rows a chunk has."""
        shard, within = divmod(chunk, self._chunks_per_shard)
        return min(self.rows_per_chunk, self.manifest.shards[shard].rows - within * self.rows_per_chunk)

    def rows_at(self, chunk: int) -> Span:
        """The first and the last row of a chunk."""
        first = chunk * self.rows_per_chunk
        return first, first + self.rows_of(chunk) - 1

    def read_data(
        self, chunk: int, memory: memoryview, *, cached: bool = True, clock: Clock = lambda *_: None
    ) -> memoryview:
        """Read the data of a chunk into memory, and check them.

        Args:
            chunk: Its number.
            memory: Memory of `io_bytes`, aligned to a page.
            cached: Whether the system may keep the bytes for the next read.
            clock: Called with the seconds that reading ("read") and checking ("verify") take.

        Returns:
            The part of the memory that holds the data.

        Raises:
            DamagedStoreError: They have changed since they were written.
        """
        shard, place = self.place(chunk)
        skip = self._skip(place)
        began = time.perf_counter()
        self._fill(shard, _data_at(place) - skip, memory[: self._blocks(place)], skip + place.data, cached)
        read = time.perf_counter()
        data = memory[skip : skip + place.data]
        digest = xxh3_64_hexdigest(data)
        clock("read", read - began)
        clock("verify", time.perf_counter() - read)
        if digest != place.data_xxh3:
            self.check(chunk)  # names the keys
            raise DamagedStoreError(
                f"{self.storage.name}/{shard.file}: chunk {chunk} was read wrong once, then right.",
                "The disk or the memory of this machine cannot be trusted.",
            )
        return data

    def content(self, chunk: int) -> bytearray:
        """All bytes of a chunk; DamagedStoreError if they have changed since they were written."""
        shard, place = self.place(chunk)
        content = self._read(shard, place.offset, place.nbytes)
        split = place.head + place.keys
        keys_are_intact = xxh3_64_hexdigest(memoryview(content)[:split]) == place.keys_xxh3
        if not keys_are_intact or xxh3_64_hexdigest(memoryview(content)[split:]) != place.data_xxh3:
            keys = self._keys_if_intact(chunk) if keys_are_intact else None
            raise self.damaged(chunk, None if keys is None else keys.to_pylist())
        return content

    def check(self, chunk: int) -> None:
        """Check all bytes of a chunk, and that its keys are in order; DamagedStoreError if not."""
        self.content(chunk)
        keys = self.keys(chunk).cast(pa.large_string())
        order = row_order(hash_keys(keys, self.manifest.split_seed), lambda: keys)
        if not np.array_equal(order, np.arange(len(keys))):
            raise self.damaged(chunk, None)

    def check_size(self, shard: Shard) -> None:
        """Raise DamagedStoreError if a shard is missing, or has the wrong size."""
        path = f"{self.storage.name}/{shard.file}"
        try:
            size = self.storage.size(shard.file)
        except FileNotFoundError as error:
            raise DamagedStoreError(f"{path}: a shard of the store is missing.", AGAIN) from error
        except OSError as error:
            raise DamagedStoreError(
                f"{path}: a shard of the store cannot be read: {error}.", AGAIN
            ) from error
        if size != shard.nbytes:
            raise DamagedStoreError(
                f"{path}: expected a file of {shard.nbytes:,} bytes. Found one of {size:,}.", REPAIR
            )

    def keys(self, chunk: int) -> pa.StringArray:
        """The keys of a chunk, even if its data are damaged; DamagedStoreError if the keys are."""
        keys = self._keys_if_intact(chunk)
        if keys is None:
            raise self.damaged(chunk, None)
        return keys

    def intact_keys(self) -> Iterator[pa.StringArray]:
        """The keys of each chunk whose keys are intact."""
        return (keys for keys in map(self._keys_if_intact, range(self.chunks)) if keys is not None)

    def hash_range(self, chunk: int) -> Span:
        """The range that the hashes of its keys are in, as far as intact keys, its own or around it, show."""
        own = self.ends(chunk)
        if own is not None:
            return own
        before, after = self._neighbour(chunk, -1), self._neighbour(chunk, +1)
        return before[1] if before else 0, after[0] if after else 2**64 - 1

    def ends(self, chunk: int) -> Span | None:
        """The hashes of a chunk's first and last key; None if they are damaged. Read once only."""
        if chunk not in self._known_ends:
            keys = self._keys_if_intact(chunk)
            seed = self.manifest.split_seed
            ends = None if keys is None else hash_keys([keys[0].as_py(), keys[-1].as_py()], seed)
            self._known_ends[chunk] = None if ends is None else (int(ends[0]), int(ends[1]))
        return self._known_ends[chunk]

    def damaged(self, chunk: int, keys: list[str] | None) -> DamagedStoreError:
        """The error for a damaged chunk, whose keys are None if they are damaged too."""
        shard, place = self.place(chunk)
        first, last = self.rows_at(chunk)
        low, high = self.hash_range(chunk)
        named = f"keys {', '.join(map(repr, keys[:3]))}, ..." if keys else "its keys are damaged too"
        return DamagedStoreError(
            f"{self.storage.name}/{shard.file}: chunk {chunk % self._chunks_per_shard} (bytes "
            f"{place.offset:,} to {place.offset + place.nbytes:,}) is damaged. It holds rows {first:,} to "
            f"{last:,}, hashes {low:016x} to {high:016x}, {named}.",
            REPAIR,
            keys,
        )

    def _neighbour(self, chunk: int, step: int) -> Span | None:
        """The ends of the next chunk in a direction whose keys are intact; None if there is none."""
        passed, at = [chunk], chunk + step
        while 0 <= at < self.chunks and self.ends(at) is None:
            if (at, step) in self._next_intact:  # passing each of thousands of lost chunks takes too long
                at = self._next_intact[at, step]
                break
            passed.append(at)
            at += step
        self._next_intact.update({(each, step): at for each in passed})
        return self.ends(at) if 0 <= at < self.chunks else None

    def _keys_if_intact(self, chunk: int) -> pa.StringArray | None:
        """The keys of a chunk; None if they are damaged."""
        shard, place = self.place(chunk)
        try:
            content = self._read(shard, place.offset, place.head + place.keys)
            if xxh3_64_hexdigest(content) == place.keys_xxh3:
                return decode_keys(memoryview(content)[place.head :], self.rows_of(chunk))
        except (DamagedStoreError, ValueError, pa.ArrowInvalid):  # cut; or wrong keys with a right checksum
            pass
        return None

    def _read(self, shard: Shard, offset: int, n: int) -> bytearray:
        content = bytearray(n)
        self._fill(shard, offset, memoryview(content), n, cached=True)
        return content

    def _fill(self, shard: Shard, offset: int, memory: memoryview, wanted: int, cached: bool) -> None:
        """Fill memory, of which at least the first `wanted` bytes must be in the file."""
        with reading(self.storage, shard.file):
            filled = self.storage.read_into(shard.file, offset, memory, cached=cached)
        if filled < wanted:
            path = f"{self.storage.name}/{shard.file}"
            raise DamagedStoreError(f"{path}: the file ends at byte {offset + filled:,}.", REPAIR)

    def _skip(self, place: Chunk) -> int:
        """Bytes from the beginning of a block to the data of a chunk."""
        return _data_at(place) % self.storage.block

    def _blocks(self, place: Chunk) -> int:
        """Bytes of the whole blocks that hold the data of a chunk."""
        block = self.storage.block
        return -(-(self._skip(place) + place.data) // block) * block


@contextmanager
def reading(storage: Storage, name: str) -> Iterator[None]:
    """Turn an OSError into a DamagedStoreError that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise DamagedStoreError(f"{storage.name}/{name}: a file of the store is missing.", AGAIN) from error
    except OSError as error:
        reason = error.strerror or error
        raise DamagedStoreError(f"{storage.name}/{name}: this cannot be read: {reason}.", REPAIR) from error


def _data_at(place: Chunk) -> int:
    return place.offset + place.head + place.keys
