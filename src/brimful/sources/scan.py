"""Scanning a folder: list it, join its labels, infer what every file is like."""

import os
from collections import Counter
from pathlib import Path

import pyarrow as pa

from brimful.errors import ArgumentError, MalformedFileError, SourceNotFoundError
from brimful.schema import Field
from brimful.sources import labels as labelling
from brimful.sources.base import INFERRED_FROM, Finding, Progress
from brimful.sources.csv_tree import CsvTree, malformed
from brimful.sources.files import unreadable
from brimful.sources.layout import Layout, TextError
from brimful.sources.listing import Listing, list_folder
from brimful.sources.text import detect

FOLDERS = "folders"


def scan_tree(
    root: Path,
    *,
    labels: str | os.PathLike[str] | None,
    shape: tuple[int, ...] | None,
    dtype: str,
    limit: int | None,
    progress: Progress | None,
) -> CsvTree:
    """List a folder, join its labels, and infer from 256 files what all are like.

    Args:
        root: The folder.
        labels: The label table, `"folders"`, or None to look for a table in the folder and, where
            there is none, for folders as classes.
        shape: Shape to give to each sample; None for the shape that the files have.
        dtype: NumPy name of the float dtype to deliver.
        limit: How many samples to draw, None for all.
        progress: Called with the number of files listed so far.
    """
    if not root.exists():
        raise SourceNotFoundError(f"{root}: there is no such folder.", "Check the path.")
    if not root.is_dir():
        raise SourceNotFoundError(f"{root}: this is a file.", "Give the folder that holds one file a sample.")
    table = Path(labels) if labels and labels != FOLDERS else next(labelling.find_tables(root), None)
    if table is not None and not table.is_file():
        raise SourceNotFoundError(f"{table}: there is no such label table.", "Check the path.")
    tables = [*labelling.find_tables(root), *([table] if table else [])]
    listing = list_folder(root, without=tables, progress=progress)
    joined: labelling.Labels | None = None
    if labels == FOLDERS or (table is None and labelling.has_folder_classes(listing)):
        joined = labelling.from_folders(listing)
    elif table is not None:
        joined = labelling.join_table(table, listing)
    if limit is not None and limit < len(listing):
        rows = listing.draw(limit)
        listing, joined = listing.take(rows), joined.take(rows) if joined else None
    pa.default_memory_pool().release_unused()  # joining takes several times what is kept
    layout, findings, mean_bytes = _infer(listing)
    return CsvTree(listing, joined, layout, _reshaped(layout, shape), dtype, findings, mean_bytes)


def _infer(listing: Listing) -> tuple[Layout, tuple[Finding, ...], int]:
    """The layout that most of the first files have, what is wrong with the others, and the mean size."""
    layouts: dict[str, Layout] = {}
    bad: dict[str, list[str]] = {}
    sizes = []
    first_error: MalformedFileError | None = None
    for path in listing.paths[:INFERRED_FROM].to_pylist():
        full = listing.root / path
        try:
            file = full.read_bytes()
            sizes.append(len(file))
            layouts[path] = detect(file)
        except OSError as error:
            raise unreadable(full, error) from error
        except TextError as error:
            first_error = first_error or malformed(full, error)
            bad.setdefault(error.kind, []).append(str(malformed(full, error).message))
    if first_error and not layouts:
        raise first_error
    grids: dict[tuple[int, int], list[str]] = {}
    for path, layout in layouts.items():
        grids.setdefault((layout.rows, layout.columns), []).append(path)
    grid = max(grids, key=lambda each: len(grids[each]))
    if len(grids[grid]) * 2 <= len(layouts):
        shapes = ", ".join(f"{len(paths)} of {rows} x {columns}" for (rows, columns), paths in grids.items())
        raise MalformedFileError(
            f"{listing.root}: the files have no shape in common: {shapes}.",
            "Every sample must have the same shape.",
            kind="wrong_shape",
        )
    for (rows, columns), paths in grids.items():
        if (rows, columns) != grid:
            messages = (f"{listing.root / path}: {rows} x {columns} numbers" for path in paths)
            bad.setdefault("wrong_shape", []).extend(messages)
    usual = Counter(layouts[path] for path in grids[grid]).most_common(1)[0][0]
    findings = [
        Finding(
            kind,
            len(messages),
            tuple(messages[:10]),
            is_problem=True,
            hint="Mend the files, or take them out.",
        )
        for kind, messages in bad.items()
    ]
    return usual, tuple(findings), max(1, sum(sizes) // len(sizes))


def _reshaped(layout: Layout, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is None:
        return layout.shape
    if Field(shape, "float32").size != layout.size:
        raise ArgumentError(
            f"Expected a `shape` of {layout.size:,} values, as the files have "
            f"({layout.rows} x {layout.columns}). Received: shape={shape}"
        )
    return shape
