"""Packing: the story's files into a store, beside merely reading them and beside other libraries' writers."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import brimful as bf
from benchmarks.peers import WRITERS
from benchmarks.reading import drop_caches, files_of, readers
from benchmarks.table import Table, median, ratios, take_turns, timed
from benchmarks.trees import WORKDIR, tiny_tree

PEERS_PYTHON = WORKDIR / "peers" / "bin" / "python"
SLOW_FILES = 3_000
OUT = WORKDIR / "packed"
COLUMNS = ("", "samples/s", "brimful is x times as fast (each round)")

WARM = """
`bf.pack` of all files, from the scanned source to the store on the disk, fsync included; files in the page
cache. "Merely reading" as above. The other writers are fed by the story's loop of `np.loadtxt`, on {n:,} of
the files.
"""
COLD = """
The same, with the page cache, dentries and inodes dropped before each run.
"""
SCALING = """
Files of two numbers, 1,000 in a folder, in the page cache: scanned, and packed in one process each,
`memory="1GB"`.
"""


def warm(tree: Path, rounds: int) -> Table:
    """Beside merely reading, and beside other writers."""
    table = Table("Packing, warm", WARM.format(n=SLOW_FILES), COLUMNS)
    contenders = {"brimful": lambda: _brimful(tree), **readers(files_of(tree)), **_peers(tree, table)}
    results = take_turns(contenders, rounds, warm_up=True)
    _fill(table, results)
    store, text = _bytes(OUT / "data.brim"), _bytes(tree / "train")
    table.notes.append(f"{text / 1e6:,.1f} MB of text became {store / 1e6:,.1f} MB")
    return table


def cold(tree: Path, rounds: int) -> Table:
    """Beside merely reading, where the machine lets the caches be dropped."""
    table = Table("Packing, cold", COLD, COLUMNS)
    try:
        drop_caches()
    except OSError as error:
        table.notes.append(f"Not measured: the caches cannot be dropped here ({error}).")
        return table
    contenders = {"brimful": lambda: _brimful(tree), **readers(files_of(tree))}
    _fill(table, take_turns(contenders, rounds, before=drop_caches))
    return table


def scaling(sizes: tuple[int, ...]) -> Table:
    """Rate and peak memory at several sizes."""
    table = Table(
        "Packing many small files", SCALING, ("files", "scan, s", "pack, s", "packed/s", "peak memory, MB")
    )
    for n in sizes:
        tree = tiny_tree(n)
        command = [sys.executable, "-m", "benchmarks.packing", str(tree), str(OUT / "data.brim")]
        for _ in range(2):  # the first brings the files into the cache
            shutil.rmtree(OUT, ignore_errors=True)
            OUT.mkdir(parents=True)
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        scanned, packed, peak = map(float, done.stdout.split())
        cells = (f"{n:,}", f"{scanned:.2f}", f"{packed:.2f}", f"{n / packed:,.0f}", f"{peak / 1e6:,.0f}")
        table.rows.append(cells)
    return table


def _brimful(tree: Path) -> float:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    source = bf.scan(tree)
    seconds = timed(lambda: source.pack_into(OUT / "data.brim"))
    return len(source) / seconds


def _peers(tree: Path, table: Table) -> dict[str, Callable[[], float]]:
    """The writers that can run here."""
    peers: dict[str, Callable[[], float]] = {}
    for name in WRITERS:
        python = Path(sys.executable) if name.startswith("tf") else PEERS_PYTHON
        if python.exists():
            peers[name] = lambda name=name, python=python: _peer(python, name, tree)  # type: ignore[misc]
        else:
            table.notes.append(f"{name} was left out: there is no {PEERS_PYTHON}; `make bench` makes it")
    return peers


def _peer(python: Path, name: str, tree: Path) -> float:
    out = WORKDIR / "peer"
    shutil.rmtree(out, ignore_errors=True)
    command = [str(python), "benchmarks/peers.py", name, str(tree), str(SLOW_FILES), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(out)
    return SLOW_FILES / float(done.stdout.splitlines()[-1])


def _fill(table: Table, results: dict[str, list[float]]) -> None:
    of_reading = [rates for name, rates in results.items() if name.startswith("merely")]
    best = {"merely reading, best of these": [max(turn) for turn in zip(*of_reading, strict=True)]}
    for name, rates in {**results, **best}.items():
        table.rows.append(
            (name, median(rates), "" if name == "brimful" else ratios(results["brimful"], rates))
        )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def main(tree: str, store: str) -> None:
    """Scan and pack once; print the seconds of each, and the peak of memory."""
    sources = []
    scanned = timed(lambda: sources.append(bf.scan(tree)))
    packed = timed(lambda: sources[0].pack_into(store))
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    print(scanned, packed, peak)


if __name__ == "__main__":
    main(*sys.argv[1:])
