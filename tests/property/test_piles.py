"""ExternalSort: the store is the same whatever the order of reading; what was piled up is not read again."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brimful as bf
from brimful.sources.text.folder import TextFolder
from brimful.storage.local import LocalStorage, LocalWriter
from brimful.store import sort as piles_module
from brimful.store.changes import Changes
from brimful.store.estimate import estimate
from brimful.store.format import PILE_NAME
from brimful.store.journal import unfinished_bytes
from brimful.store.verify import verify
from tests.faults.stores import delivered, expected, files_of, pack_layout, pack_small, put_files, small_tree
from tests.trees import Tree


@pytest.fixture(autouse=True)
def small_piles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of 7 samples, piles of 14, whatever the memory; files count as long unchanged."""
    monkeypatch.setattr(piles_module, "SHARE", 10**9 // (7 * 64))
    monkeypatch.setattr("brimful.store.pack.held_bytes", lambda _: 0)
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600.0)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree of 40 samples."""
    return small_tree(tmp_path / "data")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where there is no store yet."""
    return tmp_path / "data.brim"


@pytest.fixture
def undisturbed(tree: Tree, tmp_path: Path) -> dict[str, bytes]:
    """The files of the store that is packed without piles."""
    pack_small(tree.path, tmp_path / "undisturbed.brim")
    return files_of(tmp_path / "undisturbed.brim")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows that are read from the source."""
    rows: list[int] = []
    read = TextFolder.read

    def noting(self: TextFolder, some: Any, *prints: Any) -> Any:
        rows.extend(some.tolist())
        return read(self, some, *prints)

    monkeypatch.setattr(TextFolder, "read", noting)
    return rows


def piles_in(store: Path) -> list[Path]:
    """The piles beside a store."""
    if not store.exists():
        return []
    return sorted(path for path in store.iterdir() if PILE_NAME.fullmatch(path.name))


def pack_and_stop(tree: Tree, store: Path, commits: int) -> None:
    """Pack through piles, and end as if killed once so many files have been renamed."""
    commit, left = LocalWriter.commit, [commits]

    def counted(self: LocalWriter, name: str) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        commit(self, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalWriter, "commit", counted)
        with pytest.raises(KeyboardInterrupt):
            pack_small(tree.path, store, in_disk_order=True)


@settings(max_examples=25)
@given(data=st.data(), n=st.integers(1, 60), check_content=st.booleans())
def test_the_same_store_whatever_the_order_of_the_disk(data: Any, n: int, check_content: bool) -> None:
    """Each file is read once, in that order, and the bytes are those of packing as always."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        tree = small_tree(Path(folder) / "data", n)
        order = np.array(data.draw(st.permutations(range(n))))
        patch.setattr(TextFolder, "natural_order", lambda *_: order)
        pack_small(tree.path, Path(folder) / "plain.brim", check_content=check_content)
        pack_small(tree.path, Path(folder) / "piled.brim", in_disk_order=True, check_content=check_content)
        assert files_of(Path(folder) / "piled.brim") == files_of(Path(folder) / "plain.brim")


def test_files_are_read_once_in_the_order_of_their_inodes(
    tree: Tree, store: Path, undisturbed: dict[str, bytes], reads: list[int]
) -> None:
    """That is what it is for."""
    source = bf.scan(tree.path)
    reads.clear()
    pack_layout(source, store, chunk_bytes=100, shard_bytes=300, in_disk_order=True)
    paths = [tree.file(key) for key in source.keys]
    assert reads == sorted(range(40), key=lambda row: paths[row].stat().st_ino)
    assert files_of(store) == undisturbed
    assert delivered(store) == expected(tree)


@pytest.mark.parametrize("commits", range(15))
def test_a_run_that_goes_on_reads_no_file_again_that_is_in_a_pile(
    commits: int,
    tree: Tree,
    store: Path,
    undisturbed: dict[str, bytes],
    reads: list[int],
) -> None:
    """Stopped after any file got its name, it ends with the same bytes, and without leftovers."""
    pack_and_stop(tree, store, commits)
    piled = 14 * min(commits, 2) if commits < 3 else 40
    assert len(piles_in(store)) == min(commits, 3)
    if commits:
        with pytest.raises(bf.StoreNotFoundError, match="not finished"):
            bf.open(store)
    source = bf.scan(tree.path)
    reads.clear()
    in_disk_order = not commits  # where there are piles, they are used anyway
    pack_layout(source, store, chunk_bytes=100, shard_bytes=300, in_disk_order=in_disk_order)
    assert len(reads) == 40 - piled
    assert files_of(store) == undisturbed
    assert verify(store).ok


@pytest.mark.parametrize("commits", range(1, 15))
def test_what_has_changed_since_it_was_piled_up_is_read_again(
    commits: int, tree: Tree, store: Path, tmp_path: Path
) -> None:
    """A file that was edited between two attempts is packed as it is now, even if its shard was finished."""
    pack_and_stop(tree, store, commits)
    for key in list(tree.x)[::3]:
        np.savetxt(tree.file(key), np.full((2, 3), 0.5))
    pack_small(tree.path, store)
    pack_small(tree.path, tmp_path / "anew.brim")
    assert files_of(store) == files_of(tmp_path / "anew.brim")


@pytest.mark.parametrize("check_content", [False, True])
def test_a_store_is_brought_up_to_date_in_the_order_of_the_disk(
    check_content: bool, tree: Tree, store: Path, tmp_path: Path, reads: list[int]
) -> None:
    """Only what is new or changed is read, and changes are reported as always."""
    pack_small(tree.path, store)
    for key in ("train/00003", "train/00017"):
        np.savetxt(tree.file(key), np.full((2, 3), 0.25))
    tree.file("train/00020").unlink()
    lines = (tree.path / "target.csv").read_text().splitlines(keepends=True)
    (tree.path / "target.csv").write_text("".join(line for line in lines if not line.startswith("20,")))
    options: dict[str, Any] = {"in_disk_order": True, "check_content": check_content}
    source = bf.scan(tree.path)
    reads.clear()
    packed = pack_layout(source, store, chunk_bytes=100, shard_bytes=300, **options)
    assert len(reads) == (39 if check_content else 2)
    assert packed.changes == Changes(removed=1, edited=2)
    pack_small(tree.path, tmp_path / "anew.brim")
    assert files_of(store) == files_of(tmp_path / "anew.brim")


def test_piles_of_another_source_are_of_no_use(tree: Tree, store: Path, tmp_path: Path) -> None:
    """With one more file, positions change."""
    pack_and_stop(tree, store, 3)
    np.savetxt(tree.path / "train" / "00000.csv", np.zeros((2, 3)))
    with (tree.path / "target.csv").open("a") as table:
        table.write("0,1\n")
    pack_small(tree.path, store, in_disk_order=True)
    pack_small(tree.path, tmp_path / "anew.brim")
    assert files_of(store) == files_of(tmp_path / "anew.brim")


def test_a_damaged_pile_is_read_again_from_the_source(
    tree: Tree, store: Path, undisturbed: dict[str, bytes]
) -> None:
    """Any flipped bit, any length: never another sample."""
    pack_and_stop(tree, store, 3)
    saved = files_of(store)
    name = piles_in(store)[1].name
    random = np.random.default_rng(0)
    whole = saved[name]
    flips = random.integers(len(whole) * 8, size=25).tolist()
    damaged = [_flipped(whole, bit) for bit in flips] + [whole[: len(whole) // 2], b"", b"x" * len(whole)]
    for content in damaged:
        put_files(store, {**saved, name: content})
        pack_small(tree.path, store)
        assert {file: data for file, data in files_of(store).items() if file in undisturbed} == undisturbed
        assert not piles_in(store)
        for path in store.iterdir():
            path.unlink()


def test_packing_with_other_memory_takes_piles_over(
    tree: Tree, store: Path, undisturbed: dict[str, bytes], reads: list[int]
) -> None:
    """Segments keep their size."""
    pack_and_stop(tree, store, 2)
    source = bf.scan(tree.path)
    reads.clear()
    pack_layout(source, store, chunk_bytes=100, shard_bytes=300, memory="600MB")
    assert len(reads) == 40 - 28
    assert files_of(store) == undisturbed


def test_what_a_pile_with_a_damaged_end_had_is_read_in_the_order_of_the_disk(
    tree: Tree, store: Path, reads: list[int]
) -> None:
    """And not later, one by one."""
    pack_and_stop(tree, store, 2)
    pile = piles_in(store)[1]
    content = pile.read_bytes()
    pile.write_bytes(_flipped(content, 8 * (len(content) * 3 // 5)))
    source = bf.scan(tree.path)
    reads.clear()
    pack_layout(source, store, chunk_bytes=100, shard_bytes=300)
    inodes = source._reader.fingerprints(np.array(reads))[:, 3].tolist()
    assert len(reads) == 40 - 14
    assert inodes == sorted(inodes)
    assert delivered(store) == expected(tree)


def test_inodes_are_those_of_their_files_beside_names_that_are_no_text(tmp_path: Path) -> None:
    """What is left out does not shift them; what is gone has none."""
    for number in range(30):
        (tmp_path / f"{number}.csv").write_text("1\n")
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9%d.jpg" % number)).touch()
    source = bf.scan(tmp_path)
    rows = np.arange(30)
    by_inode = source._reader.fingerprints(rows)[:, 3].argsort()
    order = source._reader.disk_order(rows)
    assert order is not None
    assert order.tolist() == by_inode.tolist()
    for path in tmp_path.iterdir():
        path.unlink()
    assert sorted(source._reader.disk_order(rows).tolist()) == list(range(30))  # type: ignore[union-attr]


def test_room_that_an_earlier_run_has_taken_counts_as_free(tree: Tree, store: Path) -> None:
    """Or the same command would be refused for want of the room that it is filling."""
    assert unfinished_bytes(LocalStorage(store)) == 0
    pack_and_stop(tree, store, 6)
    left = sum(path.stat().st_size for path in store.iterdir())
    assert unfinished_bytes(LocalStorage(store)) == left > 3000
    pack_small(tree.path, store)
    assert unfinished_bytes(LocalStorage(store)) == 0


def test_a_bad_file_is_named_and_counted_as_always(tree: Tree, store: Path) -> None:
    """Also if it is met while piles are made."""
    source = bf.scan(tree.path)
    tree.file("train/00007").write_text("1 2 3\nx 5 6\n")
    with pytest.raises(bf.SourceError, match="1 x malformed"):
        pack_layout(source, store, chunk_bytes=100, shard_bytes=300, in_disk_order=True)
    assert not piles_in(store)


def test_each_plan_looks_at_other_samples(
    tree: Tree, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the last one are in the page cache, and would make any disk look fast."""
    monkeypatch.setattr("brimful.store.estimate.SAMPLED", 5)
    monkeypatch.setattr("brimful.store.estimate.INFERRED_FROM", 3)
    source = bf.scan(tree.path)
    seen = set()
    for _ in range(40):
        reads.clear()
        estimate(source._reader, np.arange(40))
        assert len(reads) == 5
        seen.update(reads)
    assert seen > set(range(10, 30))
    assert not seen & {0, 1, 2}


@pytest.mark.parametrize("seeks", [True, False])
def test_the_order_of_the_disk_is_taken_where_it_pays(
    seeks: bool, tree: Tree, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk where reading any file but the next one takes long, and on no other."""
    read, orders = TextFolder.read, []

    def slow_read(self: TextFolder, rows: Any, *prints: Any) -> Any:
        inodes = self._listing.inodes()
        rank = np.argsort(np.argsort(inodes))[rows]
        orders.append(rank.tolist())
        time.sleep(0.002 * (np.diff(rank) != 1).sum() if seeks else 0.001 * len(rank))
        return read(self, rows, *prints)

    monkeypatch.setattr(TextFolder, "read", slow_read)
    monkeypatch.setattr("brimful.store.estimate.MANY", 10)
    source = bf.scan(tree.path)
    planned = source.plan()
    assert planned is not None
    assert (planned.pile_bytes > 0) == seeks
    assert planned.in_disk_order(10**9) == seeks
    assert not planned.in_disk_order(planned.store_bytes + planned.pile_bytes - 1)
    orders.clear()
    source.pack_into(store)
    assert (orders == [list(range(40))]) == seeks
    assert delivered(store) == expected(tree)


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
