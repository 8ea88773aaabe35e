"""Folders: what their names mean, and the split that the user has made with them."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from tests.situations.models import SHAPE

NAMES = ("cat", "dog", "emu")


def tree(root: Path, *folders: str, count: int = 4, name: str = "") -> Path:
    """Some files in each folder, of names that are unique unless one is given."""
    for number, folder in enumerate(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for at in range(count):
            np.savetxt(root / folder / f"{name or number}{at:04d}.csv", np.full(SHAPE, number))
    return root


def kinds(source: bf.Source) -> list[str]:
    """What was noticed."""
    return [finding.kind for finding in source.findings]


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "valid", "test"),
        ("Training", "Testing"),
        ("fold1", "fold2", "fold3"),
        ("shard-000", "shard-001"),
        ("2024-03-05", "2024-03-06"),
        ("2023/11", "2023/12", "2024/01"),
        tuple(f"{n:02x}" for n in range(0, 256, 5)),
        ("images", "masks"),
        ("data/part1", "data/part2"),
    ],
)
def test_names_that_are_no_labels_are_not_taken_for_them(folders: tuple[str, ...], tmp_path: Path) -> None:
    """It is said, with the option that takes them all the same."""
    source = bf.scan(tree(tmp_path, *folders))
    assert source.schema.target is None
    assert kinds(source) == ["folders_without_labels"]
    assert "folders:" in source.findings[0].examples[0]
    level = folders[0].count("/") + 1
    asked = bf.scan(tmp_path, labels=f"folders:{level}")
    assert asked.schema.classes is not None
    assert not [each for each in asked.findings if each.is_problem]


@pytest.mark.parametrize("inner", [("subject0", "subject1"), ("a", "b", "c"), ("0", "1")])
def test_two_levels_that_may_both_be_labels_are_a_question(inner: tuple[str, ...], tmp_path: Path) -> None:
    """Both readings are counted; the user says which."""
    tree(tmp_path, *(f"{name}/{each}" for name, each in product(NAMES, inner)))
    source = bf.scan(tmp_path)
    assert [(each.kind, each.is_problem) for each in source.findings] == [("doubtful_label", True)]
    with pytest.raises(bf.LabelError, match="doubtful label"):
        source.batches(4)
    assert bf.scan(tmp_path, labels="folders:1").schema.classes == NAMES
    assert bf.scan(tmp_path, labels="folders:2").schema.num_classes == len(inner)
    assert bf.scan(tmp_path, labels="folders").schema.num_classes == len(inner)


@pytest.mark.parametrize("outer", [("2023", "2024"), ("shard1", "shard2"), ("data",)])
def test_levels_of_other_meaning_do_not_hide_the_labels(outer: tuple[str, ...], tmp_path: Path) -> None:
    """Class folders below or above them."""
    tree(tmp_path / "a", *(f"{each}/{name}" for each, name in product(outer, NAMES)))
    tree(tmp_path / "b", *(f"{name}/{each}" for each, name in product(outer, NAMES)))
    for root in ("a", "b"):
        source = bf.scan(tmp_path / root)
        assert source.schema.classes == NAMES
        assert kinds(source) == []


@pytest.mark.parametrize("folders", [("cat", "cat/extra", "dog"), ("cat/a", "dog/b/c"), ("cat", "dog/x/y")])
def test_folders_of_several_depths_are_a_question(folders: tuple[str, ...], tmp_path: Path) -> None:
    """The deeper ones may be classes, or not."""
    source = bf.scan(tree(tmp_path, *folders))
    assert [each.kind for each in source.findings if each.is_problem] == ["doubtful_label"]
    assert bf.scan(tmp_path, labels="folders:1").schema.classes == ("cat", "dog")


def test_a_file_beside_the_folders_switches_no_labels_off(tmp_path: Path) -> None:
    """It is a sample without a label, which is a problem."""
    tree(tmp_path, *NAMES, count=10)
    np.savetxt(tmp_path / "stray.csv", np.ones(SHAPE))
    source = bf.scan(tmp_path)
    assert source.schema.classes == NAMES
    (problem,) = (each for each in source.findings if each.is_problem)
    assert (problem.kind, problem.count) == ("missing_label", 1)
    assert "stray.csv" in problem.examples[0]


@pytest.mark.parametrize("name", ["rec", "0", "subject"])
def test_the_same_names_in_every_folder_are_a_warning(name: str, tmp_path: Path) -> None:
    """They may be parts of one sample; said to be labels, they are."""
    tree(tmp_path, "left", "right", count=6, name=name)
    assert kinds(bf.scan(tmp_path)) == ["same_names"]
    assert kinds(bf.scan(tmp_path, labels="folders")) == []


def test_a_linked_class_is_a_warning(tmp_path: Path) -> None:
    """What it holds is left out."""
    tree(tmp_path / "data", *NAMES[:2])
    tree(tmp_path / "elsewhere", "emu")
    (tmp_path / "data" / "emu").symlink_to(tmp_path / "elsewhere" / "emu")
    source = bf.scan(tmp_path / "data")
    assert kinds(source) == ["linked_folder"]
    assert source.findings[0].examples[0].endswith("data/emu")


@pytest.mark.parametrize("names", [("train/labels.csv", "test/labels.csv"), ("train/target.csv",)])
def test_tables_below_the_folder_are_no_samples(names: tuple[str, ...], tmp_path: Path) -> None:
    """Which is meant, is asked."""
    tree(tmp_path, "train", "test")
    for name in names:
        (tmp_path / name).write_text(
            "id,label\n" + "".join(f"{n}{at:04d},{at % 2}\n" for n in (0, 1) for at in range(4))
        )
    source = bf.scan(tmp_path)
    assert len(source) == 8
    assert [(each.kind, each.count) for each in source.findings if each.is_problem] == [
        ("table_below", len(names))
    ]
    if len(names) == 1:
        named = bf.scan(tmp_path, labels=tmp_path / names[0])
        assert not [each for each in named.findings if each.is_problem]
        assert named.schema.classes == (0, 1)


@pytest.mark.parametrize(
    "sides", [("train", "test"), ("Training", "Test"), ("train", "valid", "test"), ("train", "val")]
)
@pytest.mark.parametrize("is_outer", [True, False])
def test_a_split_that_the_user_has_made_is_not_pooled(
    sides: tuple[str, ...], is_outer: bool, tmp_path: Path
) -> None:
    """It is used, or pooled if that is said; from the source and from the store alike."""
    order = ((side, name) if is_outer else (name, side) for side in sides for name in NAMES)
    source = bf.scan(tree(tmp_path / "data", *map("/".join, order)))
    assert source.schema.classes == NAMES
    for data in (source, bf.pack(source, tmp_path / "data.brim")):
        with pytest.raises(bf.ArgumentError, match="there is a split already"):
            data.split()
        parts = data.split(by="folders")
        assert [len(part) for part in parts] == [12] * len(sides)
        for part, side in zip(parts, sides, strict=True):
            assert all(side in key.split("/") for key in part.keys)
        assert sum(map(len, data.split(test=0.3, by="hash"))) == 12 * len(sides)


@pytest.mark.parametrize("fold", ["fold1", "fold3"])
def test_folds_are_split_by_name(fold: str, tmp_path: Path) -> None:
    """One of them is the test side."""
    tree(tmp_path, *(f"fold{n}/{name}" for n in (1, 2, 3) for name in NAMES))
    source = bf.scan(tmp_path)
    with pytest.raises(bf.ArgumentError, match="not clear which"):
        source.split(by="folders")
    train, test = source.split(by=f"folders:{fold}")
    assert (len(train), len(test)) == (24, 12)
    assert all(key.startswith(fold) for key in test.keys)


@pytest.mark.parametrize("by", ["folders", "folders:x", "columns"])
def test_a_split_by_folders_that_are_none_is_refused(by: str, tmp_path: Path) -> None:
    """With what there is."""
    with pytest.raises(bf.ArgumentError):
        bf.scan(tree(tmp_path, *NAMES)).split(by=by)


@pytest.mark.keras
def test_train_uses_the_split_of_the_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says so; `--split hash` pools."""
    tree(tmp_path / "data", *(f"{side}/{name}" for side in ("train", "test") for name in NAMES), count=8)
    command: list[Any] = ["train", str(tmp_path / "data"), "--epochs", "1", "--model", "dense", "--no-pack"]
    assert main([*command, "--run", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().err
    assert "the folders: a split already, which is used" in said
    assert "24 to train on, 24 to test on" in said
    assert main([*command, "--run", str(tmp_path / "b"), "--split", "hash", "--test", "0.2"]) == 0
    assert "24 to train on, 24" not in capsys.readouterr().err


@pytest.mark.parametrize("stray", ["stray.csv", "a/stray.csv"])
def test_a_stray_file_does_not_hide_the_split_of_the_folders(stray: str, tmp_path: Path) -> None:
    """Nor break it: it is named."""
    tree(tmp_path, *(f"a/{side}/{name}" for side in ("train", "test") for name in NAMES), count=10)
    np.savetxt(tmp_path / stray, np.ones(SHAPE))
    source = bf.scan(tmp_path, labels=False)
    with pytest.raises(bf.ArgumentError, match="there is a split already"):
        source.split()
    with pytest.raises(bf.ArgumentError, match="stray"):
        source.split(by="folders")
