"""Doubtful tables: a measured weight, ids off by one, tables of unusual names, labels file by file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.situations.models import SHAPE

COUNT = 30


def files(root: Path, first: int = 0, form: str = "{:03d}.csv") -> Path:
    """Files whose names are numbers; returns their folder."""
    root.mkdir(parents=True, exist_ok=True)
    for at in range(COUNT):
        np.savetxt(root / form.format(at + first), np.full(SHAPE, at))
    return root


def kinds(source: bf.Source) -> list[tuple[str, bool]]:
    """What was noticed, and whether it is a problem."""
    return [(finding.kind, finding.is_problem) for finding in source.findings]


def labels_of(source: bf.Source) -> dict[str, Any]:
    """The label of each key."""
    classes = source.schema.classes or ()
    batches = source.batches(8, include_keys=True)
    return {key: classes[y] for batch in batches for key, y in zip(batch[-1], batch[1].tolist(), strict=True)}


@pytest.mark.parametrize(
    ("heading", "weights", "is_used"),
    [
        ("weight", [0.5, 1.5], True),
        ("weights", [1, 1, 0, 2], True),
        ("weight", [70.5, 81.2, 64.0], False),
        ("weight", [0.004, 0.007], False),
        ("weight", ["70 kg", "81 kg"], False),
        ("weight", [1400, 2100], False),
        ("sample_weight", [7.0, 8.0], True),
        ("Sample Weight", [0.01, 0.02], True),
    ],
)
def test_a_weight_that_is_measured_is_no_weight_of_samples(
    heading: str, weights: list[Any], is_used: bool, tmp_path: Path
) -> None:
    """Its mean is not near 1: it is not used, and that is said; used it is if it is named."""
    root = files(tmp_path)
    lines = [f"{at:03d},{'ab'[at % 2]},{weights[at % len(weights)]}\n" for at in range(COUNT)]
    (root / "labels.csv").write_text(f"id,label,{heading}\n" + "".join(lines))
    source = bf.scan(root)
    assert (source.schema.weight is not None) == is_used
    assert kinds(source) == ([] if is_used else [("measured_weight", False)])
    assert len(next(iter(source.batches(4)))) == (3 if is_used else 2)
    if "kg" not in str(weights):
        named = bf.scan(root, weight=heading)
        assert named.schema.weight is not None
        assert kinds(named) == []


@pytest.mark.parametrize(("ids", "first"), [(1, 0), (0, 1), (101, 100)])
@pytest.mark.parametrize("form", ["{}", "{:03d}", "{}.0"])
def test_ids_off_by_one_are_refused(ids: int, first: int, form: str, tmp_path: Path) -> None:
    """Joined, all but one sample would have the label of its neighbour."""
    root = files(tmp_path, first)
    lines = [f"{form.format(at + ids)},{'abc'[at % 3]}\n" for at in range(COUNT)]
    (root / "labels.csv").write_text("id,label\n" + "".join(lines))
    with pytest.raises(bf.LabelError, match="off by one"):
        bf.scan(root)
    (root / "labels.csv").write_text("id,label\n" + "".join(lines[:-5]))
    assert ("missing_label", True) in kinds(bf.scan(root))


@pytest.mark.parametrize(
    ("table", "samples"),
    [
        ("annotations.csv", "rec/{:03d}.csv"),
        ("train.csv", "{:03d}.dat"),
        ("metadata.tsv", "{:03d}.csv"),
        ("y_train.txt", "{:03d}.csv"),
        ("Ground Truth.csv", "a/b/{:03d}.txt"),
    ],
)
def test_a_table_of_an_unusual_name_is_pointed_out(table: str, samples: str, tmp_path: Path) -> None:
    """Its ids name the samples; the user says that it is the label table."""
    for at in range(COUNT):
        path = tmp_path / samples.format(at)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.full(SHAPE, at))
    mark = "\t" if table.endswith(".tsv") else ","
    lines = [f"{at:03d}{mark}{'abc'[at % 3]}\n" for at in range(COUNT)]
    (tmp_path / table).write_text(f"id{mark}label\n" + "".join(lines))
    source = bf.scan(tmp_path)
    assert len(source) == COUNT
    (found,) = source.findings
    assert (found.kind, found.is_problem) == ("unusual_table", True)
    assert table in found.hint
    with pytest.raises(bf.SourceError, match="unusual table"):
        source.batches(4)
    named = bf.scan(tmp_path, labels=tmp_path / table)
    assert kinds(named) == []
    assert named.schema.classes == ("a", "b", "c")
    unlabelled = bf.scan(tmp_path, labels=False)
    assert (kinds(unlabelled), unlabelled.schema.target) == ([], None)


def test_a_table_beside_class_folders_is_a_warning(tmp_path: Path) -> None:
    """The folders are the labels."""
    for at in range(COUNT):
        path = tmp_path / f"{'ab'[at % 2]}/{at:03d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.full(SHAPE, at))
    (tmp_path / "recordings.csv").write_text(
        "id,place\n" + "".join(f"{at:03d},{'xy'[at % 2]}\n" for at in range(COUNT))
    )
    source = bf.scan(tmp_path)
    assert kinds(source) == [("unusual_table", False)]
    assert source.schema.classes == ("a", "b")
    assert len(source) == COUNT


@pytest.mark.parametrize("name", ["README.txt", "notes.csv", "requirements.txt"])
def test_other_files_beside_the_samples_are_no_tables(name: str, tmp_path: Path) -> None:
    """Their lines name no samples."""
    files(tmp_path / "rec")
    (tmp_path / name).write_text("Some notes, and more\n001 and 002 are noisy\nsee below, please\n")
    assert "unusual_table" not in dict(kinds(bf.scan(tmp_path, suffix=".csv")))


@pytest.mark.parametrize(("samples", "labels"), [("data", "labels"), ("x", "y"), ("signals", "annotation")])
def test_a_label_file_for_each_sample_is_pointed_out_and_used(
    samples: str, labels: str, tmp_path: Path
) -> None:
    """The error says how to use them."""
    files(tmp_path / samples)
    (tmp_path / labels).mkdir()
    for at in range(COUNT):
        (tmp_path / labels / f"{at:03d}.csv").write_text(
            f"{'abc'[at % 3]}\n" if samples != "x" else f"{at % 3}\n"
        )
    if samples == "x":
        with pytest.raises(bf.SourceError, match="files:") as caught:
            bf.scan(tmp_path)
        assert f"../{labels}/*.csv" in str(caught.value)
    source = bf.scan(tmp_path / samples, labels=f"files:../{labels}/*.csv")
    assert kinds(source) == []
    found = labels_of(source)
    assert all(str(label) in ("abc"[int(key) % 3], str(int(key) % 3)) for key, label in found.items())
    assert len(found) == COUNT


@pytest.mark.parametrize("suffix", [".lbl", ".json", ".txt", ".cls"])
def test_a_label_file_beside_each_sample_is_used_if_it_is_said(suffix: str, tmp_path: Path) -> None:
    """By a pattern; a file that is gone leaves its sample without a label."""
    files(tmp_path / "sub")
    for at in range(COUNT):
        (tmp_path / "sub" / f"{at:03d}{suffix}").write_text(f"{'abc'[at % 3]}\n")
    source = bf.scan(tmp_path, suffix=".csv", labels=f"files:**/*{suffix}")
    assert kinds(source) == []
    assert set(labels_of(source).items()) == {(f"sub/{at:03d}", "abc"[at % 3]) for at in range(COUNT)}
    (tmp_path / "sub" / f"003{suffix}").unlink()
    again = bf.scan(tmp_path, suffix=".csv", labels=f"files:**/*{suffix}")
    assert kinds(again) == [("missing_label", True)]


def test_label_files_that_are_none_are_refused(tmp_path: Path) -> None:
    """A pattern that finds nothing, and files that hold more than a label."""
    files(tmp_path / "a")
    with pytest.raises(bf.SourceNotFoundError, match=r"\*\.lbl"):
        bf.scan(tmp_path / "a", labels="files:*.lbl")
    for at in range(COUNT):
        (tmp_path / "a" / f"{at:03d}.lbl").write_text("cat\ndog\n")
    with pytest.raises(bf.LabelError, match="more than a label"):
        bf.scan(tmp_path / "a", labels="files:*.lbl")


@pytest.mark.parametrize("heading", ["patient,label", "Nr.,Diagnose"])
def test_ids_off_by_one_below_any_heading_are_refused(heading: str, tmp_path: Path) -> None:
    """The heading is no id."""
    root = files(tmp_path)
    (root / "labels.csv").write_text(
        f"{heading}\n" + "".join(f"{at + 1},{'ab'[at % 2]}\n" for at in range(COUNT))
    )
    with pytest.raises(bf.LabelError, match="off by one"):
        bf.scan(root)


def test_a_table_of_many_columns_is_pointed_out(tmp_path: Path) -> None:
    """Which of them is the target, is a question for later."""
    files(tmp_path / "rec", form="{:03d}.txt")
    lines = [f"{at:03d},{at + 20},{'mf'[at % 2]},{'ab'[at % 2]}\n" for at in range(COUNT)]
    (tmp_path / "metadata.csv").write_text("id,age,sex,diagnosis\n" + "".join(lines))
    assert kinds(bf.scan(tmp_path)) == [("unusual_table", True)]
    source = bf.scan(tmp_path, labels=tmp_path / "metadata.csv", target="diagnosis")
    assert source.schema.classes == ("a", "b")


def test_a_sample_that_strayed_is_no_table(tmp_path: Path) -> None:
    """Though its first column is like the names of the others."""
    for at in range(COUNT + 1):
        path = tmp_path / ("ab"[at % 2] if at < COUNT else "") / f"{at}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{row},{row * at}\n" for row in range(COUNT)))
    source = bf.scan(tmp_path)
    assert len(source) == COUNT + 1
    assert ("missing_label", True) in kinds(source)


def test_the_weights_of_a_mask_are_weights(tmp_path: Path) -> None:
    """Their greatest value is 1; and with a limit the remark on others stays."""
    root = files(tmp_path)
    for weight, is_used in (("1", True), ("70", False)):
        lines = [f"{at:03d},{'ab'[at % 2]},{weight if at % 5 == 0 else 0}\n" for at in range(COUNT)]
        (root / "labels.csv").write_text("id,label,weight\n" + "".join(lines))
        for limit in (None, 10):
            source = bf.scan(root, limit=limit)
            assert (source.schema.weight is not None) == is_used
            assert (("measured_weight", False) in kinds(source)) != is_used


def test_a_label_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Without a traceback of Arrow."""
    with pytest.raises(bf.LabelError, match="no text"):
        bf.scan(files(tmp_path), labels=lambda _: "\udc80")
