"""Training: seconds for 5 epochs of lenet, batches of 1,000, from files and from arrays in memory.

Each contender trains in a process of its own, which this module also is: `python -m benchmarks.training`.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

import brimful as bf
from benchmarks.table import Table, median, ratios, take_turns, timed

BATCH_SIZE = 1000
EPOCHS = 5

TEXT = """
TensorFlow, oneDNN on; the story's files in the page cache; a tenth held back. "Arrays in memory" is
`model.fit` on NumPy arrays that are there already; "the story's loop, mended" reads each batch with
np.loadtxt and calls `train_on_batch`, with the slices right, every sample used, and no second evaluation;
"PyDataset" reads with np.loadtxt in two worker processes.
"""


def training(tree: Path, rounds: int) -> Table:
    """Seconds of each way to train."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"}

    def run(name: str) -> float:
        command = [sys.executable, "-m", "benchmarks.training", name, str(tree)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return float(done.stdout.split()[-1])

    results = take_turns({name: lambda name=name: run(name) for name in WAYS}, rounds)  # type: ignore[misc]
    table = Table(
        "Five epochs of lenet from raw files", TEXT, ("", "seconds", "x the seconds of brimful (each round)")
    )
    for name, seconds in results.items():
        table.rows.append(
            (name, median(seconds), "" if name == "brimful" else ratios(seconds, results["brimful"]))
        )
    return table


def _paths(side: bf.Source, tree: Path) -> tuple[list[str], Any]:
    table = dict(line.split(",") for line in (tree / "target.csv").read_text().split())
    keys = list(side.keys)
    stems = [key.removeprefix("train/") for key in keys]
    labels = np.array([int(table[str(int(stem)) if stem.isdigit() else stem]) for stem in stems])
    return [str(tree / f"{key}.csv") for key in keys], labels


def _brimful(model: Any, side: bf.Source, _: Path) -> float:
    batches = side.batches(BATCH_SIZE)
    return timed(lambda: model.fit(batches, epochs=EPOCHS, verbose=0))


def _arrays(model: Any, side: bf.Source, _: Path) -> float:
    x, y = (np.concatenate(parts) for parts in zip(*side.batches(BATCH_SIZE), strict=True))
    return timed(lambda: model.fit(x, y, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0))


def _story(model: Any, side: bf.Source, tree: Path) -> float:
    files, labels = _paths(side, tree)

    def train() -> None:
        for _ in range(EPOCHS):
            for start in range(0, len(files), BATCH_SIZE):
                x = np.array([np.loadtxt(file) for file in files[start : start + BATCH_SIZE]])
                model.train_on_batch(x, labels[start : start + BATCH_SIZE])

    return timed(train)


def _py_dataset(model: Any, side: bf.Source, tree: Path) -> float:
    import keras

    files, labels = _paths(side, tree)

    class Files(keras.utils.PyDataset):  # type: ignore[misc]
        """Batches read with np.loadtxt."""

        def __len__(self) -> int:
            return ceil(len(files) / BATCH_SIZE)

        def __getitem__(self, at: int) -> tuple[Any, Any]:
            part = slice(at * BATCH_SIZE, (at + 1) * BATCH_SIZE)
            return np.array([np.loadtxt(file) for file in files[part]], np.float32), labels[part]

    dataset = Files(workers=2, use_multiprocessing=True)
    return timed(lambda: model.fit(dataset, epochs=EPOCHS, verbose=0))


WAYS: dict[str, Callable[[Any, bf.Source, Path], float]] = {
    "brimful": _brimful,
    "arrays in memory": _arrays,
    "PyDataset, 2 processes": _py_dataset,
    "the story's loop, mended": _story,
}


def main(name: str, tree: Path) -> None:
    """Train one way, and print the seconds."""
    import keras

    from brimful.training.models import compile_for, lenet

    source = bf.scan(tree)
    side, _ = source.split(test=0.1)
    keras.utils.set_random_seed(0)
    model = lenet((28, 28), 10)
    compile_for(model, source.schema)
    model.fit(
        np.zeros((BATCH_SIZE, 28, 28)), np.zeros(BATCH_SIZE), verbose=0
    )  # compiled before the clock runs
    print(WAYS[name](model, side, tree))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
