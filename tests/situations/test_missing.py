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


@pytest.mark.parametrize("text", ["inf", "1e400", "x", "--", "1_0"])
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
