"""ModelSpeed: how many samples a model takes, and how long it waits for them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from brimful.schema import flatten
from brimful.training.batches import Batches

HELD = 8  # batches in memory that a model is trained on repeatedly


@dataclass(frozen=True)
class ModelSpeed:
    """Samples per second that a model takes from arrays in memory, and from batches fed to it.

    It waited for the batches for `wait_share` of its time, longest for the stage `waited_for`.
    """

    rows_per_second: float
    fed_rows_per_second: float
    wait_share: float
    waited_for: str


def measure_model(model: Any, batches: Batches, seconds: float) -> ModelSpeed:
    """Train a compiled model on a few batches in memory repeatedly, then on what is fed; its weights change.

    It takes about so many seconds, without compiling and reading the first batches.
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
    model.fit(
        batches, steps_per_epoch=1, epochs=1, verbose=0
    )  # compiles it for the batches, and reads what stays in memory
    began = time.perf_counter()
    model.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0)
    elapsed = time.perf_counter() - began
    stats = batches.stats
    longest = max(stats.waited, key=stats.waited.__getitem__)
    return ModelSpeed(rate, stats.samples / elapsed, stats.wait_seconds / elapsed, longest)


def _joined(parts: Sequence[Any]) -> Any:
    """Inputs, targets or weights of several batches, concatenated."""
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)
