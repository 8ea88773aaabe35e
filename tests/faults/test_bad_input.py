"""Bad input of every kind: found by the audit, refused by training, left out where that is asked for."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import brimful as bf
from brimful.cli.main import main
from tests.feeds import make_feed
from tests.trees import Tree

SAMPLES = 30
SHAPE = (4, 4)


def write(text: str | bytes, key: str = "train/00003") -> Callable[[Tree], None]:
    """Put something else into a sample's file."""
    content = text.encode() if isinstance(text, str) else text
    return lambda tree: void(tree.file(key).write_bytes(content))


def add_label(line: str) -> Callable[[Tree], None]:
    """Add a line to the label table."""
    return lambda tree: void((tree.path / "target.csv").open("a").write(line))


def drop_label(tree: Tree) -> None:
    """Take a line out of the label table."""
    table = tree.path / "target.csv"
    table.write_text("".join(line for line in table.open() if not line.startswith("3,")))


def spoil_label(tree: Tree) -> None:
    """Put a word in the place of an integer."""
    table = tree.path / "target.csv"
    table.write_text("".join("3,five\n" if line.startswith("3,") else line for line in table.open()))


def surplus(tree: Tree) -> None:
    """Move a line from one file to another."""
    lines = tree.file("train/00003").read_text().splitlines(keepends=True)
    tree.file("train/00003").write_text("".join(lines[1:]))
    tree.file("train/00004").write_text(tree.file("train/00004").read_text() + lines[0])


def unreadable(tree: Tree) -> None:
    """A file that opens and gives an I/O error, also to root."""
    tree.file("train/00003").unlink()
    tree.file("train/00003").symlink_to("/proc/self/mem")


def void(_: object) -> None:
    """Nothing."""


ROW = "1 2 3 4\n"


@dataclass(frozen=True)
class Case:
    """A way to spoil a tree, and what must be found.

    `bad` is how many samples cannot be used; -1 for what is no sample at all.
    """

    spoil: Callable[[Tree], Any]
    kind: str
    count: int
    message: str
    bad: int = 1


CASES = {
    "empty file": Case(write(""), "empty", 1, r"00003.csv: there is no number"),
    "blank file": Case(write(" \n\n"), "empty", 1, r"00003.csv: there is no number"),
    "header only": Case(write("a b c d\n"), "malformed", 1, r"00003.csv:1:1: expected a number, found 'a'"),
    "header and numbers": Case(write("a b c d\n" + ROW * 4), "malformed", 1, r"00003.csv:1:1"),
    "ragged rows": Case(write("1 2 3\n1 2 3 4 5\n" + ROW * 2), "wrong_shape", 1, r"00003.csv:1:4"),
    "surpluses that cancel out": Case(surplus, "wrong_shape", 2, r"0000[34].csv: expected 4 lines", 2),
    "word": Case(write("1 2 three 4\n" + ROW * 3), "malformed", 1, r"00003.csv:1:3: .*'three'"),
    "empty cells": Case(write("1,,3,4\n" + ROW * 3), "malformed", 1, r"00003.csv:1:1"),
    "nan": Case(write(ROW * 3 + "1 2 3 nan\n"), "non_finite", 1, r"00003.csv:4:4: nan is not finite"),
    "inf": Case(write(ROW * 3 + "1 -inf 3 4\n"), "non_finite", 1, r"00003.csv:4:2"),
    "1e999": Case(write(ROW * 3 + "1 1e999 3 4\n"), "non_finite", 1, r"00003.csv:4:2: 1e999 is not finite"),
    "too large for float32": Case(write(ROW * 3 + "1 1e39 3 4\n"), "non_finite", 1, r"00003.csv:4:2"),
    "other shape": Case(write("1 2\n3 4\n"), "wrong_shape", 1, r"00003.csv"),
    "same count, other shape": Case(write("1 2 3 4 5 6 7 8\n" * 2), "wrong_shape", 1, r"00003.csv:1:5"),
    "decimal commas": Case(
        write("1,5 2,5 3,5 4,5\n" * 4), "malformed", 1, r"00003.csv:1:1: .*decimal commas"
    ),
    "utf-16": Case(write((ROW * 4).encode("utf-16")), "malformed", 1, r"00003.csv: this is not text"),
    "nul bytes": Case(write("1 2\x00 3 4\n" + ROW * 3), "malformed", 1, r"00003.csv: this is not text"),
    "huge file": Case(write(ROW * 10_000), "wrong_shape", 1, r"00003.csv: the file has 80,000 bytes"),
    "unreadable file": Case(unreadable, "unreadable", 1, r"00003.csv: the file cannot be read"),
    "directory": Case(lambda tree: (tree.path / "x.csv").mkdir(), "not_a_file", 1, r"x\.csv", -1),
    "pipe": Case(lambda tree: os.mkfifo(tree.path / "x.csv"), "not_a_file", 1, r"x\.csv", -1),
    "dangling link": Case(
        lambda tree: (tree.path / "x.csv").symlink_to("nowhere"), "not_a_file", 1, r"x\.csv", -1
    ),
    "link loop": Case(lambda tree: (tree.path / "x.csv").symlink_to("x.csv"), "not_a_file", 1, r"x\.csv", -1),
    "file without label": Case(drop_label, "missing_label", 1, r"00003.csv"),
    "two labels": Case(add_label("3,7\n"), "conflicting_label", 1, r"target.csv:31 \(3\)"),
    "word as label": Case(spoil_label, "malformed", 1, r"target.csv:3 \(3\): 'five' is not an integer"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each of them."""
    return CASES[request.param]


@pytest.fixture
def spoilt(case: Case, make_tree: Callable[..., Tree]) -> Tree:
    """A tree with one thing wrong with it."""
    tree = make_tree(SAMPLES, SHAPE, 3)
    case.spoil(tree)
    return tree


def content(path: Path) -> dict[Path, tuple[int, bytes]]:
    """What may never change: every entry below, its time, and what is in it."""

    def inside(entry: Path) -> bytes:
        if entry.is_symlink():
            return bytes(entry.readlink())
        return entry.read_bytes() if entry.is_file() else b""

    return {entry: (entry.lstat().st_mtime_ns, inside(entry)) for entry in path.rglob("*")}


def test_the_audit_finds_it(case: Case, spoilt: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """`brimful scan`: exit code 1, the kind, the count, the place; nothing in the source is touched."""
    before = content(spoilt.path)
    assert main(["scan", str(spoilt.path), "--json"]) == 1
    out, err = capsys.readouterr()
    (problem,) = json.loads(out)["problems"]
    assert (problem["kind"], problem["count"]) == (case.kind, case.count)
    assert_matches(case.message, problem["examples"])
    assert "hint: " in err
    assert "Traceback" not in err
    assert content(spoilt.path) == before


def test_training_refuses_it(
    case: Case, spoilt: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`brimful train --no-pack`: exit code 1 and one clear error; no run is left that looks like one."""
    before = content(spoilt.path)
    arguments = ["train", str(spoilt.path), "--no-pack", "--run", str(tmp_path / "run"), "--test", "0"]
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert err.count("error: ") == 1
    assert_matches(case.message, [err[err.index("error: ") :]])
    assert "hint: " in err
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()
    assert content(spoilt.path) == before


def test_batches_refuse_it(case: Case, spoilt: Tree) -> None:
    """In Python: a SourceError that says where, and what to do."""
    source = bf.scan(spoilt.path)
    with pytest.raises(bf.SourceError) as caught:
        source.batches(8)
    assert_matches(case.message, [caught.value.message])
    assert caught.value.hint


def test_skipping_leaves_it_out(case: Case, spoilt: Tree) -> None:
    """`on_bad="skip"`: all others, exactly once, with their own values; the same ones every time."""
    source = bf.scan(spoilt.path, on_bad="skip")
    bad = max(case.bad, 0)
    assert len(source) == SAMPLES - bad
    assert len(source.skipped) == bad
    assert {fault.key for fault in source.skipped} <= {"train/00003", "train/00004"}
    assert not source.audit().problems
    assert bf.scan(spoilt.path, on_bad="skip").skipped == source.skipped
    feed = make_feed(source._reader, source._view, 8, include_keys=True)
    seen = set()
    for x, y, keys in feed:
        for sample, label, key in zip(x, y, keys, strict=True):
            assert sample.tobytes() == spoilt.x[key].tobytes()
            assert label == spoilt.y[key]
            seen.add(key)
    assert len(seen) == feed.stats.distinct_samples == SAMPLES - bad


def assert_matches(pattern: str, texts: list[str]) -> None:
    """At least one of the texts holds the pattern."""
    assert any(re.search(pattern, text, re.DOTALL) for text in texts), texts


WARNINGS = {
    "label without file": (add_label("99,1\n"), "orphan_label"),
    "same label twice": (lambda tree: add_label(f"3,{tree.y['train/00003']}\n")(tree), "duplicate_label"),
    "one class": (
        lambda tree: (tree.path / "target.csv").write_text(
            "".join(f"{n},1\n" for n in range(1, SAMPLES + 1))
        ),
        "one_class",
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_is_no_obstacle(
    name: str, make_tree: Callable[..., Tree], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, the exit code is 0, and all samples are delivered, in one short batch if need be."""
    spoil, kind = WARNINGS[name]
    tree = make_tree(SAMPLES, SHAPE, 3)
    spoil(tree)
    assert main(["scan", str(tree.path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["problems"] == []
    assert [warning["kind"] for warning in document["warnings"]] == [kind]
    ((x, _),) = bf.scan(tree.path).batches(10 * SAMPLES)
    assert len(x) == SAMPLES


def test_several_faults_at_once_are_all_counted(
    make_tree: Callable[..., Tree], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind on its own, in full, with at most ten examples; the same without labels on the bad ones."""
    tree = make_tree(600, SHAPE, 3)
    for number in range(100, 125):
        tree.file(f"train/{number:05d}").write_text("")
    for number in range(200, 207):
        tree.file(f"train/{number:05d}").write_text("1 2 3 nan\n" + ROW * 3)
    for number in range(300, 303):
        tree.file(f"train/{number:05d}").write_text(ROW * 3)
    tree.file("train/00400").write_text("x y z 1\n" + ROW * 3)
    (tree.path / "gone.csv").symlink_to("nowhere")
    add_label("1000,1\n1001,2\n")(tree)
    drop_label(tree)
    assert main(["scan", str(tree.path), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {problem["kind"]: problem["count"] for problem in document["problems"]} == {
        "empty": 25,
        "non_finite": 7,
        "wrong_shape": 3,
        "malformed": 1,
        "not_a_file": 1,
        "missing_label": 1,
    }
    assert {len(problem["examples"]) for problem in document["problems"]} == {10, 7, 3, 1}
    assert {warning["kind"]: warning["count"] for warning in document["warnings"]} == {"orphan_label": 2}
    assert document["samples"] == 600
    assert sum(document["class_counts"].values()) == 599
    assert len(bf.scan(tree.path, on_bad="skip")) == 600 - 25 - 7 - 3 - 1 - 1


def test_a_fault_beyond_the_first_files_is_met_in_the_epoch(
    make_tree: Callable[..., Tree], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scan has read 256 of 600 files: the epoch ends with an error, the audit finds it before."""
    tree = make_tree(600, SHAPE, 3)
    key = bf.scan(tree.path).keys[500]
    tree.file(key).write_text("1 2\n3 4\n")
    assert main(["scan", str(tree.path), "--quick"]) == 0
    assert main(["train", str(tree.path), "--run", str(tmp_path / "a"), "--test", "0", "--model", MODEL]) == 1
    err = capsys.readouterr().err
    assert f"{key}.csv" in err
    assert "hint: " in err
    arguments = ["--on-bad", "skip", "--epochs", "1", "--test", "0", "--model", MODEL, "--json"]
    assert main(["train", str(tree.path), "--run", str(tmp_path / "b"), *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["skipped"] == 1
    assert document["epochs"][0]["distinct_samples"] == 599
    header, line = (tmp_path / "b" / "skipped.csv").read_text().splitlines()
    assert header == "key,kind,message"
    assert line.startswith(f"{key},wrong_shape,")


MODEL = "tests.faults.test_bad_input:small"


def small(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """A model for samples too small for LeNet."""
    import keras

    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes, activation="softmax"),
        ]
    )


def test_all_bad_is_an_error(make_tree: Callable[..., Tree]) -> None:
    """Nothing would be left."""
    tree = make_tree(SAMPLES, SHAPE, 3)
    source = bf.scan(tree.path)
    for key in source.keys:
        tree.file(key).write_text("")
    with pytest.raises(bf.SourceError, match="no number in this file"):
        bf.scan(tree.path, on_bad="skip")
    assert source.audit().problems[0].count == SAMPLES


def test_without_labels_scanning_works_and_training_says_what_it_misses(
    make_tree: Callable[..., Tree], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No label table: nothing wrong with that, until one wants to train."""
    tree = make_tree(SAMPLES, SHAPE, 3)
    (tree.path / "target.csv").unlink()
    assert main(["scan", str(tree.path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["classes"] is None
    assert document["class_counts"] is None
    assert main(["train", str(tree.path), "--run", str(tmp_path / "run")]) == 1
    assert "have no labels" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ids that match nothing", "an empty folder", "a file", "nothing"])
def test_what_is_no_source_at_all(
    name: str, make_tree: Callable[..., Tree], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear error, exit code 1, by every command and in Python."""
    tree = make_tree(SAMPLES, SHAPE, 3)
    path, message = tree.path, "Ids look like 'a', 'b'"
    if name == "ids that match nothing":
        (tree.path / "target.csv").write_text("a,yes\nb,no\n")
    elif name == "an empty folder":
        path, message = tmp_path / "empty", "it is empty"
        path.mkdir()
    elif name == "a file":
        path, message = tree.path / "notes.pdf", "this is a file"
        path.write_bytes(b"%PDF-1.7")
    else:
        path, message = tmp_path / "nowhere", "no such folder"
    for command in (["scan", str(path)], ["train", str(path), "--run", str(tmp_path / "run")]):
        assert main(command) == 1
        err = capsys.readouterr().err
        assert message in err
        assert "hint: " in err
    with pytest.raises(bf.SourceError, match=message):
        bf.scan(path)
