"""Journal: the shards that are done, so that packing that was stopped can go on.

Each of these shards is noted in a file of its own, `packing-00000.json`.
"""

from typing import Any

from xxhash import xxh3_64

from brimful.errors import StoreError
from brimful.schema import Schema
from brimful.storage.base import Storage, read_file, write_file
from brimful.store.format import (
    LARGEST_MANIFEST,
    MANIFEST,
    PARTIAL_NAME,
    PROGRESS,
    SHARD_NAME,
    SOURCE,
    UNFINISHED_NAME,
    Manifest,
    Shard,
    seal,
    unseal,
)
from brimful.store.reader import read_manifest

READ_BYTES = 2**20
OWN = (SHARD_NAME, UNFINISHED_NAME)  # names that only packing gives


class Journal:
    """The shards that are done.

    Args:
        storage: Where the store is.
        schema: What its samples have.
        identity: What is packed, and how; the notes of an attempt with another identity are ignored.
    """

    def __init__(self, storage: Storage, schema: Schema, identity: str) -> None:
        self._storage = storage
        self._schema = schema
        self._identity = identity

    def note(self, number: int, shard: Shard, origin: str) -> None:
        """Note that a shard is done, with a checksum of everything that it was made from."""
        entry = {"identity": self._identity, "shard": shard.to_json(), "origin": origin}
        write_file(self._storage, PROGRESS.format(number), seal(entry).encode())

    def origin(self, number: int) -> str | None:
        """Checksum of what a shard was made from, if an earlier attempt finished it."""
        entry = self._entry(number)
        return str(entry["origin"]) if entry else None

    def recall(self, number: int) -> Shard | None:
        """A shard that an earlier attempt finished, if all of its bytes are intact."""
        entry = self._entry(number)
        shard = Shard.from_json(entry["shard"], self._schema) if entry else None
        return shard if shard and is_intact(self._storage, shard) else None

    def _entry(self, number: int) -> dict[str, Any]:
        """The note on a shard; empty if there is none, or it is damaged or of another identity."""
        try:
            entry = unseal(read_file(self._storage, PROGRESS.format(number), LARGEST_MANIFEST))
            if entry["identity"] == self._identity:
                return entry
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return {}


def is_intact(storage: Storage, shard: Shard) -> bool:
    """Whether the file of a shard has the checksum that its name ends in."""
    digest, offset, memory = xxh3_64(), 0, memoryview(bytearray(READ_BYTES))
    match = SHARD_NAME.fullmatch(shard.file)
    try:
        while count := storage.read_into(shard.file, offset, memory):
            digest.update(memory[:count])
            offset += count
    except OSError:
        return False
    return match is not None and digest.hexdigest() == match[2]


def is_own(name: str) -> bool:
    """Whether a file of a store has a name that packing gives."""
    return name in (MANIFEST, SOURCE) or any(pattern.fullmatch(name) for pattern in (*OWN, PARTIAL_NAME))


def remove_partial(storage: Storage) -> None:
    """Remove files that a killed process has left half written."""
    for name in filter(PARTIAL_NAME.fullmatch, storage.list()):
        storage.remove(name)


def remove_others(storage: Storage, manifest: Manifest) -> None:
    """Remove the files of packing that are not part of a store."""
    named = {MANIFEST, SOURCE, *(shard.file for shard in manifest.shards)}
    for name in storage.list():
        if name not in named and is_own(name):
            storage.remove(name)
    storage.sync()


def unfinished_bytes(storage: Storage) -> int:
    """Bytes that stopped packing has left: those of all files that the store does not name."""
    try:
        own = set(filter(is_own, storage.list()))
        if not any(map(UNFINISHED_NAME.fullmatch, own)):
            return 0
        return sum(map(storage.size, own - _named(storage)))
    except (OSError, ValueError):
        return 0


def _named(storage: Storage) -> set[str]:
    """The shards that the manifest names; none if there is no intact manifest."""
    try:
        return {shard.file for shard in read_manifest(storage).shards}
    except (StoreError, OSError, ValueError):
        return set()
