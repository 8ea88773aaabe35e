"""Finished: the shards that a run of packing has finished, for the run that goes on where it was stopped."""

import contextlib
import json
from pathlib import Path
from typing import Any

from xxhash import xxh3_64, xxh3_128_hexdigest

from brimful.errors import DamagedStoreError
from brimful.store.durable import write_whole
from brimful.store.format import PROGRESS, SHARD_NAME, Shard
from brimful.store.reader import opened

READ_BYTES = 2**20


class Finished:
    """The shards that are done, noted in `packing.json`.

    Args:
        folder: The store.
        identity: What is being packed, and how; what another run noted is of no use.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity
        self._shards: dict[int, tuple[Shard, str]] = {}
        self._earlier: dict[int, tuple[Shard, str]] = {}
        with contextlib.suppress(DamagedStoreError, ValueError, KeyError, TypeError, RecursionError):
            self._load()

    def note(self, number: int, shard: Shard, digest: str) -> None:
        """Write down that a shard is done.

        Args:
            number: Which.
            shard: What it is.
            digest: A checksum of what it was made from.
        """
        self._shards[number] = shard, digest
        said = {
            "identity": self._identity,
            "shards": [
                [number, shard.to_json(), digest] for number, (shard, digest) in sorted(self._shards.items())
            ],
        }
        text = json.dumps({**said, "checksum": _checksum(said)}, separators=(",", ":"), sort_keys=True)
        write_whole(self._folder / PROGRESS, text.encode())

    def digest(self, number: int) -> str | None:
        """Checksum of what a shard was made from that an earlier run finished, None where it did not."""
        return self._earlier[number][1] if number in self._earlier else None

    def recall(self, number: int) -> Shard | None:
        """A shard that an earlier run finished, if all of its bytes are still what they were."""
        shard, _ = self._earlier[number]
        return shard if is_whole(self._folder, shard) else None

    def _load(self) -> None:
        with opened(self._folder / PROGRESS) as descriptor, open(descriptor, "rb", closefd=False) as file:
            said = json.loads(file.read())
        if said.pop("checksum") == _checksum(said) and said["identity"] == self._identity:
            for number, shard, digest in said["shards"]:
                self._earlier[number] = Shard.from_json(shard), digest


def is_whole(folder: Path, shard: Shard) -> bool:
    """Whether the file of a shard has the checksum that its name tells."""
    digest = xxh3_64()
    match = SHARD_NAME.fullmatch(shard.file)
    try:
        with opened(folder / shard.file) as descriptor, open(descriptor, "rb", closefd=False) as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
    except (DamagedStoreError, OSError):
        return False
    return match is not None and digest.hexdigest() == match[2]


def _checksum(said: dict[str, Any]) -> str:
    return xxh3_128_hexdigest(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
