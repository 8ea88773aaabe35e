"""StoreReader: the samples of a store by row, every byte checked when it is read. A Reader."""

import os
import stat
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest, xxh3_128_hexdigest

from brimful.errors import DamagedStoreError, StoreNotFoundError
from brimful.keys import HashedKeys, find_keys, hash_keys, row_order
from brimful.samples import Fault, Samples
from brimful.schema import Schema
from brimful.store.chunk import columns_of, decode_keys
from brimful.store.codecs.narrow import decoded
from brimful.store.format import LARGEST_MANIFEST, MANIFEST, PILE_NAME, PROGRESS_NAME, Chunk, Manifest, Shard

MEND = "Pack the source again: that mends the store. `brimful verify` lists all that is damaged."
AGAIN = f"If it was packed again meanwhile, open it again. {MEND}"
CACHE_BYTES = 64 * 2**20


class StoreReader:
    """Random access to the samples of a store.

    Args:
        path: The store.
        cache_bytes: What of it may be kept in memory, as stored: at least one chunk is.
        check_sizes: Whether to refuse a store of which a shard is missing or cut.

    Raises:
        StoreNotFoundError: There is no store.
        DamagedStoreError: Its manifest is damaged, or a shard is missing or cut.
    """

    skipped: tuple[Fault, ...] = ()

    def __init__(
        self,
        path: Path,
        *,
        cache_bytes: int = CACHE_BYTES,
        check_sizes: bool = True,
    ) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 (links are not followed)
        self.manifest = read_manifest(path)
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[int, tuple[bytes, Shard, Chunk]] = OrderedDict()
        self._known_ends: dict[int, tuple[int, int] | None] = {}
        self._next_well: dict[tuple[int, int], int] = {}
        self._lock = threading.Lock()
        layout = self.manifest.layout
        self.rows_per_chunk = layout.rows_per_chunk
        self._chunks_per_shard = layout.rows_per_shard // layout.rows_per_chunk
        if check_sizes:
            for shard in self.manifest.shards:
                self.check_size(shard)

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.path)

    @property
    def schema(self) -> Schema:
        """What every sample has."""
        return self.manifest.layout.schema

    @property
    def split_seed(self) -> int:
        """Seed of the hash that orders the rows."""
        return self.manifest.split_seed

    @cached_property
    def all_keys(self) -> pa.LargeStringArray:
        """The keys of all rows."""
        pieces = [self.chunk_keys(chunk) for chunk in range(self.chunks)]
        return pa.concat_arrays([piece.cast(pa.large_string()) for piece in pieces])

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """The hash of every row's key, ascending."""
        return hash_keys(self.all_keys, self.split_seed)

    @cached_property
    def digest(self) -> str:
        """A checksum of the manifest: that of the store, but for where it came from."""
        return xxh3_128_hexdigest(self.manifest.to_json().encode())

    @property
    def nbytes(self) -> int:
        """Bytes of memory that keys and hashes take, once they were asked for."""
        held = vars(self)
        return sum(int(held[name].nbytes) for name in ("all_keys", "hashes") if name in held)

    @property
    def largest_keys(self) -> int:
        """Bytes of the keys of a chunk, at the most."""
        return max(chunk.keys for shard in self.manifest.shards for chunk in shard.chunks)

    @cached_property
    def chunks(self) -> int:
        """How many chunks there are."""
        return sum(len(shard.chunks) for shard in self.manifest.shards)

    def __len__(self) -> int:
        return self.manifest.samples

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Keys of some rows."""
        return list(self.all_keys.take(pa.array(rows)).to_pylist())

    def row_from(self, value: int) -> int:
        """The first row whose hash is at least a value; reads the keys of a few chunks only."""

        def first_hash(chunk: int) -> int:
            if (ends := self._ends(chunk)) is None:
                raise self._damaged(chunk, None)
            return ends[0]

        chunk = bisect_left(range(self.chunks), value, key=first_hash) - 1
        if chunk < 0:
            return 0
        keys = self.chunk_keys(chunk)
        within = bisect_left(keys, value, key=lambda key: hash_keys([key.as_py()], self.split_seed)[0])
        return chunk * self.rows_per_chunk + within

    def find(self, keys: pa.LargeStringArray) -> NDArray[np.int64]:
        """The row of each key, -1 where there is none."""
        wanted = HashedKeys.of(keys, self.split_seed)
        return find_keys(wanted, self.hashes, lambda rows: self.all_keys.take(pa.array(rows)))

    def read(self, rows: NDArray[np.int64]) -> Samples:
        """Read some samples, in the order given; every chunk that holds one is read and checked."""
        layout = self.manifest.layout
        fields = layout.schema.fields
        out = [np.empty((len(rows), *field.shape), field.dtype) for field in fields]
        of_chunk = rows // self.rows_per_chunk
        for chunk in np.unique(of_chunk).tolist():
            at = np.flatnonzero(of_chunk == chunk)
            content, shard, place = self._chunk(chunk)
            data = memoryview(content)[place.head + place.keys :]
            columns = columns_of(data, self.rows_of(chunk), layout, shard.rules)
            within = rows[at] - chunk * self.rows_per_chunk
            for values, column, rule in zip(out, columns, layout.every_rule(shard.rules), strict=True):
                values[at] = decoded(column[within], rule)
        return Samples(*layout.schema.structured(out))

    def working_bytes(self, n: int) -> int:
        """The samples twice while they are picked and decoded, and a chunk."""
        largest = max(chunk.nbytes for shard in self.manifest.shards for chunk in shard.chunks)
        return 2 * n * self.schema.nbytes + largest

    def rows_of(self, chunk: int) -> int:
        """How many rows a chunk has."""
        shard, within = divmod(chunk, self._chunks_per_shard)
        return min(self.rows_per_chunk, self.manifest.shards[shard].rows - within * self.rows_per_chunk)

    def check_size(self, shard: Shard) -> None:
        """Refuse a shard that is missing, or is not the file that it was.

        Raises:
            DamagedStoreError: It is.
        """
        path = self.path / shard.file
        try:
            status = path.lstat()
        except OSError as error:
            raise DamagedStoreError(
                f"{path}: a shard of the store is missing: {error.strerror}.", AGAIN
            ) from error
        if not stat.S_ISREG(status.st_mode) or status.st_size != shard.nbytes:
            raise DamagedStoreError(
                f"{path}: expected a file of {shard.nbytes:,} bytes. Found {_described(status)}.", MEND
            )

    def check(self, chunk: int) -> None:
        """Check all bytes of a chunk, and that its keys are in order.

        Raises:
            DamagedStoreError: They are not as they were.
        """
        self._chunk(chunk)
        keys = self.chunk_keys(chunk).cast(pa.large_string())
        order = row_order(hash_keys(keys, self.split_seed), lambda: keys)
        if not np.array_equal(order, np.arange(len(keys))):
            raise self._damaged(chunk, None)

    def rows_at(self, chunk: int) -> tuple[int, int]:
        """The first and the last row of a chunk."""
        first = chunk * self.rows_per_chunk
        return first, first + self.rows_of(chunk) - 1

    def chunk_keys(self, chunk: int) -> pa.StringArray:
        """The keys of a chunk, whatever its data are like.

        Raises:
            DamagedStoreError: They are damaged.
        """
        keys = self._keys_if_well(chunk)
        if keys is None:
            raise self._damaged(chunk, None)
        return keys

    def hash_range(self, chunk: int) -> tuple[int, int]:
        """Between which hashes its keys lie, as far as undamaged keys, of it or around it, tell."""
        own = self._ends(chunk)
        if own is not None:
            return own
        before, after = self._well(chunk, -1), self._well(chunk, +1)
        return before[1] if before else 0, after[0] if after else 2**64 - 1

    def _well(self, chunk: int, step: int) -> tuple[int, int] | None:
        """The ends of the next chunk in a direction whose keys are not damaged; None if there is none."""
        passed, at = [chunk], chunk + step
        while 0 <= at < self.chunks and self._ends(at) is None:
            if (at, step) in self._next_well:  # or thousands of lost chunks were passed thousands of times
                at = self._next_well[at, step]
                break
            passed.append(at)
            at += step
        self._next_well.update({(each, step): at for each in passed})
        return self._ends(at) if 0 <= at < self.chunks else None

    def well_keys(self) -> Iterator[pa.StringArray]:
        """The keys of those chunks where they are not damaged."""
        return (keys for keys in map(self._keys_if_well, range(self.chunks)) if keys is not None)

    def _ends(self, chunk: int) -> tuple[int, int] | None:
        """The hashes of a chunk's first and last key; None if they are damaged. Looked at once."""
        if chunk not in self._known_ends:
            keys = self._keys_if_well(chunk)
            ends = None if keys is None else hash_keys([keys[0].as_py(), keys[-1].as_py()], self.split_seed)
            self._known_ends[chunk] = None if ends is None else (int(ends[0]), int(ends[1]))
        return self._known_ends[chunk]

    def _keys_if_well(self, chunk: int) -> pa.StringArray | None:
        """The keys of a chunk; None if they are damaged."""
        shard, place = self.place(chunk)
        try:
            content = self._read(shard, place.offset, place.head + place.keys)
            if xxh3_64_hexdigest(content) == place.keys_xxh3:
                return decode_keys(memoryview(content)[place.head :], self.rows_of(chunk))
        except (DamagedStoreError, ValueError, pa.ArrowInvalid):  # cut; or the checksum is that of wrong keys
            pass
        return None

    def _chunk(self, number: int) -> tuple[bytes, Shard, Chunk]:
        """The bytes of a chunk, checked, and where they came from."""
        with self._lock:
            if number in self._cache:
                self._cache.move_to_end(number)
                return self._cache[number]
        shard, place = self.place(number)
        content = self._read(shard, place.offset, place.nbytes)
        split = place.head + place.keys
        keys_are_well = xxh3_64_hexdigest(memoryview(content)[:split]) == place.keys_xxh3
        if not keys_are_well or xxh3_64_hexdigest(memoryview(content)[split:]) != place.data_xxh3:
            keys = self._keys_if_well(number) if keys_are_well else None
            raise self._damaged(number, None if keys is None else keys.to_pylist())
        with self._lock:
            self._cache[number] = content, shard, place
            while len(self._cache) > 1 and self._cached_bytes() > self._cache_bytes:
                self._cache.popitem(last=False)
        return content, shard, place

    def _cached_bytes(self) -> int:
        return sum(len(content) for content, _, _ in self._cache.values())

    def place(self, chunk: int) -> tuple[Shard, Chunk]:
        """The shard that a chunk is in, and where in it."""
        shard, within = divmod(chunk, self._chunks_per_shard)
        return self.manifest.shards[shard], self.manifest.shards[shard].chunks[within]

    def _read(self, shard: Shard, offset: int, n: int) -> bytes:
        with opened(self.path / shard.file) as descriptor:
            pieces = []
            while n and (piece := os.pread(descriptor, n, offset)):
                pieces.append(piece)
                offset, n = offset + len(piece), n - len(piece)
        if n:
            raise DamagedStoreError(f"{self.path / shard.file}: the file ends at byte {offset:,}.", MEND)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _damaged(self, chunk: int, keys: list[str] | None) -> DamagedStoreError:
        shard, place = self.place(chunk)
        first, last = self.rows_at(chunk)
        low, high = self.hash_range(chunk)
        named = f"keys {', '.join(map(repr, keys[:3]))}, ..." if keys else "its keys are damaged too"
        return DamagedStoreError(
            f"{self.path / shard.file}: chunk {chunk % self._chunks_per_shard} (bytes {place.offset:,} to "
            f"{place.offset + place.nbytes:,}) is damaged. It holds rows {first:,} to "
            f"{last:,}, hashes {low:016x} to {high:016x}, {named}.",
            MEND,
            keys,
        )


def read_manifest(path: Path) -> Manifest:
    """Read and check the manifest of a store.

    Raises:
        StoreNotFoundError: There is no store.
        DamagedStoreError: It is damaged.
    """
    if not os.path.isdir(path):  # noqa: PTH112 (pathlib raises where a name is too long)
        raise StoreNotFoundError(f"{path}: there is no such store.", "Check the path, or pack it first.")
    try:
        names = os.listdir(path)  # noqa: PTH208 (the names)
    except OSError as error:
        raise DamagedStoreError(f"{path}: the store cannot be read: {error.strerror}.", MEND) from error
    if MANIFEST not in names:
        if any(PROGRESS_NAME.fullmatch(name) or PILE_NAME.fullmatch(name) for name in names):
            raise StoreNotFoundError(
                f"{path}: this store was not finished.", "Pack it again: that goes on where it stopped."
            )
        raise StoreNotFoundError(
            f"{path}: this is no store: it has no {MANIFEST}.", "Give the folder *.brim."
        )
    with opened(path / MANIFEST) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        if os.fstat(descriptor).st_size > LARGEST_MANIFEST:
            raise DamagedStoreError(f"{path / MANIFEST}: the file is larger than any manifest.", MEND)
        return Manifest.from_json(file.read(LARGEST_MANIFEST), str(path))


@contextmanager
def opened(path: Path, flags: int = 0) -> Iterator[int]:
    """A file of a store, open for reading: a plain file, and no link to one elsewhere.

    Args:
        path: The file.
        flags: More flags of `os.open`.

    Raises:
        DamagedStoreError: It is not, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DamagedStoreError(
                    f"{path}: expected a file. Found {_described(os.fstat(descriptor))}.", MEND
                )
            yield descriptor
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise DamagedStoreError(f"{path}: a file of the store is missing.", AGAIN) from error
    except OSError as error:
        raise DamagedStoreError(f"{path}: this cannot be read: {error.strerror or error}.", MEND) from error


def _described(status: os.stat_result) -> str:
    return f"one of {status.st_size:,}" if stat.S_ISREG(status.st_mode) else "what is no plain file"
