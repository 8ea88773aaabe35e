"""The store's format, by its specification and by other readers; and the data set that is packed in it."""

import json
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from xxhash import xxh3_64_hexdigest

import brimful as bf
from brimful.cli.main import main
from brimful.options import PackOptions
from tests.faults.stores import pack_small, small_tree
from tests.trees import Tree, write_tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A small tree."""
    return small_tree(tmp_path / "data")


@pytest.fixture
def store(tree: Tree, tmp_path: Path) -> Path:
    """Its store, of many chunks and shards."""
    pack_small(tree.path, tmp_path / "data.brim")
    return tmp_path / "data.brim"


def test_the_bytes_are_where_the_specification_says(tree: Tree, store: Path) -> None:
    """Read by the docstring of `format.py` alone: json, struct and NumPy."""
    manifest = json.loads((store / "manifest.json").read_bytes())
    found = {}
    for shard in manifest["shards"]:
        content = (store / shard["file"]).read_bytes()
        assert shard["file"] == f"shard-{shard['file'][6:11]}-{xxh3_64_hexdigest(content)}.arrow"
        assert len(content) == shard["bytes"]
        left = shard["rows"]
        for offset, head, keys, data, keys_xxh3, data_xxh3 in shard["chunks"]:
            n = min(left, manifest["chunk_bytes"] // (6 * 4 + 8))
            left -= n
            middle = offset + head + keys
            assert xxh3_64_hexdigest(content[offset:middle]) == keys_xxh3
            assert xxh3_64_hexdigest(content[middle : middle + data]) == data_xxh3
            ends = np.frombuffer(content, "<i4", n + 1, offset + head)
            start = offset + head + -(-(4 * n + 4) // 8) * 8
            names = [content[start + a : start + b].decode() for a, b in pairwise(ends)]
            width, divisor = (1, 255) if shard["rule"] == "uint8/255" else (4, None)
            x = np.frombuffer(content, "<u1" if divisor else "<f4", n * 6, middle).reshape(n, 2, 3)
            x = x.astype(np.float32) / np.float32(divisor) if divisor else x
            y = np.frombuffer(content, "<i8", n, middle + -(-n * 6 * width // 8) * 8)
            found.update({name: (x[at].tobytes(), int(y[at])) for at, name in enumerate(names)})
    assert found == {key: (tree.x[key].tobytes(), tree.y[key]) for key in tree.x}
    assert {shard["rule"] for shard in manifest["shards"]} == {"uint8/255", "raw"}


def test_what_must_never_change(tmp_path: Path) -> None:
    """Golden values: where each sample is, and the bytes of their keys and data."""
    number = np.arange(12)
    x = (number[:, None] * 37 + np.arange(6) * 11) % 256 / 255
    tree = write_tree(tmp_path / "golden", x.reshape(-1, 2, 3), number % 3)
    pack_small(tree.path, tmp_path / "golden.brim")
    store = bf.open(tmp_path / "golden.brim")
    assert " ".join(key[-2:] for key in store.keys) == "09 05 08 03 04 06 12 10 07 01 02 11"
    chunks = [chunk for shard in store.manifest.shards for chunk in shard.chunks]
    assert [(chunk.keys, chunk.data, chunk.data_xxh3) for chunk in chunks] == [
        (56, 48, "00388de4da941a8b"),
        (56, 48, "c55bb34e30e22c7d"),
        (56, 48, "cb9b9417d83b8dc6"),
        (56, 48, "144dd14675c9343f"),
    ]


@pytest.mark.parametrize("reader", ["pyarrow", "pandas", "polars", "duckdb"])
def test_others_read_a_shard(tree: Tree, store: Path, reader: str) -> None:
    """Without brimful: keys, codes and targets as plain columns."""
    keys, codes, targets = [], [], []
    for path in sorted(store.glob("shard-*")):
        if reader == "polars":
            frame = pl.read_ipc(path)
            keys += frame["key"].to_list()
            codes += list(frame["x"].to_numpy())
            targets += frame["target"].to_list()
            continue
        table = pa.ipc.open_file(path).read_all()
        if reader == "pandas":
            read = pd.read_feather(path)
            rows = list(read.itertuples(index=False, name=None))
        elif reader == "duckdb":
            rows = duckdb.from_arrow(table).fetchall()
        else:
            rows = [tuple(row.values()) for row in table.to_pylist()]
        for key, x, target in rows:
            keys.append(key)
            codes.append(np.asarray(x))
            targets.append(target)
    assert dict(zip(keys, targets, strict=True)) == tree.y
    for key, x in zip(keys, codes, strict=True):
        values = x / np.float32(255) if x.dtype.kind in "iu" else x
        assert np.allclose(values, tree.x[key].reshape(-1), atol=1e-7)


def test_a_shard_tells_what_it_holds(store: Path) -> None:
    """Shape, dtype and rule are in the metadata of x."""
    (path,) = store.glob("shard-00000-*")
    field = pa.ipc.open_file(path).schema.field("x")
    assert field.metadata == {b"shape": b"[2, 3]", b"dtype": b"float32", b"rule": b"uint8/255"}


def test_a_data_set_is_like_its_source(tree: Tree, tmp_path: Path) -> None:
    """The same samples, keys, split and batches."""
    source = bf.scan(tree.path)
    data = bf.pack(source, tmp_path / "data.brim")
    assert data.path == tmp_path / "data.brim"
    assert list(data.keys) == list(source.keys)
    assert data.schema == source.schema
    for at in (0, 7, -1):
        assert all(np.array_equal(a, b) for a, b in zip(data[at], source[at], strict=True))
    for one, other in zip(data.split(test=0.3), source.split(test=0.3), strict=True):
        assert list(one.keys) == list(other.keys)
    assert list(data.select(["train/00003"]).keys) == ["train/00003"]
    assert repr(data).startswith("Dataset(")
    for got, wanted in zip(data.batches(16, seed=3), source.batches(16, seed=3), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(got, wanted, strict=True))
    with pytest.raises(bf.MemoryBudgetError, match="too small for chunks"):
        data.batches(4, memory=1000)


def test_the_stores_seed_decides_the_split(tree: Tree, tmp_path: Path) -> None:
    """Row order and split follow the seed that it was packed with; a split is a range of rows."""
    source = bf.scan(tree.path)
    data = bf.pack(source, tmp_path / "data.brim", split_seed=7)
    train, test = data.split(test=0.3)
    assert list(test.keys) == [
        key for key in data.keys if key in set(source.split(test=0.3, split_seed=7)[1].keys)
    ]
    assert isinstance(test._view.rows, range)
    assert len(train) + len(test) == 40
    assert list(data.split(test=0.3, split_seed=0)[1].keys) != list(test.keys)


def test_names_of_classes_and_weights_are_kept(tmp_path: Path) -> None:
    """String classes, weights, several targets."""
    root = tmp_path / "data"
    root.mkdir()
    for number in range(20):
        (root / f"{number}.csv").write_text(f"{number} {number + 0.5}\n")
    (root / "labels.csv").write_text(
        "id,label,weight\n" + "".join(f"{n},{'cat' if n % 3 else 'dog'},{n / 7}\n" for n in range(20))
    )
    source = bf.scan(root)
    data = bf.pack(source, tmp_path / "data.brim")
    assert data.schema == source.schema
    assert data.schema.classes == ("cat", "dog")
    for at in range(20):
        assert all(np.array_equal(a, b) for a, b in zip(data[at], source[at], strict=True))


def test_an_object_is_compared_with_what_is_packed_of_it(tmp_path: Path) -> None:
    """It has no files whose times could show changes."""
    samples = [(np.full(3, number), number % 4) for number in range(30)]
    bf.pack(bf.scan(samples), tmp_path / "data.brim")
    samples[3] = (np.ones(3), 3)
    packed = bf.scan(samples).pack_into(tmp_path / "data.brim", PackOptions())
    assert packed.changes is not None
    assert vars(packed.changes) == {"added": 0, "removed": 0, "edited": 1, "relabelled": 0}
    assert (bf.open(tmp_path / "data.brim").select(["3"])[0][0] == 1).all()


def test_a_part_of_a_source_can_be_packed(tree: Tree, tmp_path: Path) -> None:
    """Only its samples."""
    train, _ = bf.scan(tree.path).split(test=0.4)
    assert list(bf.pack(train, tmp_path / "train.brim").keys) == list(train.keys)


def test_pack_and_info_on_the_command_line(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One JSON document each; the plan before, for people."""
    store = tmp_path / "data.brim"
    assert main(["pack", str(tree.path), str(store), "--json"]) == 0
    out, err = capsys.readouterr()
    packed = json.loads(out)
    assert f"to be packed into {store}: " in err
    assert (packed["samples"], packed["skipped"], packed["changes"]) == (40, 0, None)
    assert packed["source_bytes"] == sum(path.stat().st_size for path in (tree.path / "train").iterdir())
    assert packed["store_bytes"] == sum(path.stat().st_size for path in store.glob("shard-*"))
    assert main(["info", str(store), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert (info["samples"], info["shape"], info["kept_as"]) == (40, [2, 3], ["raw"])
    tree.file("train/00001").unlink()
    assert main(["pack", str(tree.path), str(store), "--quiet"]) == 0
    assert main(["pack", str(tree.path), str(store), "--json", "--check-content"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["changes"] == {"added": 0, "removed": 0, "edited": 0, "relabelled": 0}
    assert "nothing has changed" in err


def test_a_disk_that_is_too_small_is_refused(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, with what is lacking."""
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert main(["pack", str(tree.path), str(tmp_path / "data.brim")]) == 1
    with pytest.raises(
        bf.WriteError, match=r"packing will write about \S+, and 100B are free: \S+ are lacking"
    ):
        bf.pack(bf.scan(tree.path), tmp_path / "data.brim")
    assert not (tmp_path / "data.brim").exists()


def test_the_audit_is_a_by_product(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing has read everything: an audit afterwards reads nothing, and finds what one before would."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the files were old
    source = bf.scan(tree.path)
    before = source.audit(cached=False)
    source.pack_into(tmp_path / "data.brim", PackOptions())

    def look_at(*_: object) -> int:
        raise AssertionError("a sample is read again")

    monkeypatch.setattr("brimful.sources.audit._observe", look_at)
    after = source.audit()
    for name in ("samples", "findings", "class_counts", "value_range", "source_bytes"):
        assert getattr(before, name) == getattr(after, name)
    packed = sum(path.stat().st_size for path in tmp_path.glob("data.brim/shard-*"))
    assert after.packed_bytes == pytest.approx(packed, rel=0.01)
