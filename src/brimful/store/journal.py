"""Journal: the shards that a run of packing has finished, for the run that goes on where it was stopped."""

import json
from pathlib import Path
from typing import Any

from xxhash import xxh3_64, xxh3_128_hexdigest

from brimful.errors import DamagedStoreError
from brimful.storage.local import write_whole
from brimful.store.format import LARGEST_MANIFEST, PROGRESS, SHARD_NAME, Shard
from brimful.store.reader import opened

READ_BYTES = 2**20


class Journal:
    """The shards that are done, each noted in a file of its own, `packing-00000.json`.

    Args:
        folder: The store.
        identity: What is being packed, and how; what a run of another one noted is of no use.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity

    def note(self, number: int, shard: Shard, origin: str) -> None:
        """Write down that a shard is done.

        Args:
            number: Which.
            shard: What it is.
            origin: A checksum of all that it was made from.
        """
        said = {"identity": self._identity, "shard": shard.to_json(), "origin": origin}
        text = json.dumps({**said, "checksum": _checksum(said)}, separators=(",", ":"), sort_keys=True)
        write_whole(self._folder / PROGRESS.format(number), text.encode())

    def origin(self, number: int) -> str | None:
        """Checksum of what a shard was made from, if an earlier run finished it."""
        said = self._said(number)
        return str(said["origin"]) if said else None

    def recall(self, number: int) -> Shard | None:
        """A shard that an earlier run finished, if all of its bytes are still what they were."""
        said = self._said(number)
        shard = Shard.from_json(said["shard"]) if said else None
        return shard if shard and is_whole(self._folder, shard) else None

    def _said(self, number: int) -> dict[str, Any]:
        """What was noted of a shard; nothing if that is damaged, or of another run."""
        path = self._folder / PROGRESS.format(number)
        try:
            with opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
                said = json.loads(file.read(LARGEST_MANIFEST))
            if said.pop("checksum") == _checksum(said) and said["identity"] == self._identity:
                return dict(said)
        except (DamagedStoreError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return {}


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
