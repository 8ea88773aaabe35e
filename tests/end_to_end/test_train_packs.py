"""brimful train packs first, and again only when the data have changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from brimful.options import PackOptions
from brimful.store.changes import Changes
from brimful.store.pack import pack
from tests.faults.stores import files_of
from tests.trees import Tree

Train = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def images(make_tree: Callable[..., Tree]) -> Tree:
    """A story's tree of 60 images of 12 x 12."""
    return make_tree(60, (12, 12), 3)


@pytest.fixture
def train(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Train:
    """`brimful train` for an epoch: its exit code, its document, and what it says."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", 0)

    def run(*arguments: str | Path) -> tuple[int, dict[str, Any], str]:
        folder = tmp_path / "runs" / str(len(list(tmp_path.glob("runs/*"))))
        command = ["train", *map(str, arguments), "--run", str(folder), "--epochs", "1", "--json"]
        code = main(command)
        out, err = capsys.readouterr()
        return code, json.loads(out or "{}"), err

    return run


def written(store: Path) -> dict[str, int]:
    """When each file of a store was written."""
    return {path.name: path.stat().st_mtime_ns for path in store.iterdir()}


def test_the_folder_is_packed_once(images: Tree, tmp_path: Path, train: Train) -> None:
    """Into DATA.brim beside it, with the plan; the second training reads the store and leaves it alone."""
    before = images.content()
    code, document, said = train(images.path)
    store = tmp_path / "data.brim"
    assert (code, document["data"]) == (0, str(store))
    assert f"to be packed into {store}: " in said
    assert bf.open(store).verify().ok
    whole = written(store)
    code, document, said = train(images.path)
    assert f"packed in {store}, and not changed since" in said
    assert document["samples"] == document["training_samples"] + document["test_samples"] == 60
    assert written(store) == whole
    assert images.content() == before


def test_what_changed_is_packed_again(images: Tree, tmp_path: Path, train: Train) -> None:
    """A file that was edited, one that came, one label: said in numbers, and trained on."""
    train(images.path)
    np.savetxt(images.file("train/00001"), np.zeros((12, 12)))
    np.savetxt(images.file("train/00061"), np.ones((12, 12)))
    table = images.path / "target.csv"
    table.write_text(table.read_text().replace("\n2,", "\n2,1") + "61,0\n")
    code, document, said = train(images.path)
    assert code == 0
    assert "since it was last packed: 1 added, 1 edited, 1 relabelled" in said
    assert document["samples"] == 61
    data = bf.open(tmp_path / "data.brim")
    assert not data[list(data.keys).index("train/00001")][0].any()


def test_a_store_elsewhere_and_no_store(images: Tree, tmp_path: Path, train: Train) -> None:
    """`--store` names the place; `--no-pack` makes none, nor does a draw that only tries."""
    assert train(images.path, "--no-pack")[1]["data"] == str(images.path)
    assert train(images.path, "--limit", "40")[1]["data"] == str(images.path)
    assert not list(tmp_path.glob("*.brim"))
    store = tmp_path / "other disk" / "x.brim"
    store.parent.mkdir()
    assert train(images.path, "--store", store, "--limit", "40")[1]["samples"] == 40
    assert len(bf.open(store)) == 40
    assert list(tmp_path.glob("*.brim")) == []


def test_a_store_is_trained_on_as_it_is(images: Tree, tmp_path: Path, train: Train) -> None:
    """With the samples on the sides that the folder gives; what says how to read text is refused."""
    raw = train(images.path, "--no-pack")[1]
    store = tmp_path / "mine.brim"
    bf.pack(bf.scan(images.path), store)
    code, document, _ = train(store)
    assert code == 0
    sides = "training_samples", "test_samples"
    assert [document[side] for side in sides] == [raw[side] for side in sides]
    for option in (["--labels", "folders"], ["--store", "x"], ["--no-pack"], ["--on-bad", "skip"]):
        code, document, said = train(store, *option)
        assert (code, document) == (2, {})
        assert f"error: {option[0]} is for raw data" in said
        assert "hint: " in said


def test_another_split_does_not_pack_again(images: Tree, tmp_path: Path, train: Train) -> None:
    """The store keeps its order; the sides are those of the seed that was asked for."""
    train(images.path)
    whole = written(tmp_path / "data.brim")
    source, data = bf.scan(images.path), bf.open(tmp_path / "data.brim")
    for seed in (1, 2**64 - 1):
        _, document, said = train(images.path, "--split-seed", str(seed))
        test = source.split(test=0.1, split_seed=seed)[1]
        assert document["test_samples"] == len(test)
        assert sorted(data.split(test=0.1, split_seed=seed)[1].keys) == sorted(test.keys)
        assert "not changed since" in said
    assert written(tmp_path / "data.brim") == whole


def test_other_data_in_the_way(images: Tree, tmp_path: Path, train: Train) -> None:
    """What is there already is not written over, be it a store or not."""
    bf.pack(bf.scan([(np.zeros((2, 2)), 0), (np.ones((2, 2)), 1)]), tmp_path / "data.brim")
    whole = written(tmp_path / "data.brim")
    code, document, said = train(images.path)
    assert (code, document) == (1, {})
    assert "--store STORE; or train from the raw files: --no-pack" in said
    assert written(tmp_path / "data.brim") == whole
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize("option", [["--test", "0.0001"], ["--memory", "10KB"], ["--group", "["], []])
def test_nothing_is_packed_for_a_training_that_cannot_be(
    images: Tree, tmp_path: Path, train: Train, option: list[str]
) -> None:
    """Neither for options that cannot be, nor without labels."""
    if not option:
        (images.path / "target.csv").unlink()
    code, document, said = train(images.path, *option)
    assert code in (1, 2)
    assert document == {}
    assert "error: " in said
    assert not list(tmp_path.glob("data.brim/manifest.json"))


def test_what_was_left_out_is_listed_in_the_run(images: Tree, tmp_path: Path, train: Train) -> None:
    """Also when the store has been packed by an earlier training."""
    images.file("train/00007").write_text("1 2 oops\n")
    code, _, said = train(images.path)
    assert (code, "00007.csv" in said) == (1, True)
    for _ in range(2):
        code, document, _ = train(images.path, "--on-bad", "skip")
        assert (code, document["samples"], document["skipped"]) == (0, 59, 1)
        assert "00007" in Path(document["run"], "skipped.csv").read_text()
    assert len(bf.open(tmp_path / "data.brim")) == 59


def test_packing_what_has_not_changed_writes_nothing_but_mends(
    images: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a file is touched; a flipped bit is found, for every byte is read, and mended."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", 0)
    store = tmp_path / "data.brim"
    bf.pack(bf.scan(images.path), store)
    whole = written(store)
    assert bf.scan(images.path).pack_into(store).changes == Changes()
    assert written(store) == whole
    shard = next(store.glob("shard-*"))
    content = shard.read_bytes()
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 1
    shard.write_bytes(damaged)
    bf.scan(images.path).pack_into(store)
    assert shard.read_bytes() == content


@pytest.mark.parametrize("samples", [1, 30])
def test_another_seed_or_layout_is_packed_though_nothing_has_changed(
    make_tree: Callable[..., Tree], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: int
) -> None:
    """The store that is asked for is what comes out, with the bytes of one packed from scratch."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", 0)
    source = bf.scan(make_tree(samples, (3, 3), 1).path)
    store = tmp_path / "data.brim"
    options = PackOptions(chunk_bytes=200, shard_bytes=400)
    pack(source._reader, np.arange(samples), store, options)
    for seed in (0, 7):
        source.pack_into(store, PackOptions(split_seed=seed, overwrite=True))
        source.pack_into(tmp_path / f"{seed}.brim", PackOptions(split_seed=seed))
        assert files_of(store) == files_of(tmp_path / f"{seed}.brim")
