"""Several inputs and several targets, by name: from an object into a store and out again."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import brimful as bf
from brimful.schema import Field
from tests.faults.stores import pack_layout
from tests.pairs import N, Pairs


def _equal(got: Any, wanted: Any) -> bool:
    return all(
        list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)
        for one, other in zip(got, wanted, strict=True)
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of them, of many chunks and shards."""
    pack_layout(bf.scan(Pairs()), tmp_path / "pairs.brim", chunk_bytes=400, shard_bytes=1200)
    return tmp_path / "pairs.brim"


def test_the_schema_names_them() -> None:
    """Shapes and dtypes by name, in the order given."""
    schema = bf.scan(Pairs()).schema
    assert schema.inputs == {"image": Field((3, 2), "float32"), "place": Field((4,), "float32")}
    assert schema.target == {"kind": Field((), "int64"), "price": Field((2,), "float32")}


def test_source_and_store_deliver_every_sample_as_it_is(store: Path) -> None:
    """One by one and as batches, each input and target by its name."""
    pairs = Pairs()
    for samples in (bf.scan(pairs), bf.open(store)):
        for i in (0, 7, N - 1):
            assert _equal(samples[i], pairs.expected(samples.keys[i]))
        seen = {}
        for x, y, keys in samples.batches(7, include_keys=True):
            for at, key in enumerate(keys):
                seen[key] = [{name: values[at] for name, values in part.items()} for part in (x, y)]
        assert len(seen) == N
        assert all(_equal(sample, pairs.expected(key)) for key, sample in seen.items())


def test_each_input_is_narrowed_by_itself_and_named_in_the_shard(store: Path) -> None:
    """Pictures as uint8, the vector as it is; other readers find both."""
    data = bf.open(store)
    assert {codec.name for shard in data.manifest.shards for codec in shard.codecs} == {"uint8/255", "raw"}
    with pa.memory_map(str(store / data.manifest.shards[0].file)) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.column_names == ["key", "x.image", "x.place", "target.kind", "target.price"]
    key = table["key"][0].as_py()
    codes = np.array(table["x.image"][0].as_py(), np.float32)
    assert np.array_equal(codes / np.float32(255), Pairs().expected(key)[0]["image"].ravel())


def test_packing_again_finds_what_has_changed(store: Path) -> None:
    """An object has no times: every sample is compared."""
    pairs = Pairs()
    pairs.place[3, 0] += 1
    pairs.kind[4] = (pairs.kind[4] + 1) % 5
    again = pack_layout(bf.scan(pairs), store, chunk_bytes=400, shard_bytes=1200)
    assert again.changes is not None
    assert (again.changes.edited, again.changes.relabelled) == (1, 1)
    data = bf.open(store)
    assert all(_equal(data[i], pairs.expected(data.keys[i])) for i in range(N))


def test_audit_covers_all_inputs() -> None:
    """The least and greatest value over all of them."""
    pairs = Pairs()
    pairs.place[5, 1] = -3
    pairs.image[6, 0, 0] = 9
    assert bf.scan(pairs).audit().value_range == (-3, 9)


@pytest.mark.parametrize(
    "bad", [{"image": np.zeros((3, 2))}, {"image": np.zeros((3, 2)), "place": np.zeros(5)}, np.zeros(4)]
)
def test_a_sample_with_other_inputs_is_refused(bad: Any) -> None:
    """One that lacks an input, has one of another shape, or no names."""

    class Spoilt(Pairs):
        def __getitem__(self, i: int) -> Any:
            return (bad, super().__getitem__(i)[1]) if i == 11 else super().__getitem__(i)

    with pytest.raises(bf.SourceError, match=r"Spoilt\[11\]: expected x of image shape \(3, 2\)"):
        list(bf.scan(Spoilt()).batches(8))


def test_names_must_be_names() -> None:
    """What cannot be a column's name is refused when it is scanned."""
    samples = [({"a b": np.zeros(2)}, 1)]
    with pytest.raises(bf.ArgumentError, match="Expected dicts with names like"):
        bf.scan(samples)


def test_shape_is_of_one_input() -> None:
    """`shape` does not say which it is for."""
    with pytest.raises(bf.ArgumentError, match="several inputs: image, place"):
        bf.scan(Pairs(), shape=(6,))
