"""ModelSpeed: what a model takes, and how long it waits when it is fed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from brimful.schema import flatten
from brimful.training.batches import Batches

HELD = 8  # batches that a model is trained on again and again


@dataclass(frozen=True)
class ModelSpeed:
    """What a model takes.

    Attributes:
        rows_per_second: Samples a second from arrays in memory.
        fed_rows_per_second: Samples a second from the batches.
        wait_share: The share of its time that it waited for these.
        waited_for: The stage that it waited for longest.
    """

    rows_per_second: float
    fed_rows_per_second: float
    wait_share: float
    waited_for: str


def measure_model(model: Any, batches: Batches, seconds: float) -> ModelSpeed:
    """Train a model on a few batches in memory again and again, then on what is fed.

    Args:
        model: A compiled Keras model; its weights change.
        batches: What to feed it.
        seconds: How long, about; compiling and reading the first batches come on top.
    """
    names = ("x", "y", "sample_weight")
    held = dict(zip(names, map(_joined, zip(*islice(batches, HELD), strict=True)), strict=False))
    n = len(flatten(held["x"])[0])

    def fit_held() -> float:
        began = time.perf_counter()
        model.fit(**held, batch_size=batches.feed.batch_size, verbose=0)
        return time.perf_counter() - began

    fit_held()  # compiles it
    elapsed, times = 0.0, 0
    while elapsed < seconds / 2:
        elapsed, times = elapsed + fit_held(), times + 1
    rate = n * times / elapsed
    steps = max(1, min(len(batches), int(rate * seconds / 2 / batches.feed.batch_size)))
    model.fit(batches, steps_per_epoch=1, epochs=1, verbose=0)  # compiles it for these, reads what stays
    began = time.perf_counter()
    model.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0)
    elapsed = time.perf_counter() - began
    stats = batches.stats
    longest = max(stats.waited, key=stats.waited.__getitem__)
    return ModelSpeed(rate, stats.samples / elapsed, stats.wait_seconds / elapsed, longest)


def _joined(parts: Sequence[Any]) -> Any:
    """Inputs, targets or weights of several batches in one array each."""
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)
