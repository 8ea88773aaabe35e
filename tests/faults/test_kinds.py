"""Faults while other kinds of samples are packed, and in what was packed: nothing is lost or wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import brimful as bf
from brimful.options import PackOptions
from brimful.storage.local import LocalStorage
from brimful.testing.faulty import FaultyStorage
from tests import photos
from tests.archives import write_shards

SAMPLES = 60
FLIPS = 40


def _images(folder: Path) -> dict[str, Any]:
    for at in range(SAMPLES):
        photos.write(folder / "ab"[at % 2], {f"{at}.jpg": photos.photo("jpeg", (20, 24), seed=at)})
    return {"image_size": (8, 8)}


def _recordings(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    for at in range(SAMPLES):
        (folder / f"{at}.csv").write_text("".join(f"{at},{line}.5\n" for line in range(1 + at % 13)))
    return {"maxlen": 9, "labels": lambda key: int(key) % 3}


def _table(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    columns: dict[str, Any] = {
        "a": np.arange(SAMPLES) / 7,
        "b": np.arange(SAMPLES),
        "color": ["red", "white"] * (SAMPLES // 2),
    }
    for part in range(2):
        half = {name: values[part::2] for name, values in columns.items()}
        table = pa.table({**half, "label": np.arange(SAMPLES)[part::2] % 3})
        pa.parquet.write_table(table, folder / f"part-{part}.parquet", row_group_size=7)
    return {"target": "label"}


def _archives(folder: Path) -> dict[str, Any]:
    write_shards(folder, SAMPLES)
    return {}


KINDS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "images": _images,
    "recordings": _recordings,
    "table": _table,
    "archives": _archives,
}


@pytest.fixture(params=KINDS, scope="module")
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bf.Source:
    """Samples of a kind."""
    folder = tmp_path_factory.mktemp(request.param) / "data"
    return bf.scan(folder, **KINDS[request.param](folder))


def pack(source: bf.Source, place: Any) -> None:
    """Pack into many small chunks."""
    source.pack_into(place, PackOptions(chunk_bytes=2_000, shard_bytes=6_000))


def content(store: Path) -> dict[str, bytes]:
    """What must be the same however it was packed: times of files are kept beside."""
    return {path.name: path.read_bytes() for path in store.iterdir() if path.name != "source.arrow"}


def test_packing_that_fails_anywhere_goes_on_to_the_same_bytes(source: bf.Source, tmp_path: Path) -> None:
    """Before each call that changes something; what was there before stays whole until the end."""
    pack(source, tmp_path / "whole.brim")
    expected = content(tmp_path / "whole.brim")
    counting = FaultyStorage(LocalStorage(tmp_path / "counted.brim"), piece=100_000)
    pack(source, counting)
    assert content(tmp_path / "counted.brim") == expected
    for call in range(0, counting.calls, max(1, counting.calls // 25)):

        def fail(number: int, _: str, at: int = call) -> None:
            if number >= at:
                raise bf.WriteError("the disk is full")

        store = tmp_path / f"failed-{call}.brim"
        with pytest.raises(bf.WriteError):
            pack(source, FaultyStorage(LocalStorage(store), fail, piece=100_000))
        pack(source, store)
        assert content(store) == expected


def test_a_flipped_bit_is_found(source: bf.Source, tmp_path: Path) -> None:
    """By verify, which names the shard; batches raise, or are those of the intact store."""
    store = tmp_path / "data.brim"
    pack(source, store)
    intact = [arrays_of(batch) for batch in bf.open(store).batches(16, shuffle=False)]
    random = np.random.default_rng(0)
    shards = sorted(store.glob("shard-*"))
    for _ in range(FLIPS):
        shard = shards[random.integers(len(shards))]
        whole = shard.read_bytes()
        damaged = bytearray(whole)
        damaged[random.integers(len(damaged))] ^= 1 << int(random.integers(8))
        shard.write_bytes(damaged)
        found = bf.open(store).verify()
        assert [damage.file for damage in found.bad] == [shard.name]
        try:
            batches = [arrays_of(batch) for batch in bf.open(store).batches(16, shuffle=False)]
        except bf.DamagedStoreError as error:
            assert shard.name in error.message  # noqa: PT017 (either is right)
        else:
            assert batches == intact
        shard.write_bytes(whole)
    assert bf.open(store).verify().ok


def arrays_of(batch: tuple[Any, ...]) -> list[bytes]:
    """The bytes of all arrays of a batch."""
    parts = [part for each in batch for part in (each.values() if isinstance(each, dict) else (each,))]
    return [np.ascontiguousarray(part).tobytes() for part in parts]
