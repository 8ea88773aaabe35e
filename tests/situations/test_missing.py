"""Missing values: an error with the way out, or what the user says that they are delivered as."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main

COUNT = 40
ROWS, COLUMNS = 4, 3
WORDS = ("nan", "NA", "", "?", "null", "-")


def values(at: int) -> np.ndarray[Any, Any]:
    """The numbers of a file."""
    return np.arange(ROWS * COLUMNS, dtype=np.float64).reshape(ROWS, COLUMNS) / 8 + at


def folder(root: Path, word: str, mark: str = ",", every: int = 3) -> Path:
    """Files, of which every third misses two values: (1, 2) and (2, 0)."""
    for at in range(COUNT):
        cells = [[f"{value:.4f}" for value in row] for row in values(at)]
        if at % every == 0:
            cells[1][2] = cells[2][0] = word
        path = root / f"{'ab'[at % 2]}/{at:03d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(mark.join, cells)) + "\n")
    return root


def delivered(data: bf.Source | bf.Dataset) -> dict[int, np.ndarray[Any, Any]]:
    """The inputs by the number of the file."""
    return {
        int(key[2:]): x
        for batch in data.batches(7, include_keys=True)
        for x, key in zip(batch[0], batch[2], strict=True)
    }


def expected(at: int, what: str, every: int = 3) -> np.ndarray[Any, Any]:
    """What should be delivered, worked out by hand."""
    x = values(at).astype(np.float32)
    if at % every:
        return x
    x[1, 2] = x[2, 0] = np.nan
    fill = {
        "0": 0 * np.ones(COLUMNS),
        "mean": np.nanmean(x.astype(np.float64), axis=0),
        "nan": np.full(COLUMNS, np.nan),
    }
    x[1, 2], x[2, 0] = fill[what][2], fill[what][0]
    return x


@pytest.mark.parametrize(("word", "mark"), [*product(WORDS, ",;\t"), ("NA", " "), ("nan", " ")])
def test_missing_values_are_delivered_as_said(word: str, mark: str, tmp_path: Path) -> None:
    """From the files and from the store alike, whether few files have any or all."""
    for every in (1, 3):
        root = folder(tmp_path / str(every), word, mark, every)
        for what in ("0", "mean", "nan"):
            source = bf.scan(root, missing=what)
            assert "missing values (empty cells" in " ".join(source.facts)
            audit = source.audit()
            assert not audit.problems
            low, high = audit.value_range or (np.nan, np.nan)
            assert np.isfinite([low, high]).all()
            store = bf.pack(source, tmp_path / f"{every}{what}.brim")
            for data in (source, store):
                got = delivered(data)
                assert len(got) == COUNT
                for at, x in got.items():
                    np.testing.assert_array_equal(x, expected(at, what, every))


@pytest.mark.parametrize("word", WORDS)
def test_samples_with_missing_values_may_be_left_out(word: str, tmp_path: Path) -> None:
    """They alone, named; what is wrong otherwise stays an error."""
    root = folder(tmp_path / "data", word)
    source = bf.scan(root, missing="skip")
    assert sorted(delivered(source)) == [at for at in range(COUNT) if at % 3]
    assert {fault.kind for fault in source.skipped} == {"missing_value"}
    assert len(source.skipped) == 14
    (root / "a/002.csv").write_text("1,2,word\n" * ROWS)
    source = bf.scan(root, missing="skip")
    with pytest.raises(bf.SourceError, match="word"):
        delivered(source)


def test_without_a_word_they_are_an_error_with_the_way_out(tmp_path: Path) -> None:
    """In the audit, with the option."""
    source = bf.scan(folder(tmp_path / "data", "NA"))
    (problem,) = source.audit().problems
    assert (problem.kind, problem.count) == ("malformed", 14)
    assert "missing='mean'" in problem.hint
    assert "--missing" in problem.hint


@pytest.mark.parametrize("text", ["inf", "1e400", "x", "---", "1_0"])
def test_other_words_are_not_missing(text: str, tmp_path: Path) -> None:
    """Infinity, and what is no number, stay errors."""
    root = folder(tmp_path / "data", "1.0")
    (root / "a/000.csv").write_text(f"1,2,{text}\n" * ROWS)
    for what in ("0", "mean", "nan", "skip"):
        with pytest.raises(bf.SourceError, match=r"000\.csv"):
            delivered(bf.scan(root, missing=what))


def test_a_file_of_missing_values_alone_has_no_mean(tmp_path: Path) -> None:
    """It is named; zeros can stand for them."""
    root = folder(tmp_path / "data", "1.0")
    (root / "a/000.csv").write_text("NA,NA,NA\n" * ROWS)
    with pytest.raises(bf.SourceError, match=r"000\.csv.*no number"):
        delivered(bf.scan(root, missing="mean"))
    assert not delivered(bf.scan(root, missing=0))[0].any()


def test_a_line_has_the_mean_of_itself(tmp_path: Path) -> None:
    """In a file of one line no column has another number."""
    for at in range(COUNT):
        (tmp_path / f"{at:03d}.csv").write_text("1,2,NA,6\n")
    (x,) = next(iter(bf.scan(tmp_path, missing="mean").batches(4)))
    np.testing.assert_array_equal(x, np.tile(np.array([1, 2, 3, 6], np.float32), (4, 1)))


@pytest.mark.parametrize("what", ["median", 1, None, 0.5])
def test_other_ways_are_refused(what: Any, tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(bf.ArgumentError, match="'mean'"):
        bf.scan(folder(tmp_path / "data", "NA"), missing=what)


@pytest.mark.parametrize("what", ["mean", "skip"])
def test_the_command_line_says_it_too(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scan and for pack."""
    root = folder(tmp_path / "data", "NA")
    assert main(["scan", str(root), "--missing", what]) == 0
    assert main(["pack", str(root), str(tmp_path / "d.brim"), "--missing", what]) == 0
    capsys.readouterr()
    assert len(bf.open(tmp_path / "d.brim")) == (COUNT if what == "mean" else COUNT - 14)


@pytest.mark.parametrize("missing", ["0", "nan", "mean"])
def test_a_line_of_empty_cells_between_tabs_is_a_line(missing: Any, tmp_path: Path) -> None:
    """It is no blank line, after which all others would be shifted."""
    for at in range(COUNT):
        rows = ["\t".join(f"{value:.4f}" for value in row) for row in values(at)]
        rows[at % ROWS] = "\t" * (COLUMNS - 1)
        (tmp_path / f"{at:03d}.tsv").write_text("\n".join(rows) + "\n")
    for (x,) in bf.scan(tmp_path, missing=missing).batches(1):
        assert x.shape == (1, ROWS, COLUMNS)
    with pytest.raises(bf.MalformedFileError, match="an empty cell"):
        bf.scan(tmp_path)


def test_a_value_missing_at_the_end_of_a_line_is_no_trailing_delimiter(tmp_path: Path) -> None:
    """If some files end with a delimiter, and values may be missing."""
    for at in range(COUNT):
        (tmp_path / f"{at:03d}.tsv").write_text("0\t1\t2\t" + ("" if at % 3 else "3") + "\n")
    found = {tuple(x[0].tolist()) for (x,) in bf.scan(tmp_path, missing="mean").batches(1)}
    assert found == {(0, 1, 2, 1), (0, 1, 2, 3)}


@pytest.mark.parametrize(
    "word", ["-nan", "<NA>", "n.a.", ".", "1.#QNAN", "-nan(ind)", "#DIV/0!", '" NA "', '""']
)
@pytest.mark.parametrize("missing", ["skip", "nan"])
def test_missing_values_as_programs_write_them(word: str, missing: Any, tmp_path: Path) -> None:
    """In few files, quoted too; "skip" and "nan" mean the same files."""
    source = bf.scan(folder(tmp_path / "data", word, every=13), missing=missing)
    incomplete = sum(np.isnan(x).any() for x, _ in source.batches(1))
    assert (len(source), incomplete) == ((36, 0) if missing == "skip" else (COUNT, 4))
    assert not source.audit().problems


def test_leaving_out_keeps_the_classes_that_were_given(tmp_path: Path) -> None:
    """Their numbers are those that a model knows."""
    root = folder(tmp_path / "data", "NA")
    for how in ({"missing": "skip"}, {"on_bad": "skip"}):
        source = bf.scan(root, classes=["a", "aa", "b"], **how)  # type: ignore[arg-type]
        assert source.schema.classes == ("a", "aa", "b")
        assert {int(y[0]) for _, y in source.batches(1)} == {0, 2}


def test_other_faults_stay_when_incomplete_samples_are_left_out(tmp_path: Path) -> None:
    """A label that only an incomplete sample lacks is no problem; a malformed file still is one."""
    root = folder(tmp_path / "data", "NA")
    lines = [f"{at:03d},{'ab'[at % 2]}" for at in range(1, COUNT)]
    (root / "labels.csv").write_text("id,label\n" + "\n".join(lines))
    source = bf.scan(root, missing="skip")
    assert not [each for each in source.findings if each.is_problem]
    assert len(list(source.batches(4))) == 7
    (root / "a/002.csv").write_text("1,2,word\n" * ROWS)
    assert [each.kind for each in bf.scan(root, missing="skip").findings] == ["malformed"]


@pytest.mark.parametrize("what", [np.array([0, 1]), b"0", ["skip"]])
def test_arguments_of_another_kind_are_refused(what: Any, tmp_path: Path) -> None:
    """Without a traceback of NumPy."""
    with pytest.raises(bf.ArgumentError, match="missing"):
        bf.scan(folder(tmp_path / "data", "NA"), missing=what)
