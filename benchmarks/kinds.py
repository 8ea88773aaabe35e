"""Kinds: tables, arrays and archives, packed beside merely reading them; epochs from stores of tables."""

import shutil
import statistics
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import brimful as bf
from benchmarks.images import photos
from benchmarks.table import Table, median, ratios, say
from benchmarks.trees import WORKDIR

COLUMNS = 30
CHUNK = 256

TABLES = """
{rows:,} rows of {columns} float64 columns and a label: a CSV file of {csv:.0f} MB, a Parquet file of
{parquet:.0f} MB. Merely reading: `pyarrow.csv.open_csv`, block by block, and
`pyarrow.parquet.ParquetFile.iter_batches`. Everything in the page cache. `scan` reads a CSV file once, to
find its rows, its types and its labels; packing reads it again.
"""
EPOCHS = """
Shuffled epochs of batches of 512 from the store of that table, against `x[idx]` on a float32 array in memory.
"""
ARRAYS = """
{rows:,} images of 64 x 64 uint8, in chunks of {chunk}, compressed with gzip (HDF5) and Zstandard (Zarr),
beside reading all chunks with the same library, one after the other.
"""
ARCHIVES = """
{n:,} JPEGs in tar shards of 1,000, packed as they are, beside merely reading the members with `tarfile`.
"""


def tables(rows: int, rounds: int) -> Table:
    """Rows a second."""
    import pyarrow.csv
    import pyarrow.parquet

    csv, parquet = _tables(rows)

    def read_csv() -> None:
        for _ in pyarrow.csv.open_csv(csv):
            pass

    def read_parquet() -> None:
        for _ in pyarrow.parquet.ParquetFile(parquet).iter_batches(65_536):
            pass

    sizes = {"csv": csv.stat().st_size / 1e6, "parquet": parquet.stat().st_size / 1e6}
    columns = ("", "rows/s", "of merely reading (each round)")
    table = Table("Tables, packing", TABLES.format(rows=rows, columns=COLUMNS, **sizes), columns)
    for path, read in ((csv, read_csv), (parquet, read_parquet)):
        rates = _rates(read, path, rows, rounds, target="label")
        _add(table, path.suffix[1:], rates)
    return table


def table_epochs(rows: int, rounds: int, seconds: float = 10.0) -> Table:
    """Batches from the store of a table."""
    _, parquet = _tables(rows)
    store = bf.pack(bf.scan(parquet, target="label"), _place(parquet), overwrite=True)
    table = Table("Tables, epochs", EPOCHS, ("", "samples/s", "x[idx]", "ratio (each time)"))
    speeds = [store.speed(memory="2GB", seconds=seconds) for _ in range(rounds)]
    ours, theirs = (
        median(getattr(each, name) for each in speeds)
        for name in ("rows_per_second", "memory_rows_per_second")
    )
    table.rows.append(("30 columns", ours, theirs, ratios([each.ratio for each in speeds], [1.0] * rounds)))
    return table


def arrays(rows: int, rounds: int) -> Table:
    """Samples a second."""
    import h5py
    import zarr

    hdf5, folder = _arrays(rows)

    def read_hdf5() -> None:
        with h5py.File(hdf5) as file:
            for start in range(0, rows, CHUNK):
                file["x"][start : start + CHUNK]

    def read_zarr() -> None:
        x: Any = zarr.open_group(folder, mode="r")["x"]
        for start in range(0, rows, CHUNK):
            x[start : start + CHUNK]

    text = ARRAYS.format(rows=rows, chunk=CHUNK)
    table = Table("Arrays, packing", text, ("", "samples/s", "of merely reading (each round)"))
    for path, read in ((hdf5, read_hdf5), (folder, read_zarr)):
        _add(table, path.suffix[1:], _rates(read, path, rows, rounds))
    return table


def archives(n: int, rounds: int) -> Table:
    """Members a second."""
    folder = _shards(n)

    def read() -> None:
        for shard in sorted(folder.iterdir()):
            with tarfile.open(shard) as archive:
                for member in archive:
                    if opened := archive.extractfile(member):
                        opened.read()

    table = Table(
        "Archives, packing", ARCHIVES.format(n=n), ("", "samples/s", "of merely reading (each round)")
    )
    _add(table, "tar", _rates(read, folder, n, rounds, image_size=(224, 224)))
    return table


def _rates(
    read: Callable[[], None], path: Path, n: int, rounds: int, **options: Any
) -> dict[str, list[float]]:
    """How many a second are merely read, packed, and scanned and packed, in each round."""
    rates: dict[str, list[float]] = {"merely reading": [], "pack": [], "scan and pack": []}
    place = _place(path)
    for turn in range(rounds):
        began = time.perf_counter()
        read()
        rates["merely reading"].append(n / (time.perf_counter() - began))
        shutil.rmtree(place, ignore_errors=True)
        began = time.perf_counter()
        source = bf.scan(path, **options)
        scanned = time.perf_counter()
        bf.pack(source, place)
        ended = time.perf_counter()
        rates["pack"].append(n / (ended - scanned))
        rates["scan and pack"].append(n / (ended - began))
        say(f"  round {turn + 1}: {path.name}: " + ", ".join(f"{k} {v[-1]:,.0f}" for k, v in rates.items()))
    return rates


def _add(table: Table, name: str, rates: dict[str, list[float]]) -> None:
    for what, each in rates.items():
        against = "" if what == "merely reading" else ratios(each, rates["merely reading"])
        table.rows.append((f"{name}, {what}", f"{statistics.median(each):,.0f}", against))


def _place(path: Path) -> Path:
    return path.with_name(f"{path.name}.brim")


def _tables(rows: int) -> tuple[Path, Path]:
    """The same table as CSV and as Parquet."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    csv, parquet = WORKDIR / f"table-{rows}.csv", WORKDIR / f"table-{rows}.parquet"
    if not parquet.exists():
        say(f"writing {csv} and {parquet}")
        random = np.random.default_rng(0)
        columns = {f"c{number}": random.normal(size=rows) for number in range(COLUMNS)}
        table = pa.table({**columns, "label": random.integers(0, 10, rows)})
        pyarrow.csv.write_csv(table, csv)
        pyarrow.parquet.write_table(table, parquet)
    return csv, parquet


def _arrays(rows: int) -> tuple[Path, Path]:
    """The same arrays as HDF5 and as Zarr."""
    import h5py
    import zarr

    hdf5, folder = WORKDIR / f"arrays-{rows}.h5", WORKDIR / f"arrays-{rows}.zarr"
    if not folder.exists():
        say(f"writing {hdf5} and {folder}")
        random = np.random.default_rng(0)
        x = random.integers(0, 32, (rows, 64, 64), np.uint8)
        y = random.integers(0, 10, rows)
        with h5py.File(hdf5, "w") as file:
            file.create_dataset("x", data=x, chunks=(CHUNK, 64, 64), compression="gzip")
            file["y"] = y
        group = zarr.open_group(folder, mode="w")
        group.create_array("x", data=x, chunks=(CHUNK, 64, 64))
        group.create_array("y", data=y)
    return hdf5, folder


def _shards(n: int) -> Path:
    """The photographs in shards."""
    folder = WORKDIR / f"shards-{n}"
    if not folder.exists():
        say(f"writing {folder}")
        folder.mkdir(parents=True)
        files = sorted(photos(n).rglob("*.jpg"))
        for first in range(0, len(files), 1000):
            with tarfile.open(folder / f"photos-{first // 1000:06d}.tar", "w") as archive:
                for file in files[first : first + 1000]:
                    archive.add(file, f"{file.stem}.jpg")
    return folder
