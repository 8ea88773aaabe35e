"""Pace: who makes the batches, threads or the loop."""

import time
import weakref
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.feed.feed import Feed
from brimful.feed.pace import Pace
from brimful.feed.recycler import Recycler
from brimful.feed.windows import WindowSupply
from brimful.order.view import View
from brimful.store.chunk_files import ChunkFiles
from brimful.store.format import Layout
from brimful.store.packing import pack
from brimful.store.reader import StoreReader


def seen(threads: int, *, away: float, making: float) -> Pace:
    """The pace of a loop that has taken twenty pieces."""
    pace = Pace(threads)
    for _ in range(20):
        pace.made(making)
        pace.away(away)
    return pace


@pytest.mark.parametrize(
    ("threads", "away", "making", "is_hungry"),
    [
        (2, 0.0001, 0.001, True),
        (2, 0.03, 0.001, False),  # it trains meanwhile
        (8, 0.0001, 0.001, False),  # many threads make more than the loop
    ],
)
def test_who_makes_batches(threads: int, away: float, making: float, is_hungry: bool) -> None:
    """The loop too, if it comes back at once, on few cores."""
    assert seen(threads, away=away, making=making).is_hungry == is_hungry
    assert not Pace(threads).is_hungry


def test_the_same_batches_whoever_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, the loop with a helper, or now these and now that."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (9000, 400)).astype(np.float32)
    reader = bf.pack(bf.scan([(row, at) for at, row in enumerate(x)]), tmp_path / "x.brim")._reader
    delivered = []
    for hungry in ([False], [True], [True, False, False]):
        monkeypatch.setattr(Pace, "is_hungry", property(partial(_next, cycle(hungry))))
        feed = Feed(reader, View(range(len(x))), 100, seed=1, memory="100MB")
        batches = [batch for _ in range(2) for batch in feed]
        labels = np.concatenate([y for _, y in batches])
        assert np.array_equal(np.concatenate([part for part, _ in batches]), x[labels])
        delivered.append(labels.tolist())
    assert sorted(delivered[0]) == sorted([*range(9000)] * 2)
    assert delivered[0] == delivered[1] == delivered[2]


def test_a_batch_size_beyond_all_measure_is_one_short_batch(tmp_path: Path) -> None:
    """Memory is taken for the rows there are, not for those that a batch could have."""
    data = bf.pack(bf.scan([(np.full(100, at, np.float32), at) for at in range(60)]), tmp_path / "x.brim")
    ((x, _),) = Feed(data._reader, View(range(60)), 10**12, memory="10MB")
    assert sorted(x[:, 0].tolist()) == list(range(60))


@pytest.mark.parametrize("hungry", [True, False])
def test_no_more_batches_exist_than_the_budget_has_room_for(
    hungry: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes them, also while chunks come slowly."""
    monkeypatch.setattr(Pace, "is_hungry", property(lambda _: hungry))
    x = np.random.default_rng(0).random((8000, 1000), np.float32)
    source = bf.scan([(row, at) for at, row in enumerate(x)])
    layout = Layout(source.schema, chunk_bytes=400_000, shard_bytes=4_000_000)
    reader = StoreReader(pack(source._reader, np.arange(8000), tmp_path / "x.brim", layout=layout).path)
    read, empty = ChunkFiles.read, Recycler.empty
    live = [0]

    def slow_read(*arguments: Any) -> memoryview:
        time.sleep(0.003)
        return read(*arguments)

    def lent(recycler: Recycler, n: int) -> Any:
        array = empty(recycler, n)
        live.append(live[-1] + array.nbytes)
        weakref.finalize(array, lambda nbytes: live.append(live[-1] - nbytes), array.nbytes)
        return array

    monkeypatch.setattr(ChunkFiles, "read", slow_read)
    monkeypatch.setattr(Recycler, "empty", lent)
    feed = Feed(reader, View(range(8000)), 50, seed=1, memory="22MB")
    assert isinstance(feed.supply, WindowSupply)
    assert feed.supply.budget.window < 30
    assert sum(len(y) for _, y in feed) == 8000
    assert 0 < max(live) <= feed.supply.budget.batches * 50 * feed.schema.nbytes


def _next(answers: Iterator[bool], _: Pace) -> bool:
    return next(answers)
