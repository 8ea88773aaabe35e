"""Split columns: the split of a label table is used, or pooled if that is said, never pooled unnoticed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from brimful.store.format import seal, unseal
from tests.situations.models import SHAPE

COUNT = 30
Word = Callable[[int], str]


def folder(root: Path, word: Word, heading: str = "split", others: str = "") -> Path:
    """Files of two classes, and a table with a column for the split; returns the folder."""
    root.mkdir()
    for at in range(COUNT):
        np.savetxt(root / f"{at:03d}.csv", np.full(SHAPE, at))
    lines = [f"{at:03d},{'ab'[at % 3 == 0]},{word(at)}" for at in range(COUNT)]
    (root / "labels.csv").write_text("\n".join([f"id,label,{heading}", *lines]) + others)
    return root


def side(words: tuple[str, ...]) -> Word:
    """A word for each sample: the first for most, the others for a few each."""
    return lambda at: words[min(at % 10, len(words) - 1) if at % 10 < len(words) else 0]


def numbers(part: bf.Source | bf.Dataset) -> set[int]:
    """The numbers of the samples of a part."""
    return {int(key) for key in part.keys}


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        (("train", "test"), "split"),
        (("TRAIN", "VALIDATION", "TEST"), "ml_use"),
        (("Training", "Test"), "Usage"),
        (("train", "val", "test"), "subset"),
        (("False", "True"), "is_test"),
        (("train", "dev"), "partition"),
    ],
)
def test_the_split_of_a_table_is_used_or_pooled_as_said(
    words: tuple[str, ...], heading: str, tmp_path: Path
) -> None:
    """From the source, its store, and parts of them alike."""
    word = side(words)
    source = bf.scan(folder(tmp_path / "data", word, heading))
    assert f"the column {heading!r} is a split" in " ".join(source.facts)
    for data in (source, bf.pack(source, tmp_path / "data.brim"), bf.open(tmp_path / "data.brim")):
        with pytest.raises(bf.ArgumentError, match="there is a split already"):
            data.split()
        parts = data.split(by="column")
        order = words if len(words) == 2 else (words[0], *words[1:])
        assert [numbers(part) for part in parts] == [
            {at for at in range(COUNT) if word(at) == name} for name in order
        ]
        assert sum(map(len, data.split(test=0.3, by="hash"))) == COUNT
        again = parts[0].split(test=0.3)
        assert set().union(*map(numbers, again)) == numbers(parts[0])


@pytest.mark.parametrize("form", ["{}", "fold{}", "fold_{}"])
def test_folds_of_a_table_are_split_by_name(form: str, tmp_path: Path) -> None:
    """One of them is the test side."""
    source = bf.scan(folder(tmp_path / "data", lambda at: form.format(at % 3), "fold"))
    for data in (source, bf.pack(source, tmp_path / "data.brim")):
        with pytest.raises(bf.ArgumentError, match="not clear which"):
            data.split(by="column")
        with pytest.raises(bf.ArgumentError, match="there is a split already"):
            data.split()
        train, test = data.split(by=f"column:{form.format(1)}")
        assert numbers(test) == set(range(1, COUNT, 3))
        assert len(train) == 20
        with pytest.raises(bf.ArgumentError, match="no two sides"):
            data.split(by="column:9")


@pytest.mark.parametrize(
    ("heading", "word"),
    [("split", lambda at: f"{at}"), ("set", lambda at: "xyz"[at % 3]), ("split", lambda _: "train")],
)
def test_other_columns_are_no_split(heading: str, word: Word, tmp_path: Path) -> None:
    """A name alone says nothing; nor does a column of one word."""
    source = bf.scan(folder(tmp_path / "data", word, heading))
    assert f"not used: {heading}" in " ".join(source.facts)
    assert len(source.split(test=0.3)) == 2
    with pytest.raises(bf.ArgumentError, match="has no column"):
        source.split(by="column")


def test_a_sample_without_a_side_is_named(tmp_path: Path) -> None:
    """Nobody knows where it belongs."""
    source = bf.scan(folder(tmp_path / "data", lambda at: "" if at == 7 else side(("train", "test"))(at)))
    with pytest.raises(bf.ArgumentError, match="'007'"):
        source.split(by="column")


def test_a_sample_on_two_sides_is_a_conflict(tmp_path: Path) -> None:
    """It would be tested on and trained on."""
    source = bf.scan(folder(tmp_path / "data", side(("train", "test")), others="\n005,b,test\n"))
    assert [(each.kind, each.count) for each in source.findings if each.is_problem] == [
        ("conflicting_label", 1)
    ]


def test_the_target_is_the_column_that_is_no_split(tmp_path: Path) -> None:
    """Of two unusual names, one is the split."""
    root = folder(tmp_path / "data", side(("train", "test")))
    table = (root / "labels.csv").read_text().replace("id,label,split", "id,animal,split")
    (root / "labels.csv").write_text(table)
    assert bf.scan(root).schema.classes == ("a", "b")


def test_a_store_follows_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample that changes sides in the table changes sides in the store; one that came has one."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -60)
    root = folder(tmp_path / "data", side(("train", "test")))
    bf.pack(bf.scan(root), tmp_path / "data.brim")
    table = (root / "labels.csv").read_text().replace("002,a,train", "002,a,test") + "\n900,a,test\n"
    (root / "labels.csv").write_text(table)
    np.savetxt(root / "900.csv", np.full(SHAPE, 900))
    source = bf.scan(root)
    assert not source.is_packed_in(tmp_path / "data.brim")
    _, test = bf.pack(source, tmp_path / "data.brim").split(by="column")
    assert {2, 900, 1} <= numbers(test)
    assert source.is_packed_in(tmp_path / "data.brim")
    (root / "labels.csv").write_text(table.replace("002,a,test", "002,a,train"))
    source = bf.scan(root)
    assert not source.is_packed_in(tmp_path / "data.brim")
    _, test = bf.pack(source, tmp_path / "data.brim").split(by="column")
    assert 2 not in numbers(test)


@pytest.mark.keras
@pytest.mark.parametrize("is_packed", [True, False])
def test_train_uses_the_split_of_the_table(
    is_packed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so; a column and folders are a question."""
    root = folder(tmp_path / "data", side(("train", "test")))
    command: list[Any] = ["train", str(root), "--epochs", "1", "--model", "dense"]
    command += [] if is_packed else ["--no-pack"]
    assert main([*command, "--run", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().err
    assert "the column 'split': a split already, which is used" in said
    assert "27 to train on, 3 to test on" in said
    assert main([*command, "--run", str(tmp_path / "b"), "--split", "hash", "--test", "0.4"]) == 0
    assert "27 to train on, 3 to" not in capsys.readouterr().err


def test_a_column_and_folders_are_a_question(tmp_path: Path) -> None:
    """Both are named."""
    root = tmp_path / "data"
    for at in range(COUNT):
        path = root / ("train" if at % 3 else "test") / f"{at:03d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.full(SHAPE, at))
    lines = [f"{at:03d},{'ab'[at % 3 == 0]},{'train' if at % 5 else 'test'}" for at in range(COUNT)]
    (root / "labels.csv").write_text("\n".join(["id,label,split", *lines]))
    source = bf.scan(root)
    with pytest.raises(bf.ArgumentError, match="column 'split'") as caught:
        source.split()
    assert "folders" in str(caught.value)
    assert len(source.split(by="column")[1]) == 6
    assert len(source.split(by="folders")[1]) == 10


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        (("Training", "PublicTest", "PrivateTest"), "Usage"),
        (("train", "test", "extra"), "split"),
        (("train", "test", "trainval"), "subset"),
        (("0", "1"), "is_valid"),
    ],
)
def test_words_of_which_some_are_no_side_are_a_question(
    words: tuple[str, ...], heading: str, tmp_path: Path
) -> None:
    """Nothing is pooled unnoticed; one may be named."""
    word = side(words)
    source = bf.scan(folder(tmp_path / "data", word, heading))
    with pytest.raises(bf.ArgumentError, match="there is a split already"):
        source.split()
    with pytest.raises(bf.ArgumentError, match="not clear which"):
        source.split(by="column")
    train, test = source.split(by=f"column:{words[1]}")
    assert numbers(test) == {at for at in range(COUNT) if word(at) == words[1]}
    assert len(train) + len(test) == COUNT


@pytest.mark.parametrize(
    ("word", "by", "heading"),
    [
        (lambda at: f"{at % 2}.0", "column", "is_test"),
        (lambda at: f"{at % 2}.0", "column:1", "fold"),
        (
            lambda at: ("test" if at % 2 else "Train") if at % 3 else "train" if at % 2 == 0 else "TEST",
            "column",
            "set",
        ),
        (lambda at: "Test" if at % 2 else "train", "column:test", "split"),
    ],
)
def test_sides_are_one_however_they_are_spelt(word: Word, by: str, heading: str, tmp_path: Path) -> None:
    """Capitals, and integers as pandas writes them where values are missing."""
    _, test = bf.scan(folder(tmp_path / "data", word, heading)).split(by=by)
    assert numbers(test) == set(range(1, COUNT, 2))


def test_a_heading_is_found_by_the_split_below_it(tmp_path: Path) -> None:
    """Whatever the other columns are called."""
    root = folder(tmp_path / "data", side(("train", "test")))
    table = (root / "labels.csv").read_text().replace("id,label,split", "subject,diagnosis,split")
    (root / "labels.csv").write_text(table)
    source = bf.scan(root)
    assert source.schema.classes == ("a", "b")
    assert list(source.given_splits) == ["column"]


def test_many_folds_are_a_split(tmp_path: Path) -> None:
    """More than a byte counts."""
    root = tmp_path / "data"
    for at in range(300):
        (root / f"fold{at}").mkdir(parents=True)
        (root / f"fold{at}" / f"{at}.csv").write_text("1 2\n")
    train, test = bf.scan(root, labels=False).split(by="folders:fold7")
    assert (len(train), list(test.keys)) == (299, ["fold7/7"])


def test_a_split_without_training_is_refused(tmp_path: Path) -> None:
    """The first part would be taken for it."""
    source = bf.scan(folder(tmp_path / "data", side(("val", "test"))))
    with pytest.raises(bf.ArgumentError, match="for training"):
        source.split(by="column")


def test_a_line_for_each_round_is_no_split(tmp_path: Path) -> None:
    """Each sample would be on both sides."""
    root = folder(tmp_path / "data", lambda _: "train")
    lines = [f"{at:03d},{'ab'[at % 3 == 0]},test" for at in range(COUNT)]
    (root / "labels.csv").write_text((root / "labels.csv").read_text() + "\n" + "\n".join(lines))
    source = bf.scan(root)
    assert {each.kind: each.is_problem for each in source.findings} == {
        "doubtful_split": False,
        "duplicate_label": False,
    }
    assert len(source.split(test=0.3)) == 2


def test_the_column_of_the_split_may_be_the_target(tmp_path: Path) -> None:
    """If it is the only one."""
    root = folder(tmp_path / "data", lambda at: f"{at % 3}")
    (root / "labels.csv").write_text("id,fold\n" + "".join(f"{at:03d},{at % 3}\n" for at in range(COUNT)))
    assert bf.scan(root).schema.classes == (0, 1, 2)


def test_parts_of_a_given_split_may_be_split_on(tmp_path: Path) -> None:
    """By hash, without saying so."""
    source = bf.scan(folder(tmp_path / "data", lambda at: f"{at % 3}", "fold"))
    train, _ = source.split(by="column:0")
    assert sum(map(len, train.split(test=0.4))) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"words": "ab"},
        {"words": [1, 2]},
        {"words": ["", "b"]},
        {"words": {"a": 1}},
        {"origin": None},
        {"codes": "AA"},
    ],
)
def test_a_manifest_with_impossible_sides_is_damaged(change: dict[str, Any], tmp_path: Path) -> None:
    """Anybody could have made its checksum."""
    bf.pack(bf.scan(folder(tmp_path / "data", side(("train", "test")))), tmp_path / "data.brim")
    manifest = tmp_path / "data.brim" / "manifest.json"
    entry = unseal(manifest.read_bytes())
    entry["sides"] |= change
    manifest.write_text(seal(entry))
    with pytest.raises(bf.DamagedStoreError):
        bf.open(tmp_path / "data.brim")


@pytest.mark.keras
def test_the_last_test_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is validation, too."""
    root = folder(tmp_path / "data", side(("train", "val", "test")))
    command = [
        "train",
        str(root),
        "--epochs",
        "1",
        "--model",
        "dense",
        "--no-pack",
        "--run",
        str(tmp_path / "a"),
    ]
    assert main(command) == 0
    assert "3 samples for a last test are left alone" in capsys.readouterr().err
