"""Runs: what `bf.train` and checkpoints cost over `fit`, what `Run.predict` costs over `predict` in memory.

A backend has a process of its own, which this module also is: `KERAS_BACKEND=jax python -m benchmarks.runs
predict|train PATH ROUNDS` prints a JSON line.
"""

import json
import os
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import numpy as np

import brimful as bf
from benchmarks.stores import store_of, story_store
from benchmarks.table import Table, median, ratios, say, timed
from brimful.memory import resident_bytes

BACKENDS = ("tensorflow", "torch", "jax")
BATCH_SIZE = 512
EPOCHS = 2
PREDICTED = 1_000_000
MEMORY = "1GB"
NEVER = "1000h"  # but for the first batch, and the end of each epoch

TRAINING = """
lenet-wide, batches of 512, {epochs} epochs of the story's files: `model.fit(batches)`, and `bf.train` with
the run folder, a model and a checkpoint after each epoch, and with a checkpoint every 10 s besides. They take
turns {rounds} times, each with a model of its own that was trained for a batch before.
"""
PREDICTING = """
lenet, {n:,} samples of 784 values, batches of 512: `model.predict` on an array of float32 in memory, and
`Run.predict` from a store with memory="1GB" into a Parquet file. They take turns {rounds} times. Memory: how
much more was resident at most while predicting from the store, before the array was made.
"""


def training(tree: Path, rounds: int) -> Table:
    """Seconds of each way to train."""
    table = Table(
        "What a training that survives costs",
        TRAINING.format(epochs=EPOCHS, rounds=rounds),
        ("", "seconds", "x the seconds of fit (each round)"),
    )
    for backend, told in _told("train", story_store(tree), rounds, table):
        fit = told.pop("fit")
        table.rows.append((f"{backend}, fit", median(fit), ""))
        table.rows += [(f"{backend}, {name}", median(each), ratios(each, fit)) for name, each in told.items()]
    return table


def predicting(rounds: int) -> Table:
    """Samples a second of each way to predict."""
    table = Table(
        "Predictions",
        PREDICTING.format(n=PREDICTED, rounds=rounds),
        ("", "samples a second", "x predict in memory (each round)", "memory, MB"),
    )
    for backend, told in _told("predict", store_of(PREDICTED, narrow=True), rounds, table):
        arrays, store = ([PREDICTED / each for each in told[name]] for name in ("arrays", "store"))
        table.rows.append((f"{backend}, model.predict", median(arrays), "", ""))
        memory = f"{told['memory'][0] / 1e6:,.0f}"
        table.rows.append((f"{backend}, Run.predict", median(store), ratios(store, arrays), memory))
    return table


def _told(what: str, path: Path, rounds: int, table: Table) -> Any:
    """What the process of each backend tells."""
    for backend in BACKENDS:
        if find_spec(backend) is None:
            table.notes.append(f"{backend} is not installed here.")
            continue
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_ENABLE_ONEDNN_OPTS": "1"}
        command = [sys.executable, "-m", "benchmarks.runs", what, str(path), str(rounds)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        told: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
        say(f"  {backend}: {told}")
        yield backend, told


def _network(name: str, data: bf.Dataset) -> Any:
    from brimful.training.models import build_model, compile_for, find_model

    model = build_model(find_model(name), data.schema)
    compile_for(model, data.schema)
    return model


def train(path: Path, rounds: int) -> dict[str, list[float]]:
    """Train in each way."""
    data = bf.open(path)
    batches = data.batches(BATCH_SIZE)
    few = next(iter(data.batches(BATCH_SIZE)))

    def fit(model: Any, _: Path) -> None:
        model.fit(batches, epochs=EPOCHS, verbose=0)

    def kept(every: str) -> Any:
        def work(model: Any, folder: Path) -> None:
            options: Any = {"listeners": [], "checkpoint_every": every}
            bf.train(model, data.batches(BATCH_SIZE), run=folder, epochs=EPOCHS, **options)

        return work

    ways = {"fit": fit, "bf.train": kept(NEVER), "bf.train, a checkpoint every 10 s": kept("10s")}
    told: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in sorted(ways.items(), reverse=number % 2 == 1):
            model = _network("lenet-wide", data)
            model.fit(*few, batch_size=BATCH_SIZE, verbose=0)
            with TemporaryDirectory(dir=".bench") as folder:
                seconds = timed(partial(way, model, Path(folder) / "run"))
            if number:  # the first round warms up
                told[name].append(seconds)
    return told


def predict(path: Path, rounds: int) -> dict[str, list[float]]:
    """Predict in each way."""
    data = bf.open(path)
    model = _network("lenet", data) if len(data[0][0].shape) > 1 else _network("dense", data)
    with TemporaryDirectory(dir=".bench") as folder:
        run = Path(folder) / "run"
        few = data.select(data.keys[:BATCH_SIZE])
        bf.train(model, few.batches(BATCH_SIZE), run=run, epochs=1, listeners=[])

        def from_store() -> None:
            batches = data.batches(BATCH_SIZE, memory=MEMORY)
            bf.Run(run).predict(batches, Path(folder) / "p.parquet", model=model, overwrite=True)

        told: dict[str, list[float]] = {"memory": [_peak(from_store)], "arrays": [], "store": []}
        x = np.empty((len(data), *data[0][0].shape), np.float32)
        at = 0
        for batch in data.batches(BATCH_SIZE, shuffle=False):
            x[at : (at := at + len(batch[0]))] = batch[0]
        ways = {"arrays": lambda: model.predict(x, batch_size=BATCH_SIZE, verbose=0), "store": from_store}
        for number in range(rounds):
            for name, way in sorted(ways.items(), reverse=number % 2 == 1):
                told[name].append(timed(way))
    return told


def _peak(work: Any) -> float:
    """How many bytes more are resident at most while work goes on than before."""
    before, most, done = resident_bytes() or 0, [0], Event()

    def look() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], resident_bytes() or 0)

    thread = Thread(target=look)
    thread.start()
    work()
    done.set()
    thread.join()
    return float(most[0] - before)


if __name__ == "__main__":
    print(json.dumps({"train": train, "predict": predict}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))))
