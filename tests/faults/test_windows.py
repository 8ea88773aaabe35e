"""A store damaged while it is fed from, and loops that end early: a clear error, nothing left behind."""

import gc
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.feed.buffers import BufferPool
from brimful.feed.chunk_cache import ChunkCache
from brimful.feed.feed import Feed
from brimful.feed.windows import WindowLoader
from brimful.order.view import View
from brimful.store.reader import StoreReader
from tests.faults.stores import delivered, pack_small, small_tree
from tests.feeds import make_feed

SMALL, LARGE = 6_600, 10**7  # memory for a few chunks, and for all


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of 40 samples in chunks of 3 and shards of 9."""
    pack_small(small_tree(tmp_path / "data").path, tmp_path / "data.brim")
    return tmp_path / "data.brim"


def feed_of(store: Path, memory: int) -> Feed:
    """Its feed."""
    reader = StoreReader(store)
    return make_feed(reader, View(range(len(reader))), 2, memory=memory)


def nothing_is_left() -> bool:
    """No thread, no file."""
    gc.collect()
    files = (str(Path(each.path).resolve()) for each in os.scandir("/proc/self/fd"))
    threads = [each for each in threading.enumerate() if each.name.startswith("brimful")]
    return not threads and not any(".arrow" in file for file in files)


def check(feed: Feed, good: dict[str, tuple[bytes, int]]) -> None:
    """Run through an epoch and compare each sample."""
    for x, _, keys in feed:
        assert all(good[key][0] == sample.tobytes() for key, sample in zip(keys, x, strict=True))


@pytest.mark.parametrize("memory", [SMALL, LARGE])
def test_a_flipped_bit_in_any_chunk_is_an_error_in_the_loop(store: Path, memory: int) -> None:
    """The error names shard, chunk and keys, and no batch with a sample of that chunk comes before it."""
    manifest = bf.open(store).manifest
    good = delivered(store)
    for shard in manifest.shards:
        for chunk in shard.chunks:
            path = store / shard.file
            content = path.read_bytes()
            at = chunk.offset + chunk.head + chunk.keys + chunk.data // 2
            path.write_bytes(content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :])
            feed = make_feed(StoreReader(store), View(range(40)), 2, memory=memory, include_keys=True)
            with pytest.raises(bf.DamagedStoreError, match=shard.file) as caught:
                check(feed, good)
            assert caught.value.keys
            assert nothing_is_left()
            path.write_bytes(content)
            assert sum(len(batch[0]) for batch in feed) == 40  # repaired, the same batches go on


@pytest.mark.parametrize("memory", [SMALL, LARGE])
def test_a_shard_that_is_cut_or_gone_is_an_error_in_the_loop(store: Path, memory: int) -> None:
    """Even if the store was intact when the batches were made."""
    path = store / bf.open(store).manifest.shards[-1].file
    content = path.read_bytes()
    feed = feed_of(store, memory)
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(bf.DamagedStoreError, match=path.name):
        list(feed)
    path.unlink()
    with pytest.raises(bf.DamagedStoreError, match=path.name):
        list(feed)
    assert nothing_is_left()
    with pytest.raises(bf.DamagedStoreError, match="open it again"):
        make_feed(feed.reader, feed.view, 2)


def interrupt(feed: Feed) -> None:
    """Press Ctrl-C in a loop."""
    for _ in feed:
        raise KeyboardInterrupt


@pytest.mark.parametrize("memory", [SMALL, LARGE])
@pytest.mark.parametrize("how", ["exhaust", "break", "error", "second"])
def test_nothing_is_left_behind(store: Path, memory: int, how: str) -> None:
    """Whichever way a loop ends; and the next one is right."""
    feed = feed_of(store, memory)
    if how == "exhaust":
        list(feed)
    elif how == "break":
        for _ in feed:
            break
    elif how == "error":
        with pytest.raises(KeyboardInterrupt):
            interrupt(feed)
    else:
        first, second = iter(feed), iter(feed)
        next(first), next(second)
        with pytest.raises(bf.PassEndedError):
            next(first)
        second.close()  # type: ignore[attr-defined]
    gc.collect()
    assert nothing_is_left()
    assert sorted(int(row) for batch in feed.loader.epoch(5, 0, 40) for row in batch.rows) == list(range(40))


@pytest.mark.parametrize("memory", [SMALL, LARGE])
def test_many_loops_at_once_end_one_another(store: Path, memory: int) -> None:
    """Each ends with all of a pass or with PassEndedError; none hangs."""
    feed = feed_of(store, memory)
    errors: list[type] = []

    def loop() -> None:
        try:
            for _ in range(20):
                list(feed)
        except Exception as error:  # noqa: BLE001 (which it is, is the test)
            errors.append(type(error))

    loops = [threading.Thread(target=loop) for _ in range(4)]
    for thread in loops:
        thread.start()
    for thread in loops:
        thread.join(60)
    assert not any(thread.is_alive() for thread in loops)
    assert set(errors) <= {bf.PassEndedError}
    assert nothing_is_left()


def test_a_pass_that_was_ended_takes_nothing_from_the_one_that_ended_it(store: Path) -> None:
    """The old loop notices late, in the middle of the new one, at any moment of either."""
    reader = StoreReader(store)
    for before in range(1, 20):
        for after in range(1, 20, 3):
            feed = make_feed(reader, View(range(40)), 2, seed=before, memory=SMALL)
            assert len(feed.order.epoch(0)) > 2
            old = iter(feed)
            for _ in range(before):
                next(old)
            new = iter(feed)
            seen = [next(new)[0] for _ in range(after)]
            with pytest.raises(bf.PassEndedError):
                next(old)
            seen += [x for x, _ in new]
            assert sorted(map(bytes, np.concatenate(seen))) == _all_of(reader)


def _all_of(reader: StoreReader) -> list[bytes]:
    return sorted(map(bytes, reader.read(np.arange(len(reader))).x))


def test_more_chunks_than_slots_are_an_error_and_no_mixture() -> None:
    """That would be a bug of the feed; NumPy would put all of the chunks into the free slot."""
    cache = ChunkCache(2, 100, 5)
    cache.take(np.array([0]), lambda pieces: pieces)
    with pytest.raises(RuntimeError, match="1 slots are free, for 2 chunks"):
        cache.take(np.array([1, 2]), lambda pieces: pieces)


def test_batches_stay_as_they_are_though_memory_is_used_again(store: Path) -> None:
    """Memory that is still referred to, in whole or in part, is not written over."""
    reader = StoreReader(store)
    wide = make_feed(reader, View(range(40)), 40, shuffle=False)
    kept = []
    for _ in range(5):
        for x, _ in wide:
            kept.append((x[3:5], x[3:5].copy()))
    assert all(np.array_equal(part, copy) for part, copy in kept)


def test_recycled_memory_is_never_shared() -> None:
    """Two arrays that live at the same time have no byte in common, however they come and go."""
    pool = BufferPool((100_000,), "uint8", 3)
    random = np.random.default_rng(0)
    live: list[tuple[Any, int]] = []
    for number in range(2000):
        array = pool.empty(int(random.integers(60_000, 100_001)))
        array.fill(number % 251)
        live.append((array[random.integers(50_000) :], number % 251))
        if random.random() < 0.6:
            live.pop(int(random.integers(len(live))))
        live = live[-30:]
        assert all((part == value).all() for part, value in live[:: max(1, len(live) // 3)])
    assert len(pool._lent) == 3


def test_memory_is_used_again_once_nobody_holds_it() -> None:
    """A loop that lets go of each array has two of them in turn; a part of one, or a memoryview, holds it."""
    pool = BufferPool((100_000,), "uint8", 9)
    array, places = pool.empty(100_000), set()
    for _ in range(20):
        array = pool.empty(90_000)
        places.add(array.ctypes.data)
    assert len(places) <= 2
    for holding in (lambda x: memoryview(x[10:20]), lambda x: x.reshape(300, 300)[::2].T):
        held, last = holding(array), array.ctypes.data
        array = pool.empty(90_000)
        assert last not in _addresses([pool.empty(100) for _ in range(4)])
        del held
        assert last in _addresses([pool.empty(100) for _ in range(8)])


def _addresses(arrays: list[Any]) -> set[int]:
    return {each.ctypes.data for each in arrays}


def test_a_position_saved_with_more_memory_names_what_it_needs(store: Path) -> None:
    """Windows have the size of the state, or an error names the memory that they need."""
    wide, narrow = feed_of(store, LARGE), feed_of(store, SMALL)
    batches = iter(wide)
    next(batches)
    with pytest.raises(bf.MemoryBudgetError) as caught:
        narrow.load_state_dict(wide.state_dict())
    enough = make_feed(narrow.reader, narrow.view, 2, memory=caught.value.hint.split("'")[1])
    enough.load_state_dict(wide.state_dict())
    left = [y.tolist() for _, y in batches]
    assert [y.tolist() for _, y in enough] == left


@pytest.mark.parametrize("memory", [SMALL, LARGE])
def test_past_the_page_cache_the_same_bytes_come(store: Path, memory: int) -> None:
    """Where the file system reads past its cache, and where it refuses and is read through it."""
    feed, direct = feed_of(store, memory), feed_of(store, memory)
    assert isinstance(direct.loader, WindowLoader)
    direct.loader.chunks.cached = False
    for (x, y), (direct_x, direct_y) in zip(feed, direct, strict=True):
        assert x.tobytes() == direct_x.tobytes()
        assert y.tolist() == direct_y.tolist()


def test_a_smaller_window_is_that_of_the_state_also_for_the_epoch_made_ahead(store: Path) -> None:
    """The next epoch's order, made while this one goes on, is not that of the windows loaded since."""
    narrow, wide = feed_of(store, SMALL), feed_of(store, LARGE)
    list(narrow)
    state = narrow.state_dict()
    expected = [y.tolist() for _, y in narrow]
    list(wide)
    wide.load_state_dict(state)
    assert [y.tolist() for _, y in wide] == expected
    source = bf.scan(store.parent / "data")
    raw = make_feed(source._reader, source._view, 2)
    with pytest.raises(bf.StateError, match="window=3"):
        raw.load_state_dict({**raw.state_dict(), "window": 3})
