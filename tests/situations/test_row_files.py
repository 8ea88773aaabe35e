"""Parquet and Arrow files and folders of tables as people have them."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest

import brimful as bf
from tests.situations.test_row_columns import people, save
from tests.situations.test_row_csv import by_key, inputs, table, write


def folder(root: Path, *files: pa.Table, names: str = "abcdefgh") -> Path:
    """A folder of Parquet files."""
    root.mkdir(exist_ok=True)
    for name, rows in zip(names, files, strict=False):
        save(root / f"{name}.parquet", rows)
    return root


def test_a_folder_is_one_table(tmp_path: Path) -> None:
    """Keys are the file and the row; hidden files are left out with a word."""
    root = folder(tmp_path / "data", people(30), people(20))
    (root / "_SUCCESS").touch()
    (root / ".x.crc").touch()
    source = bf.scan(root)
    assert len(source) == 50
    assert {"a/0", "a/29", "b/19"} <= set(source.keys)
    assert any("2 that begin with . or _" in fact for fact in source.facts)
    data = bf.pack(source, tmp_path / "data.brim")
    other = people(20)
    for samples in (source, data):
        assert by_key(samples)["b/7"][0]["numbers"][0] == other["age"][7].as_py()
        assert by_key(samples)["b/7"][1] == other["label"][7].as_py()


def test_partition_folders_are_texts(tmp_path: Path) -> None:
    """04 stays 04; a folder named like a column of the files is refused."""
    for code in ("04", "2A001", "7"):
        (tmp_path / "d" / f"code={code}").mkdir(parents=True)
        save(tmp_path / "d" / f"code={code}" / "part-0.parquet", people(20))
    source = bf.scan(tmp_path / "d")
    assert inputs(source)["code"].vocabulary == ("04", "2A001", "7")
    assert "code=04/part-0/3" in source.keys
    words = inputs(source)["code"].vocabulary
    assert all(words[x["code"]] == key.split("/")[0][5:] for key, (x, _) in by_key(source).items())
    assert bf.scan(tmp_path / "d", target="code", inputs=["age"]).schema.classes == ("04", "2A001", "7")
    (tmp_path / "e" / "label=9").mkdir(parents=True)
    save(tmp_path / "e" / "label=9" / "x.parquet", people(20))
    with pytest.raises(bf.SourceError, match="'label' is in the file, and its folder is called label=9"):
        bf.scan(tmp_path / "e")


def test_files_of_other_columns_are_refused(tmp_path: Path) -> None:
    """With the columns and the files; their order does not matter."""
    rows = people(30)
    turned = rows.select(["label", "color", "height", "age"])
    source = bf.scan(folder(tmp_path / "a", rows, turned))
    assert by_key(source)["a/3"][0]["numbers"].tolist() == by_key(source)["b/3"][0]["numbers"].tolist()
    with pytest.raises(bf.SourceError, match=r"a\.parquet lacks 'size'"):
        bf.scan(folder(tmp_path / "b", rows, people(30, size=range(30))))


def test_empty_files_and_columns_have_no_vote(tmp_path: Path) -> None:
    """Integers and floats go together; text against numbers is refused, naming both files."""
    rows = people(30, size=pa.nulls(30))
    floats = people(30, size=np.arange(30) * 0.5)
    whole = people(30, size=np.arange(30) * 3)
    source = bf.scan(folder(tmp_path / "a", rows, floats[:0], floats, whole), fill=0)
    assert by_key(source)["c/3"][0]["numbers"].tolist()[2] == 1.5
    assert by_key(source)["d/3"][0]["numbers"].tolist()[2] == 9
    words = people(30, size=["x", "y"] * 15)
    with pytest.raises(bf.SourceError, match=r"'size' holds numbers in a\.parquet, and words in b\.parquet"):
        bf.scan(folder(tmp_path / "b", floats, words))


def test_a_folder_of_csv_files_must_say_that_rows_are_samples(tmp_path: Path) -> None:
    """For it could be a file per sample, too; Parquet could not."""
    root = tmp_path / "d"
    root.mkdir()
    for name in "ab":
        write(root / f"{name}.csv", table("{v},{n},{y}\n"))
    source = bf.scan(root, rows=True, inputs=["a", "b"])
    assert len(source) == 80
    assert "b/39" in source.keys
    with pytest.raises(bf.SourceError):
        bf.scan(root)
    save(root / "c.parquet", people(20))
    with pytest.raises(bf.SourceError, match="several kinds: CSV, Parquet"):
        bf.scan(root, rows=True)
    with pytest.raises(bf.ArgumentError, match="rows=False"):
        bf.scan(folder(tmp_path / "e", people(20)), rows=False)


def lists(cells: Any, dtype: Any = None) -> pa.Table:
    """A column of lists, and a target."""
    column = pa.array(cells, dtype)
    return pa.table({"v": column, "label": np.arange(len(column)) % 2})


@pytest.mark.parametrize(
    "dtype", [pa.list_(pa.float32()), pa.large_list(pa.int16()), pa.list_(pa.float64(), 4)]
)
def test_lists_of_equal_length_are_vectors(tmp_path: Path, dtype: pa.DataType) -> None:
    """Also of a slice, and below a null list, which is missing; unequal ones are refused by name."""
    cells = [[n, n + 1, n + 2, n + 3] for n in range(60)]
    source = bf.scan(save(tmp_path / "t.parquet", lists(cells, dtype)[7:], row_group_size=11))
    assert inputs(source).shape == (4,)
    for key, (x, _) in by_key(source).items():
        assert x.tolist() == cells[int(key) + 7]
    assert inputs(bf.scan(tmp_path / "t.parquet", shape=(2, 2))).shape == (2, 2)
    pyarrow.feather.write_feather(lists([*cells[:20], None, *cells[20:]], dtype), tmp_path / "t.feather")
    source = bf.scan(tmp_path / "t.feather")
    (fault,) = source.audit().faults
    assert (fault.key, fault.kind) == ("20", "missing_value")
    good = by_key(bf.scan(tmp_path / "t.feather", on_bad="skip"))
    assert good["21"][0].tolist() == cells[20]


def test_lists_of_unequal_lengths_are_refused(tmp_path: Path) -> None:
    """With how often each length occurs; one far down is a problem with its place."""
    with pytest.raises(
        bf.SourceError, match=r"'v' holds lists of different lengths \(2 of \(3,\), 1 of \(2,\)\)"
    ):
        bf.scan(save(tmp_path / "t.parquet", lists([[1, 2, 3], [1, 2], [1, 2, 3]])))
    cells: list[Any] = [[1.0, 2.0]] * 3000
    cells[2500] = [1.0]
    cells[2600] = [1.0, None]
    source = bf.scan(save(tmp_path / "t.parquet", lists(cells)))
    assert {fault.key: fault.kind for fault in source.audit().faults} == {
        "2500": "wrong_shape",
        "2600": "missing_value",
    }


def test_lists_of_lists_are_matrices(tmp_path: Path) -> None:
    """Beside numbers, by their own name."""
    rows = lists([[[n, 1, 2], [3, 4, n]] for n in range(20)]).append_column(
        "a", pa.array(np.arange(20) * 0.5)
    )
    source = bf.scan(save(tmp_path / "t.parquet", rows))
    assert inputs(source)["v"].shape == (2, 3)
    assert by_key(source)["7"][0]["v"].tolist() == [[7, 1, 2], [3, 4, 7]]
    assert by_key(source)["7"][0]["numbers"].tolist() == [3.5]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([b"\x89PNG"] * 20), "binary"),
        (pa.array([{"bytes": b"x", "path": "y"}] * 20), "struct"),
        (pa.array([0] * 20, pa.timestamp("us")), "timestamp"),
        (pa.array([0] * 20, pa.date32()), "date32"),
        (pa.array([0] * 20, pa.decimal128(9, 2)), "decimal128"),
    ],
)
def test_columns_that_are_no_input_are_refused(tmp_path: Path, column: pa.Array, said: str) -> None:
    """By name and type, with the way out, which works."""
    path = save(tmp_path / "t.parquet", people(20, other=column))
    with pytest.raises(
        bf.SourceError, match=rf"'other' holds {said}.*\n.*inputs=\['age', 'height', 'color'\]"
    ):
        bf.scan(path)
    assert len(bf.scan(path, inputs=["age", "height", "color"])) == 20


def test_an_unchanged_table_is_not_packed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes, times and inode of the file show it; a changed one changes all of its rows."""
    path = write(tmp_path / "t.csv", table("{v},{n}.5,{y}\n", rows=3000))
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the files were old
    before = bf.scan(path)
    prints = before._reader.fingerprints(np.arange(len(before)))
    bf.pack(before, tmp_path / "t.brim")
    manifest = (tmp_path / "t.brim/manifest.json").read_bytes()
    again, unread = bf.scan(path), bf.scan(path)
    assert np.array_equal(again._reader.fingerprints(np.arange(len(again))), prints)
    assert again.is_packed_in(tmp_path / "t.brim")
    bf.pack(again, tmp_path / "t.brim")
    assert (tmp_path / "t.brim/manifest.json").read_bytes() == manifest
    write(path, table("{v},{n}.75,{y}\n", rows=3000))
    data = bf.pack(bf.scan(path), tmp_path / "t.brim")
    assert (tmp_path / "t.brim/manifest.json").read_bytes() != manifest
    assert by_key(data)["7"][0].tolist()[1] == 7.75
    assert not (before._reader.fingerprints(np.arange(3000)) == prints).all(axis=1).any()
    with pytest.raises(bf.SourceError, match="has changed since it was scanned"):
        unread[0]


def test_a_table_is_read_once_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audit and packing read each unit of it once or twice, however rows are hashed."""
    path = save(tmp_path / "t.parquet", people(30_000), row_group_size=3_000)
    source = bf.scan(path, inputs=["age", "height"])
    table_of_rows: Any = source._reader.format._table  # type: ignore[attr-defined]
    units: list[int] = []
    read = table_of_rows.read

    def counted(unit: int, names: list[str]) -> Any:
        units.append(unit)
        return read(unit, names)

    monkeypatch.setattr(table_of_rows, "read", counted)
    source.audit(cached=False)
    count = len(table_of_rows.starts) - 1
    assert count >= 10
    assert len(units) <= 2 * count + 10
    units.clear()
    bf.pack(source, tmp_path / "t.brim")
    assert len(units) <= count + 10


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "wrong magic": lambda content: b"XXXX" + content[4:],
    "a picture": lambda _: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a flipped page": lambda content: content[:60] + bytes([content[60] ^ 255]) + content[61:],
}


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv", ".csv.gz"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_by_name(tmp_path: Path, suffix: str, damage: str) -> None:
    """Truncated, empty, of another format: a message that names the file, and never wrong numbers."""
    good = tmp_path / "good"
    rows = people(2000)
    if suffix == ".parquet":
        save(good, rows, write_page_checksum=True)
    elif suffix == ".feather":
        pyarrow.feather.write_feather(rows, good)
    else:
        text = table("{v},{n},{y}\n", rows=2000).encode()
        write(good, gzip.compress(text) if suffix == ".csv.gz" else text)
    if suffix == ".csv" and damage not in ("empty", "a picture"):
        pytest.skip("text may be anything")
    if suffix == ".feather" and damage == "a flipped page":
        pytest.skip("Arrow files have no checksums")
    path = write(tmp_path / f"t{suffix}", DAMAGES[damage](good.read_bytes()))
    with pytest.raises(bf.SourceError, match=rf"t{suffix}.*"):
        raise bf.scan(path).audit(cached=False).refusal()


def test_names_that_occur_twice_are_refused(tmp_path: Path) -> None:
    """In both kinds of files."""
    with pytest.raises(bf.SourceError, match="two columns are called 'a'"):
        bf.scan(write(tmp_path / "t.csv", table("{n},{v},{y}\n", "a,a,label\n")))
    rows = pa.Table.from_arrays([pa.array([1, 2])] * 2, ["a", "a"])
    with pytest.raises(bf.SourceError, match="two columns are called 'a'"):
        bf.scan(save(tmp_path / "t.parquet", rows))


def test_a_wrong_suffix_is_named(tmp_path: Path) -> None:
    """A Parquet file called .csv, and the other way round."""
    save(tmp_path / "p", people(20))
    with pytest.raises(bf.SourceError, match="this is a Parquet file, not CSV"):
        bf.scan(write(tmp_path / "t.csv", (tmp_path / "p").read_bytes()))
    with pytest.raises(bf.SourceError, match="this is not Parquet"):
        bf.scan(write(tmp_path / "t.parquet", "a,b\n1,2\n"))
