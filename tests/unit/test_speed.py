"""The figures of `bench`, to the last row: by a clock that goes on only when it is looked at, or told to."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import brimful as bf
from brimful.feed.benchmark import _gathered, _in_memory, _taken, measure_speed
from brimful.feed.feed import Feed
from brimful.feed.windows import WindowLoader
from brimful.options import FeedOptions
from brimful.order.view import View
from brimful.store.reader import StoreReader
from tests.faults.stores import pack_layout, small_tree


class Clock:
    """Seconds, and how many more each look takes."""

    def __init__(self) -> None:
        self.now = 100.0
        self.step = 0.0

    def perf_counter(self) -> float:
        """The time."""
        self.now += self.step
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that speed is measured by."""
    clock = Clock()
    monkeypatch.setattr("brimful.feed.benchmark.time", clock)
    return clock


class FakeFeed:
    """Batches of 10 rows, each of which takes its seconds and is waited for half of them."""

    def __init__(self, clock: Clock, epochs: list[list[float]]) -> None:
        self.clock = clock
        self.epochs = iter(epochs)
        self.stats = SimpleNamespace(samples=0, waited={})

    def __iter__(self) -> Iterator[None]:
        self.stats = SimpleNamespace(samples=0, waited=dict.fromkeys(("read", "decode"), 0.0))
        for seconds in next(self.epochs):
            self.clock.now += seconds
            self.stats.samples += 10
            self.stats.waited["read"] += seconds / 2
            yield


def taken(
    clock: Clock, epochs: list[list[float]], seconds: float, skip: int = 0
) -> tuple[float, dict[str, float]]:
    """Rows a second of a feed, and what it waited for."""
    waited: Counter[str] = Counter()
    rate = _taken(cast("Feed", FakeFeed(clock, epochs)), seconds, skip, waited)
    return rate, dict(waited)


def test_rows_a_second_of_a_feed(clock: Clock) -> None:
    """All rows by all seconds, until the batch in which the time is up, over as many epochs as it takes."""
    assert taken(clock, [[1, 2, 4, 8]], 6) == (30 / 7, {"read": 3.5})
    assert taken(clock, [[1, 2, 4, 8]], 7) == (40 / 15, {"read": 7.5})  # it is not up at 7
    assert taken(clock, [[1, 2], [4, 8], [16, 32]], 14) == (40 / 15, {"read": 7.5})
    assert taken(clock, [[1, 2], [4, 8], [16, 32]], 20) == (50 / 31, {"read": 15.5})


def test_the_first_rows_are_not_counted(clock: Clock) -> None:
    """Neither they nor their seconds, nor what was waited for them; in the first epoch only."""
    assert taken(clock, [[100, 200, 1, 2, 4]], 2.5, skip=20) == (20 / 3, {"read": 1.5})
    assert taken(clock, [[100, 1, 2], [4, 8]], 14, skip=10) == (40 / 15, {"read": 7.5})
    assert taken(clock, [[100, 1, 2], [4, 8]], 14, skip=5) == (40 / 15, {"read": 7.5})


def test_rows_a_second_from_memory(clock: Clock) -> None:
    """Batch by batch, a short one at the end, until the time is up."""
    clock.step = 1
    arrays = [np.arange(25), np.zeros((25, 3))]
    assert _gathered(arrays, 10, 1.5, 0) == 20 / 2
    assert _gathered(arrays, 10, 2.5, 0) == 25 / 3
    assert _gathered(arrays, 10, 2, 0) == 25 / 3  # it is not up at 2
    assert _gathered(arrays, 10, 3.5, 0) == 35 / 4  # another epoch
    assert _gathered(arrays, 10, 4.5, 0) == 45 / 5


class Noted(np.ndarray[Any, np.dtype[np.int64]]):
    """An array that notes what is taken from it."""

    seen: list[list[int]] = []  # noqa: RUF012 (of the class: views are made anew)

    def __getitem__(self, index: Any) -> Any:
        self.seen.append(np.asarray(index).tolist())
        return super().__getitem__(index)


def test_what_is_gathered_is_shuffled(clock: Clock) -> None:
    """Each row once an epoch, otherwise by another seed: the processor's cache must not help."""
    clock.step = 1
    epochs = []
    for seed in (0, 0, 1):
        Noted.seen.clear()
        _gathered([np.arange(25).view(Noted)], 10, 2.5, seed)
        epochs.append([row for batch in Noted.seen for row in batch])
    assert all(sorted(epoch) == list(range(25)) for epoch in epochs)
    assert epochs[0] == epochs[1] != epochs[2]
    assert epochs[0] != list(range(25))


@pytest.fixture
def make_loader(tmp_path: Path) -> Callable[[int], WindowLoader]:
    """A function that gives a feed some memory for a store of 40 samples in 14 chunks."""
    source = bf.scan(small_tree(tmp_path / "data").path)
    pack_layout(source, tmp_path / "data.brim", chunk_bytes=100, shard_bytes=300)

    def make(memory: int) -> WindowLoader:
        return WindowLoader(
            StoreReader(tmp_path / "data.brim"), View(range(40)), FeedOptions(2, memory=memory)
        )

    return make


def test_the_ratio_is_the_feeds_rate_by_that_of_memory(
    clock: Clock, make_loader: Callable[[int], WindowLoader]
) -> None:
    """By a clock on which each look takes a second: 4 batches in 5 seconds, and 4 in 4."""
    clock.step = 1
    loader, rounds = make_loader(10**6), list[int]()
    speed = measure_speed(loader, 30, rounds.append)  # 3 seconds a turn
    assert speed.is_resident
    assert (speed.rows_per_second, speed.memory_rows_per_second) == (8 / 5, 8 / 4)
    assert speed.ratio == 0.8
    assert speed.bytes_per_second == 8 / 5 * 32
    assert rounds == [1, 2, 3, 4, 5]
    assert sum(speed.waited.values()) == pytest.approx(1)
    assert speed.memory_for_all <= 10**6
    assert make_loader(speed.memory_for_all).order.window == 14
    assert make_loader(speed.memory_for_all - 1).order.window < 14


@pytest.mark.parametrize(("memory", "resident"), [(10**6, True), (6_600, False)])
def test_medians_of_the_rounds(
    make_loader: Callable[[int], WindowLoader], monkeypatch: pytest.MonkeyPatch, memory: int, resident: bool
) -> None:
    """The ratio is that of each round, as what slows a machine slows both; a turn has a tenth of the time."""
    of_feed, of_memory = iter([10.0, 20, 30, 40, 50]), iter([40.0, 50, 60, 50, 100])
    asked = []

    def feed(_: object, seconds: float, skip: int, waited: Counter[str]) -> float:
        asked.append((seconds, skip))
        waited.update({"read": 3, "queue": 1})
        return next(of_feed)

    def gathered(arrays: list[Any], batch_size: int, seconds: float, seed: int) -> float:
        asked.append((seconds, seed))
        assert (len(arrays), batch_size) == (2, 2)
        return next(of_memory)

    monkeypatch.setattr("brimful.feed.benchmark._taken", feed)
    monkeypatch.setattr("brimful.feed.benchmark._gathered", gathered)
    loader = make_loader(memory)
    speed = measure_speed(loader, 20)
    assert (speed.rows_per_second, speed.memory_rows_per_second) == (30, 50)
    assert speed.ratio == 0.5  # of 0.25, 0.4, 0.5, 0.8, 0.5
    assert speed.waited == {"read": 0.75, "queue": 0.25, "verify": 0, "decode": 0, "transform": 0}
    assert (speed.limit, speed.is_resident, speed.plan) == ("read", resident, loader.plan())
    skip = 0 if resident else loader.order.epoch(0).starts[1]
    assert asked == [each for done in range(5) for each in ((2, skip), (2, done))]


@pytest.mark.parametrize("limit", [10**9, 8 * 32 * 10])
def test_what_is_in_memory_are_the_samples(
    make_loader: Callable[[int], WindowLoader], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """As many as an eighth of the machine's memory holds, each as the store has it."""
    monkeypatch.setattr("brimful.feed.benchmark.memory_limit", lambda: limit)
    feed = Feed(make_loader(10**6))
    arrays = _in_memory(feed)
    n = 40 if limit == 10**9 else 10
    x, y, _ = feed.reader.read(np.arange(n))
    assert [array.tobytes() for array in arrays] == [x.tobytes(), y.tobytes()]


def test_a_data_set_is_measured_by_its_own_feed(tmp_path: Path) -> None:
    """Nothing is left of it afterwards, and its real figures are figures."""
    data = bf.pack(bf.scan(small_tree(tmp_path / "data").path), tmp_path / "data.brim")
    loader = WindowLoader(data._reader, data._view, FeedOptions(8))
    speed = measure_speed(loader, 0.05)
    assert speed.rows_per_second > 0
    assert speed.memory_rows_per_second > 0
