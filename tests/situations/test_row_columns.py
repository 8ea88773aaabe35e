"""Columns of tables as people have them: roles, words, missing values, and other samples to be like."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import brimful as bf
from brimful.schema import Field
from tests.situations.test_row_csv import ROWS, by_key, inputs, kinds, table, write


def people(n: int = 200, **more: Any) -> pa.Table:
    """Two columns of numbers, one of words, a target."""
    random = np.random.default_rng(n)
    return pa.table(
        {
            "age": random.integers(0, 90, n),
            "height": random.normal(size=n).astype(np.float32),
            "color": random.choice(["red", "green", "blue"], n),
            "label": random.integers(0, 3, n),
            **more,
        }
    )


def save(path: Path, rows: pa.Table, **more: Any) -> Path:
    """The same as Parquet."""
    pq.write_table(rows, path, **more)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
def test_every_value_is_that_of_its_row(tmp_path: Path, suffix: str) -> None:
    """Whatever the file, the numbers are `np.float32(float(text))`, and the words those of the row."""
    rows = people(900)
    path = tmp_path / f"t{suffix}"
    if suffix == ".csv":
        pyarrow.csv.write_csv(rows, path)
    elif suffix == ".parquet":
        save(path, rows, row_group_size=130)
    else:
        pyarrow.feather.write_feather(rows, path, chunksize=130)
    source = bf.scan(path)
    data = bf.pack(source, tmp_path / "t.brim")
    for samples in (source, data):
        words = inputs(samples)["color"].vocabulary
        assert words == ("blue", "green", "red")
        assert inputs(samples)["numbers"] == Field((2,), "float32")
        for key, (x, y) in by_key(samples).items():
            row = {
                name: column[int(key)].as_py()
                for name, column in zip(rows.column_names, rows.columns, strict=True)
            }
            assert x["numbers"].tolist() == [row["age"], np.float32(row["height"])]
            assert (words[x["color"]], y) == (row["color"], row["label"])


def test_a_missing_number_is_said_by_column(tmp_path: Path) -> None:
    """With its places; skipped or filled if that is asked for, and never 0."""
    rows = people(50, size=pa.array([None if n in (7, 30) else n * 2**40 for n in range(50)]))
    path = save(tmp_path / "t.parquet", rows)
    source = bf.scan(path)
    (problem,) = (each for each in source.findings if each.is_problem)
    assert problem.kind == "missing_value"
    assert "the column 'size' lacks 2 values" in problem.examples[0]
    (problem,) = source.audit().problems
    assert (problem.kind, problem.count) == ("missing_value", 2)
    assert problem.examples[0].startswith(f"{path}: row ")
    with pytest.raises(bf.SourceError, match="fill=0"):
        source.batches(4)
    with pytest.raises(bf.SourceError, match="missing value"):
        bf.pack(source, tmp_path / "t.brim")
    for fewer in (bf.scan(path, on_bad="skip"), bf.scan(path, missing="skip")):
        assert sorted(fault.key for fault in fewer.skipped) == ["30", "7"]
    filled = by_key(bf.scan(path, fill=-1, inputs=["size"], dtype="float64"))
    assert filled["7"][0].tolist() == [-1]
    assert filled["8"][0].tolist() == [8 * 2**40]
    assert bf.scan(path, missing=0).audit().problems == ()


def test_a_missing_word_is_no_word(tmp_path: Path) -> None:
    """Unless something fills in: then it is a word of its own."""
    text = table("{v},{n},{y}\n", "v,word,label\n")
    for n in range(ROWS):
        text = text.replace(f",{n},", f",{('', 'a', 'b', 'c')[n % 4]},", 1)
    source = bf.scan(write(tmp_path / "t.csv", text))
    (problem,) = source.audit().problems
    assert (problem.kind, problem.count) == ("missing_value", 10)
    assert inputs(bf.scan(tmp_path / "t.csv", fill=0))["word"].vocabulary == ("", "a", "b", "c")


def test_words_that_name_rows_are_no_feature(tmp_path: Path) -> None:
    """A name for nearly every row: refused, with the options that say what it is."""
    text = table("{v},Mr. {n},{y}\n", "v,name,label\n")
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(
        bf.SourceError, match=r"'name' holds 40 different words.*\n.*id='name'.*inputs=\['v'\]"
    ):
        bf.scan(path)
    assert "Mr. 7" in bf.scan(path, id="name").keys


def test_words_are_numbered_as_in_other_samples(tmp_path: Path) -> None:
    """`like`: also from a store; a word that those do not have is an error by its place."""
    train = bf.scan(save(tmp_path / "train.parquet", people(200)))
    store = bf.pack(train, tmp_path / "train.brim")
    fewer = pa.table({name: people(60)[name] for name in ("label", "color", "height", "age")})
    fewer = fewer.filter(pc.not_equal(fewer["color"], "blue"))
    path = save(tmp_path / "test.parquet", fewer)
    alone = bf.scan(path)
    assert inputs(alone)["color"].vocabulary == ("green", "red")
    test = bf.scan(path, like=train)
    assert test.schema == train.schema
    assert test.input_columns == ("age", "height", "color")
    assert by_key(test)["3"][0]["numbers"].tolist() == [fewer["age"][3].as_py(), fewer["height"][3].as_py()]
    assert bf.scan(path, like=store).schema.inputs == train.schema.inputs
    other = fewer.set_column(1, "color", pa.array(["red", "pink"] * 50)[: len(fewer)])
    source = bf.scan(save(tmp_path / "other.parquet", other), like=train)
    (problem,) = source.audit().problems
    assert (problem.kind, problem.count) == ("unknown_category", len(other) // 2)
    assert "'color' holds 'pink'" in problem.examples[0]


def test_categories_are_texts(tmp_path: Path) -> None:
    """Each row group with a dictionary of its own; the codes are never data."""
    path = tmp_path / "t.parquet"
    parts = [
        pa.table({"c": pa.array(words * 20).dictionary_encode(), "y": [0.5, 1.5] * 20})
        for words in (["b", "a"], ["c", "b"])
    ]
    schema = parts[0].schema
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            writer.write_table(part)
    source = bf.scan(path, target="y")
    words = inputs(source).vocabulary
    assert words == ("a", "b", "c")
    assert [words[by_key(source)[str(n)][0]] for n in (0, 1, 40, 41)] == ["b", "a", "c", "b"]
    classes = bf.scan(path, target="c", inputs="y")
    assert classes.schema.classes == ("a", "b", "c")


def test_several_targets_weights_and_regression(tmp_path: Path) -> None:
    """Targets come from columns of the table, joined by row."""
    rows = people(80, price=np.linspace(0, 1, 80), size=np.arange(80) * 2.5, sample_weight=np.full(80, 0.5))
    path = save(tmp_path / "t.parquet", rows)
    source = bf.scan(path, target=["price", "size"], inputs=["age"])
    for samples in (source, bf.pack(source, tmp_path / "t.brim")):
        for key, (_, y, w) in by_key(samples).items():
            assert y.tolist() == [np.float32(rows["price"][int(key)].as_py()), int(key) * 2.5]
            assert w == 0.5
    source = bf.scan(path, target="age", regression=True, inputs=["height"])
    assert source.schema.target == Field((), "float32")
    whole = people(80, price=np.arange(80) % 4 * 1.0)
    source = bf.scan(save(tmp_path / "u.parquet", whole), target="price")
    assert "float_label" in kinds(source.findings)
    with pytest.raises(bf.ArgumentError, match=r"no column 'prize'.*\nhint: Did you mean 'price'"):
        bf.scan(path, target="prize")
    with pytest.raises(bf.ArgumentError, match="'age' was named twice"):
        bf.scan(path, target="age", inputs=["age"])
    with pytest.raises(bf.SourceError, match="'color' holds words"):
        bf.scan(path, target=["price", "color"])


def test_an_integer_label_with_nulls(tmp_path: Path) -> None:
    """A row without label is a problem of its own, and no class."""
    labels = pa.array([None if n % 10 == 0 else n % 3 for n in range(50)])
    path = save(tmp_path / "t.parquet", people(50).set_column(3, "label", labels))
    source = bf.scan(path)
    (problem,) = source.audit().problems
    assert (problem.kind, problem.count) == ("missing_label", 5)
    assert problem.examples[0].startswith(f"{path}: row ")
    assert source.schema.classes == (0, 1, 2)
    assert len(bf.scan(path, on_bad="skip")) == 45


def test_integers_that_lose_digits_are_warned_of(tmp_path: Path) -> None:
    """As float32; float64 keeps them."""
    rows = people(20, big=np.arange(20) + 2**24 + 1)
    path = save(tmp_path / "t.parquet", rows)
    assert "lost_digits" in kinds(bf.scan(path).findings)
    source = bf.scan(path, dtype="float64", inputs=["big"])
    assert "lost_digits" not in kinds(source.findings)
    assert by_key(source)["3"][0].tolist() == [2**24 + 4]
    text = "".join(f"{2**24 + 1 + n * 3},{n % 2}\n" for n in range(20))
    assert "lost_digits" in kinds(bf.scan(write(tmp_path / "t.csv", "a,label\n" + text)).findings)


def test_what_is_mostly_numbers_is_not_taken_for_words_quietly(tmp_path: Path) -> None:
    """A column of both, and numbers with signs, are warned of."""
    text = table("{n},{y},{y}\n", "a,b,label\n", 100)
    for n in range(0, 100, 5):
        text = text.replace(f"\n{n},", "\nhigh,", 1)
    for n in range(100):
        text = text.replace(f"\n{n},", f"\n{n % 7},", 1)
    assert "mixed_column" in kinds(bf.scan(write(tmp_path / "t.csv", text)).findings)
    signs = table("{y}%,{v},{y}\n")
    assert "mixed_column" in kinds(bf.scan(write(tmp_path / "t.csv", signs)).findings)
    places = table("{v},{v},{v}\n", "x,y,depth\n")
    assert bf.scan(write(tmp_path / "t.csv", places)).schema.target is None


def test_what_means_nothing_for_a_table_is_refused(tmp_path: Path) -> None:
    """By its name."""
    path = save(tmp_path / "t.parquet", people(20))
    for wrong in (
        {"labels": "folders"},
        {"decimal": ","},
        {"image_size": (3, 3)},
        {"maxlen": 3},
        {"rows": False},
    ):
        with pytest.raises(bf.ArgumentError, match=next(iter(wrong))):
            bf.scan(path, **wrong)
    with pytest.raises(bf.ArgumentError, match="'skip', or `fill`"):
        bf.scan(path, missing="mean")
    with pytest.raises(bf.ArgumentError, match="dtype"):
        bf.scan(path, dtype="uint8")
    with pytest.raises(
        bf.ArgumentError, match=r"`shape` of as many values.*numbers \(2,\), color of 3 words"
    ):
        bf.scan(path, shape=(3, 1))


def test_names_that_are_no_names_of_inputs(tmp_path: Path) -> None:
    """Headings with blanks and other letters become names that Keras takes."""
    rows = pa.table(
        {"Größe (cm)": ["a", "b"] * 10, "numbers": ["x", "y"] * 10, "v": range(3, 23), "label": [0, 1] * 10}
    )
    source = bf.scan(save(tmp_path / "t.parquet", rows))
    assert list(inputs(source)) == ["numbers", "Gr__e__cm_", "numbers_"]
    bf.pack(source, tmp_path / "t.brim").verify()


def test_a_part_for_a_first_try(tmp_path: Path) -> None:
    """`limit` draws the same rows with their labels; places stay right."""
    rows = people(300)
    path = save(tmp_path / "t.parquet", rows)
    source = bf.scan(path, limit=50)
    assert len(source) == 50
    assert {each.kind for each in source.findings} == set()
    for key, (x, y) in by_key(source).items():
        assert x["numbers"][0] == rows["age"][int(key)].as_py()
        assert y == rows["label"][int(key)].as_py()
