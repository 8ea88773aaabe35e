"""A small training, once for each backend's tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf

COUNT, SHAPE = 90, (4, 3)
Make = Callable[..., tuple[bf.Run, bf.Source]]


def network(outputs: int, activation: str | None = "softmax", shape: tuple[int, ...] = SHAPE) -> Any:
    """A small network whose results depend on its inputs."""
    import keras

    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(outputs, activation=activation),
        ]
    )


def samples(label: Callable[[int], Any], **options: Any) -> bf.Source:
    """Samples whose mean is about their number modulo 3."""
    random = np.random.default_rng(0)
    return bf.scan(
        [(random.normal(at % 3, 0.5, SHAPE).astype("float32"), label(at)) for at in range(COUNT)], **options
    )


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """Trains an epoch or two, and gives the run and all samples."""

    def make(
        model: Any = None, source: bf.Source | None = None, epochs: int = 2, **options: Any
    ) -> tuple[bf.Run, bf.Source]:
        source = samples(lambda at: at % 3, classes=[0, 1, 2]) if source is None else source
        train, test = source.split(test=0.3)
        model = network(3) if model is None else model
        validation = test.batches(16, shuffle=False)
        path = tmp_path / "run"
        bf.train(model, train.batches(16), run=path, epochs=epochs, validation=validation, **options)
        return bf.Run(path), source

    return make
