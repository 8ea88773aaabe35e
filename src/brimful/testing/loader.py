"""LoaderContract: what every loader promises."""

import contextlib
import json
import threading
from abc import ABC, abstractmethod

import numpy as np
import pytest

from brimful.errors import BrimfulError, PassEndedError
from brimful.feed.feed import Feed
from brimful.feed.loader import STAGES, Loader
from brimful.options import FeedOptions

BATCH_SIZE = 4


class LoaderContract(ABC):
    """Subclass it as `Test...` and give `make_loader`."""

    @abstractmethod
    def make_loader(self, options: FeedOptions) -> Loader:
        """A loader of 20 samples or more, of which each has inputs of its own."""

    def loader(self, *, seed: int = 0, shuffle: bool = True, include_keys: bool = True) -> Loader:
        """A loader of batches of four."""
        return self.make_loader(
            FeedOptions(BATCH_SIZE, seed=seed, shuffle=shuffle, include_keys=include_keys, memory=50_000_000)
        )

    def rows(self, loader: Loader, epoch: int, start: int, stop: int) -> list[int]:
        """The rows of some positions of an epoch, as they were delivered."""
        with loader.epoch(epoch, start, stop) as batches:
            return [int(row) for batch in batches for row in batch.rows]

    def test_an_epoch_is_its_order(self) -> None:
        """Every row once, where the order has it, each with its own arrays and key."""
        loader = self.loader()
        n = len(loader.view)
        for epoch in (0, 1, 7):
            with loader.epoch(epoch, 0, n) as batches:
                delivered = list(batches)
            assert [len(batch.rows) for batch in delivered[:-1]] == [BATCH_SIZE] * (len(delivered) - 1)
            rows = np.concatenate([batch.rows for batch in delivered])
            assert rows.tolist() == loader.order.rows(epoch, 0, n).tolist()
            assert sorted(rows.tolist()) == list(range(n))
            wanted = loader.reader.read(loader.view.at(rows))
            for number, arrays in enumerate(zip(*(batch.samples.arrays for batch in delivered), strict=True)):
                assert np.concatenate(arrays).tobytes() == wanted.arrays[number].tobytes()
            keys = [key for batch in delivered for key in batch.keys]
            assert keys == loader.reader.keys(loader.view.at(rows))

    def test_any_part_of_an_epoch_is_that_part(self) -> None:
        """From any position on, to any other one."""
        loader = self.loader(seed=3)
        n = len(loader.view)
        for start, stop in ((0, n), (1, n), (5, 6), (n // 2, n), (3, n - 2)):
            expected = loader.order.rows(2, start, stop).tolist()
            assert self.rows(loader, 2, start, stop) == expected

    def test_without_shuffle_rows_come_as_they_are(self) -> None:
        """In every epoch."""
        loader = self.loader(shuffle=False)
        assert self.rows(loader, 4, 0, len(loader.view)) == list(range(len(loader.view)))

    def test_a_batch_is_its_owners(self) -> None:
        """What is handed out stays as it is while others come, and writing into it changes no other."""
        loader = self.loader()
        with loader.epoch(0, 0, len(loader.view)) as batches:
            kept = []
            for batch in batches:
                kept.append((batch, [array.copy() for array in batch.samples.arrays]))
                batch.samples.arrays[0].flags.writeable = True
        for batch, copies in kept:
            assert all(
                np.array_equal(array, copy) for array, copy in zip(batch.samples.arrays, copies, strict=True)
            )

    def test_left_early_it_leaves_nothing_behind(self) -> None:
        """No thread; and going on afterwards is refused."""
        loader = self.loader()
        epoch = loader.epoch(0, 0, len(loader.view))
        batches = iter(epoch)
        next(batches)
        assert epoch.stage() in STAGES
        epoch.check()
        epoch.close()
        assert not [each for each in threading.enumerate() if each.name.startswith("brimful")]
        with pytest.raises(PassEndedError):
            epoch.check()
        assert sorted(self.rows(loader, 0, 0, len(loader.view))) == list(range(len(loader.view)))

    def test_who_it_is_depends_on_the_data_alone(self) -> None:
        """The same for the same samples, fit for JSON."""
        one, other = self.loader(), self.loader(seed=5)
        assert one.identity() == other.identity() == json.loads(json.dumps(one.identity()))
        assert {"data", "window"} <= one.identity().keys()

    def test_it_says_how_it_reads(self) -> None:
        """In a line for people; and it counts the seconds of each stage."""
        loader = self.loader()
        assert loader.plan()
        self.rows(loader, 0, 0, len(loader.view))
        assert loader.busy.keys() == set(STAGES)
        assert sum(loader.busy.values()) > 0

    def test_a_saved_window_is_taken_or_refused(self) -> None:
        """Its own is taken; another one too, or it is an error of brimful; every sample comes once anyway."""
        loader = self.loader()
        window = loader.identity()["window"]
        loader.set_window(window)
        assert loader.identity()["window"] == window
        with contextlib.suppress(BrimfulError):
            loader.set_window(window + 1)
        assert sorted(self.rows(loader, 0, 0, len(loader.view))) == list(range(len(loader.view)))

    def test_a_feed_goes_on_where_it_was(self) -> None:
        """The state of a feed holds for another loader of the same samples."""
        feed, again = Feed(self.loader(seed=1)), Feed(self.loader(seed=1))
        batches = iter(feed)
        next(batches), next(batches)
        again.load_state_dict(json.loads(json.dumps(feed.state_dict())))
        rest = [key for *_, keys in batches for key in keys]
        assert [key for *_, keys in again for key in keys] == rest
        assert len(rest) == len(feed.view) - 2 * BATCH_SIZE
