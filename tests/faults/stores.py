"""Stores: small ones of many shards, and what they may hold after a fault."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import brimful as bf
from brimful.options import PackOptions
from brimful.storage.locate import Place
from brimful.store.pack import Packed, pack
from brimful.store.reader import StoreReader
from tests.trees import Tree, write_tree

SHAPE = (2, 3)


@dataclass(frozen=True)
class Content:
    """What a store delivers, and its files by name."""

    samples: dict[str, tuple[bytes, int]]
    files: dict[str, bytes]


def small_tree(path: Path, n: int = 40, seed: int = 0) -> Tree:
    """A tree whose values are k/255, but in one sample, so that one shard is not narrow."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (n, *SHAPE)) / 255
    x[n // 2, 0, 0] = random.random()
    return write_tree(path, x, random.integers(0, 4, n))


def pack_small(tree: Path, store: Place, **options: Any) -> Packed:
    """Pack a tree in chunks of 3 samples and shards of 3 chunks."""
    return pack_layout(bf.scan(tree), store, chunk_bytes=100, shard_bytes=300, **options)


def pack_layout(
    source: bf.Source, store: Place, *, chunk_bytes: int, shard_bytes: int, **more: Any
) -> Packed:
    """Pack a source in chunks and shards smaller than usual."""
    estimate = more.pop("planned", None)
    options = PackOptions.of(chunk_bytes=chunk_bytes, shard_bytes=shard_bytes, **more)
    return pack(source._reader, np.arange(len(source)), store, options, estimate)


def delivered(store: Place) -> dict[str, tuple[bytes, int]]:
    """Everything that a store delivers, every chunk read anew."""
    reader = StoreReader(store, cache_bytes=0)
    rows = np.arange(len(reader))
    x, y, _ = reader.read(rows)
    assert y is not None
    keys = reader.keys(rows)
    assert len(set(keys)) == len(keys)
    return {key: (sample.tobytes(), int(label)) for key, sample, label in zip(keys, x, y, strict=True)}


def files_of(store: Path) -> dict[str, bytes]:
    """The files of a store except source.arrow, which has times in it."""
    return {path.name: path.read_bytes() for path in store.iterdir() if path.name != "source.arrow"}


def content_of(store: Path) -> Content:
    """What a store delivers, and its files."""
    return Content(delivered(store), files_of(store))


def expected(tree: Tree) -> dict[str, tuple[bytes, int]]:
    """What a store of a tree must deliver."""
    return {key: (tree.x[key].tobytes(), tree.y[key]) for key in tree.x}


def put_files(store: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold these files and no others."""
    store.mkdir(exist_ok=True)
    for path in store.iterdir():
        path.unlink()
    for name, content in files.items():
        (store / name).write_bytes(content)
