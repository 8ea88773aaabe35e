"""Batches from a store by windows: every sample once, in the promised order, in any memory."""

import json
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from numpy.typing import NDArray

import brimful as bf
from brimful.feed.budget import ChunkSizes
from brimful.feed.chunk_cache import EMPTY
from brimful.feed.feed import Feed
from brimful.feed.windows import WindowLoader
from brimful.memory import parse_bytes
from brimful.order.epochs import Epoch, Order, Window
from brimful.order.view import View
from brimful.store.reader import StoreReader
from tests.faults.stores import pack_layout
from tests.feeds import make_feed

N = 120
ODD = 3  # this sample is kept by no rule, and the shard that it is in as it is; all others are k/255


class Numbered:
    """Samples whose target is their index."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, i: int) -> tuple[NDArray[Any], int]:
        return value(i), i


def value(i: int) -> NDArray[np.float32]:
    """The inputs of a sample."""
    return (np.arange(1, 41) * i % 256 / (7 if i == ODD else 255)).astype(np.float32)


@cache
def reader() -> StoreReader:
    """A store of 120 samples in chunks of 5, 3 chunks per shard."""
    path = Path(mkdtemp()) / "numbered.brim"
    pack_layout(bf.scan(Numbered()), path, chunk_bytes=5 * 168, shard_bytes=15 * 168)
    return StoreReader(path)


def views() -> st.SearchStrategy[View]:
    """All rows, a range, or any others."""
    ranges = st.tuples(st.integers(0, N - 1), st.integers(1, N)).map(
        lambda ends: View(range(ends[0], min(N, ends[0] + ends[1])))
    )
    others = st.sets(st.integers(0, N - 1), min_size=1).map(lambda rows: View(np.array(sorted(rows))))
    return st.one_of(st.just(View(range(N))), ranges, others)


FACTORS = (1.0, 1.6, 2.5, 100.0)
MEMORY = st.sampled_from(FACTORS)


def memory_of(batch_size: int, factor: float) -> int:
    """Memory for windows of one chunk where batches are small, of some, or of all."""
    return int(max(8_200, 6_800 * batch_size) * factor)


def feed_of(view: View, batch_size: int, factor: float, **options: Any) -> Feed:
    """A feed of the store."""
    return make_feed(reader(), view, batch_size, memory=memory_of(batch_size, factor), **options)


def test_the_store_is_kept_in_several_ways() -> None:
    """Or these tests would not cover what they should."""
    assert len({shard.codecs for shard in reader().manifest.shards}) > 1
    windows = [feed_of(View(range(N)), 1, factor).order.window for factor in FACTORS]
    assert windows == [1, 2, 5, 24]


def test_golden_sizes_of_chunks() -> None:
    """What a chunk counts for decides how many are mixed, and so the order: so many bytes, for all time."""
    loader = feed_of(View(range(N)), 1, 1).loader
    assert isinstance(loader, WindowLoader)
    slot = (5 + 1) * 168  # a row more than there are, each of 40 float32 and an int64
    order = 5 * 32
    assert loader.budget.sizes == ChunkSizes(4096, slot, slot + order, 24)


@settings(max_examples=80)
@given(
    view=views(),
    batch_size=st.integers(1, 8),
    memory=MEMORY,
    seed=st.integers(0, 5),
    shuffle=st.booleans(),
    keys=st.booleans(),
)
def test_every_sample_once_an_epoch(
    view: View, batch_size: int, memory: float, seed: int, shuffle: bool, keys: bool
) -> None:
    """Each as it was packed, with its own target and key, in the order's order, three epochs long."""
    feed = feed_of(view, batch_size, memory, seed=seed, shuffle=shuffle, include_keys=keys)
    names = reader().keys(view.at(np.arange(len(view))))
    for epoch in range(3):
        batches = list(feed)
        assert [len(batch[0]) for batch in batches[:-1]] == [batch_size] * (len(feed) - 1)
        seen = [int(number) for batch in batches for number in batch[1]]
        assert seen == [int(names[row]) for row in feed.order.rows(epoch, 0, len(view))]
        assert sorted(seen) == sorted(map(int, names))
        assert feed.stats.samples == feed.stats.distinct_samples == len(view)
        x = np.concatenate([batch[0] for batch in batches])
        assert x.tobytes() == np.stack([value(number) for number in seen]).tobytes()
        if keys:
            assert [key for batch in batches for key in batch[2]] == list(map(str, seen))


@settings(max_examples=40)
@given(view=views(), seed=st.integers(0, 3), memory=MEMORY)
def test_the_order_depends_on_nothing_but_seed_epoch_and_window(view: View, seed: int, memory: float) -> None:
    """Not on the batch size, nor on threads; one window gives what raw files would."""
    feed, other = (
        make_feed(reader(), view, batch_size, seed=seed, memory=memory_of(11, memory))
        for batch_size in (3, 11)
    )
    seen = [int(number) for batch in feed for number in batch[1]]
    assert [int(number) for batch in other for number in batch[1]] == seen
    if feed.order.window == feed.order.pieces:
        names = reader().keys(view.at(np.arange(len(view))))
        assert seen == [int(names[row]) for row in Order(len(view), seed=seed).rows(0, 0, len(view))]


@settings(max_examples=100)
@given(data=st.data())
def test_any_part_of_an_order_is_computed_alone(data: st.DataObject) -> None:
    """Random access: what a pass over all gives at these positions."""
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    n = int(bounds[-1])
    order = Order(n, seed=data.draw(st.integers(0, 9)), bounds=bounds, window=data.draw(st.integers(1, 12)))
    epoch = data.draw(st.integers(0, 3))
    everything = order.rows(epoch, 0, n)
    assert sorted(everything.tolist()) == list(range(n))
    start, stop = sorted((data.draw(st.integers(0, n)), data.draw(st.integers(0, n))))
    assert order.rows(epoch, start, stop).tolist() == everything[start:stop].tolist()
    fresh = Order(n, seed=order.seed, bounds=bounds, window=order.window)
    assert fresh.rows(epoch, start, stop).tolist() == everything[start:stop].tolist()


class WindowMachine(RuleBasedStateMachine):
    """Next, leave, save and restore in any order and memory; the order knows what must come."""

    @initialize(batch_size=st.integers(1, 8), memory=MEMORY, seed=st.integers(0, 3), view=views())
    def begin(self, batch_size: int, memory: float, seed: int, view: View) -> None:
        """Make a feed, and nothing drawn."""
        self.view, self.seed, self.batch_size = view, seed, batch_size
        self.memory = memory_of(batch_size, memory)
        self.feed = make_feed(reader(), view, batch_size, seed=seed, memory=self.memory)
        self.names = [int(key) for key in reader().keys(view.at(np.arange(len(view))))]
        self.batches: Any = None
        self.epoch = self.position = 0
        self.saved: tuple[str, int, int] | None = None

    @rule()
    def draw(self) -> None:
        """The next batch is the order's next slice."""
        if self.batches is None:
            self.batches = iter(self.feed)
        batch = next(self.batches, None)
        if self.position == len(self.view):
            assert batch is None
            self.batches, self.epoch, self.position = None, self.epoch + 1, 0
            return
        expected = self.feed.order.rows(self.epoch, self.position, self.position + self.batch_size)
        assert batch is not None
        assert batch[1].tolist() == [self.names[row] for row in expected]
        self.position += len(expected)

    @rule()
    def leave(self) -> None:
        """Leave a pass: the next one restarts the epoch, or is the next epoch if it was through."""
        if self.batches is not None:
            self.batches.close()
            through = self.position == len(self.view)
            self.batches, self.epoch, self.position = None, self.epoch + through, 0

    @rule()
    def save(self) -> None:
        """Take the state, at whatever moment."""
        if self.batches is not None:
            self.saved = (json.dumps(self.feed.state_dict()), self.epoch, self.position)

    @rule(batch_size=st.integers(1, 8), more=st.sampled_from([1, 1.1, 2, 50]))
    def restore(self, batch_size: int, more: float) -> None:
        """Go on in a new feed, with batches of any size and as much memory or more."""
        if self.saved is None:
            return
        text, self.epoch, self.position = self.saved
        self.memory = int(max(self.memory, memory_of(batch_size, 1)) * more)
        self.feed = make_feed(reader(), self.view, batch_size, seed=self.seed, memory=self.memory)
        self.batch_size = batch_size
        self.feed.load_state_dict(json.loads(text))
        self.batches = None
        if self.position == len(self.view):
            self.epoch, self.position = self.epoch + 1, 0

    def teardown(self) -> None:
        """Stop the threads."""
        if getattr(self, "batches", None) is not None:
            self.batches.close()


TestWindowMachine = WindowMachine.TestCase
TestWindowMachine.settings = settings(max_examples=40, stateful_step_count=30)


@settings(max_examples=60)
@given(memory=st.integers(1, 20_000), batch_size=st.integers(1, 40), view=views(), keys=st.booleans())
def test_too_little_memory_is_refused_and_what_is_named_suffices(
    memory: int, batch_size: int, view: View, keys: bool
) -> None:
    """What is not refused feeds; of what is, the error names memory that is enough."""
    try:
        feed = make_feed(reader(), view, batch_size, memory=memory, include_keys=keys)
    except bf.MemoryBudgetError as error:
        least = error.hint.split("'")[1]
        assert parse_bytes(least) > memory
        feed = make_feed(reader(), view, batch_size, memory=least, include_keys=keys)
    assert sum(len(batch[0]) for batch in feed) == len(view)


@pytest.mark.parametrize("memory", [1.6, 100])
def test_what_was_read_stays_for_the_next_pass(memory: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all fits, chunks are read once; otherwise what is still there is not read again."""
    feed = feed_of(View(range(N)), 2, memory)
    assert isinstance(feed.loader, WindowLoader)
    reads: list[int] = []
    read = feed.loader.chunks.load

    def noting(piece: int, slot: int, memory: memoryview) -> None:
        reads.append(piece)
        read(piece, slot, memory)

    monkeypatch.setattr(feed.loader.chunks, "load", noting)
    list(feed)
    assert sorted(reads[:24]) == list(range(24))
    reads.clear()
    list(feed)
    if feed.order.window == feed.order.pieces:
        assert not reads


def test_the_first_window_of_an_epoch_is_read_while_the_last_of_the_one_before_is_consumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is in the cache when the next pass begins, and is not read again."""
    feed = feed_of(View(range(N)), 2, 1.6)
    assert isinstance(feed.loader, WindowLoader)
    assert 1 < feed.order.window < 12
    reads: list[int] = []
    read = feed.loader.chunks.load

    def noting(piece: int, slot: int, memory: memoryview) -> None:
        reads.append(piece)
        read(piece, slot, memory)

    def first_of(epoch: int) -> tuple[Epoch, Window]:
        reads.append(-1)  # what follows may be of the next epoch
        return first(epoch)

    first = feed.loader.order.first_of
    monkeypatch.setattr(feed.loader.chunks, "load", noting)
    monkeypatch.setattr(feed.loader.order, "first_of", first_of)
    there: set[int] = set()
    for epoch in range(3):
        reads.clear()
        following = set(feed.order.epoch(epoch + 1).window(0).pieces.tolist())
        for done, _ in enumerate(feed, start=1):
            while done == len(feed) - 1 and not following <= _held(feed.loader):
                time.sleep(0.001)
        assert not there & set(reads[: reads.index(-1)])
        assert not feed.loader.chunks.cache._in_use.any()
        assert following <= _held(feed.loader)
        there = following


def _held(loader: WindowLoader) -> set[int]:
    return set(np.flatnonzero(loader.chunks.cache._slot_of != EMPTY).tolist())
