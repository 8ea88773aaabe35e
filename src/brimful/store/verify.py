"""Verify: read every byte of a store, and report everything that has changed since it was packed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from brimful.errors import DamagedStoreError
from brimful.samples import Progress
from brimful.storage.locate import Place
from brimful.store.chunk_reader import ChunkReader
from brimful.store.format import MANIFEST, Shard
from brimful.store.journal import is_intact
from brimful.store.reader import StoreReader


@dataclass(frozen=True)
class Damage:
    """A damaged part of a store.

    Attributes:
        file: The file.
        chunk: The number of the chunk in its shard; None where no single chunk is damaged.
        rows: The first and the last row in it; None where it holds no rows.
        hash_range: The range of the hashes of their keys, as 16 hexadecimal digits each; None likewise.
        keys: Their keys; None where these are damaged too.
        message: What is wrong.
    """

    file: str
    chunk: int | None
    rows: tuple[int, int] | None
    hash_range: tuple[str, str] | None
    keys: list[str] | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The same, fit for JSON."""
        return {
            "shard": self.file,
            "chunk": self.chunk,
            "rows": self.rows and list(self.rows),
            "hash_range": self.hash_range and list(self.hash_range),
            "keys": self.keys,
            "message": self.message,
        }


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        samples: Samples in the store, according to its manifest; 0 if that is damaged.
        chunks: Chunks in the store, likewise.
        bad: Everything that is damaged.
    """

    samples: int
    chunks: int
    bad: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        """Whether every byte is intact."""
        return not self.bad

    def as_dict(self) -> dict[str, Any]:
        """The same, fit for JSON."""
        bad = [damage.as_dict() for damage in self.bad]
        return {"ok": self.ok, "samples": self.samples, "chunks": self.chunks, "bad": bad}

    def __str__(self) -> str:
        if self.ok:
            return f"{self.samples:,} samples in {self.chunks:,} chunks, every byte intact"
        return "\n".join(f"{damage.file}: {damage.message}" for damage in self.bad)


def verify(place: Place, progress: Progress | None = None) -> Verification:
    """Read all of a store.

    Args:
        place: The store: a path, or a storage.
        progress: Called with the number of samples looked at so far.

    Raises:
        StoreNotFoundError: There is no store.
        StoreError: It is of another version.
    """
    try:
        store = StoreReader(place, check_sizes=False)
    except DamagedStoreError as error:
        return Verification(0, 0, (Damage(MANIFEST, None, None, None, None, error.message),))
    bad: list[Damage] = []
    first = 0
    for shard in store.manifest.shards:
        bad += damages(store.chunks, shard, first)
        first += len(shard.chunks)
        if progress:
            progress(min(len(store), store.chunks.rows_at(first - 1)[1] + 1))
    return Verification(len(store), store.chunks.chunks, tuple(bad))


def damages(chunks: ChunkReader, shard: Shard, first: int) -> Iterator[Damage]:
    """Read all of a shard, whose first chunk has the number `first`, and report what is damaged."""
    last = first + len(shard.chunks) - 1
    try:
        chunks.check_size(shard)
    except DamagedStoreError as error:
        rows = chunks.rows_at(first)[0], chunks.rows_at(last)[1]
        hashes = chunks.hash_range(first)[0], chunks.hash_range(last)[1]
        yield Damage(shard.file, None, rows, _hexadecimal(*hashes), None, error.message)
        return
    any_chunk = False
    for number in range(first, last + 1):
        try:
            chunks.check(number)
        except DamagedStoreError as error:
            any_chunk = True
            hashes = chunks.hash_range(number)
            place = number - first, chunks.rows_at(number), _hexadecimal(*hashes)
            yield Damage(shard.file, *place, error.keys, error.message)
    if not any_chunk and not is_intact(chunks.storage, shard):
        message = "bytes between or behind the chunks have changed: other programs may not be able to read it"
        yield Damage(shard.file, None, None, None, None, message)


def _hexadecimal(low: int, high: int) -> tuple[str, str]:
    return f"{low:016x}", f"{high:016x}"
