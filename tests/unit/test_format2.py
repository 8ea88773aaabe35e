"""Version 2 of the store: golden values, and what nobody's packing makes is refused before it is believed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xxhash import xxh3_64_hexdigest

import brimful as bf
from brimful.schema import Field, Schema
from brimful.store.format import MANIFEST, seal
from brimful.store.layout import Layout

CLASSES = ("even", "odd")
GOLDEN = "35cb064ebddf8fd4"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Forty recordings, the n-th of n + 1 steps."""
    for number in range(40):
        path = tmp_path / "data" / CLASSES[number % 2] / f"{number:02d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{number},{step}\n" for step in range(number + 1)))
    bf.pack(bf.scan(tmp_path / "data", maxlen=8), tmp_path / "data.brim")
    return tmp_path / "data.brim"


def entry_of(store: Path) -> dict[str, Any]:
    """The manifest, without its checksum."""
    entry: dict[str, Any] = json.loads((store / MANIFEST).read_text())
    del entry["checksum"]
    return entry


def test_the_bytes_of_recordings_stay_what_they_are(store: Path) -> None:
    """Offsets, then the numbers of all samples in the order of the hash; golden values."""
    entry = entry_of(store)
    assert entry["version"] == 2
    assert entry["inputs"]["x"]["encoding"] == "ragged/pre/pre/0.0"
    assert entry["rows_per_chunk"] == 65_536  # 16 MiB by 172 bytes of a sample in the mean, a power of two
    (chunk,) = entry["shards"][0]["chunks"]
    offset, head, keys, data, _, digest = chunk
    content = (store / entry["shards"][0]["file"]).read_bytes()[offset + head + keys :][:data]
    assert xxh3_64_hexdigest(content) == digest == GOLDEN
    bounds = np.frombuffer(content, "<i8", 41)
    assert bounds[0] == 0
    assert bounds[-1] == 2 * sum(range(1, 41))
    values = np.frombuffer(content, "<f4", bounds[-1], 41 * 8)
    for at, key in enumerate(bf.open(store).keys):
        number = int(key[-2:])
        steps = values[bounds[at] : bounds[at + 1]].reshape(-1, 2)
        assert np.array_equal(steps, [(number, step) for step in range(number + 1)])


def test_the_rows_of_a_chunk_hardly_depend_on_the_mean() -> None:
    """So that a store whose samples change a little is divided as before."""
    schema = Schema(Field((8, 8, 3), "uint8", "image/rgb/bilinear/stretch"), Field((), "int64"))
    rows = {mean: Layout.of(schema, mean, 2**24, 2**29).rows_per_chunk for mean in (9_000, 12_000, 16_000)}
    assert rows == {9_000: 1024, 12_000: 1024, 16_000: 1024}
    assert Layout.of(schema, 2**30, 2**24, 2**29).rows_per_chunk == 1
    plain = Schema(Field((8, 8, 3), "uint8"))
    assert Layout.of(plain, 0, 2**24, 2**29) == Layout(plain, 2**24, 2**29)


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(rows_per_chunk=0),
        lambda entry: entry.update(rows_per_chunk=2**40),
        lambda entry: entry.pop("rows_per_chunk"),
        lambda entry: entry.update(version=1),
        lambda entry: entry["inputs"]["x"].update(encoding="ragged/up/pre/0.0"),
        lambda entry: entry["inputs"]["x"].update(encoding="image/rgb/bilinear/stretch"),
        lambda entry: entry["inputs"]["x"].pop("encoding"),
        lambda entry: entry["inputs"]["x"].update(vocabulary=["a", "a"]),
        lambda entry: entry["shards"][0]["chunks"][0].__setitem__(3, 8),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(store: Path, change: Callable[[Any], Any]) -> None:
    """Even with a right checksum."""
    entry = entry_of(store)
    change(entry)
    (store / MANIFEST).write_text(seal(entry))
    with pytest.raises(bf.StoreError):
        bf.open(store)


@pytest.mark.parametrize(
    "bounds",
    [
        lambda bounds: bounds[::-1],
        lambda bounds: bounds + 1,
        lambda bounds: np.where(np.arange(len(bounds)) == 20, -5, bounds),
        lambda bounds: np.append(bounds[:-1], 2**62),
        lambda bounds: np.append(bounds[:-1], bounds[-1] + 40),  # over the targets
    ],
)
def test_bounds_that_cannot_be_are_refused(store: Path, bounds: Callable[[Any], Any]) -> None:
    """Even with right checksums: no memory is taken, and none is read, that is not of the chunk."""
    entry = entry_of(store)
    shard = store / entry["shards"][0]["file"]
    chunk = entry["shards"][0]["chunks"][0]
    begin = sum(chunk[:3])
    content = bytearray(shard.read_bytes())
    wrong = bounds(np.frombuffer(content, "<i8", 41, begin).copy()).astype("<i8").tobytes()
    content[begin : begin + len(wrong)] = wrong
    chunk[5] = xxh3_64_hexdigest(content[begin : begin + chunk[3]])
    shard.write_bytes(content)
    (store / MANIFEST).write_text(seal(entry))
    data = bf.open(store)
    with pytest.raises(bf.DamagedStoreError, match=r"out of order|ends before"):
        data[0]
    with pytest.raises(bf.DamagedStoreError, match=r"out of order|ends before"):
        list(data.batches(8))
