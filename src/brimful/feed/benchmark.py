"""Speed: how fast a feed delivers to a loop that only takes batches, compared with rows in memory."""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.feed.feed import Feed
from brimful.feed.loader import STAGES
from brimful.feed.windows import WindowLoader
from brimful.memory import memory_limit
from brimful.samples import Progress

ROUNDS = 5
MEMORY_BYTES = 10**9  # of rows that are gathered from memory, at the most
MEMORY_SHARE = 8  # and at most one part in so many of the memory of the machine


@dataclass(frozen=True)
class Speed:
    """How fast a feed delivers.

    Attributes:
        plan: How the feed reads, for a person.
        memory_for_all: The least memory that holds all of its chunks, in bytes.
        is_resident: Whether the feed holds them all.
        rows_per_second: Samples a second, the median of some rounds.
        bytes_per_second: The same in bytes as delivered.
        memory_rows_per_second: What `x[idx]` delivers, batch by batch, from arrays in memory.
        ratio: The feed's rate divided by that of memory, the median of the rounds' ratios.
        waited: For each of `STAGES` its share of the time that the loop waited.
    """

    plan: str
    memory_for_all: int
    is_resident: bool
    rows_per_second: float
    bytes_per_second: float
    memory_rows_per_second: float
    ratio: float
    waited: dict[str, float]

    @property
    def limit(self) -> str:
        """The stage that was waited for longest."""
        return max(self.waited, key=self.waited.__getitem__)


def measure_speed(loader: WindowLoader, seconds: float, progress: Progress | None = None) -> Speed:
    """Measure a feed and memory in turns, for about so many seconds.

    A store that fits in the feed's memory is read first, which takes further time; one that does not fit is
    measured from its second window on: the rate is that of all epochs but the first.
    """
    feed = Feed(loader)
    arrays = _in_memory(feed)
    turn = seconds / ROUNDS / 2
    is_resident = feed.order.window == feed.order.pieces
    if is_resident:
        for _ in feed:
            pass
    skip = 0 if is_resident else feed.order.epoch(0).starts[1]
    waited: Counter[str] = Counter()
    rates = []
    for done in range(ROUNDS):
        rates.append((_taken(feed, turn, skip, waited), _gathered(arrays, feed.batch_size, turn, done)))
        if progress:
            progress(done + 1)
    of_feed, of_memory = (statistics.median(each) for each in zip(*rates, strict=True))
    total = sum(waited.values()) or 1.0
    return Speed(
        loader.plan(),
        loader.budget.memory_for(len(loader.chunks)),
        is_resident,
        of_feed,
        of_feed * feed.schema.nbytes,
        of_memory,
        statistics.median(one / other for one, other in rates),
        {stage: waited[stage] / total for stage in STAGES},
    )


def _in_memory(feed: Feed) -> list[NDArray[Any]]:
    """One array per field with samples of a feed, as many as there is room for."""
    most = min(MEMORY_BYTES, memory_limit() // MEMORY_SHARE)
    n = min(len(feed.view), max(feed.batch_size, most // feed.reader.schema.nbytes))
    arrays = [np.empty((n, *field.shape), field.dtype) for field in feed.reader.schema.fields]
    step = max(1, min(n, most // 16 // feed.reader.schema.nbytes))
    for start in range(0, n, step):
        rows = feed.view.at(np.arange(start, min(start + step, n)))
        for array, values in zip(arrays, feed.reader.read(rows).arrays, strict=True):
            array[start : start + step] = values
    return arrays


def _taken(feed: Feed, seconds: float, skip: int, waited: Counter[str]) -> float:
    """Rows a second that a loop gets that only takes batches; the first `skip` rows are not counted."""
    rows, elapsed = 0, 0.0
    while elapsed < seconds:
        before, waited_before = 0, Counter[str]()
        began = time.perf_counter()
        for _ in feed:
            if feed.stats.samples < skip:
                continue
            now = time.perf_counter()
            if skip:  # from here on
                began, before, waited_before, skip = now, feed.stats.samples, Counter(feed.stats.waited), 0
            if elapsed + now - began > seconds:
                break
        elapsed += time.perf_counter() - began
        rows += feed.stats.samples - before
        waited += Counter(feed.stats.waited) - waited_before
    return rows / elapsed


def _gathered(arrays: Sequence[NDArray[Any]], batch_size: int, seconds: float, seed: int) -> float:
    """Rows a second of batches gathered from arrays in memory, shuffled."""
    rows, elapsed, n = 0, 0.0, len(arrays[0])
    began = time.perf_counter()
    while elapsed < seconds:
        order = np.random.default_rng(seed).permutation(n)
        for start in range(0, n, batch_size):
            index = order[start : start + batch_size]
            batch = [array[index] for array in arrays]
            rows += len(index)
            elapsed = time.perf_counter() - began
            if elapsed > seconds:
                break
        del batch
    return rows / elapsed
