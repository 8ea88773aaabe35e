"""Scanning a folder: list it, join its labels, infer what every file is like."""

import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from brimful.errors import ArgumentError, MalformedFileError, ReadError, SourceError, SourceNotFoundError
from brimful.samples import INFERRED_FROM, Progress
from brimful.schema import Field
from brimful.sources.audit import findings_in
from brimful.sources.label_table import FILE_NAMES, Columns, LabelTable, find_tables, read_table
from brimful.sources.labels import Labels, from_folders, has_folder_classes, join_table
from brimful.sources.listing import Listing, list_folder
from brimful.sources.read_files import read_file
from brimful.sources.text.dialect import Dialect, TextError
from brimful.sources.text.folder import TextFolder, malformed
from brimful.sources.text.parse import detect

FOLDERS = "folders"


def scan_folder(
    root: Path,
    *,
    labels: str | os.PathLike[str] | None,
    columns: Columns,
    shape: tuple[int, ...] | None,
    dtype: str,
    limit: int | None,
    progress: Progress | None,
) -> TextFolder:
    """List a folder, join its labels, and infer from 256 files what all are like.

    Args:
        root: The folder.
        labels: The label table, `"folders"`, or None to look for a table in the folder and, where
            there is none, for folders as classes.
        columns: Which of the table's columns to take.
        shape: Shape to give to each sample; None for the shape that the files have.
        dtype: NumPy name of the float dtype to deliver.
        limit: How many samples to draw, None for all.
        progress: Called with the number of files listed so far.
    """
    if not os.path.exists(root):  # noqa: PTH110 (pathlib raises where a name is too long)
        raise SourceNotFoundError(f"{root}: there is no such folder.", "Check the path.")
    if not root.is_dir():
        raise SourceNotFoundError(f"{root}: this is a file.", "Give the folder that holds one file a sample.")
    by_name = next(find_tables(root), None)
    table = None if labels == FOLDERS else Path(labels) if labels else by_name
    if table is not None and not table.is_file():
        raise SourceNotFoundError(f"{table}: there is no such label table.", "Check the path.")
    if table is None and (columns.asked_for or columns.regression):
        wanted = f"the column {columns.asked_for[0]!r}" if columns.asked_for else "numbers"
        raise ArgumentError(
            f"{root}: there is no label table to take {wanted} from.",
            f"Name the table (--labels FILE), or call it {FILE_NAMES[0]} and put it into the folder.",
        )
    tables = [*find_tables(root), *([table] if table else [])]
    with _system_allocator(), ThreadPoolExecutor(1, "brimful-scan") as pool:
        reading = pool.submit(read_table, table, columns) if table else None
        whole = list_folder(root, without=tables, progress=progress)
        rows = whole.draw(limit) if limit is not None and limit < len(whole) else None
        listing = whole if rows is None else replace(whole.take(rows), drawn=len(rows))
        inferring = pool.submit(_infer, listing)
        joined = _joined(whole, reading.result() if reading else None, columns, folders=labels == FOLDERS)
        if joined and rows is not None:
            joined = joined.take(rows).with_findings(listing)
        dialect, mean_bytes = inferring.result()
    del whole, reading
    _give_back_memory()  # joining takes several times what is kept
    tree = TextFolder(listing, joined, dialect, _reshaped(dialect, shape), dtype, mean_bytes)
    first = np.arange(min(INFERRED_FROM, len(tree)))
    return tree.with_sampled(findings_in(tree, first))


def _joined(listing: Listing, table: LabelTable | None, columns: Columns, *, folders: bool) -> Labels | None:
    """The labels of a listing: from a table, or the folders' names; None where there are none."""
    if table:
        return join_table(table, listing, regression=columns.regression)
    return from_folders(listing) if folders or has_folder_classes(listing) else None


@contextmanager
def _system_allocator() -> Iterator[None]:
    """Let Arrow take memory from the C library: its own allocator spends a fifth of a scan clearing pages."""
    usual = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(usual)


def _give_back_memory() -> None:
    """Let the system have memory that was freed, where the C library keeps it."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _infer(listing: Listing) -> tuple[Dialect, int]:
    """The dialect that most of the first files have, and their mean size."""
    dialects: list[Dialect] = []
    sizes = []
    first_error: SourceError | None = None
    for path in listing.paths[:INFERRED_FROM].to_pylist():
        full = listing.root / path
        try:
            file = read_file(full)
            dialects.append(detect(file))
            sizes.append(len(file))
        except TextError as error:
            first_error = first_error or malformed(full, error)
        except ReadError as error:
            first_error = first_error or error
    if first_error and not dialects:
        raise first_error
    grids = Counter((dialect.rows, dialect.columns) for dialect in dialects)
    grid, count = grids.most_common(1)[0]
    if count * 2 <= len(dialects):
        shapes = ", ".join(f"{n} of {rows} x {columns}" for (rows, columns), n in grids.most_common(10))
        raise MalformedFileError(
            f"{listing.root}: the files have no shape in common: {shapes}.",
            "Every sample must have the same shape.",
            kind="wrong_shape",
        )
    usual = Counter(dialect for dialect in dialects if (dialect.rows, dialect.columns) == grid)
    return usual.most_common(1)[0][0], max(1, sum(sizes) // len(sizes))


def _reshaped(dialect: Dialect, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is None:
        return dialect.shape
    if Field(shape, "float32").size != dialect.size:
        raise ArgumentError(
            f"Expected a `shape` of {dialect.size:,} values, as the files have "
            f"({dialect.rows} x {dialect.columns}). Received: shape={shape}"
        )
    return shape
