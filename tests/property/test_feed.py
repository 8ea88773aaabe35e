"""The feed: every sample once an epoch, and the exact position, against a Python list."""

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from brimful.feed.feed import Feed
from brimful.order.epochs import Order
from brimful.source import scan
from tests.feeds import make_feed

MEMORY = 40_000  # bytes: blocks of a few samples, so that batches and blocks overlap in all ways


def numbered_feed(n: int, batch_size: int, **options: Any) -> Feed:
    """Feed of n samples whose x is their index."""
    source = scan([(np.full(50, number), number) for number in range(n)])
    return make_feed(source._reader, source._view, batch_size, memory=MEMORY, **options)


def indices(batches: Any) -> list[int]:
    """The samples in batches, by index."""
    return [int(number) for _, y in batches for number in y]


@settings(max_examples=60)
@given(
    n=st.integers(1, 300),
    batch_size=st.integers(1, 64),
    seed=st.integers(0, 2**32 - 1),
    epochs=st.integers(1, 3),
    shuffle=st.booleans(),
)
def test_every_sample_once_an_epoch(n: int, batch_size: int, seed: int, epochs: int, shuffle: bool) -> None:
    """Each pass has each sample once, x with its own y, whole batches but the last, in the order's order."""
    feed = numbered_feed(n, batch_size, seed=seed, shuffle=shuffle)
    reader_rows = feed.reader.keys(np.arange(n))
    for epoch in range(epochs):
        batches = list(feed)
        assert len(batches) == len(feed)
        assert [len(x) for x, _ in batches] == [batch_size] * (n // batch_size) + [n % batch_size] * (
            n % batch_size > 0
        )
        assert all((x == y[:, None]).all() for x, y in batches)
        expected = Order(n, seed=seed, shuffle=shuffle).rows(epoch, 0, n)
        assert indices(batches) == [int(reader_rows[row]) for row in expected]
        assert feed.stats.samples == feed.stats.distinct_samples == n
        assert feed.stats.epoch == epoch


@settings(max_examples=30)
@given(n=st.integers(2, 200), batch_size=st.integers(1, 50))
def test_drop_leaves_out_less_than_a_batch(n: int, batch_size: int) -> None:
    """`last="drop"`: whole batches only, no sample twice."""
    if batch_size > n:
        return
    feed = numbered_feed(n, batch_size, last="drop")
    seen = indices(feed)
    assert len(seen) == len(set(seen)) == n // batch_size * batch_size
    assert feed.state_dict()["epoch"] == 1


class FeedMachine(RuleBasedStateMachine):
    """Next, break, save and restore in any order; a Python list knows what must come."""

    @initialize(n=st.integers(1, 60), batch_size=st.integers(1, 20), seed=st.integers(0, 3))
    def begin(self, n: int, batch_size: int, seed: int) -> None:
        """Make a feed, and nothing drawn."""
        self.n, self.seed, self.batch_size = n, seed, batch_size
        self.feed = numbered_feed(n, batch_size, seed=seed)
        self.names = [int(key) for key in self.feed.reader.keys(np.arange(n))]
        self.batches: Any = None
        self.epoch, self.position = 0, 0
        self.saved: tuple[str, int, int] | None = None

    @rule()
    def draw(self) -> None:
        """The next batch is the list's next slice."""
        if self.batches is None:
            self.batches = iter(self.feed)
        batch = next(self.batches, None)
        if self.position == self.n:
            assert batch is None
            self.batches, self.epoch, self.position = None, self.epoch + 1, 0
            return
        expected = Order(self.n, seed=self.seed).rows(
            self.epoch, self.position, self.position + self.batch_size
        )
        assert batch is not None
        assert batch[1].tolist() == [self.names[row] for row in expected]
        self.position += len(expected)

    @rule()
    def leave(self) -> None:
        """Leave a pass: the next one restarts the epoch, or is the next epoch if it was through."""
        if self.batches is not None:
            self.batches.close()
            self.batches = None
            self.epoch, self.position = (self.epoch + 1, 0) if self.position == self.n else (self.epoch, 0)

    @rule()
    def save(self) -> None:
        """Take the state, at whatever moment."""
        if self.batches is not None:
            self.saved = (json.dumps(self.feed.state_dict()), self.epoch, self.position)

    @rule(batch_size=st.integers(1, 20))
    def restore(self, batch_size: int) -> None:
        """Go on in a new feed, with batches of any size."""
        if self.saved is None:
            return
        text, self.epoch, self.position = self.saved
        self.feed = numbered_feed(self.n, batch_size, seed=self.seed)
        self.batch_size = batch_size
        self.feed.load_state_dict(json.loads(text))
        self.batches = None
        if self.position == self.n:
            self.epoch, self.position = self.epoch + 1, 0

    def teardown(self) -> None:
        """Stop the threads."""
        if getattr(self, "batches", None) is not None:
            self.batches.close()


TestFeedMachine = FeedMachine.TestCase
TestFeedMachine.settings = settings(max_examples=40, stateful_step_count=30)
