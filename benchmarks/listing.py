"""Listing: a million files in a thousand folders, listed and joined to a label table.

The scan runs in a process of its own, which this module also is: `python -m benchmarks.listing`.
"""

import os
import subprocess
import sys
from pathlib import Path

import brimful as bf
from benchmarks.table import Table, median, ratios, take_turns, timed

TEXT = """
1,000,000 small files in 1,000 folders, names in the system's cache. "os.scandir alone" walks the same
folders and keeps nothing; `bf.scan` lists them, hashes and sorts the keys, joins a table of 1,000,000
labels, and reads 256 files.
"""


def listing(tree: Path, rounds: int) -> Table:
    """Seconds and memory of a scan beside os.scandir alone."""
    memory: list[tuple[int, int, int]] = []

    def scan() -> float:
        command = [sys.executable, "-m", "benchmarks.listing", str(tree)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds, kept, held, peak = done.stdout.split()
        memory.append((int(kept), int(held), int(peak)))
        return float(seconds)

    results = take_turns(
        {"os.scandir alone": lambda: timed(lambda: _walk(str(tree))), "bf.scan": scan}, rounds, warm_up=True
    )
    table = Table("Listing a million files", TEXT, ("", "seconds", "x the seconds of bf.scan (each round)"))
    for name, seconds in results.items():
        compared = "" if name == "bf.scan" else ratios(seconds, results["bf.scan"])
        table.rows.append((name, median(seconds), compared))
    for what, each in zip(
        ("the source says it holds", "the process holds more than before", "its peak was higher by"),
        zip(*memory, strict=True),
        strict=True,
    ):
        table.notes.append(f"bytes a sample, {what}: {', '.join(map(str, each))}")
    return table


def _walk(folder: str) -> int:
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            count += _walk(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    return count


def _resident(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def main(tree: Path) -> None:
    """Scan once, and print the seconds and the bytes a sample: stated, held, at the peak."""
    few = tree.parent / "few"
    few.mkdir(exist_ok=True)
    for name in ("1", "2", "3"):
        (few / f"{name}.csv").write_text("1 2\n")
    (few / "target.csv").write_text("1,1\n2,2\n3,1\n")
    bf.scan(few)  # everything imported
    before = _resident("VmRSS")
    sources = []
    seconds = timed(lambda: sources.append(bf.scan(tree)))
    held, peak = _resident("VmRSS") - before, _resident("VmHWM") - before
    (source,) = sources
    n = len(source)
    print(seconds, source._reader.nbytes // n, held // n, peak // n)  # noqa: SLF001 (what it says of itself)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
