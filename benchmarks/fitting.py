"""Fitting: `fit` of lenet from a store and on arrays in memory, on each backend, and from raw files on.

Each contender trains in a process of its own, which this module also is: `python -m benchmarks.fitting`.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import brimful as bf
from benchmarks.stores import story_store
from benchmarks.table import Table, median, ratios, say, timed

BATCH_SIZE = 512
BACKENDS = {"tensorflow": 5, "torch": 3, "jax": 2}
"""Epochs on each."""

TEXT = """
`model.fit` of lenet, batches of 512, a tenth of the story's files held back; compiled before the clock
runs, arrays and store read before. The two take turns. Wait: the share of the time in which the model
waited for the feed, counted by the feed. "From raw files": scanning and packing them, then five epochs
from the store.
"""


def fitting(tree: Path, rounds: int) -> Table:
    """Seconds of each."""
    columns = ("", "seconds", "x the seconds of arrays (each round)", "wait")
    table = Table("fit, from a store and on arrays in memory", TEXT, columns)
    story_store(tree)
    for backend, epochs in BACKENDS.items():
        if find_spec(backend) is None:
            table.notes.append(f"{backend} is not installed here.")
            continue
        ways = ["arrays", "store", *(["raw"] if backend == "tensorflow" else [])]
        told: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for turn in range(rounds):
            for way in ways if turn % 2 else reversed(ways):
                told[way].append(_run(backend, way, tree, epochs))
                say(f"  {backend}, round {turn + 1}: {way}: {told[way][-1]}")
        seconds = {way: [each["seconds"] for each in runs] for way, runs in told.items()}
        for way in ways:
            by = "" if way == "arrays" else ratios(seconds[way], seconds["arrays"])
            wait = "" if way == "arrays" else f"{max(each['wait'] for each in told[way]):.2%}"
            name = {"arrays": "arrays in memory", "store": "the store", "raw": "from raw files"}[way]
            table.rows.append((f"{backend}, {epochs} epochs, {name}", median(seconds[way]), by, wait))
    return table


def _run(backend: str, way: str, tree: Path, epochs: int) -> dict[str, float]:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_ENABLE_ONEDNN_OPTS": "1"}
    command = [sys.executable, "-m", "benchmarks.fitting", way, str(tree), str(epochs)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def main(way: str, tree: Path, epochs: int) -> None:
    """Train one way, and tell."""
    import keras

    from brimful.training.models import build_model, compile_for, lenet

    keras.utils.set_random_seed(0)
    data = bf.open(story_store(tree))
    model = build_model(lenet, data.schema)
    compile_for(model, data.schema)
    waited = [0.0]

    def count(batches: Any) -> Any:
        def note(*_: Any) -> None:
            waited[0] += batches.stats.wait_seconds

        return keras.callbacks.LambdaCallback(on_epoch_end=note)

    def fit(batches: Any, epochs: int) -> None:
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[count(batches)])

    batches = data.split(test=0.1)[0].batches(BATCH_SIZE)
    if way == "arrays":
        x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        model.fit(x[: 2 * BATCH_SIZE], y[: 2 * BATCH_SIZE], batch_size=BATCH_SIZE, verbose=0)
        seconds = timed(lambda: model.fit(x, y, batch_size=BATCH_SIZE, epochs=epochs, verbose=0))
    elif way == "store":
        model.fit(batches, steps_per_epoch=2, epochs=1, verbose=0)
        for _ in batches:
            pass
        seconds = timed(lambda: fit(batches, epochs))
    else:
        model.fit(batches, steps_per_epoch=2, epochs=1, verbose=0)
        with TemporaryDirectory(dir=".bench") as folder:

            def train() -> None:
                packed = bf.pack(bf.scan(tree), Path(folder) / "x.brim")
                fit(packed.split(test=0.1)[0].batches(BATCH_SIZE), epochs)

            seconds = timed(train)
    print(json.dumps({"seconds": seconds, "wait": waited[0] / seconds}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
