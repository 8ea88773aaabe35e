"""Prefetch: work in threads and in the loop that consumes it, in order; and the batches made so."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.feed.buffers import BufferPool
from brimful.feed.windows import WindowLoader
from brimful.options import PackOptions
from brimful.order.view import View
from brimful.prefetch import Prefetch
from brimful.store.chunk_reader import ChunkReader
from brimful.store.pack import pack
from brimful.store.reader import StoreReader
from tests.feeds import make_feed


def read_ahead(work: Callable[[int], int], n: int) -> Prefetch[int, int]:
    """One thread, that works on piece 0 until all others are done."""
    begun, left = threading.Event(), threading.Semaphore(0)

    def in_turn(piece: int) -> int:
        if piece == 0:
            begun.set()
            assert all(left.acquire(timeout=10) for _ in range(1, n))
            return work(piece)
        try:
            return work(piece)
        finally:
            left.release()

    def pieces() -> Iterator[int]:
        yield 0
        assert begun.wait(10)
        yield from range(1, n)

    return Prefetch(in_turn, pieces(), threads=1, depth=n + 1)


def test_the_loop_does_what_no_thread_has_begun() -> None:
    """While a thread is at the piece it wants, it does those behind; results come in order nevertheless."""
    done_by: dict[int, threading.Thread] = {}

    def work(piece: int) -> int:
        done_by[piece] = threading.current_thread()
        return piece * piece

    with read_ahead(work, 4) as results:
        assert list(results) == [0, 1, 4, 9]
    assert [done_by[piece] is threading.current_thread() for piece in range(4)] == [False, True, True, True]


def test_what_goes_wrong_behind_is_raised_in_its_turn() -> None:
    """The results before it come first, whichever thread did the work."""

    def work(piece: int) -> int:
        if piece == 2:
            raise ValueError("piece 2")
        return piece

    with read_ahead(work, 4) as results:
        left = iter(results)
        assert [next(left), next(left)] == [0, 1]
        with pytest.raises(ValueError, match="piece 2"):
            next(left)


def test_ctrl_c_in_a_piece_behind_is_for_now() -> None:
    """It does not wait for its turn, which may never come."""

    def work(piece: int) -> int:
        if piece == 2:
            raise KeyboardInterrupt
        return piece

    with read_ahead(work, 3) as results, pytest.raises(KeyboardInterrupt):
        next(iter(results))


@pytest.mark.parametrize(("threads", "depth"), [(1, 4), (3, 7)])
def test_no_more_results_exist_than_asked_for(threads: int, depth: int) -> None:
    """Whichever thread made them: no waiting thread refers to results that the loop has made."""
    live, counts = weakref.WeakSet[threading.Event](), [0]

    def work(_: int) -> threading.Event:
        result = threading.Event()
        live.add(result)
        counts.append(len(live))
        np.sort(np.arange(20_000))
        return result

    with Prefetch(work, range(300), threads=threads, depth=depth) as results:
        for result in results:
            assert not result.is_set()
            del result
    assert 1 < max(counts) <= depth


def at_work(work: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many of eight threads are at work at a time, at the most, on two cores."""
    monkeypatch.setattr("brimful.prefetch.busy_threads", lambda: 1)
    counts, now, lock = [0], 0, threading.Lock()

    def counted(piece: int) -> None:
        nonlocal now
        is_loop = threading.current_thread() is threading.main_thread()
        with lock:
            now += not is_loop
            counts.append(now)
        work(piece)
        with lock:
            now -= not is_loop

    with Prefetch(counted, range(200), threads=8, depth=20) as results:
        assert len(list(results)) == 200
    return max(counts)


def test_few_threads_are_at_work_while_they_keep_the_cores_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """More would only contend for the GIL; if they wait for a disk, all of them are let in."""
    monkeypatch.setattr("brimful.prefetch.PATIENCE", 10**6)
    assert at_work(lambda _: time.sleep(0.001), monkeypatch) == 1
    monkeypatch.setattr("brimful.prefetch.PATIENCE", 0.01)
    assert at_work(lambda _: time.sleep(0.001), monkeypatch) > 4


def test_threads_are_let_in_when_a_disk_becomes_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it was quick before, as a page cache is."""
    monkeypatch.setattr("brimful.prefetch.PATIENCE", 0.01)

    def work(piece: int) -> None:
        until = time.thread_time() + 0.01
        while piece < 40 and time.thread_time() < until:
            np.sort(np.arange(1000))
        if piece >= 40:
            time.sleep(0.001)

    assert at_work(work, monkeypatch) > 4


def test_the_same_batches_whoever_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread and the loop, or many."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (9000, 400)).astype(np.float32)
    reader = bf.pack(bf.scan([(row, at) for at, row in enumerate(x)]), tmp_path / "x.brim")._reader
    delivered = []
    for threads in (3, 4, 8):
        monkeypatch.setattr("brimful.prefetch.reading_threads", lambda n=threads: n)
        feed = make_feed(reader, View(range(len(x))), 100, seed=1, memory="100MB")
        batches = [batch for _ in range(2) for batch in feed]
        labels = np.concatenate([y for _, y in batches])
        assert np.array_equal(np.concatenate([part for part, _ in batches]), x[labels])
        delivered.append(labels.tolist())
    assert sorted(delivered[0]) == sorted([*range(9000)] * 2)
    assert delivered[0] == delivered[1] == delivered[2]


def test_a_batch_size_beyond_all_measure_is_one_short_batch(tmp_path: Path) -> None:
    """Memory is taken for the rows there are, not for those that a batch could have."""
    data = bf.pack(bf.scan([(np.full(100, at, np.float32), at) for at in range(60)]), tmp_path / "x.brim")
    ((x, _),) = make_feed(data._reader, View(range(60)), 10**12, memory="10MB")
    assert sorted(x[:, 0].tolist()) == list(range(60))


def test_a_damaged_chunk_is_an_error_however_small_the_windows(tmp_path: Path) -> None:
    """Also where the batches that are made ahead are of windows that will never begin."""
    x = np.random.default_rng(0).random((400, 10), np.float32)
    source = bf.scan([(row, at) for at, row in enumerate(x)])
    options = PackOptions(chunk_bytes=440, shard_bytes=44_000)
    path = Path(pack(source._reader, np.arange(400), tmp_path / "x.brim", options).name)
    reader = StoreReader(path)
    shard, chunk = reader.manifest.shards[0], reader.manifest.shards[0].chunks[1]
    content = bytearray((path / shard.file).read_bytes())
    content[chunk.offset + chunk.head + chunk.keys] ^= 1
    (path / shard.file).write_bytes(content)
    feed = make_feed(reader, View(range(400)), 10, shuffle=False, memory="10MB")
    feed.load_state_dict({**feed.state_dict(), "window": 1})  # as saved with less memory
    raised: list[BaseException] = []

    def loop() -> None:
        try:
            list(feed)
        except bf.DamagedStoreError as error:
            raised.append(error)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    thread.join(30)
    assert raised
    assert not thread.is_alive()


@pytest.mark.parametrize(("away", "transforms"), [(0, False), (0.002, False), (0, True), (0.002, True)])
def test_no_more_batches_exist_than_the_budget_has_room_for(
    away: float, transforms: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the loop comes back at once or works meanwhile, also while chunks come slowly."""
    x = np.random.default_rng(0).random((8000, 1000), np.float32)
    source = bf.scan([(row, at) for at, row in enumerate(x)])
    options = PackOptions(chunk_bytes=400_000, shard_bytes=4_000_000)
    reader = StoreReader(pack(source._reader, np.arange(8000), tmp_path / "x.brim", options).name)
    read, unused = ChunkReader.read_data, BufferPool._unused
    live: dict[int, int] = {}  # the bytes of each piece of memory
    held = [0]

    def slow_read(*arguments: Any, **options: Any) -> memoryview:
        time.sleep(0.003)
        return read(*arguments, **options)

    def note(memory: Any) -> Any:
        if id(memory) not in live:
            live[id(memory)] = memory.nbytes
            weakref.finalize(memory, live.pop, id(memory))
        held.append(sum(list(live.values())))
        return memory

    def made_anew(batch: tuple[Any, ...], _: np.random.Generator) -> tuple[Any, ...]:
        return note(batch[0].copy()), *batch[1:]

    monkeypatch.setattr(ChunkReader, "read_data", slow_read)
    monkeypatch.setattr(BufferPool, "_unused", lambda pool: note(unused(pool)))
    transform = made_anew if transforms else None
    feed = make_feed(reader, View(range(8000)), 50, seed=1, memory="22MB", transform=transform)
    assert isinstance(feed.loader, WindowLoader)
    assert feed.loader.budget.window < 30
    delivered = 0
    for _, y in feed:
        time.sleep(away)
        delivered += len(y)
    assert delivered == 8000
    assert 0 < max(held) <= feed.loader.budget.batches * 50 * feed.schema.nbytes
