"""ChunkReader: the chunks of a store, every byte checked when it is read; and what a damaged one held."""

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

REPAIR = "Pack the source again: that repairs the store. `brimful verify` lists all that is damaged."
AGAIN = f"If it was packed again meanwhile, open it again. {REPAIR}"

Clock = Callable[[str, float], None]
"""Called with the name of a stage and the seconds that it took."""

Span = tuple[int, int]
"""The first and the last of something."""


class ChunkReader:
    """Reads chunks, from several threads at once.

    Args:
        storage: Where the store is.
        manifest: What it holds.
    """

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

    @cached_property
    def largest_keys(self) -> int:
        """Bytes of the keys of a chunk, at the most."""
        return max(chunk.keys for shard in self.manifest.shards for chunk in shard.chunks)

    @cached_property
    def io_bytes(self) -> int:
        """Bytes of memory that reading the data of any chunk into takes."""
        return max(map(self._blocks, chain.from_iterable(shard.chunks for shard in self.manifest.shards)))

    def place(self, chunk: int) -> tuple[Shard, Chunk]:
        """The shard that a chunk is in, and where in it."""
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
            memory: Where to, aligned to a page, `io_bytes` long.
            cached: Whether the system may keep the bytes for the next read.
            clock: Called with the seconds that reading and checking take: "read", "verify".

        Returns:
            The data, in that memory.

        Raises:
            DamagedStoreError: They are not as they were.
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
                "The disk or the memory of this machine is not to be trusted.",
            )
        return data

    def content(self, chunk: int) -> bytearray:
        """All bytes of a chunk, checked.

        Raises:
            DamagedStoreError: They are not as they were.
        """
        shard, place = self.place(chunk)
        content = self._read(shard, place.offset, place.nbytes)
        split = place.head + place.keys
        keys_are_intact = xxh3_64_hexdigest(memoryview(content)[:split]) == place.keys_xxh3
        if not keys_are_intact or xxh3_64_hexdigest(memoryview(content)[split:]) != place.data_xxh3:
            keys = self._keys_if_intact(chunk) if keys_are_intact else None
            raise self.damaged(chunk, None if keys is None else keys.to_pylist())
        return content

    def check(self, chunk: int) -> None:
        """Check all bytes of a chunk, and that its keys are in order.

        Raises:
            DamagedStoreError: They are not as they were.
        """
        self.content(chunk)
        keys = self.keys(chunk).cast(pa.large_string())
        order = row_order(hash_keys(keys, self.manifest.split_seed), lambda: keys)
        if not np.array_equal(order, np.arange(len(keys))):
            raise self.damaged(chunk, None)

    def check_size(self, shard: Shard) -> None:
        """Refuse a shard that is missing, or is not the file that it was.

        Raises:
            DamagedStoreError: It is.
        """
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
        """The keys of a chunk, whatever its data are like.

        Raises:
            DamagedStoreError: They are damaged.
        """
        keys = self._keys_if_intact(chunk)
        if keys is None:
            raise self.damaged(chunk, None)
        return keys

    def intact_keys(self) -> Iterator[pa.StringArray]:
        """The keys of those chunks where they are not damaged."""
        return (keys for keys in map(self._keys_if_intact, range(self.chunks)) if keys is not None)

    def hash_range(self, chunk: int) -> Span:
        """Between which hashes its keys lie, as far as undamaged keys, of it or around it, show."""
        own = self.ends(chunk)
        if own is not None:
            return own
        before, after = self._neighbour(chunk, -1), self._neighbour(chunk, +1)
        return before[1] if before else 0, after[0] if after else 2**64 - 1

    def ends(self, chunk: int) -> Span | None:
        """The hashes of a chunk's first and last key; None if they are damaged. Looked at once."""
        if chunk not in self._known_ends:
            keys = self._keys_if_intact(chunk)
            seed = self.manifest.split_seed
            ends = None if keys is None else hash_keys([keys[0].as_py(), keys[-1].as_py()], seed)
            self._known_ends[chunk] = None if ends is None else (int(ends[0]), int(ends[1]))
        return self._known_ends[chunk]

    def damaged(self, chunk: int, keys: list[str] | None) -> DamagedStoreError:
        """The error for a damaged chunk.

        Args:
            chunk: Which.
            keys: Its keys; None where they are damaged too.
        """
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
        """The ends of the next chunk in a direction whose keys are not damaged; None if there is none."""
        passed, at = [chunk], chunk + step
        while 0 <= at < self.chunks and self.ends(at) is None:
            if (at, step) in self._next_intact:  # or thousands of lost chunks were passed thousands of times
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
        except (DamagedStoreError, ValueError, pa.ArrowInvalid):  # cut; or the checksum is that of wrong keys
            pass
        return None

    def _read(self, shard: Shard, offset: int, n: int) -> bytearray:
        content = bytearray(n)
        self._fill(shard, offset, memoryview(content), n, cached=True)
        return content

    def _fill(self, shard: Shard, offset: int, memory: memoryview, wanted: int, cached: bool) -> None:
        """Read until there is what is wanted."""
        with reading(self.storage, shard.file):
            filled = self.storage.read_into(shard.file, offset, memory, cached=cached)
        if filled < wanted:
            path = f"{self.storage.name}/{shard.file}"
            raise DamagedStoreError(f"{path}: the file ends at byte {offset + filled:,}.", REPAIR)

    def _skip(self, place: Chunk) -> int:
        """Bytes from the begin of a block to the data of a chunk."""
        return _data_at(place) % self.storage.block

    def _blocks(self, place: Chunk) -> int:
        """Bytes of the whole blocks in which the data of a chunk lie."""
        block = self.storage.block
        return -(-(self._skip(place) + place.data) // block) * block


@contextmanager
def reading(storage: Storage, name: str) -> Iterator[None]:
    """Turn an error of a storage into one that names the file of the store that cannot be read."""
    try:
        yield
    except FileNotFoundError as error:
        raise DamagedStoreError(f"{storage.name}/{name}: a file of the store is missing.", AGAIN) from error
    except OSError as error:
        reason = error.strerror or error
        raise DamagedStoreError(f"{storage.name}/{name}: this cannot be read: {reason}.", REPAIR) from error


def _data_at(place: Chunk) -> int:
    return place.offset + place.head + place.keys
