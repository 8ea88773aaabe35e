"""Journal: what a run of packing has written, for the run that goes on where it was stopped.

Each shard that is done is noted in a file of its own, `packing-00000.json`.
"""

import json
from collections.abc import Sequence
from typing import Any

from xxhash import xxh3_64, xxh3_128_hexdigest

from brimful.errors import StoreError
from brimful.schema import Schema
from brimful.storage.base import Storage, read_file, write_file
from brimful.store.format import (
    LARGEST_MANIFEST,
    MANIFEST,
    PARTIAL_NAME,
    PILE_NAME,
    PROGRESS,
    PROGRESS_NAME,
    SHARD_NAME,
    SOURCE,
    Manifest,
    Shard,
)
from brimful.store.reader import read_manifest

READ_BYTES = 2**20
OWN = (SHARD_NAME, PROGRESS_NAME, PILE_NAME)  # what only packing calls so


class Journal:
    """The shards that are done.

    Args:
        storage: Where the store is.
        schema: What its samples have.
        identity: What is being packed, and how; what a run of another one noted is of no use.
    """

    def __init__(self, storage: Storage, schema: Schema, identity: str) -> None:
        self._storage = storage
        self._schema = schema
        self._identity = identity

    def note(self, number: int, shard: Shard, origin: str) -> None:
        """Write down that a shard is done.

        Args:
            number: Which.
            shard: What it is.
            origin: A checksum of all that it was made from.
        """
        entry = {"identity": self._identity, "shard": shard.to_json(), "origin": origin}
        text = json.dumps({**entry, "checksum": _checksum(entry)}, separators=(",", ":"), sort_keys=True)
        write_file(self._storage, PROGRESS.format(number), text.encode())

    def origin(self, number: int) -> str | None:
        """Checksum of what a shard was made from, if an earlier run finished it."""
        entry = self._entry(number)
        return str(entry["origin"]) if entry else None

    def recall(self, number: int) -> Shard | None:
        """A shard that an earlier run finished, if all of its bytes are still what they were."""
        entry = self._entry(number)
        shard = Shard.from_json(entry["shard"], self._schema) if entry else None
        return shard if shard and is_intact(self._storage, shard) else None

    def _entry(self, number: int) -> dict[str, Any]:
        """What was noted of a shard; nothing if that is damaged, or of another run."""
        try:
            entry = json.loads(read_file(self._storage, PROGRESS.format(number), LARGEST_MANIFEST))
            if entry.pop("checksum") == _checksum(entry) and entry["identity"] == self._identity:
                return dict(entry)
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
    """Whether a file of a store is packing's own."""
    return name in (MANIFEST, SOURCE) or any(pattern.fullmatch(name) for pattern in (*OWN, PARTIAL_NAME))


def has_piles(names: Sequence[str]) -> bool:
    """Whether a run that was stopped has left piles."""
    return any(map(PILE_NAME.fullmatch, names))


def remove_partial(storage: Storage) -> None:
    """Remove files that a killed process had begun to write."""
    for name in filter(PARTIAL_NAME.fullmatch, storage.list()):
        storage.remove(name)


def remove_others(storage: Storage, manifest: Manifest) -> None:
    """Remove what packing has left that is not of a store."""
    named = {MANIFEST, SOURCE, *(shard.file for shard in manifest.shards)}
    for name in storage.list():
        if name not in named and is_own(name):
            storage.remove(name)
    storage.sync()


def unfinished_bytes(storage: Storage) -> int:
    """Bytes that stopped runs of packing have left: all that the store does not name."""
    try:
        own = set(filter(is_own, storage.list()))
        if not any(PROGRESS_NAME.fullmatch(name) or PILE_NAME.fullmatch(name) for name in own):
            return 0
        return sum(map(storage.size, own - _named(storage)))
    except (OSError, ValueError):
        return 0


def _named(storage: Storage) -> set[str]:
    """The shards of the store that is there."""
    try:
        return {shard.file for shard in read_manifest(storage).shards}
    except (StoreError, OSError, ValueError):
        return set()


def _checksum(entry: dict[str, Any]) -> str:
    return xxh3_128_hexdigest(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
