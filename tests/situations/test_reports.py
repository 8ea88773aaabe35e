"""Reports: what people met in one way is met in the others that are like it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from tests.situations.models import SHAPE

COUNT = 40


def kinds(source: bf.Source) -> list[str]:
    """What was noticed."""
    return [finding.kind for finding in source.findings]


def files(root: Path, text: Any, form: str = "{name}/{at:03d}.csv", count: int = COUNT) -> Path:
    """Files of two classes; `text` makes the content of each from its number."""
    for at in range(count):
        path = root / form.format(name="ab"[at % 2], at=at)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(at))
    return root


def lines(*rows: list[str], mark: str = ",") -> str:
    """Rows of cells as text."""
    return "".join(mark.join(row) + "\n" for row in rows)


def grid(at: int) -> str:
    """Some numbers."""
    return lines(*[[f"{at / 8 + row + column / 4:.4f}" for column in range(3)] for row in range(4)])


@pytest.mark.parametrize(
    ("first", "step"),
    [(738000, 1 / 86400), (45000, 1 / 86400), (2459000.5, 1 / 1440), (1.6e9, 1), (1.6e7, 0.1)],
)
@pytest.mark.parametrize("is_one_line", [True, False])
def test_times_that_become_equal_are_warned_of(
    first: float, step: float, is_one_line: bool, tmp_path: Path
) -> None:
    """With fractions or without; in one file, or from file to file."""
    rows = 1 if is_one_line else 6

    def text(at: int) -> str:
        return lines(*[[f"{first + (at * rows + row) * step:.8f}", "1.5", f"{at}.25"] for row in range(rows)])

    root = files(tmp_path, text)
    assert "lost_digits" in kinds(bf.scan(root))
    assert "lost_digits" not in kinds(bf.scan(root, dtype="float64"))


def test_numbers_with_many_digits_are_no_times(tmp_path: Path) -> None:
    """Measurements as NumPy writes them lose digits that nobody misses."""
    random = np.random.default_rng(0)
    assert (
        kinds(
            bf.scan(
                files(
                    tmp_path,
                    lambda _: lines(*[[repr(float(x)) for x in random.normal(size=3)] for _ in range(9)]),
                )
            )
        )
        == []
    )


@pytest.mark.parametrize("form", ["rec{at:03d}/data.csv", "rec{at:03d}/rec{at:03d}.csv"])
def test_a_folder_for_each_sample_is_no_class(form: str, tmp_path: Path) -> None:
    """There would be as many classes as samples."""
    assert "many_classes" in kinds(bf.scan(files(tmp_path, grid, form)))
    assert bf.scan(tmp_path, labels=False).schema.target is None


@pytest.mark.parametrize(
    "sides",
    [
        ("training_data", "test_data"),
        ("train1", "train2", "test"),
        ("tr", "te"),
        ("Trainingsdaten", "Testdaten"),
        ("entrenamiento", "prueba"),
        ("Train-Set", "Validation Set", "Test.Images"),
        ("TRAINING", "TESTING"),
    ],
)
def test_sides_are_known_in_many_spellings(sides: tuple[str, ...], tmp_path: Path) -> None:
    """They are no classes, and a split."""
    for number, side in enumerate(sides):
        files(tmp_path / side, grid, "{at:03d}.csv", count=5 + number)
    source = bf.scan(tmp_path)
    assert kinds(source) == ["folders_without_labels"]
    assert len(source.split(by="folders")) == len({side[:2].casefold() for side in sides})


@pytest.mark.parametrize(
    "names", [("trail", "test"), ("value", "device"), ("train", "plane"), ("tea", "trousers")]
)
def test_words_that_begin_alike_are_classes(names: tuple[str, ...], tmp_path: Path) -> None:
    """Not every word with these letters is a side."""
    for name in names:
        files(tmp_path / name, grid, "{at:03d}.csv", count=5)
    assert bf.scan(tmp_path, labels="folders").schema.classes == tuple(sorted(names))
    assert bf.scan(tmp_path).schema.num_classes == 2


@pytest.mark.parametrize("axis", [range(4000, 3960, -10), range(4)])
def test_axes_that_fall_are_warned_of_as_those_that_rise(axis: range, tmp_path: Path) -> None:
    """Wavenumbers are written from high to low."""
    values = list(axis)[:4]
    columns = files(
        tmp_path / "a",
        lambda at: lines(*[[f"{v}", f"{at}.5", f"{at + row}.25"] for row, v in enumerate(values)]),
    )
    assert kinds(bf.scan(columns)) == ["same_first_column"]
    first = files(tmp_path / "b", lambda at: lines([f"{v}" for v in values], *[[f"{at}.5"] * 4] * 2))
    assert kinds(bf.scan(first)) == ["same_first_line"]


@pytest.mark.parametrize(
    ("odd", "kind"), [("unlabeled", "unknown_word"), ("UNK", "unknown_word"), ("TBD", "unknown_word")]
)
def test_more_words_say_that_there_is_no_label(odd: str, kind: str, tmp_path: Path) -> None:
    """They are no class."""
    root = files(tmp_path, grid, "{at:03d}.csv")
    table = "".join(f"{at:03d},{odd if at == 7 else 'ab'[at % 2]}\n" for at in range(COUNT))
    (root / "labels.csv").write_text("id,label\n" + table)
    source = bf.scan(root)
    assert source.schema.classes == ("a", "b")
    assert kind in kinds(source)


@pytest.mark.parametrize(
    ("numbers", "is_far"),
    [((0, 1, 2, 999), True), ((0, 255), True), ((0, 1, 2, 3), False), ((1, 5, 9), False)],
)
def test_an_integer_far_from_the_others_is_warned_of(
    numbers: tuple[int, ...], is_far: bool, tmp_path: Path
) -> None:
    """It may say that there is no label."""
    root = files(tmp_path, grid, "{at:03d}.csv")
    table = "".join(f"{at:03d},{numbers[at % len(numbers)]}\n" for at in range(COUNT))
    (root / "labels.csv").write_text("id,label\n" + table)
    assert ("far_class" in kinds(bf.scan(root))) == is_far


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp1251", "кошка"), ("cp1252", "Grün"), ("shift_jis", "猫猫")]
)
def test_an_encoding_that_was_guessed_is_warned_of(encoding: str, name: str, tmp_path: Path) -> None:
    """With the line, so that the letters can be looked at."""
    root = files(tmp_path, grid, "{at:03d}.csv")
    table = "".join(f"{at:03d},{name if at % 2 else 'dog'}\n" for at in range(COUNT))
    (root / "labels.csv").write_bytes(("id,label\n" + table).encode(encoding))
    assert "guessed_encoding" in kinds(bf.scan(root))
    (root / "labels.csv").write_text("id,label\n" + table, "utf-8")
    assert kinds(bf.scan(root)) == []


def test_the_question_about_folders_names_the_levels(tmp_path: Path) -> None:
    """And not one that is a split."""
    for at in range(90):
        path = (
            tmp_path / ("train", "test")[at % 2] / ("cat", "dog", "emu")[at % 3] / f"s{at % 5}" / f"{at}.csv"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(grid(at))
    (finding,) = bf.scan(tmp_path).findings
    assert "folders:2" in finding.hint
    assert "folders:3" in finding.hint
    assert "folders:1" not in finding.hint


@pytest.mark.parametrize(
    "line",
    ["6,00, 6,08, 6,14", "6,00 6,08 6,14", "6,00;6,08;6,14", "6,00\t6,08\t6,14", '"6,00","6,08","6,14"'],
)
def test_decimal_commas_are_read_between_all_marks(line: str, tmp_path: Path) -> None:
    """The option that the message names, reads them."""
    root = files(tmp_path, lambda _: f"{line}\n" * 3)
    try:
        hints = " ".join(each.hint for each in bf.scan(root).findings)
    except bf.SourceError as error:
        hints = str(error)
    assert "--decimal" in hints
    (x, _) = next(iter(bf.scan(root, decimal=",").batches(2)))
    np.testing.assert_array_equal(x[0], np.tile(np.array([6, 6.08, 6.14], np.float32), (3, 1)))


@pytest.mark.parametrize(
    ("text", "option"),
    [
        (lambda at: f"Recorded 2023-01-{at % 28 + 1:02d}\n" + grid(at), {"skip_lines": 1}),
        (lambda at: f"// file {at}\n" + grid(at), {"skip_lines": 1}),
        (lambda at: ",0,1\n" + "".join(f"{row},{at}.5,{row}.5\n" for row in range(3)), {"skip_lines": 1}),
        (lambda at: "".join(f"2022-12-20 16:4{row},{at}.5\n" for row in range(4)), {"columns": "2-"}),
        (lambda at: "NA,1\n" + f"{at}.5,2\n", {"missing": "mean"}),
        (lambda at: "NA,NA,NA\n" + grid(at), {"missing": 0}),
    ],
)
def test_what_is_wrong_in_all_files_is_no_broken_file(
    text: Any, option: dict[str, Any], tmp_path: Path
) -> None:
    """The error is about all of them, and names what leaves it out; with that they are read."""
    root = files(tmp_path, text)
    with pytest.raises(bf.MalformedFileError, match="none of the 40 files") as caught:
        bf.scan(root)
    assert f"--{next(iter(option)).replace('_', '-')}" in caught.value.hint
    assert len(list(bf.scan(root, **option).batches(8))) == 5


def test_a_column_of_labels_without_ids_is_no_table(tmp_path: Path) -> None:
    """Labels are never joined by position."""
    files(tmp_path / "train", grid, "{at:03d}.csv")
    (tmp_path / "y_train.txt").write_text("".join(f"{at % 3}\n" for at in range(COUNT)))
    assert kinds(bf.scan(tmp_path)) == []


def test_the_suffix_that_there_is_is_named(tmp_path: Path) -> None:
    """And links that were not followed."""
    files(tmp_path / "a", grid, "{at:03d}.out")
    with pytest.raises(bf.SourceNotFoundError) as caught:
        bf.scan(tmp_path / "a")
    assert "--suffix .out" in caught.value.hint
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "cat").symlink_to(tmp_path / "a")
    with pytest.raises(bf.SourceNotFoundError, match="links to folders"):
        bf.scan(tmp_path / "b")


@pytest.mark.parametrize("name", ["README.txt", "readme.TXT", "LICENSE.txt"])
def test_notes_beside_samples_are_no_samples(name: str, tmp_path: Path) -> None:
    """Though they have the same suffix."""
    files(tmp_path, lambda at: grid(at).replace(",", " "), "{name}/{at:03d}.txt")
    (tmp_path / name).write_text("These are the data\nof two kinds.\n")
    source = bf.scan(tmp_path)
    assert (kinds(source), len(source)) == ([], COUNT)
    assert "README and the like" in " ".join(source.facts)


def test_dates_below_classes_are_no_classes(tmp_path: Path) -> None:
    """As those above are none."""
    source = bf.scan(files(tmp_path, grid, "{name}/2023/0{at}/{at:03d}.csv", count=9))
    assert (kinds(source), source.schema.classes) == ([], ("a", "b"))


def test_label_files_are_no_samples(tmp_path: Path) -> None:
    """That they are as many as the samples, is as it should be."""
    files(tmp_path, grid, "{at:03d}.csv")
    files(tmp_path, lambda at: "ab"[at % 2], "{at:03d}.txt")
    source = bf.scan(tmp_path, labels="files:*.txt")
    assert (kinds(source), source.schema.classes) == ([], ("a", "b"))


@pytest.mark.parametrize("name", ["Labels.csv", "labels.CSV", "LABELS.CSV", "Target.txt"])
def test_a_table_in_other_letters_is_the_table(name: str, tmp_path: Path) -> None:
    """It lies in the folder itself."""
    root = files(tmp_path, grid, "{at:03d}.dat")
    (root / name).write_text("id,label\n" + "".join(f"{at:03d},{'ab'[at % 2]}\n" for at in range(COUNT)))
    source = bf.scan(root)
    assert (kinds(source), source.schema.classes) == ([], ("a", "b"))


@pytest.mark.parametrize("name", ["trainLabels.csv", "annotations.csv", "labels_final.csv"])
def test_a_table_with_the_suffix_of_the_samples_is_pointed_out(name: str, tmp_path: Path) -> None:
    """It is no malformed sample."""
    files(tmp_path / "train", grid, "{at:03d}.csv")
    (tmp_path / name).write_text("id,label\n" + "".join(f"{at:03d},{at % 3}\n" for at in range(COUNT)))
    source = bf.scan(tmp_path)
    assert (kinds(source), len(source)) == (["unusual_table"], COUNT)


@pytest.mark.keras
def test_a_model_with_too_few_outputs_is_told_how_many() -> None:
    """The classes are numbered already."""
    keras = pytest.importorskip("keras")
    source = bf.scan(
        [(np.zeros(SHAPE, "float32"), "abc"[at % 3]) for at in range(COUNT)], classes=["a", "b", "c"]
    )
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(bf.ArgumentError) as caught:
        model.fit(source.batches(16), verbose=0)
    assert "3 outputs" in caught.value.hint


@pytest.mark.parametrize("form", ["{name},{at:03d}\n", "{name},{at:03d}.csv\n", "{name},{at}\n"])
@pytest.mark.parametrize("heading", ["", "Klasse,Datei\n"])
def test_a_table_with_the_ids_behind_the_labels_is_refused(form: str, heading: str, tmp_path: Path) -> None:
    """With the column that holds them; named, it is read."""
    root = files(tmp_path, grid, "{at:03d}.csv")
    table = "".join(form.format(name="xy"[at % 2], at=at) for at in range(COUNT))
    (root / "labels.csv").write_text(heading + table)
    with pytest.raises(bf.LabelError, match="cells of the column '2' do") as caught:
        bf.scan(root)
    assert "--id 2" in caught.value.hint
    assert bf.scan(root, id="2").schema.classes == ("x", "y")


def test_classes_may_hold_commas(tmp_path: Path) -> None:
    """In quotes, on the command line."""
    root = files(tmp_path, grid, "{at:03d}.csv")
    (root / "labels.csv").write_text(
        "id;label\n" + "".join(f"{at:03d};{'0,5' if at % 2 else '1,5'}\n" for at in range(COUNT))
    )
    assert main(["scan", str(root), "--quiet", "--classes", '"0,5","1,5"']) == 0
