"""Trees to measure on: the story's, written once into .bench/."""

from pathlib import Path

import numpy as np

from benchmarks.table import say
from brimful.demo.digits import Images, embedded, mnist
from brimful.demo.story import write_tree

WORKDIR = Path(".bench")
STORY_FILES = 42_000


def story_tree(mnist_path: Path | None) -> Path:
    """The story's 42,000 files: of MNIST where it is given, of the embedded digits otherwise."""
    folder = WORKDIR / ("mnist" if mnist_path else "digits") / "data"
    if not folder.exists():
        say(f"writing {folder}")
        write_tree(folder, mnist(mnist_path, STORY_FILES) if mnist_path else embedded(STORY_FILES), _silent)
    return folder


def many_files(n: int) -> Path:
    """A tree of n files: the embedded digits, again and again."""
    folder = WORKDIR / f"digits-{n}" / "data"
    if not folder.exists():
        say(f"writing {folder}")
        few = embedded(min(n, 10_000))
        again = np.arange(n) % len(few)
        stems = [f"{number:07d}" for number in range(1, n + 1)]
        write_tree(folder, Images(few.pixels[again], few.labels[again], stems, None, few.origin), _silent)
    return folder


def dense_tree(n: int) -> Path:
    """A tree of n files of 28x28 uniform random numbers, written as the story's are."""
    folder = WORKDIR / f"dense-{n}" / "data"
    if not folder.exists():
        say(f"writing {folder}")
        random = np.random.default_rng(0)
        (folder / "train").mkdir(parents=True)
        for number in range(1, n + 1):
            np.savetxt(folder / "train" / f"{number:05d}.csv", random.random((28, 28)))
        labels = (f"{number},{number % 10}\n" for number in range(1, n + 1))
        (folder / "target.csv").write_text("".join(labels))
    return folder


def wide_tree(folders: int, files: int) -> Path:
    """A tree of many folders with many tiny files each, and a label for each file."""
    folder = WORKDIR / f"wide-{folders}-{files}" / "data"
    if not folder.exists():
        say(f"writing {folder}")
        with (_made(folder) / "target.csv").open("w") as table:
            for outer in range(folders):
                inside = _made(folder / f"{outer:04d}")
                for inner in range(files):
                    (inside / f"{inner:04d}.csv").write_bytes(b"1 2\n")
                    table.write(f"{outer:04d}/{inner:04d},{inner % 10}\n")
    return folder


def tiny_tree(n: int) -> Path:
    """A tree of n files of two numbers each, 1,000 in a folder, and a label for each file."""
    return wide_tree(max(1, n // 1000), min(n, 1000))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _silent(count: int) -> None:
    """Tell nobody."""
