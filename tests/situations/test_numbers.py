"""Numbers: what a file's lines and columns mean is said by the user where they may mean two things."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import brimful as bf
from brimful.cli.main import main

ROWS, COLUMNS = 16, 4


def values(number: int) -> NDArray[Any]:
    """What a sample holds."""
    return np.random.default_rng(number).normal(number % 3, 0.1, (ROWS, COLUMNS)).round(4)


def folder(root: Path, form: str = "{}", *, head: str = "", mark: str = ",", suffix: str = ".csv") -> Path:
    """Thirty files, each line as `form` says, below a head."""
    root.mkdir(parents=True)
    for number in range(30):
        lines = (mark.join(f"{value:.4f}" for value in row) for row in values(number))
        text = head + "".join(form.format(line, n=n) + "\n" for n, line in enumerate(lines))
        content = text.encode()
        (root / f"{number}{suffix}").write_bytes(
            gzip.compress(content) if suffix.endswith(".gz") else content
        )
    return root


def check(source: bf.Source, columns: slice = slice(None)) -> None:
    """Every sample is what was written, bit for bit."""
    assert len(source) == 30
    for at, key in enumerate(source.keys):
        assert np.array_equal(source[at][0], values(int(key))[:, columns].astype("float32"))


def kinds(source: bf.Source) -> list[str]:
    """What was noticed."""
    return [finding.kind for finding in source.findings]


@pytest.mark.parametrize(
    ("form", "head", "options"),
    [
        ("{}", "time,x,y,z\n", {"skip_lines": 1}),
        ("{}", "%Raw EEG\n%Rate = 250 Hz\nA, B, C, D\n", {"skip_lines": 3}),
        ("{}", "V,mV,mV,s\nx,y,z,t\n", {"skip_lines": 2}),
        ("{n},{}", "0,1,2,3,4\n", {"skip_lines": 1, "columns": "2-"}),
        ("{}, 2022-12-20 16:40:{n:02d}", "", {"columns": "1-4"}),
        ('"{n}",{}', '"","a","b","c","d"\n', {"skip_lines": 1, "columns": [2, 3, 4, 5]}),
    ],
)
def test_heads_and_columns_that_are_no_data_are_left_out(
    form: str, head: str, options: Any, tmp_path: Path
) -> None:
    """If the user says so; then there is no warning."""
    source = bf.scan(folder(tmp_path / "data", form, head=head), **options)
    check(source)
    assert kinds(source) == []


@pytest.mark.parametrize("head", ["time,x,y,z\n", "%Raw EEG\nchannel one,b,c,d\n", "sep=;\nabc;d;e;f\n"])
def test_a_head_of_words_is_one_message_about_all_files(head: str, tmp_path: Path) -> None:
    """Not an error of the first one."""
    with pytest.raises(bf.SourceError, match="all 30 files") as caught:
        bf.scan(folder(tmp_path / "data", head=head))
    assert "--skip-lines" in caught.value.hint


@pytest.mark.parametrize("head", ["# t x y z\n", "% made by hand\n# v2\n", "#\n"])
def test_comments_at_the_beginning_are_no_data(head: str, tmp_path: Path) -> None:
    """As `np.savetxt` writes them; a file without one is an error, not a line less."""
    root = folder(tmp_path / "data", head=head)
    source = bf.scan(root)
    check(source)
    assert kinds(source) == []
    key = source.keys[5]
    text = (root / f"{key}.csv").read_text().removeprefix(head)
    (root / f"{key}.csv").write_text(text + text.splitlines()[0] + "\n" * len(head.splitlines()))
    assert [problem.kind for problem in source.audit(cached=False).problems] == ["malformed"]


@pytest.mark.parametrize("form", ["{},", "{} ,", "{},\t"])
def test_lines_may_end_with_the_delimiter(form: str, tmp_path: Path) -> None:
    """No empty column is made of it."""
    source = bf.scan(folder(tmp_path / "data", form))
    check(source)
    assert kinds(source) == []


@pytest.mark.parametrize("mark", [";", "\t", " "])
def test_decimal_commas_are_read_where_that_is_said(mark: str, tmp_path: Path) -> None:
    """Between semicolons, tabs or blanks."""
    root = folder(tmp_path / "data", mark=mark)
    for file in root.iterdir():
        file.write_text(file.read_text().replace(".", ","))
    check(bf.scan(root, decimal=","))


@pytest.mark.parametrize("text", ["1,240412\n0,118204\n", "1,234\n2,500\n", "0,98, 1,18\n1,02, 0,99\n"])
def test_a_comma_that_may_be_a_decimal_one_is_a_problem(text: str, tmp_path: Path) -> None:
    """Both readings are named, and the option that chooses."""
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text(text)
    (problem,) = bf.scan(tmp_path).findings
    assert (problem.kind, problem.is_problem) == ("doubtful_decimal", True)
    with pytest.raises(bf.SourceError, match="doubtful decimal"):
        bf.scan(tmp_path).batches(2)
    assert kinds(bf.scan(tmp_path, decimal=".")) == []


@pytest.mark.parametrize("text", ["12,7\n3,41\n", "1,2\n3,4\n", "1.5,2\n0.25,3\n"])
def test_pairs_of_numbers_are_no_decimal_commas(text: str, tmp_path: Path) -> None:
    """No noise about what is clear."""
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text(text)
    assert kinds(bf.scan(tmp_path)) == []


@pytest.mark.parametrize(
    ("form", "head", "kind"),
    [
        ("{}", "0,1,2,3\n", "same_first_line"),
        ("{}", "400.5,401,410,500\n", "same_first_line"),
        ("{n},{}", "", "same_first_column"),
        ("{n}e-3,{}", "", "same_first_column"),
    ],
)
def test_a_first_line_or_column_that_rises_in_all_files_is_a_warning(
    form: str, head: str, kind: str, tmp_path: Path
) -> None:
    """An index, a header of numbers, wavelengths, times."""
    source = bf.scan(folder(tmp_path / "data", form, head=head))
    assert kinds(source) == [kind]
    assert source.audit(cached=False).warnings[0].kind == kind


@pytest.mark.parametrize("form", ["{n},{}", "17{n:011d},{}", "1700000000.{n:03d},{}"])
def test_numbers_that_become_equal_are_a_warning(form: str, tmp_path: Path) -> None:
    """Times in milliseconds and ids need more digits than float32 has; small integers do not."""
    source = bf.scan(folder(tmp_path / "data", form), columns="1-")
    lost = "lost_digits" in kinds(source)
    assert lost == (not form.startswith("{n}"))
    if lost:
        assert kinds(bf.scan(tmp_path / "data", columns="1-", dtype="float64")) == []


@pytest.mark.parametrize("suffix", [".asc", ".xyz", ".lvm", ".tab", ".prn", ".csv.gz", ".txt.gz", ".data"])
def test_samples_with_other_suffixes_are_seen(suffix: str, tmp_path: Path) -> None:
    """Compressed ones too; keys are without the suffix."""
    check(bf.scan(folder(tmp_path / "data", suffix=suffix)))


@pytest.mark.parametrize("suffix", ["", ".signal", ".CSV"])
def test_a_suffix_may_be_named(suffix: str, tmp_path: Path) -> None:
    """Any, or none."""
    check(bf.scan(folder(tmp_path / "data", suffix=suffix), suffix=suffix))
    if suffix != ".CSV":
        with pytest.raises(bf.SourceNotFoundError) as caught:
            bf.scan(tmp_path / "data")
        assert "--suffix" in caught.value.hint


def test_a_cut_archive_is_a_problem(tmp_path: Path) -> None:
    """Counted, with its file."""
    root = folder(tmp_path / "data", suffix=".csv.gz")
    file = root / "7.csv.gz"
    file.write_bytes(file.read_bytes()[:-12])
    problems = bf.scan(root).audit(cached=False).problems
    assert [(each.kind, each.count) for each in problems] == [("malformed", 1)]


def test_two_suffixes_in_near_equal_number_are_a_problem(tmp_path: Path) -> None:
    """Which are the samples, is asked."""
    folder(tmp_path / "data", suffix=".csv")
    for number in range(20):
        (tmp_path / "data" / f"x{number}.txt").write_text("1 2\n")
    assert [each.kind for each in bf.scan(tmp_path / "data").findings if each.is_problem] == ["second_suffix"]
    check(bf.scan(tmp_path / "data", suffix=".csv"))


def test_the_command_line_takes_the_same(tmp_path: Path) -> None:
    """--skip-lines, --columns, --suffix, --dtype."""
    root = folder(tmp_path / "data", "{n},{}", head="n,a,b,c,d\n", suffix=".data")
    options = ["--skip-lines", "1", "--columns", "2-5", "--suffix", ".data", "--dtype", "float64"]
    assert main(["scan", str(root), "--quiet", *options]) == 0
    assert main(["scan", str(root), "--quiet"]) == 1


@pytest.mark.parametrize("columns", ["", "0", "3-2", "a", "2-4-5", [0]])
def test_columns_that_are_none_are_refused(columns: Any, tmp_path: Path) -> None:
    """With what was given."""
    with pytest.raises(bf.ArgumentError, match="columns"):
        bf.scan(folder(tmp_path / "data"), columns=columns)


@pytest.mark.parametrize("line", ["9,1,2,3,4,5", "9,1,2,3"])
def test_a_line_with_other_columns_is_wrong_even_if_some_are_kept(line: str, tmp_path: Path) -> None:
    """Whether a cell is missing or too many stand there, the others may be shifted."""
    root = folder(tmp_path / "data", "{n},{}")
    path = root / "7.csv"
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([first, line, *others[1:]]) + "\n")
    (problem,) = bf.scan(root, columns="2-4").audit(cached=False).problems
    assert (problem.kind, problem.count) == ("wrong_shape", 1)
    assert "7.csv:2" in problem.examples[0]
