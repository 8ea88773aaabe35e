"""Repair: packing a damaged store again writes the damaged shards, and nothing else."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.keys import hash_keys
from brimful.store.changes import Changes
from brimful.store.reader import StoreReader
from tests.faults.stores import delivered, expected, files_of, pack_layout, pack_small, small_tree
from tests.trees import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A small tree."""
    return small_tree(tmp_path / "data")


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _in_part(part: str) -> Callable[[Path], None]:
    """Flip a bit in the keys or in the data of a shard's second chunk."""

    def flip(shard: Path) -> None:
        reader = StoreReader(shard.parent)
        chunk = next(each for each in reader.manifest.shards if each.file == shard.name).chunks[1]
        behind = {"keys": chunk.head + chunk.keys - 1, "data": chunk.head + chunk.keys}[part]
        _flip(shard, chunk.offset + behind)

    return flip


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        (_in_part("data"), range(3, 6)),  # what its other chunks hold is taken from them
        (_in_part("keys"), range(9)),
        (Path.unlink, range(9)),
        (lambda shard: os.truncate(shard, 100), range(9)),
    ],
    ids=["data", "keys", "missing", "cut"],
)
def test_only_damaged_shards_are_repaired(
    tree: Tree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    read: range,
) -> None:
    """Intact shards stay, and none of their files is read again; the bytes are those of an intact store."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the files were old
    store = tmp_path / "data.brim"
    pack_small(tree.path, store)
    intact = files_of(store)
    keys = StoreReader(store).keys(np.arange(9, 18))  # of the second shard
    shard = next(path for path in sorted(store.glob("shard-00001-*")))
    damage(shard)
    inodes = {path.name: path.stat().st_ino for path in store.glob("shard-*") if path != shard}
    source = bf.scan(tree.path)
    read_source = type(source._reader).read
    seen: list[str] = []

    def spy(self: Any, rows: Any, **options: Any) -> Any:
        seen.extend(self.keys(rows))
        return read_source(self, rows, **options)

    monkeypatch.setattr(type(source._reader), "read", spy)
    packed = pack_layout(source, store, chunk_bytes=100, shard_bytes=300)
    assert packed.resumed == 31
    assert sorted(seen) == sorted(keys[at] for at in read)
    assert files_of(store) == intact
    assert {path.name: path.stat().st_ino for path in store.glob("shard-*") if path != shard} == inodes
    assert pack_layout(source, store, chunk_bytes=100, shard_bytes=300).changes == Changes()
    assert StoreReader(store).manifest.shards[1].file == shard.name


def test_there_need_only_be_room_for_what_is_written(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, a current store is left as it is, and a shard is repaired if there is room for it."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)
    store, usage = tmp_path / "data.brim", SimpleNamespace(free=0)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    source = bf.scan(tree.path)
    planned = source.plan()
    assert planned is not None
    again = partial(pack_small, tree.path, store, planned=replace(planned, store_bytes=4000))
    usage.free = 4000
    again()
    usage.free = 0
    assert again().changes == Changes()
    next(store.glob("shard-00001-*")).unlink()  # 9 of 40 samples
    usage.free = 899
    with pytest.raises(bf.WriteError, match="900B, and 899B are free: 1B are lacking"):
        again()
    usage.free = 900
    assert again().resumed == 31
    assert delivered(store) == expected(tree)


def test_what_changed_in_a_damaged_store_is_packed_anew(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edited file and a corrected label are both packed."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)
    store = tmp_path / "data.brim"
    pack_small(tree.path, store)
    first, *_, last = StoreReader(store).keys(np.arange(40))
    next(store.glob("shard-00001-*")).unlink()
    tree.x[first] = np.ones((2, 3), np.float32)
    np.savetxt(tree.file(first), np.ones((2, 3)))
    tree.y[last] = 3 - tree.y[last]
    labels = "".join(f"{int(key.rpartition('/')[2])},{label}\n" for key, label in tree.y.items())
    (tree.path / "target.csv").write_text(labels)
    pack_small(tree.path, store)
    assert delivered(store) == expected(tree)
    pack_small(tree.path, tmp_path / "anew.brim")
    assert files_of(store) == files_of(tmp_path / "anew.brim")


def test_another_name_in_the_place_of_one_is_packed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to the same file, with the same label, and in the same row: only its key is another."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)
    files, links, store = tmp_path / "files", tmp_path / "data", tmp_path / "data.brim"
    tree = small_tree(files)
    links.mkdir()
    for number in range(40):
        (links / f"{number}.csv").symlink_to(tree.file(f"train/{number + 1:05d}"))
    renamed = [f"other{number}" for number in range(1000)]
    labels = "".join(f"{name},1\n" for name in (*range(40), *renamed))
    (links / "target.csv").write_text(labels)
    pack_small(links, store)
    keys = StoreReader(store).keys(np.arange(3))
    low, _, high = hash_keys(keys)
    new = next(name for name in renamed if low < hash_keys([name])[0] < high)
    (links / f"{keys[1]}.csv").rename(links / f"{new}.csv")
    next(store.glob("shard-00001-*")).unlink()
    pack_small(links, store)
    assert StoreReader(store).keys(np.arange(3)) == [keys[0], new, keys[2]]
    assert delivered(store).keys() == set(bf.scan(links).keys)
