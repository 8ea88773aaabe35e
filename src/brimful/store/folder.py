"""Folder: what lies in the folder of a store, or in its place: packing's own, or something else."""

import contextlib
import os
from pathlib import Path

from brimful.errors import ArgumentError, OtherStoreError, StoreError
from brimful.store.format import MANIFEST, PARTIAL_NAME, PILE_NAME, PROGRESS_NAME, SHARD_NAME, SOURCE
from brimful.store.reader import read_manifest

OWN = (SHARD_NAME, PROGRESS_NAME, PILE_NAME)  # what only packing calls so


def refuse_other_content(path: Path, root: Path | None) -> None:
    """Refuse to write a store where there is something else, or into the source.

    Raises:
        OtherStoreError: There is something else.
        ArgumentError: It would lie in the source's folder.
    """
    if root is not None and path.resolve().is_relative_to(root.resolve()):
        raise ArgumentError(
            f"{path}: the store would lie in the folder of the source, which is never written to.",
            f"Put it beside: {root.resolve()}.brim",
        )
    if not path.parent.is_dir():
        raise ArgumentError(f"{path}: there is no folder to put the store into.", "Make it first.")
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise OtherStoreError(f"{path}: this is a file, and no store.", "Name a folder that is not there.")
    names = [entry.name for entry in path.iterdir()]
    strangers = sorted(name for name in names if not PARTIAL_NAME.fullmatch(name))
    if strangers and not any(pattern.fullmatch(name) for name in names for pattern in OWN):
        with contextlib.suppress(StoreError):
            read_manifest(path)  # a store all of whose shards are lost
            return
        raise OtherStoreError(
            f"{path}: the folder is no store and not empty: there is {strangers[0]!r}.",
            "Name a folder that is not there yet.",
        )


def is_own(name: str) -> bool:
    """Whether a file of a store's folder is packing's own."""
    return name in (MANIFEST, SOURCE) or any(pattern.fullmatch(name) for pattern in (*OWN, PARTIAL_NAME))


def unfinished_bytes(path: Path) -> int:
    """Bytes that stopped runs of packing have left in a folder: all that the store does not name."""
    try:
        named = {shard.file for shard in read_manifest(path).shards}
    except (StoreError, OSError, ValueError):
        named = set()
    try:
        with os.scandir(path) as entries:
            own = [entry for entry in entries if entry.name not in named and is_own(entry.name)]
            is_unfinished = any(
                PROGRESS_NAME.fullmatch(entry.name) or PILE_NAME.fullmatch(entry.name) for entry in own
            )
            return sum(entry.stat(follow_symlinks=False).st_size for entry in own) if is_unfinished else 0
    except (OSError, ValueError):
        return 0


def has_piles(path: Path) -> bool:
    """Whether a run that was stopped has left piles in a folder."""
    return any(PILE_NAME.fullmatch(each.name) for each in path.iterdir())
