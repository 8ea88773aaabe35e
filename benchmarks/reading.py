"""Reading: a shuffled epoch of the story's files as batches of 512, warm and cold, in files a second."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import brimful as bf
from benchmarks.table import Table, median, ratios, take_turns, timed

BATCH_SIZE = 512
SLOW_FILES = 6_000  # a loop of np.loadtxt is measured on fewer files, and its rate stated
LARGEST = 1 << 16
CHUNK = 64
THREADS = (1, 2, 4, 8)
COLUMNS = ("", "files/s", "brimful is x times as fast (each round)")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")

WARM = """
All files in the page cache, every contender in an order shuffled anew, results as NumPy arrays of
float32 in batches of 512. "Merely reading" opens, reads and closes the same files in Python with the
best of 1, 2, 4 and 8 threads, and parses nothing. Each contender runs once uncounted before. tf.data
(`read_file`, `split`, `to_number`) runs twice in each round: with all left to AUTOTUNE, and with 8 calls
in 8 threads of its own; in some of its runs, fewer of the second kind, it is half as fast throughout.
"""
DENSE = """
The same on files without a background: every cell is another number (uniform random, `%.18e`), so that
nothing is gained by parsing the most usual cell once.
"""
AUDIT = """
`source.audit()` reads every file and notes all that is wrong; "again" is a second one, which looks only at
sizes, times and inodes.
"""
COLD = """
The same, with the page cache, dentries and inodes dropped before each run.
"""


def warm(tree: Path, rounds: int) -> Table:
    """Beside tf.data, a loop of np.loadtxt, and merely reading."""
    table = Table("Raw reading, warm", WARM, COLUMNS)
    _fill(table, take_turns({**_contenders(tree), **readers(files_of(tree))}, rounds, warm_up=True))
    return table


def dense(tree: Path, rounds: int) -> Table:
    """Beside tf.data and a loop of np.loadtxt, where no cell is usual."""
    table = Table("Raw reading, warm, every cell another number", DENSE, COLUMNS)
    _fill(table, take_turns(_contenders(tree), rounds, warm_up=True))
    return table


def audit(tree: Path, rounds: int) -> Table:
    """The audit beside reading the same files as batches once."""
    source = bf.scan(tree)
    contenders = {
        "brimful, as batches": lambda: _brimful(tree),
        "brimful, audit": lambda: len(source) / timed(lambda: source.audit(cached=False)),
        "brimful, audit again": lambda: len(source) / timed(source.audit),
    }
    results = take_turns(contenders, rounds, warm_up=True)
    table = Table("The audit, warm", AUDIT, ("", "files/s", "x the time of batches (each round)"))
    batches = results["brimful, as batches"]
    for name, rates in results.items():
        table.rows.append((name, median(rates), "" if rates is batches else ratios(batches, rates)))
    return table


def cold(tree: Path, rounds: int) -> Table:
    """Beside merely reading, where the machine lets the caches be dropped."""
    table = Table("Raw reading, cold", COLD, COLUMNS)
    try:
        drop_caches()
    except OSError as error:
        table.notes.append(f"Not measured: the caches cannot be dropped here ({error}).")
        return table
    files = files_of(tree)
    _fill(
        table, take_turns({"brimful": lambda: _brimful(tree), **readers(files)}, rounds, before=drop_caches)
    )
    return table


def _contenders(tree: Path) -> dict[str, Callable[[], float]]:
    files = files_of(tree)
    return {
        "brimful": lambda: _brimful(tree),
        "tf.data, AUTOTUNE": lambda: _tf_data(_shuffled(files)),
        "tf.data, 8 calls in 8 threads": lambda: _tf_data(_shuffled(files), 8),
        "np.loadtxt in a loop": lambda: _loadtxt(_shuffled(files)[:SLOW_FILES]),
    }


def _fill(table: Table, results: dict[str, list[float]]) -> None:
    """A row for each contender, and for the best of those of a kind in each round."""
    best = {}
    for kind in ("tf.data", "merely reading"):
        of_kind = [rates for name, rates in results.items() if name.startswith(kind)]
        if of_kind:
            best[f"{kind}, best of these"] = [max(turn) for turn in zip(*of_kind, strict=True)]
    for name, rates in {**results, **best}.items():
        compared = "" if name == "brimful" else ratios(results["brimful"], rates)
        table.rows.append((name, median(rates), compared))


def files_of(tree: Path) -> list[str]:
    """The sample files of the story's tree."""
    return sorted(map(str, (tree / "train").iterdir()))


def _shuffled(files: list[str]) -> list[str]:
    return [files[at] for at in np.random.default_rng().permutation(len(files))]


EPOCHS = itertools.count()


def _brimful(tree: Path) -> float:
    source = bf.scan(tree)
    batches = source.batches(BATCH_SIZE, seed=next(EPOCHS))
    samples = 0

    def epoch() -> None:
        nonlocal samples
        for x, _ in batches:
            samples += len(x)

    seconds = timed(epoch)
    assert samples == batches.stats.distinct_samples == len(source)
    return samples / seconds


def _tf_data(files: list[str], threads: int | None = None) -> float:
    """The pipeline of read_file, split and to_number."""
    import tensorflow as tf

    def parse(path: Any) -> Any:
        return tf.reshape(tf.strings.to_number(tf.strings.split(tf.io.read_file(path))), (28, 28))

    def epoch() -> None:
        batches = tf.data.Dataset.from_tensor_slices(files)
        batches = batches.map(parse, num_parallel_calls=threads or tf.data.AUTOTUNE)
        batches = batches.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)
        if threads:
            options = tf.data.Options()
            options.threading.private_threadpool_size = threads
            batches = batches.with_options(options)
        assert sum(len(x) for x in batches.as_numpy_iterator()) == len(files)

    return len(files) / timed(epoch)


def _loadtxt(files: list[str]) -> float:
    def epoch() -> None:
        for start in range(0, len(files), BATCH_SIZE):
            np.array([np.loadtxt(file) for file in files[start : start + BATCH_SIZE]]).astype(np.float32)

    return len(files) / timed(epoch)


def readers(files: list[str]) -> dict[str, Callable[[], float]]:
    """Merely reading: open, read and close, in several numbers of threads; gives files a second."""

    def run(threads: int) -> float:
        order = _shuffled(files)
        chunks = [order[start : start + CHUNK] for start in range(0, len(order), CHUNK)]
        with ThreadPoolExecutor(threads) as pool:
            return len(order) / timed(lambda: sum(pool.map(_read_chunk, chunks)))

    return {f"merely reading, {n} thread{'s' * (n > 1)}": lambda n=n: run(n) for n in THREADS}  # type: ignore[misc]


def _read_chunk(files: list[str]) -> int:
    size = 0
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        size += len(os.read(descriptor, LARGEST))
        os.close(descriptor)
    return size


def drop_caches() -> None:
    """Forget the page cache, dentries and inodes."""
    os.sync()
    DROP_CACHES.write_text("3")
