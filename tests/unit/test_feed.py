"""The feed: its budget, its memory, its errors, and that it leaves nothing behind."""

import json
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.feed.feed import Feed
from brimful.feed.loader import Block, EpochIterator
from brimful.feed.rows import RowLoader
from brimful.feed.stats import Stats
from brimful.memory import format_bytes, parse_bytes
from tests.feeds import make_feed
from tests.trees import Tree


def feed_of(source: bf.Source, batch_size: int = 8, **options: Any) -> Feed:
    """The feed that `source.batches` would wrap."""
    return make_feed(source._reader, source._view, batch_size, **options)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ("64MB", 64_000_000),
        ("1GB", 10**9),
        ("1.5 gib", 1_610_612_736),
        ("1000", 1000),
        (5, 5),
        (5.9, 5),
        ("2kb", 2000),
        ("7B", 7),
        ("2TB", 2 * 10**12),
        ("2KiB", 2048),
        ("2MiB", 2_097_152),
        ("2TiB", 2_199_023_255_552),
    ],
)
def test_memory_is_read_as_people_write_it(memory: str | int, expected: int) -> None:
    """GB is 10**9 bytes, GiB is 2**30."""
    assert parse_bytes(memory) == expected


@pytest.mark.parametrize("memory", ["", "lots", "-1GB", "1 GB 2", "1XB", "1" * 16])
def test_memory_that_cannot_be_read_is_refused(memory: str) -> None:
    """And the error shows what it should look like."""
    with pytest.raises(bf.ArgumentError, match="64MB"):
        parse_bytes(memory)


def test_a_budget_too_small_names_the_least_that_would_do(tree: Tree) -> None:
    """And that least is enough."""
    source = bf.scan(tree.path)
    with pytest.raises(bf.MemoryBudgetError) as caught:
        feed_of(source, memory=1000)
    least = caught.value.hint.split("'")[1]
    assert len(list(feed_of(source, memory=least))) == 7


def test_readable_rounds_up() -> None:
    """What is printed as the least is never less than it."""
    for n in (1, 999, 1001, 61_230_001, 10**9 + 1):
        assert parse_bytes(format_bytes(n)) >= n


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0B"),
        (1, "1B"),
        (999, "999B"),
        (1000, "1KB"),
        (1001, "1.1KB"),
        (1100, "1.1KB"),
        (999_901, "1000KB"),
        (10**6, "1MB"),
        (61_230_001, "61.3MB"),
        (10**9, "1GB"),
        (1_234 * 10**9 + 1, "1234.1GB"),
    ],
)
def test_bytes_are_written_as_people_write_them(n: int, text: str) -> None:
    """To a tenth of the largest unit that there is one of."""
    assert format_bytes(n) == text


class Counting:
    """Counts how many samples exist that were read and not yet handed out."""

    def __init__(self, feed: Feed) -> None:
        self.most = self.now = 0
        self._lock = threading.Lock()
        self._read = feed.reader.read

    def __call__(self, rows: Any) -> Any:
        """Read, and count."""
        with self._lock:
            self.now += len(rows)
            self.most = max(self.most, self.now)
        return self._read(rows)


def test_read_ahead_is_bounded(make_tree: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the loop, no more than the budget's blocks are read ahead."""
    source = bf.scan(make_tree(300).path)
    feed = feed_of(source, 1, memory=150_000)
    counting = Counting(feed)
    monkeypatch.setattr(feed.reader, "read", counting)
    batches = iter(feed)
    for _ in range(20):
        next(batches)
        counting.now -= 1
        threading.Event().wait(0.005)
    assert isinstance(feed.loader, RowLoader)
    assert counting.most <= feed.loader.budget.depth * feed.loader.budget.block_rows
    batches.close()  # type: ignore[attr-defined]


def test_nothing_is_read_before_the_first_next(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """An iterator that nobody draws from costs nothing, and disturbs no pass under way."""
    feed = feed_of(bf.scan(tree.path))
    under_way = iter(feed)
    first = next(under_way)
    monkeypatch.setattr(feed.reader, "read", None)
    iter(feed)
    monkeypatch.undo()
    assert len(first[0]) == 8
    assert sum(len(x) for x, _ in under_way) == 42


def test_a_second_pass_ends_the_first(tree: Tree) -> None:
    """Two loops at once over the same batches would share one position: an error, not a mix."""
    feed = feed_of(bf.scan(tree.path))
    first, second = iter(feed), iter(feed)
    next(first)
    next(second)
    with pytest.raises(bf.BrimfulError, match="another one"):
        next(first)
    assert sum(len(x) for x, _ in second) == 42


def threads() -> set[str]:
    """Names of the feed's threads that are alive."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("brimful")}


def leave_early(batches: Iterator[Any]) -> None:
    """Break out of a loop."""
    for _ in batches:
        break


@pytest.mark.parametrize("how", ["exhaust", "break", "close", "error"])
def test_no_thread_is_left_behind(tree: Tree, how: str) -> None:
    """Whichever way a pass ends."""
    feed = feed_of(bf.scan(tree.path))
    if how == "exhaust":
        list(feed)
    elif how == "break":
        leave_early(iter(feed))
    elif how == "close":
        batches = iter(feed)
        next(batches)
        assert threads()
        batches.close()  # type: ignore[attr-defined]
    else:
        tree.file("train/00009").write_text("broken")
        with pytest.raises(bf.MalformedFileError):
            list(feed)
    assert not threads()


def test_batches_are_memory_of_their_own(tree: Tree) -> None:
    """`list(batches)` is right: no buffer is used twice."""
    feed = feed_of(bf.scan(tree.path), shuffle=False)
    kept = list(feed)
    copies = [(x.copy(), y.copy()) for x, y in feed]
    for (x, y), (copy_x, copy_y) in zip(kept, copies, strict=True):
        assert np.array_equal(x, copy_x)
        assert np.array_equal(y, copy_y)
    assert not np.shares_memory(kept[0][0], kept[1][0])


def test_keys_come_with_their_samples(tree: Tree) -> None:
    """`include_keys` names each sample of a batch."""
    for x, y, keys in feed_of(bf.scan(tree.path), include_keys=True):
        for sample, label, key in zip(x, y, keys, strict=True):
            assert sample.tobytes() == tree.x[key].tobytes()
            assert label == tree.y[key]


def test_a_state_of_other_data_is_refused(make_tree: Callable[..., Tree]) -> None:
    """Another view, seed or shuffle: an error that names both values."""
    source = bf.scan(make_tree(100).path)
    train, test = source.split(test=0.5)
    state = feed_of(train, seed=1).state_dict()
    for other in (feed_of(test, seed=1), feed_of(train, seed=2), feed_of(train, seed=1, shuffle=False)):
        with pytest.raises(bf.StateError, match="was saved with"):
            other.load_state_dict(state)
    same = feed_of(bf.scan(source._reader.name).split(test=0.5)[0], seed=1)
    same.load_state_dict(state)
    with pytest.raises(bf.StateError, match="position=999"):
        same.load_state_dict({**state, "position": 999})


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"last": "pad?"}, {"batch_size": 1000, "last": "drop"}, {"seed": -1}]
)
def test_arguments_that_make_no_sense_are_refused(tree: Tree, options: dict[str, Any]) -> None:
    """With the argument named."""
    with pytest.raises(bf.ArgumentError):
        feed_of(bf.scan(tree.path), **options)


def test_a_batch_larger_than_the_data_is_one_short_batch(tree: Tree) -> None:
    """Nothing is lost, nothing is invented."""
    feed = feed_of(bf.scan(tree.path), 1000)
    assert [len(x) for x, _ in feed] == [50]


def test_waiting_is_counted(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the loop stood waiting for its batches, to the second, and nothing of its own time."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("brimful.feed.feed.time", SimpleNamespace(perf_counter=lambda: clock.now))
    feed = feed_of(bf.scan(tree.path))
    epoch = feed.loader.epoch

    def slow(*position: int) -> EpochIterator:
        """Each batch takes a second more than the one before."""
        batches = epoch(*position)
        blocks = type(batches).__iter__

        def each(self: EpochIterator) -> Iterator[Block]:
            for seconds, block in enumerate(blocks(self), start=1):
                clock.now += seconds
                yield block

        monkeypatch.setattr(type(batches), "__iter__", each)
        return batches

    monkeypatch.setattr(feed.loader, "epoch", slow)
    for _ in feed:
        clock.now += 1000
    assert feed.stats.batches == len(feed) == 7
    assert feed.stats.wait_seconds == sum(feed.stats.waited.values()) == 1 + 2 + 3 + 4 + 5 + 6 + 7


def test_loading_a_position_ends_the_pass_under_way(tree: Tree) -> None:
    """The next pass goes on from what was loaded, whatever the old one would have done."""
    feed = feed_of(bf.scan(tree.path), 10)
    batches = iter(feed)
    next(batches)
    state = feed.state_dict()
    for _ in range(3):
        next(batches)
    feed.load_state_dict(state)
    with pytest.raises(bf.PassEndedError):
        next(batches)
    assert feed.state_dict() == state
    assert sum(len(x) for x, _ in feed) == 40


@pytest.mark.parametrize("batch_size", [7, 16, 100])
def test_drop_goes_on_with_whole_batches(make_tree: Callable[..., Tree], batch_size: int) -> None:
    """A position saved with one batch size, loaded with another: no short batch, no error."""
    source = bf.scan(make_tree(105).path)
    saved = feed_of(source, 10, last="drop")
    batches = iter(saved)
    for _ in range(4):
        next(batches)
    feed = feed_of(source, batch_size, last="drop")
    feed.load_state_dict(saved.state_dict())
    left = 65 // batch_size  # where not one whole batch is left, the next epoch is next
    assert [len(x) for x, _ in feed] == [batch_size] * (left or 105 // batch_size)
    assert feed.state_dict()["epoch"] == (1 if left else 2)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": None},
        {"epoch": -1},
        {"epoch": True},
        {"position": "8"},
        {"position": 1.5},
        {"position": 51},
        {"version": 99},
    ],
)
def test_a_damaged_state_is_refused(tree: Tree, change: dict[str, Any]) -> None:
    """Not guessed at."""
    feed = feed_of(bf.scan(tree.path))
    with pytest.raises(bf.StateError):
        feed.load_state_dict({**feed.state_dict(), **change})
    things: list[Any] = [None, [], {}]
    for thing in things:
        with pytest.raises(bf.StateError):
            feed.load_state_dict(thing)


def test_numpy_integers_are_integers(tree: Tree) -> None:
    """A seed or batch size out of an array is as good, and the state is still JSON."""
    options: dict[str, Any] = {"batch_size": np.int64(8), "seed": np.uint32(3), "memory": 1e9}
    feed = feed_of(bf.scan(tree.path), **options)
    assert json.loads(json.dumps(feed.state_dict()))["seed"] == 3
    with pytest.raises(bf.ArgumentError, match="batch_size"):
        feed_of(bf.scan(tree.path), 2.0)  # type: ignore[arg-type]


def test_several_threads_over_the_same_batches_end_one_another(make_tree: Callable[..., Tree]) -> None:
    """Each ends with all of a pass or with PassEndedError, and no thread is left."""
    feed = feed_of(bf.scan(make_tree(300).path), 4)
    errors: list[type] = []

    def loop() -> None:
        try:
            list(feed)
        except Exception as error:  # noqa: BLE001 (which it is, is the test)
            errors.append(type(error))

    loops = [threading.Thread(target=loop) for _ in range(3)]
    for thread in loops:
        thread.start()
    for thread in loops:
        thread.join()
    assert set(errors) <= {bf.PassEndedError}
    assert not threads()


@pytest.mark.parametrize("most", [0, 1 << 24])
def test_distinct_samples_are_counted_in_bits_or_bytes(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that comes again counts as a sample, not as another one."""
    monkeypatch.setattr("brimful.feed.stats.MOST_BYTES", most)
    stats = Stats(0, 1000)
    rows = np.random.default_rng(0).integers(0, 1000, (200, 9))
    for batch in rows:
        stats.count(batch)
    assert (stats.samples, stats.distinct_samples) == (1800, len(np.unique(rows)))
    assert stats.distinct_samples < 1000
