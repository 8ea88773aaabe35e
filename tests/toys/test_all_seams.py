"""Every seam at once: a format, codec, storage and listener from outside the library, and one training."""

import contextlib
from pathlib import Path

import keras
import numpy as np
import pytest

import brimful as bf
from brimful.store.codecs.registry import registered
from brimful.store.verify import verify
from brimful.testing.faulty import FaultyStorage
from tests.faults.stores import delivered, expected, pack_layout, pack_small, small_tree
from tests.toys.counting_listener import CountingListener
from tests.toys.half_codec import HalfCodec
from tests.toys.memory_storage import MemoryStorage
from tests.toys.record_file import HEADER, RecordFile, record_of, write_records


@pytest.mark.keras
def test_toys_of_every_kind_train_a_model(tmp_path: Path) -> None:
    """Records in one file are packed as halves into memory, trained on, and counted."""
    path = write_records(tmp_path / "toy.rec", n=60)
    records = np.memmap(path, record_of(6), "r+", HEADER.itemsize)
    records["x"] = np.random.default_rng(0).integers(-9, 9, (60, 6)) / 8
    records.flush()
    storage, listener = MemoryStorage(), CountingListener()
    with registered(HalfCodec):
        data = bf.pack(bf.scan(RecordFile(path)), storage)
        assert {codec.name for shard in data.manifest.shards for codec in shard.codecs} == {"half"}
        assert verify(storage).ok
        train, test = data.split(test=0.3)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, activation="softmax")])
        batches = train.batches(8, memory="1MB")
        reports = bf.train(
            model,
            batches,
            run=tmp_path / "run",
            epochs=2,
            validation=test.batches(8, shuffle=False),
            listeners=[listener],
        )
    assert listener.distinct == [len(train), len(train)]
    assert listener.batches == 2 * len(batches)
    assert listener.error is None
    assert len(reports) == 2


def test_a_store_in_memory_is_like_one_on_a_disk(tmp_path: Path) -> None:
    """The same bytes in the same files; packed again it is up to date; damaged, it is found and repaired."""
    tree, storage = small_tree(tmp_path / "data"), MemoryStorage()
    pack_small(tree.path, storage)
    pack_small(tree.path, tmp_path / "x.brim")
    names = {path.name for path in (tmp_path / "x.brim").iterdir()}
    assert set(storage.list()) == names
    assert all(storage.files[name] == (tmp_path / "x.brim" / name).read_bytes() for name in names)
    shard = next(name for name in storage.list() if name.startswith("shard-00001"))
    intact = storage.files[shard]
    storage.files[shard] = intact[:-100]
    assert [damage.file for damage in verify(storage).bad] == [shard]
    pack_small(tree.path, storage)
    assert storage.files[shard] == intact
    assert delivered(storage) == delivered(tmp_path / "x.brim")


def test_two_packers_of_a_storage_are_told_apart(tmp_path: Path) -> None:
    """The second is refused, whatever the place is."""
    tree, storage = small_tree(tmp_path / "data"), MemoryStorage()
    with storage.lock(), pytest.raises(bf.StoreBusyError):
        pack_small(tree.path, storage)


def test_whatever_call_fails_the_store_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    """Of a place in memory as of a folder; and packing again ends with the same bytes."""
    tree, wanted = small_tree(tmp_path / "data"), MemoryStorage()
    pack_small(tree.path, counted := FaultyStorage(wanted))
    for call in range(0, counted.calls, 3):
        storage = MemoryStorage()

        def refuse(number: int, _: str, call: int = call) -> None:
            if number >= call:
                raise bf.WriteError("The storage refuses.")

        with pytest.raises(bf.WriteError):
            pack_small(tree.path, FaultyStorage(storage, refuse))
        with contextlib.suppress(bf.StoreNotFoundError):
            assert delivered(storage) == expected(tree)
        pack_layout(bf.scan(tree.path), storage, chunk_bytes=100, shard_bytes=300)
        shards = {name: content for name, content in storage.files.items() if name != "source.arrow"}
        assert shards == {name: wanted.files[name] for name in shards}
