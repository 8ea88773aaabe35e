"""Fitting: `fit` of lenet from a store and on arrays in memory, on each backend, and from raw files on.

A backend has a process of its own, which this module also is: `KERAS_BACKEND=jax python -m benchmarks.fitting
TREE ROUNDS` prints a JSON line.
"""

import json
import os
import statistics
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
BACKENDS = ("tensorflow", "torch", "jax")
EPOCHS = 5  # from raw files
RAW_ROUNDS = 3
TENTHS = 10
SLOW = "jax"  # its epochs take so long that the machine changes meanwhile: turns are taken more often

TEXT = """
An epoch of `model.fit` of lenet, batches of 512, a tenth of the story's files held back, everything
compiled and read before; arrays and store take turns, epoch by epoch, {rounds} times. JAX takes ten seconds
an epoch, in which the machine changes: there a round is ten turns of each, of epochs of a tenth of the files.
Wait: the share of the time in which the model waited for the feed, counted by the feed. "From raw files":
scanning and packing them, then five epochs from the store, against five such epochs on arrays.
"""


def fitting(tree: Path, rounds: int) -> Table:
    """Seconds of each."""
    columns = ("", "seconds", "x the seconds of arrays (each round)", "wait, most of all rounds")
    table = Table("fit, from a store and on arrays in memory", TEXT.format(rounds=rounds), columns)
    story_store(tree)
    for backend in BACKENDS:
        if find_spec(backend) is None:
            table.notes.append(f"{backend} is not installed here.")
            continue
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_ENABLE_ONEDNN_OPTS": "1"}
        command = [sys.executable, "-m", "benchmarks.fitting", str(tree), str(rounds)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        told = json.loads(done.stdout.splitlines()[-1])
        say(f"  {backend}: {told}")
        arrays, store = told["arrays"], told["store"]
        table.rows.append((f"{backend}, arrays in memory", median(arrays), "", ""))
        wait = f"{max(told['wait']):.2%}"
        table.rows.append((f"{backend}, the store", median(store), ratios(store, arrays), wait))
        if told["raw"]:
            five = [EPOCHS * statistics.median(arrays)] * len(told["raw"])
            cells = (median(told["raw"]), ratios(told["raw"], five), "")
            table.rows.append((f"{backend}, from raw files to {EPOCHS} epochs", *cells))
    return table


def main(tree: Path, rounds: int) -> None:
    """Train, and tell."""
    import keras

    from brimful.training.models import build_model, compile_for, lenet

    keras.utils.set_random_seed(0)
    data = bf.open(story_store(tree))
    model = build_model(lenet, data.schema)
    compile_for(model, data.schema)
    turns = TENTHS if keras.backend.backend() == SLOW else 1
    most, tenth = data.split(test=1 / TENTHS)
    batches = (most if turns == 1 else tenth).batches(BATCH_SIZE)
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))

    def on_arrays() -> None:
        model.fit(x, y, batch_size=BATCH_SIZE, verbose=0)

    def on_store(batches: Any = batches, epochs: int = 1) -> None:
        model.fit(batches, epochs=epochs, verbose=0)

    def from_raw() -> None:
        with TemporaryDirectory(dir=".bench") as folder:
            packed = bf.pack(bf.scan(tree), Path(folder) / "x.brim")
            on_store(packed.split(test=0.1)[0].batches(BATCH_SIZE), EPOCHS)

    fits = {"arrays": on_arrays, "store": on_store}
    told: dict[str, list[float]] = {"arrays": [], "store": [], "wait": []}
    on_arrays()
    on_store()
    for number in range(rounds):
        taken = dict.fromkeys(told, 0.0)
        for turn in range(number, number + turns):
            for name, fit in sorted(fits.items(), reverse=turn % 2 == 1):
                taken[name] += timed(fit)
            taken["wait"] += batches.stats.wait_seconds
        taken["wait"] /= taken["store"]
        for name, value in taken.items():
            told[name].append(value)
    told["raw"] = []
    if keras.backend.backend() == "tensorflow":
        told["raw"] = [timed(from_raw) for _ in range(RAW_ROUNDS)]
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
