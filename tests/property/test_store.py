"""The store: what is packed comes back bit for bit, and packing in any way gives the same bytes."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import brimful as bf
from brimful.errors import MemoryBudgetError
from brimful.options import PackOptions
from brimful.schema import Field
from brimful.source import Source
from brimful.store.changes import Changes
from brimful.store.codecs.base import Codec, as_rows
from brimful.store.codecs.narrow import NarrowCodec
from brimful.store.codecs.raw import RawCodec
from brimful.store.pack import pack
from brimful.store.reader import StoreReader
from brimful.store.writer import first_codec
from tests.faults.stores import delivered, expected, files_of, pack_small, small_tree

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
BITS = st.integers(0, 2**32 - 1)


def bits(values: NDArray[Any]) -> NDArray[np.uint32]:
    """The bits of float32 values: -0.0 is not 0.0."""
    return values.view(np.uint32)


CODECS = NarrowCodec.for_field(Field((), "float32"))


def decoded(codec: Codec, codes: NDArray[Any]) -> NDArray[np.float32]:
    """The values of some codes."""
    values = np.empty(codes.shape, np.float32)
    codec.decode(as_rows(codes), np.arange(len(codes)), values)
    return values


@pytest.mark.parametrize("rule", CODECS, ids=lambda codec: codec.name)
def test_every_code_of_every_rule_comes_back(rule: NarrowCodec) -> None:
    """Decoded as the text of the number would be read, and encoded again."""
    limits = np.iinfo(rule.dtype)
    codes = np.arange(limits.min, limits.max + 1).astype(rule.dtype)
    values = decoded(rule, codes)
    again = rule.encode(values)
    assert again is not None
    assert again.dtype == rule.dtype
    assert np.array_equal(again, codes)
    plainly = np.array([float(repr(int(code) / rule.divisor)) for code in codes]).astype(np.float32)
    assert np.array_equal(bits(values), bits(plainly))


@settings(max_examples=300)
@given(
    values=st.one_of(
        arrays(np.float32, st.integers(1, 40), elements=FLOATS),
        arrays(np.uint32, st.integers(1, 40), elements=BITS).map(lambda raw: raw.view(np.float32)),
        arrays(np.int64, st.integers(1, 40), elements=st.integers(-70_000, 70_000)).map(np.float32),
    ),
    divisor=st.sampled_from((1, 10, 100, 255, 1000, 10_000, 65_535)),
)
def test_narrowing_loses_nothing(values: NDArray[np.float32], divisor: int) -> None:
    """Whatever the bits are: a rule that holds gives them back, and the first that holds is taken."""
    values = np.atleast_1d((values / np.float32(divisor)).astype(np.float32))
    holding = []
    for rule in CODECS:
        codes = rule.encode(values)
        if codes is not None:
            holding.append(rule)
            assert np.array_equal(bits(decoded(rule, codes)), bits(values))
    found = first_codec(Field((), "float32"), values)
    assert found == (holding[0] if holding else RawCodec(Field((), "float32")))


class Samples:
    """An object with samples of one schema."""

    def __init__(self, x: NDArray[Any], y: NDArray[Any] | None) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        """How many."""
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[object, object]:
        """Inputs and target."""
        return self.x[index], None if self.y is None else self.y[index]


@st.composite
def sources(draw: st.DrawFn) -> tuple[Source, PackOptions]:
    """Samples of any schema, in chunks and shards of any size, ordered by any seed."""
    n = draw(st.integers(1, 60))
    shape = draw(st.sampled_from([(), (1,), (3,), (2, 3), (1, 2, 2)]))
    dtype = draw(st.sampled_from(["float16", "float32", "float64"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["k/255", "integers", "decimals", "random", "mixed"]))
    x = {
        "k/255": rng.integers(0, 256, (n, *shape)) / 255,
        "integers": rng.integers(-99, 99, (n, *shape)).astype(float),
        "decimals": rng.integers(0, 65_000, (n, *shape)) / 100,
        "random": rng.standard_normal((n, *shape)),
        "mixed": np.where(rng.random((n, *shape)) < 0.02, 0.1234567, rng.integers(0, 256, (n, *shape)) / 255),
    }[kind]
    y = draw(
        st.sampled_from(
            [None, rng.integers(-5, 5, n), rng.random(n), rng.random((n, 2)), rng.integers(0, 2, (n, 3))]
        )
    )
    source = bf.scan(Samples(x, y), dtype=dtype)
    chunk = draw(st.integers(1, 400))
    seed = draw(st.sampled_from([0, 1, 2**64 - 1]))
    shard = chunk * draw(st.integers(1, 4))
    return source, PackOptions(split_seed=seed, chunk_bytes=chunk, shard_bytes=shard)


@settings(max_examples=120)
@given(drawn=sources())
def test_what_is_packed_comes_back(drawn: tuple[Source, PackOptions]) -> None:
    """Every sample once, with its own values, bit for bit, in the order of the hash; and again the same."""
    source, options = drawn
    reader, rows = source._reader, np.arange(len(source))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.brim"
        pack(reader, rows, path, options)
        store = StoreReader(path)
        assert replace(store.schema, classes=None) == replace(source.schema, classes=None)
        if source.schema.target == Field((), "int64"):
            assert store.schema.classes == tuple(sorted({int(y) for y in reader.read(rows).y}))
        keys = store.keys(rows)
        order = [list(source.keys).index(key) for key in keys]
        assert sorted(order) == rows.tolist()
        hashes = bf.keys.hash_keys(keys, options.split_seed)
        assert (hashes[1:] >= hashes[:-1]).all()
        for got, wanted in zip(store.read(rows).arrays, reader.read(np.array(order)).arrays, strict=True):
            assert got.dtype == wanted.dtype
            assert got.tobytes() == wanted.tobytes()
        some = np.random.default_rng(0).integers(0, len(rows), 10)
        assert store.read(some).x.tobytes() == reader.read(np.array(order)[some]).x.tobytes()
        assert bf.open(path).verify().ok
        again = Path(folder) / "again.brim"
        pack(reader, rows, again, replace(options, memory=10**6))
        assert files_of(again) == files_of(path)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how many threads read."""
    return lambda n: monkeypatch.setattr("brimful.prefetch.reading_threads", lambda: n)


def test_threads_change_nothing(tmp_path: Path, threads: Callable[[int], None]) -> None:
    """1 or 8 threads, much memory or little: the same bytes."""
    tree = small_tree(tmp_path / "data", n=300)
    stores = []
    for number, (count, memory) in enumerate([(1, "1GB"), (8, "1GB"), (2, 100_000)]):
        threads(count)
        pack_small(tree.path, tmp_path / f"{number}.brim", memory=memory)
        stores.append(files_of(tmp_path / f"{number}.brim"))
    assert stores[0] == stores[1] == stores[2]
    with pytest.raises(MemoryBudgetError, match="too small") as caught:
        pack_small(tree.path, tmp_path / "x.brim", memory=100)
    least = caught.value.hint.split("'")[1]
    pack_small(tree.path, tmp_path / "x.brim", memory=least)
    assert files_of(tmp_path / "x.brim") == stores[0]


@settings(max_examples=25)
@given(data=st.data())
def test_an_update_gives_the_bytes_of_packing_anew(data: st.DataObject) -> None:
    """Files and labels come, go and change in any way: as from scratch, with the changes counted."""
    with TemporaryDirectory() as folder:
        tree = small_tree(Path(folder) / "data", n=data.draw(st.integers(1, 30)))
        store = Path(folder) / "data.brim"
        pack_small(tree.path, store)
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        names = [f"train/{number:05d}" for number in range(1, 36)]
        touched = data.draw(st.sets(st.sampled_from(names), max_size=12))
        before = expected(tree)
        for key in sorted(touched):
            if key in tree.x and data.draw(st.booleans()) and len(tree.x) > 1:
                tree.file(key).unlink()
                del tree.x[key], tree.y[key]
            else:
                tree.x[key] = (rng.integers(0, 256, (2, 3)) / 255).astype(np.float32)
                tree.y[key] = int(rng.integers(0, 4))
                np.savetxt(tree.file(key), tree.x[key].astype(float))
        lines = [f"{int(key[6:])},{label}\n" for key, label in tree.y.items()]
        (tree.path / "target.csv").write_text("".join(lines))
        if not before.keys() & tree.x.keys():
            return
        packed = pack_small(tree.path, store, check_content=data.draw(st.booleans()))
        anew = Path(folder) / "anew.brim"
        pack_small(tree.path, anew)
        assert files_of(store) == files_of(anew)
        assert delivered(store) == expected(tree)
        assert packed.changes is not None
        assert packed.changes.added == len(tree.x.keys() - before.keys())
        assert packed.changes.removed == len(before.keys() - tree.x.keys())


def test_content_is_checked_where_that_is_asked_for(tmp_path: Path) -> None:
    """A file of other values, of the same size and time of modification."""
    tree = small_tree(tmp_path / "data")
    store = tmp_path / "data.brim"
    pack_small(tree.path, store)
    file = tree.file("train/00007")
    status, lines = file.stat(), file.read_text().splitlines()
    file.write_text("\n".join(lines[::-1]) + "\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_size == status.st_size
    packed = pack_small(tree.path, store, check_content=True)
    assert packed.changes is not None
    assert vars(packed.changes) == {"added": 0, "removed": 0, "edited": 1, "relabelled": 0}
    assert delivered(store)["train/00007"][0] == tree.x["train/00007"][::-1].tobytes()


def test_files_that_were_written_just_before_packing_are_not_called_edited(tmp_path: Path) -> None:
    """Their times prove nothing, so they are read again; their values have not changed."""
    tree = small_tree(tmp_path / "data")
    pack_small(tree.path, tmp_path / "data.brim")
    packed = pack_small(tree.path, tmp_path / "data.brim")
    assert packed.changes == Changes()


def test_a_touched_file_is_not_called_edited(tmp_path: Path) -> None:
    """It is read again, for its times are others; what it holds is compared."""
    tree = small_tree(tmp_path / "data")
    pack_small(tree.path, tmp_path / "data.brim")
    tree.file("train/00007").touch()
    np.savetxt(tree.file("train/00003"), np.full((2, 3), 0.25))
    packed = pack_small(tree.path, tmp_path / "data.brim")
    assert packed.changes == Changes(edited=1)
