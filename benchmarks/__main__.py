"""`python -m benchmarks [NAME ...]`: run benchmarks, print markdown, keep it in docs/benchmarks.md."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks import (
    feed,
    fitting,
    images,
    kinds,
    listing,
    packing,
    reading,
    results,
    runs,
    shuffling,
    training,
)
from benchmarks.machine import describe
from benchmarks.stores import story_store
from benchmarks.table import Table, say
from benchmarks.trees import dense_tree, story_tree, wide_tree
from brimful.demo.digits import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable

INTRODUCTION = """# Benchmarks

`make bench` measures all of this again (some two hours, 30 GB of disk; as root, for caches are dropped and
control groups made), `make bench MNIST=mnist.npz` on MNIST; `python -m benchmarks reading cold` some of it.
Contenders take turns in one run; a figure is the median of its rounds, a ratio is taken in each round. The
machine is shared: ratios hold, absolutes drift.

Measured on {machine}. The data: {data}.
"""


DENSE_FILES = 10_000


@click.command()
@click.argument(
    "names",
    nargs=-1,
    metavar="[NAME]...",
)
@click.option("--mnist", "mnist_path", type=click.Path(exists=True, path_type=Path), help="mnist.npz")
@click.option("--write", type=click.Path(path_type=Path), help="Keep the results in this page.")
def main(names: tuple[str, ...], mnist_path: Path | None, write: Path | None) -> None:
    """Run benchmarks, all or those named."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    tree = story_tree(mnist_path)
    benchmarks: dict[str, Callable[[], Table]] = {
        "reading": lambda: reading.warm(tree, rounds=5),
        "dense": lambda: reading.dense(dense_tree(DENSE_FILES), rounds=5),
        "cold": lambda: reading.cold(tree, rounds=5),
        "audit": lambda: reading.audit(tree, rounds=5),
        "packing": lambda: packing.warm(tree, rounds=5),
        "packing-cold": lambda: packing.cold(tree, rounds=5),
        "scaling": lambda: packing.scaling((10_000, 100_000, 1_000_000)),
        "listing": lambda: listing.listing(wide_tree(1000, 1000), rounds=9),
        "warm": lambda: feed.warm(story_store(tree), rounds=3),
        "beyond": lambda: feed.beyond(rounds=3),
        "hard-disk": lambda: feed.slow(rounds=3),
        "feed-scaling": lambda: feed.scaling((10_000, 100_000, 1_000_000, 10_000_000)),
        "fit": lambda: fitting.fitting(tree, rounds=9),
        "runs": lambda: runs.training(tree, rounds=3),
        "predict": lambda: runs.predicting(rounds=3),
        "images": lambda: images.feeding(20_000, rounds=3),
        "packing-images": lambda: images.packing(20_000, rounds=5),
        "tables": lambda: kinds.tables(1_250_000, rounds=3),
        "table-epochs": lambda: kinds.table_epochs(1_250_000, rounds=3),
        "arrays": lambda: kinds.arrays(50_000, rounds=3),
        "archives": lambda: kinds.archives(20_000, rounds=3),
        "pairs": shuffling.pairs,
        "labels": shuffling.labels,
        "shuffled-accuracy": lambda: shuffling.accuracy(tree, None if mnist_path else GROUP),
        "training": lambda: training.training(tree, rounds=3),
        "memory": lambda: results.memory(rounds=3),
        "accuracy": lambda: results.accuracy(tree, None if mnist_path else GROUP),
    }
    data = "42,000 files of MNIST, 822 MB" if mnist_path else "42,000 files of the embedded digits"
    page = INTRODUCTION.format(machine=describe(), data=data)
    for name in names or benchmarks:
        if name not in benchmarks:
            raise click.BadParameter(f"there is no benchmark {name!r}; there are {', '.join(benchmarks)}")
        say(name)
        page += "\n" + benchmarks[name]().markdown()
    print(page)
    if write:
        write.write_text(page)


main()
