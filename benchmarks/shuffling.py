"""Shuffling: how close the order by windows comes to a uniform permutation, in numbers and in accuracy."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import brimful as bf
from benchmarks.table import Table, say
from brimful.keys import hash_keys
from brimful.options import PackOptions
from brimful.order.epochs import Order
from brimful.store.pack import pack

CHUNKS = 100
WINDOW = 5  # chunks: 5 % of the rows
BATCH_SIZE = 512
SEEDS = range(5)
EPOCHS = 5

Rows = NDArray[np.int64]

PAIRS = """
1,000 samples in 100 chunks, batches of 20, 20,000 epochs. How often two samples share a batch, and how
often the one that lies next to it on the disk comes next, each by how often that happens in uniform
permutations; and how evenly: the variance over all pairs from two chunks by what chance alone gives
(1.00).
"""
LABELS = """
Batches of 512 of 42,000 samples in 10 classes, given sorted by class, 50 epochs: the variance of the
number of samples of a class in a batch, by that of batches drawn from uniform permutations (the design
effect; L. Kish, Survey Sampling, 1965). 1.00 is ideal, the bar is 1.05.
"""
ACCURACY = """
lenet, five epochs, batches of 512, {samples:,} samples of the story's files given sorted by class;
accuracy on {tests:,} others, five seeds.
"""


def windows(n: int, seed: int) -> Order:
    """The order of a store of 100 chunks of which 5 are mixed at a time."""
    return Order(n, seed=seed, bounds=np.linspace(0, n, CHUNKS + 1).astype(np.int64), window=WINDOW)


def buffer(order: Rows, size: int, random: np.random.Generator) -> Rows:
    """What a shuffle buffer makes of an order: it gives any of its rows, and takes the next in its place."""
    held, shuffled = order[:size].copy(), np.empty_like(order)
    drawn = random.integers(0, size, len(order) - size)
    for at, place in enumerate(drawn.tolist()):
        shuffled[at], held[place] = held[place], order[size + at]
    shuffled[len(drawn) :] = random.permutation(held)
    return shuffled


def pairs(epochs: int = 20_000) -> Table:
    """Pairs in a batch, and neighbours."""
    n, size = 1_000, 20
    chunk = np.arange(n) * CHUNKS // n
    alike = chunk[:, np.newaxis] == chunk
    np.fill_diagonal(alike, val=False)
    other = ~alike & ~np.eye(n, dtype=bool)
    columns = ("", "same batch, of one chunk", "of two chunks", "next on the disk", "evenness")
    table = Table("Pairs", PAIRS, columns)
    random = np.random.default_rng(0)
    ways: dict[str, Callable[[int], Rows]] = {
        "windows of 5 %": lambda epoch: windows(n, 0).rows(epoch, 0, n),
        "all in one window": lambda epoch: Order(n).rows(epoch, 0, n),
        "numpy's permutation": lambda _: random.permutation(n),
    }
    expected = epochs * (size - 1) / (n - 1)
    for name, way in ways.items():
        shared, following = np.zeros((n, n), np.int32), 0
        for epoch in range(epochs):
            rows = way(epoch)
            for batch in rows.reshape(-1, size):
                shared[np.ix_(batch, batch)] += 1
            following += int(np.count_nonzero(rows[1:] == rows[:-1] + 1))
        mean = shared[other].mean()
        table.rows.append(
            (
                name,
                f"{shared[alike].mean() / expected:.2f}",
                f"{mean / expected:.2f}",
                f"{following / epochs / ((n - 1) / n):.2f}",
                f"{shared[other].var() / (mean * (1 - mean / epochs)):.2f}",
            )
        )
        say(f"  {table.rows[-1]}")
    return table


def labels(epochs: int = 50) -> Table:
    """The design effect."""
    n = 42_000
    sorted_labels = np.arange(n) * 10 // n
    on_disk = np.argsort(hash_keys([f"{at:05d}" for at in range(n)], 0), kind="stable")
    random = np.random.default_rng(0)
    in_order = np.arange(n)
    ways: dict[str, Callable[[int], Rows]] = {
        "windows of 5 %": lambda epoch: sorted_labels[on_disk[windows(n, 0).rows(epoch, 0, n)]],
        "all in one window": lambda epoch: sorted_labels[on_disk[Order(n).rows(epoch, 0, n)]],
        "numpy's permutation": lambda _: sorted_labels[random.permutation(n)],
        "windows of 5 %, rows not in the order of their hash": lambda epoch: sorted_labels[
            windows(n, 0).rows(epoch, 0, n)
        ],
        "a shuffle buffer of 5 %": lambda _: sorted_labels[buffer(in_order, n // 20, random)],
        "a shuffle buffer of half the samples": lambda _: sorted_labels[buffer(in_order, n // 2, random)],
    }
    table = Table("Labels of a batch", LABELS, ("", "design effect", "of the classes, least to most"))
    share = 0.1
    ideal = BATCH_SIZE * share * (1 - share) * (n - BATCH_SIZE) / (n - 1)
    for name, way in ways.items():
        whole = n // BATCH_SIZE * BATCH_SIZE
        counts = np.concatenate(
            [
                [np.bincount(batch, minlength=10) for batch in way(epoch)[:whole].reshape(-1, BATCH_SIZE)]
                for epoch in range(epochs)
            ]
        )
        effects = ((counts - BATCH_SIZE * share) ** 2).mean(axis=0) / ideal
        table.rows.append((name, f"{effects.mean():.2f}", f"{effects.min():.2f} to {effects.max():.2f}"))
        say(f"  {table.rows[-1]}")
    return table


def accuracy(tree: Path, group: str | None) -> Table:
    """Accuracy after training on label-sorted data by each shuffle."""
    (x, y), test = (_arrays(side) for side in bf.scan(tree).split(test=0.1, group=group))
    sorting = np.argsort(y, kind="stable")
    x, y = x[sorting], y[sorting]
    text = ACCURACY.format(samples=len(x), tests=len(test[0]))
    table = Table("Accuracy", text, ("", "mean", "of the seeds"))
    with TemporaryDirectory(dir=".bench") as folder:
        source = bf.scan(list(zip(x, y.tolist(), strict=True)))
        rows = -(-len(x) // CHUNKS)
        options = PackOptions(chunk_bytes=rows * source.schema.nbytes, shard_bytes=2**29)
        data = Path(folder) / "x.brim"
        pack(source._reader, np.arange(len(x)), data, options)  # noqa: SLF001
        ways: dict[str, Callable[[int], Any]] = {
            "windows of 5 %": lambda seed: _windowed(data, seed),
            "all in one window": lambda seed: bf.open(data).batches(BATCH_SIZE, seed=seed),
            "arrays in memory, fit(shuffle=True)": lambda _: (x, y),
            "a shuffle buffer of 5 %": lambda seed: _buffered(x, y, seed),
        }
        for name, way in ways.items():
            found = [_trained(way(seed), test, seed) for seed in SEEDS]
            cells = ", ".join(f"{each:.2%}" for each in found)
            table.rows.append((name, f"{statistics.mean(found):.2%}", cells))
            say(f"  {table.rows[-1]}")
    return table


def _arrays(side: bf.Source) -> tuple[NDArray[Any], NDArray[np.int64]]:
    x, y = (np.concatenate(parts) for parts in zip(*side.batches(4096, shuffle=False), strict=True))
    return x, y


def _windowed(path: Path, seed: int) -> Any:
    batches = bf.open(path).batches(BATCH_SIZE, seed=seed)
    batches.feed.loader.set_window(WINDOW)
    return batches


def _buffered(x: NDArray[Any], y: NDArray[np.int64], seed: int) -> Iterator[Any]:
    random = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = buffer(np.arange(len(x)), len(x) // 20, random)
        for start in range(0, len(x), BATCH_SIZE):
            index = order[start : start + BATCH_SIZE]
            yield x[index], y[index]


def _trained(data: Any, test: Any, seed: int) -> float:
    import keras

    from brimful.training.models import lenet

    keras.utils.set_random_seed(seed)
    model = lenet(test[0].shape[1:], 10)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    if isinstance(data, tuple):
        model.fit(*data, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    elif isinstance(data, Iterator):
        for batch in data:
            model.train_on_batch(*batch)
    else:
        model.fit(data, epochs=EPOCHS, verbose=0)
    return float(model.evaluate(*test, verbose=0)[1])
