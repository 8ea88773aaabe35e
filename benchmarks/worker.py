"""Worker: one measurement of one build of brimful, in a process of its own, by what all builds share.

`PYTHONPATH=CHECKOUT/src python -m benchmarks.worker NAME PATH` prints a JSON object of figures, each of which
is better if it is larger. It imports nothing else of this package: the build may be an older one.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brimful as bf

BATCH_SIZE = 512
SECONDS = 4.0  # of warm epochs
Figures = dict[str, float]


def reading(tree: Path, epochs: int = 3) -> Figures:
    """Files a second of shuffled epochs from text files in the page cache, the median of some."""
    batches = bf.scan(tree).batches(BATCH_SIZE)
    return {"files/s": statistics.median([_epoch(batches) for _ in range(epochs + 1)][1:])}


def cold(tree: Path) -> Figures:
    """Files a second of one epoch."""
    return {"files/s": _epoch(bf.scan(tree).batches(BATCH_SIZE))}


def audit(tree: Path) -> Figures:
    """Files a second of an audit that takes over nothing, after another one."""
    source = bf.scan(tree)
    rates = [len(source) / _timed(lambda: source.audit(cached=False)) for _ in range(3)]
    return {"files/s": statistics.median(rates[1:])}


def listing(tree: Path) -> Figures:
    """Scans a second, everything imported, and how many times as long walking alone would take."""
    with tempfile.TemporaryDirectory() as few:
        (Path(few) / "1.csv").write_text("1 2\n")
        (Path(few) / "target.csv").write_text("1,1\n")
        bf.scan(few)
    seconds = _timed(lambda: bf.scan(tree))
    walking = _timed(lambda: _walk(str(tree)))
    return {"scans/s": 1 / seconds, "x os.scandir": walking / seconds}


def packing(tree: Path) -> Figures:
    """Files a second, from the scanned source to the store on the disk."""
    source = bf.scan(tree)
    with tempfile.TemporaryDirectory(dir=tree.parent) as folder:
        return {"files/s": len(source) / _timed(lambda: bf.pack(source, Path(folder) / "x.brim"))}


def warm(store: Path) -> Figures:
    """Rows a second of epochs that stay in memory."""
    batches = bf.open(store).batches(BATCH_SIZE, memory="2GB")
    _epoch(batches)
    rates, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        rates.append(_epoch(batches))
    return {"rows/s": statistics.median(rates)}


def beyond(store: Path) -> Figures:
    """Rows a second of an epoch that does not."""
    return {"rows/s": _epoch(bf.open(store).batches(BATCH_SIZE, seed=1, memory="500MB"))}


def fit(store: Path) -> Figures:
    """Epochs a second of fitting lenet, on the backend that KERAS_BACKEND names."""
    import keras

    from brimful.training.models import build_model, compile_for, lenet

    keras.utils.set_random_seed(0)
    data = bf.open(store)
    is_slow = keras.backend.backend() == "jax"
    part = data.split(test=0.1)[is_slow]  # a tenth, where an epoch takes ten seconds
    model = build_model(lenet, data.schema)
    compile_for(model, data.schema)
    batches = part.batches(BATCH_SIZE)

    def epoch() -> float:
        return _timed(lambda: model.fit(batches, epochs=1, verbose=0))

    epoch()
    return {"epochs/s": 1 / statistics.median(epoch() for _ in range(5 if is_slow else 3))}


MEASUREMENTS: dict[str, Callable[[Path], Figures]] = {
    "reading": reading,
    "dense": reading,
    "cold": cold,
    "audit": audit,
    "listing": listing,
    "packing": packing,
    "packing-cold": packing,
    "warm": warm,
    "warm-float32": warm,
    "beyond": beyond,
    "hard-disk": beyond,
    "fit-tensorflow": fit,
    "fit-jax": fit,
    "fit-torch": fit,
}


def _epoch(batches: Any) -> float:
    samples = 0
    began = time.perf_counter()
    for x, *_ in batches:
        samples += len(x)
    return samples / (time.perf_counter() - began)


def _timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def _walk(folder: str) -> int:
    with os.scandir(folder) as entries:
        return sum(_walk(entry.path) if entry.is_dir(follow_symlinks=False) else 1 for entry in entries)


if __name__ == "__main__":
    import keras  # noqa: F401 (older builds import it with their batches, which takes memory)

    os.environ["XDG_CACHE_HOME"] = cache = tempfile.mkdtemp()
    print(json.dumps(MEASUREMENTS[sys.argv[1]](Path(sys.argv[2]))))
    shutil.rmtree(cache)
