"""Feed: shuffled batches from stores: warm, beyond memory, from a slow disk, and how it scales."""

import gc
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import brimful as bf
from benchmarks.control_group import control_group
from benchmarks.reading import drop_caches
from benchmarks.stores import records_of, store_of
from benchmarks.table import Table, median, ratios, say

GIB = 2**30
BUDGET = "500MB"

WARM = """
Shuffled epochs of batches of 512 to a loop that does nothing else, against `x[idx]` on a float32 array
in memory, batch by batch (`brimful bench`, {seconds:.0f} s each, {rounds} times). Everything is in
memory, where stores keep narrowed values in a byte each.
"""
BEYOND = """
2,000,000 samples of 784 uniform random float32, which do not narrow, {size:.1f} GB, in a memory control
group of 1 GiB, page cache dropped before each pass. Front to back: the same chunks in the order they lie
in, read and checked by the same engine with as many reads at a time, not decoded. tf.data:
`TFRecordDataset`, `shuffle(20,000)`, batches decoded in parallel. Merely reading: nothing but the bytes
of the files.
"""
SLOW = """
{rows:,} of such samples, {size:.1f} GB, on an emulated hard disk: the control group may read 120 times
and 150 MB a second.
"""
SCALING = """
Samples of {size} values that narrow to a byte each, `memory="1GB"`, page cache warm, each in a process
of its own: the first epoch, in which what stays in memory is read and checked. First batch: from opening
the store on. Medians of five.
"""


def warm(mnist: Path, rounds: int, seconds: float = 10.0) -> Table:
    """What is in memory."""
    columns = ("", "samples/s", "x[idx]", "ratio (each time)")
    table = Table("Batches, warm", WARM.format(seconds=seconds, rounds=rounds), columns)
    stores = {
        "MNIST, 42,000 x 784, narrowed": mnist,
        "300,000 x 784, narrowed": store_of(300_000, narrow=True),
        "200,000 x 784, float32": store_of(200_000, narrow=False),
    }
    speeds: dict[str, list[Any]] = {name: [] for name in stores}
    for _ in range(rounds):
        for name, path in stores.items():
            gc.collect()
            speeds[name].append(bf.open(path).speed(memory="2GB", seconds=seconds))
            say(f"  {name}: {speeds[name][-1].ratio:.2f}")
    for name, each in speeds.items():
        ours, theirs = (
            median(getattr(speed, rate) for speed in each)
            for rate in ("rows_per_second", "memory_rows_per_second")
        )
        table.rows.append((name, ours, theirs, ratios([speed.ratio for speed in each], [1.0] * rounds)))
    return table


def beyond(rounds: int) -> Table:
    """What is not."""
    store = store_of(2_000_000, narrow=False)
    records_of(store)
    names = ["brimful", "front to back", "tf.data", "merely reading, direct", "merely reading, buffered"]
    told = _turns(store, names, rounds, disk=None)
    return _table("Batches, beyond memory", BEYOND.format(size=told["brimful"][0]["bytes"] / 1e9), told)


def slow(rounds: int) -> Table:
    """The same from a disk that seeks."""
    rows = 500_000
    store = store_of(rows, narrow=False)
    told = _turns(store, ["brimful", "front to back"], rounds, disk=(120, 150_000_000))
    text = SLOW.format(rows=rows, size=told["brimful"][0]["bytes"] / 1e9)
    return _table("Batches, from an emulated hard disk", text, told)


def scaling(sizes: tuple[int, ...], size: int = 16) -> Table:
    """Rate, memory and first batch."""
    columns = ("samples", "samples/s", "first batch, ms", "peak memory of the process, MB")
    table = Table("Batches, from few to many", SCALING.format(size=size), columns)
    for n in sizes:
        store = store_of(n, size, narrow=True)
        told = [_pass("brimful", store, "1GB", []) for _ in range(6)][1:]  # the first warms the page cache
        rate = median(each["rows"] / each["seconds"] for each in told)
        first = statistics.median(each["first"] for each in told)
        rss = statistics.median(each["rss"] for each in told)
        table.rows.append((f"{n:,}", rate, f"{first * 1e3:,.0f}", f"{rss / 1e6:,.0f}"))
        say(f"  {table.rows[-1]}")
    return table


def _turns(
    store: Path, names: list[str], rounds: int, disk: tuple[int, int] | None
) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names:
            drop_caches()
            with control_group(GIB, disk) as group:
                told[name].append(_pass(name, store, BUDGET, group.prefix))
                told[name][-1]["group"] = group.peak
            say(f"  round {turn + 1}: {name}: {told[name][-1]}")
    return told


def _table(title: str, text: str, told: dict[str, list[dict[str, Any]]]) -> Table:
    peaks = ("peak RSS, MB", "peak of the group, MB")
    columns = ("", "samples/s", "MB/s", "CPU s/GB", *peaks, "brimful is x times as fast (each round)")
    table = Table(title, text, columns)
    rates = {name: [each["rows"] / each["seconds"] for each in passes] for name, passes in told.items()}
    for name, passes in told.items():
        gigabytes = passes[0]["bytes"] / 1e9
        cells = (
            median(rates[name]),
            median(gigabytes * 1e3 / each["seconds"] for each in passes),
            f"{statistics.median(each['cpu_seconds'] for each in passes) / gigabytes:.2f}",
            f"{max(each['rss'] for each in passes) / 1e6:,.0f}",
            f"{max(each['group'] for each in passes) / 1e6:,.0f}",
        )
        table.rows.append((name, *cells, "" if name == "brimful" else ratios(rates["brimful"], rates[name])))
    return table


def _pass(name: str, store: Path, memory: str, prefix: list[str]) -> dict[str, Any]:
    command = [*prefix, sys.executable, "-m", "benchmarks.epochs", name, str(store), memory]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
