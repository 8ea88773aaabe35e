"""Label tables as spreadsheets, R and scripts write them: met, or one clear message."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.situations.models import SHAPE

COUNT = 60


def folder(root: Path, table: str | bytes, name: str = "labels.csv") -> Path:
    """train/0000.csv and so on, and a table."""
    (root / "train").mkdir(parents=True)
    for number in range(COUNT):
        np.savetxt(root / "train" / f"{number:04d}.csv", np.full(SHAPE, number))
    (root / name).write_bytes(table if isinstance(table, bytes) else table.encode())
    return root


def lines(form: str, count: int = COUNT) -> str:
    """A line for each sample; `n` is its number, `y` its class."""
    return "".join(form.format(n=n, y=n % 3) for n in range(count))


def labels_of(source: bf.Source) -> dict[str, Any]:
    """The label of each key."""
    classes = source.schema.classes or ()
    numbers = {key: int(source[at][1]) for at, key in enumerate(source.keys)}
    return {key: classes[y] if isinstance(classes[0], str) else y for key, y in numbers.items()}


EXPECTED = {f"train/{n:04d}": n % 3 for n in range(COUNT)}


@pytest.mark.parametrize(
    "table",
    [
        "path,label\n" + lines("./data/train/{n:04d}.csv,{y}\n"),
        "path,label\n" + lines("/home/me/data/train/{n:04d}.csv,{y}\n"),
        "path,label\n" + lines("train\\{n:04d}.csv,{y}\n"),
        "path,label\n" + lines("C:\\data\\train\\{n:04d}.csv,{y}\n"),
        "file,label\n" + lines("train/{n:04d}.wav,{y}\n"),
        "id,label\n" + lines("{n}.0,{y}\n"),
        "id,label,,\n" + lines("{n:04d},{y},,\n") + ",,,\n,,,\n",
        ",,id,label\n" + lines(",,{n:04d},{y}\n"),
        "ImageId,Label,split\n" + lines("{n:04d},{y},train\n"),
        "image_id,category,age\n" + lines("{n:04d},{y},7\n"),
        "Image Name,Class ID,age\n" + lines("{n:04d}.csv,{y},7\n"),
        "Label,ImageId\n" + lines("{y},{n}\n"),
        "filepath;species;site\n" + lines("train/{n:04d}.csv;{y};a\n"),
        lines("{n:04d}   {y}\n"),
        lines("  {n:04d}  {y}  \n"),
        '"id" "label"\n' + lines('"{n}" "{n:04d}" {y}\n'),
        ("id\tlabel\n" + lines("{n:04d}\t{y}\n")).encode("utf-16"),
        "\ufeffid,label\r\n" + lines("{n:04d},{y}\r\n"),
    ],
)
def test_tables_are_read_as_they_are_written(table: str | bytes, tmp_path: Path) -> None:
    """Paths from elsewhere, blank columns, headings of all kinds, runs of blanks, R, UTF-16."""
    source = bf.scan(folder(tmp_path / "data", table))
    assert labels_of(source) == EXPECTED
    assert not source.findings


@pytest.mark.parametrize("word", ["cat", "1,5", "12 %", "2024-01-05"])
def test_several_targets_of_which_one_holds_words_are_refused(word: str, tmp_path: Path) -> None:
    """In one message, with the column."""
    root = folder(tmp_path / "data", "id;age;kind\n" + lines(f"{{n:04d}};{{y}}.5;{word}\n"))
    with pytest.raises(bf.LabelError, match="the column 'kind' holds words"):
        bf.scan(root, target=["age", "kind"])
    assert bf.scan(root, target="age").schema.classes is None


@pytest.mark.parametrize("form", ["/mnt/x/train/{}.wav", "C:\\x\\train\\{}.csv", "./train/{}.csv"])
def test_paths_from_elsewhere_meet_though_the_first_files_are_gone(form: str, tmp_path: Path) -> None:
    """An id that no sample has is a warning."""
    ids = [form.format(n) for n in ("gone", "gone2", *(f"{n:04d}" for n in range(COUNT)))]
    table = "file,label\n" + "".join(f"{each},{max(at - 2, 0) % 3}\n" for at, each in enumerate(ids))
    source = bf.scan(folder(tmp_path / "data", table))
    assert labels_of(source) == EXPECTED
    assert [(each.kind, each.count) for each in source.findings] == [("orphan_label", 2)]


@pytest.mark.parametrize("form", ["Train/{n:04d}.CSV,{y}\n", "TRAIN/{n:04d},{y}\n"])
def test_ids_in_other_letters_meet(form: str, tmp_path: Path) -> None:
    """As file systems without letter case allow it."""
    root = folder(
        tmp_path / "data", "id,label\n" + lines(form.replace("rain/", "rain/S").replace("RAIN/", "RAIN/S"))
    )
    for file in list((root / "train").iterdir()):
        file.rename(file.with_name(f"s{file.name}"))
    source = bf.scan(root)
    assert {key.replace("/s", "/"): y for key, y in labels_of(source).items()} == EXPECTED


def test_tables_in_the_encoding_of_spreadsheets(tmp_path: Path) -> None:
    """cp1252: umlauts in class names."""
    table = ("id,label\r\n" + lines("{n:04d},M\u00fcller {y}\r\n")).encode("cp1252")
    source = bf.scan(folder(tmp_path / "data", table))
    assert source.schema.classes == ("M\u00fcller 0", "M\u00fcller 1", "M\u00fcller 2")


@pytest.mark.parametrize(
    ("content", "what"), [(b"PK\x03\x04rest", "Excel"), (b'{"a": 1}', "JSON"), (b' [{"id": 1}]', "JSON")]
)
def test_tables_that_are_no_text_say_what_to_do(content: bytes, what: str, tmp_path: Path) -> None:
    """Save them as CSV, or read them with pandas."""
    with pytest.raises(bf.LabelError, match=what) as caught:
        bf.scan(folder(tmp_path / "data", content))
    assert "labels=frame" in caught.value.hint


@pytest.mark.parametrize("word", ["NA", "nan", "None", "?", "unknown", "N/A", ""])
def test_words_for_no_label_are_no_class(word: str, tmp_path: Path) -> None:
    """Their samples lack a label, which is a problem; unless the word is named as a class."""
    table = "id,label\n" + "".join(f"{n:04d},{n % 3 if n % 7 else word}\n" for n in range(COUNT))
    root = folder(tmp_path / "data", table)
    source = bf.scan(root)
    assert source.schema.classes == (0, 1, 2)
    assert [(each.kind, each.count) for each in source.findings if each.is_problem] == [("missing_label", 9)]
    if word:
        named = bf.scan(root, classes=["0", "1", "2", word])
        assert not [each for each in named.findings if each.is_problem]
        assert named.schema.classes == ("0", "1", "2", word)


@pytest.mark.parametrize(
    "form", ["{n},37", "{n}.5%", "${n},200", '"1,0{n:02d}"', "\u20ac {n}.50", "1'0{n:02d}.5"]
)
def test_numbers_in_another_notation_are_no_classes(form: str, tmp_path: Path) -> None:
    """Refused with both readings: one class per sample would be trained."""
    table = "id;label\n" + "".join(f"{n:04d};{form.format(n=n)}\n" for n in range(COUNT))
    with pytest.raises(bf.LabelError, match="signs that are not read here") as caught:
        bf.scan(folder(tmp_path / "data", table))
    assert "classes=" in caught.value.hint


@pytest.mark.parametrize("form", ["{y}.0", "{y}.00"])
def test_classes_written_as_floats_are_classes(form: str, tmp_path: Path) -> None:
    """As pandas writes them once a label is missing; with a warning and the other reading."""
    table = "id,label\n" + "".join(f"{n:04d},{form.format(y=n % 3)}\n" for n in range(COUNT))
    root = folder(tmp_path / "data", table)
    source = bf.scan(root)
    assert labels_of(source) == EXPECTED
    assert [each.kind for each in source.findings] == ["float_label"]
    assert bf.scan(root, regression=True).schema.classes is None


@pytest.mark.parametrize("table", ["image,x,y\n{}", "y,image,x\n{}", "image,X,Y\n{}"])
def test_a_place_is_not_its_y_alone(table: str, tmp_path: Path) -> None:
    """Which column is the target, is asked."""
    head = table.partition("\n")[0].split(",")
    row = {"image": "{n:04d}", "x": "{y}", "y": "{n}"}
    body = lines(",".join(row[name.lower()] for name in head) + "\n")
    root = folder(tmp_path / "data", table.format(body))
    with pytest.raises(bf.LabelError, match="which column is the target"):
        bf.scan(root)
    names = [name for name in head if name != "image"]
    assert bf.scan(root, target=names).schema.target == bf.schema.Field((2,), "float32")


@pytest.mark.parametrize("label", ["{n}", "v{n}", "{n}7"])
def test_a_class_for_each_sample_is_a_problem(label: str, tmp_path: Path) -> None:
    """Values, or the wrong column."""
    root = folder(tmp_path / "data", "id,label\n" + lines("{n:04d}," + label + "\n"))
    assert "many_classes" in [each.kind for each in bf.scan(root).findings if each.is_problem]
    names = [label.format(n=n) for n in range(COUNT)]
    assert not [each for each in bf.scan(root, classes=names).findings if each.is_problem]


def test_labels_may_come_from_python(tmp_path: Path) -> None:
    """A dict, a function of the key, tables of pandas and Arrow; a list is refused."""
    pandas = pytest.importorskip("pandas")
    import pyarrow as pa

    root = folder(tmp_path / "data", "id,label\n", name="other.txt")
    frame = pandas.DataFrame({"id": list(range(COUNT)), "label": [n % 3 for n in range(COUNT)]})
    for labels in (
        {f"train/{n:04d}": n % 3 for n in range(COUNT)},
        {n: n % 3 for n in range(COUNT)},
        lambda key: int(key[-4:]) % 3,
        frame,
        frame.set_index("id"),
        frame.set_index("id")["label"],
        pa.Table.from_pandas(frame),
    ):
        assert labels_of(bf.scan(root, labels=labels)) == EXPECTED
    with pytest.raises(bf.ArgumentError, match="never joined by position"):
        bf.scan(root, labels=[1, 2])


@pytest.mark.parametrize("pattern", ["name:^([a-z]+)", "name:^[a-z]+", r"name:([a-z]+)\."])
def test_labels_may_be_in_the_names_of_files(pattern: str, tmp_path: Path) -> None:
    """By a regular expression."""
    for number in range(30):
        np.savetxt(tmp_path / f"{('cat', 'dog', 'emu')[number % 3]}.{number:04d}.csv", np.ones(SHAPE))
    source = bf.scan(tmp_path, labels=pattern)
    assert all(name.startswith(label) for name, label in labels_of(source).items())
    assert source.schema.classes == ("cat", "dog", "emu")
    with pytest.raises(bf.ArgumentError, match="regular expression"):
        bf.scan(tmp_path, labels="name:(")
