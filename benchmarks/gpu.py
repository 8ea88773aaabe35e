"""GPU: models on an accelerator, fed from a store, from arrays on the host, and by tf.data.

`python benchmarks/gpu.py` needs brimful, TensorFlow for tf.data, and a backend that finds a GPU
(`KERAS_BACKEND` chooses it); it makes its data. It prints a markdown table and, as its last line, JSON.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import keras
import numpy as np

import brimful as bf
from brimful.training.models import lenet

SHAPE = (28, 28)
CLASSES = 10
BAR = 0.02  # of the time, that the model may wait


class Images:
    """Random images of k/255, by index."""

    def __init__(self, n: int) -> None:
        random = np.random.default_rng(0)
        self._codes = random.integers(0, 256, (n, *SHAPE), np.uint8)

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, at: int) -> tuple[np.ndarray, int]:
        return self._codes[at] / np.float32(255), at % CLASSES


def one_layer(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
    """The least there is to train: the feed has to be quick for it."""
    dense = keras.layers.Dense(num_classes, activation="softmax")
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), dense])


def accelerators() -> list[str]:
    """The names of the accelerators that the backend finds."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [device.name for device in tf.config.list_physical_devices("GPU")]
    if keras.backend.backend() == "jax":
        import jax

        return [str(device) for device in jax.devices() if device.platform != "cpu"]
    import torch

    return [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]


def records(x: np.ndarray, y: np.ndarray, path: Path, batch_size: int) -> Any:
    """tf.data from a TFRecord file of the same samples: a buffer of 20,000, batches decoded in parallel."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for values, target in zip(x, y, strict=True):
            writer.write(values.tobytes() + target.tobytes())

    def decode(batch: Any) -> tuple[Any, Any]:
        words = tf.io.decode_raw(batch, tf.float32)  # the last two are the target
        return tf.reshape(words[:, :-2], (-1, *SHAPE)), tf.bitcast(words[:, -2:], tf.int64)

    data = tf.data.TFRecordDataset(str(path), buffer_size=16 << 20).shuffle(20_000).batch(batch_size)
    return data.map(decode, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def rate(fit: Callable[[], object], n: int) -> float:
    """Samples a second of an epoch."""
    began = time.perf_counter()
    fit()
    return n / (time.perf_counter() - began)


@click.command()
@click.option("--samples", default=300_000, show_default=True)
@click.option("--batch-size", default=512, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--cpu", is_flag=True, help="Go on where there is no GPU, to try the script.")
def main(samples: int, batch_size: int, rounds: int, cpu: bool) -> None:
    """Measure, and print a table and JSON."""
    found = accelerators()
    if not found and not cpu:
        raise SystemExit(f"{keras.backend.backend()} finds no GPU here. --cpu tries the script without one.")
    with TemporaryDirectory() as name:
        folder = Path(name)
        data = bf.pack(bf.scan(Images(samples)), folder / "x.brim")
        batches = data.batches(batch_size)
        x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        tf_data = records(x, y, folder / "x.tfrecord", batch_size)
        results = [_measure(build, batches, x, y, tf_data, rounds) for build in (lenet, one_layer)]
    machine = f"{', '.join(found) or 'CPU'}, {os.cpu_count()} cores"
    print(f"{machine}, {keras.backend.backend()}, {samples:,} samples\n")
    print("| model | from the store, samples/s | arrays on the host | tf.data | wait for the store |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for told in results:
        cells = (f"{told[way]:,.0f}" for way in ("store", "arrays", "tf_data"))
        print(f"| {told['model']} | {' | '.join(cells)} | {told['wait']:.2%} (bar {BAR:.0%}) |")
    print(json.dumps({"devices": found, "backend": keras.backend.backend(), "results": results}))


def _measure(
    build: Callable[..., keras.Model], batches: Any, x: np.ndarray, y: np.ndarray, tf_data: Any, rounds: int
) -> dict[str, Any]:
    model = build(SHAPE, CLASSES)
    model.compile("adam", "sparse_categorical_crossentropy")
    size = batches.feed.batch_size
    ways: dict[str, Callable[[], object]] = {
        "store": lambda: model.fit(batches, verbose=0),
        "arrays": lambda: model.fit(x, y, batch_size=size, verbose=0),
        "tf_data": lambda: model.fit(tf_data, verbose=0),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    waits = []
    for fit in ways.values():
        fit()  # compiles
    for _ in range(rounds):
        for way, fit in ways.items():
            rates[way].append(rate(fit, len(x)))
            if way == "store":
                waits.append(batches.stats.wait_seconds * rates[way][-1] / len(x))
    medians = {way: statistics.median(each) for way, each in rates.items()}
    return {"model": build.__name__, **medians, "wait": statistics.median(waits)}


if __name__ == "__main__":
    main()
