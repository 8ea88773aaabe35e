"""Against: this build beside another checkout of brimful, in turns.

`python -m benchmarks.against OTHER [NAME]...` prints a markdown table.

Each measurement is a process of its own (see `worker`); the two builds take turns, the first of a round being
the other one each time, and a ratio is taken in each round: above 1, this build is the faster one.
"""

import json
import os
import statistics
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from benchmarks.control_group import control_group
from benchmarks.reading import drop_caches
from benchmarks.stores import store_of, story_store
from benchmarks.table import say
from benchmarks.trees import dense_tree, story_tree, wide_tree
from benchmarks.worker import MEASUREMENTS, Figures

COLD = ("cold", "packing-cold", "beyond", "hard-disk")
GIB = 2**30
DISK = (120, 150_000_000)  # reads and bytes a second of the emulated hard disk


def data_for(name: str, mnist: Path | None) -> Path:
    """The tree or the store that something is measured on."""
    if name == "listing":
        return wide_tree(1000, 1000)
    if name == "dense":
        return dense_tree(10_000)
    if name == "warm-float32":
        return store_of(200_000, narrow=False)
    if name in ("beyond", "hard-disk"):
        return store_of(2_000_000 if name == "beyond" else 500_000, narrow=False)
    tree = story_tree(mnist)
    return story_store(tree) if name == "warm" or name.startswith("fit") else tree


def measure(checkout: Path, name: str, data: Path) -> Figures:
    """What a build reaches."""
    if name in COLD:
        drop_caches()
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "TF_ENABLE_ONEDNN_OPTS": "1"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    environment["KERAS_BACKEND"] = name.removeprefix("fit-") if name.startswith("fit") else "tensorflow"
    limits = {"beyond": (GIB, None), "hard-disk": (GIB, DISK)}.get(name)
    with control_group(*limits) if limits else nullcontext() as group:
        command = [
            *(group.prefix if group else []),
            sys.executable,
            "-m",
            "benchmarks.worker",
            name,
            str(data),
        ]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


@click.command()
@click.argument("other", type=click.Path(exists=True, path_type=Path))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--mnist", type=click.Path(exists=True, path_type=Path), help="mnist.npz")
@click.option("--rounds", default=5, show_default=True)
def main(other: Path, names: tuple[str, ...], mnist: Path | None, rounds: int) -> None:
    """Measure, and print a markdown table."""
    builds = {"this": Path.cwd(), "other": other.resolve()}
    print("| | figure | other | this | ratio, median (each round) |\n|---|---|---|---|---|")
    for name in names or MEASUREMENTS:
        data = data_for(name, mnist)
        found: dict[str, list[Figures]] = {build: [] for build in builds}
        for checkout in builds.values():
            measure(checkout, name, data)  # uncounted: caches, compiled files
        for turn in range(rounds):
            for build in sorted(builds, reverse=turn % 2 == 1):
                found[build].append(measure(builds[build], name, data))
                say(f"  {name}, round {turn + 1}, {build}: {found[build][-1]}")
        for figure in found["this"][0]:
            this, that = ([each[figure] for each in found[build]] for build in ("this", "other"))
            ratios = [one / another for one, another in zip(this, that, strict=True)]
            each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(
                f"| {name} | {figure} | {statistics.median(that):,.2f} | {statistics.median(this):,.2f} "
                f"| {statistics.median(ratios):.3f} ({each}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
