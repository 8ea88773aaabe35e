"""StoreReader: the samples of a store by row, every byte checked when it is read. A Reader."""

from bisect import bisect_left
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_128_hexdigest

from brimful.encodings.samples import UndecodableSampleError
from brimful.errors import DamagedStoreError, StoreNotFoundError
from brimful.keys import HashedKeys, find_keys, hash_keys
from brimful.samples import Fault, Samples
from brimful.schema import Schema
from brimful.sides import Sides
from brimful.storage.base import Storage, read_file
from brimful.storage.locate import Place, locate
from brimful.store.chunk_reader import REPAIR, ChunkReader, reading
from brimful.store.format import LARGEST_MANIFEST, MANIFEST, UNFINISHED_NAME, Manifest

CACHE_BYTES = 64 * 2**20


class StoreReader:
    """Random access to the samples of a store.

    Args:
        place: The store: a path, or a storage.
        cache_bytes: Bytes of chunks, as stored, that may be kept in memory; one chunk always is.
        check_sizes: Whether to refuse a store of which a shard is missing or cut.

    Raises:
        StoreNotFoundError: There is no store.
        DamagedStoreError: Its manifest is damaged, or a shard is missing or cut.
    """

    skipped: tuple[Fault, ...] = ()

    def __init__(self, place: Place, *, cache_bytes: int = CACHE_BYTES, check_sizes: bool = True) -> None:
        self.storage = locate(place)
        self.manifest = read_manifest(self.storage)
        self.chunks = ChunkReader(self.storage, self.manifest)
        self._largest_chunk = self.chunks.largest(lambda chunk: chunk.nbytes)
        self._content = lru_cache(max(1, cache_bytes // self._largest_chunk))(self.chunks.content)
        if check_sizes:
            self.check_sizes()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or a reader in another process, opens the store anew."""
        return StoreReader, (self.storage,)

    def check_sizes(self) -> None:
        """Raise DamagedStoreError if a shard is missing or cut."""
        for shard in self.manifest.shards:
            self.chunks.check_size(shard)

    @property
    def name(self) -> str:
        """Where it is."""
        return self.storage.name

    @property
    def schema(self) -> Schema:
        """What every sample has."""
        return self.manifest.layout.schema

    @property
    def split_seed(self) -> int:
        """Seed of the hash that orders the rows."""
        return self.manifest.split_seed

    @property
    def sides(self) -> Sides | None:
        """The side of each row, if the label table that it was packed with said so."""
        return self.manifest.sides

    @cached_property
    def all_keys(self) -> pa.LargeStringArray:
        """The keys of all rows."""
        pieces = [self.chunks.keys(chunk) for chunk in range(self.chunks.chunks)]
        return pa.concat_arrays([piece.cast(pa.large_string()) for piece in pieces])

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """The hash of every row's key, ascending."""
        return hash_keys(self.all_keys, self.split_seed)

    @cached_property
    def digest(self) -> str:
        """A checksum of the manifest, and so of everything in the store but its provenance."""
        return xxh3_128_hexdigest(self.manifest.to_json().encode())

    @property
    def nbytes(self) -> int:
        """Bytes of memory that keys and hashes take, once they are loaded."""
        held = vars(self)
        return sum(int(held[name].nbytes) for name in ("all_keys", "hashes") if name in held)

    def __len__(self) -> int:
        return self.manifest.samples

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Keys of some rows."""
        return list(self.all_keys.take(pa.array(rows)).to_pylist())

    def row_from(self, value: int) -> int:
        """The first row whose hash is at least a value; reads the keys of a few chunks only."""

        def first_hash(chunk: int) -> int:
            if (ends := self.chunks.ends(chunk)) is None:
                raise self.chunks.damaged(chunk, None)
            return ends[0]

        chunk = bisect_left(range(self.chunks.chunks), value, key=first_hash) - 1
        if chunk < 0:
            return 0
        keys = self.chunks.keys(chunk)
        within = bisect_left(keys, value, key=lambda key: hash_keys([key.as_py()], self.split_seed)[0])
        return chunk * self.chunks.rows_per_chunk + within

    def find(self, keys: pa.LargeStringArray) -> NDArray[np.int64]:
        """The row of each key, -1 where there is none."""
        wanted = HashedKeys.of(keys, self.split_seed)
        return find_keys(wanted, self.hashes, lambda rows: self.all_keys.take(pa.array(rows)))

    def read(self, rows: NDArray[np.int64], *, encoded: bool = False) -> Samples:
        """Read some samples, in the order given; every chunk that holds one is read and checked.

        Encoded values are decoded unless they are asked for as they are.
        """
        layout, per_chunk = self.manifest.layout, self.chunks.rows_per_chunk
        fields = layout.schema.fields
        out = [
            field.empty(len(rows)) if encoded else np.empty((len(rows), *field.shape), field.dtype)
            for field in fields
        ]
        of_chunk = rows // per_chunk
        for chunk in np.unique(of_chunk).tolist():
            at = np.flatnonzero(of_chunk == chunk)
            shard, place = self.chunks.place(chunk)
            data = memoryview(self._content(chunk))[place.head + place.keys :]
            n, within = self.chunks.rows_of(chunk), rows[at] - chunk * per_chunk
            try:
                samples = layout.decode(data, n, shard.codecs, within, encoded=encoded)
            except UndecodableSampleError as error:
                raise self.undecodable(int(rows[at[error.at]]), error) from error
            for values, some in zip(out, samples.arrays, strict=True):
                values[at] = some
        return Samples(*layout.schema.structured(out))

    def undecodable(self, row: int, error: UndecodableSampleError) -> DamagedStoreError:
        """The error for a row whose bytes are as they were packed, and are no value all the same."""
        (key,) = self.chunks.keys(row // self.chunks.rows_per_chunk).slice(
            row % self.chunks.rows_per_chunk, 1
        )
        return DamagedStoreError(
            f"{self.name}: {key.as_py()!r}: {error}. It was packed like that.",
            "Repair it in the source, or leave it out (on_bad='skip', --on-bad skip), and pack again. "
            "`brimful scan` on the source decodes every sample, and lists all that cannot be.",
            [key.as_py()],
        )

    def working_bytes(self, n: int) -> int:
        """The samples twice while they are picked and decoded, and a chunk."""
        return 2 * n * self.schema.nbytes + self._largest_chunk


def read_manifest(storage: Storage) -> Manifest:
    """Read and check the manifest of a store; StoreNotFoundError or DamagedStoreError if that fails."""
    name = storage.name
    try:
        names = storage.list()
    except FileNotFoundError as error:
        hint = "Check the path, or pack it first."
        raise StoreNotFoundError(f"{name}: there is no such store.", hint) from error
    except OSError as error:
        raise DamagedStoreError(f"{name}: the store cannot be read: {error.strerror}.", REPAIR) from error
    if MANIFEST not in names:
        if any(map(UNFINISHED_NAME.fullmatch, names)):
            hint = "Pack it again: that goes on where it stopped."
            raise StoreNotFoundError(f"{name}: packing this store was not finished.", hint)
        raise StoreNotFoundError(
            f"{name}: this is no store: it has no {MANIFEST}.", "Give the folder *.brim."
        )
    with reading(storage, MANIFEST):
        if storage.size(MANIFEST) > LARGEST_MANIFEST:
            raise DamagedStoreError(f"{name}/{MANIFEST}: the file is larger than any manifest.", REPAIR)
        return Manifest.from_json(read_file(storage, MANIFEST, LARGEST_MANIFEST), name)
