"""Files of rows: a path -> the files that make one table, and the columns that folders' names give."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from brimful.errors import ArgumentError, MalformedFileError, SourceNotFoundError
from brimful.options import ScanOptions
from brimful.sources.tables.arrow_file import ArrowFile
from brimful.sources.tables.csv_file import CsvFile
from brimful.sources.tables.parquet_file import ParquetFile
from brimful.sources.tables.part import Part
from brimful.sources.walk import SUFFIXES

CSV, PARQUET, ARROW = (
    (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    (".parquet", ".pq"),
    (".arrow", ".feather", ".ipc"),
)
KINDS: dict[str, tuple[tuple[str, ...], Callable[[Path, ScanOptions], Part]]] = {
    "CSV": (CSV, CsvFile),
    "Parquet": (PARQUET, ParquetFile),
    "Arrow": (ARROW, ArrowFile),
}
LOOKED_AT = 256  # entries of a folder, to see what is in it
DEEPEST = 6
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
HIDDEN = (".", "_")
SHARDS = "shard-[0-9]*-*.arrow"


@dataclass(frozen=True)
class TableFiles:
    """The files of a table.

    Attributes:
        parts: The files.
        prefixes: What stands before the number of a row in its key, for each file.
        folders: The columns that the names of its folders give each file, as `name=value`.
        facts: What was left out.
    """

    parts: tuple[Part, ...]
    prefixes: tuple[str, ...]
    folders: tuple[dict[str, str], ...]
    facts: tuple[str, ...] = ()


def is_table(thing: Any) -> bool:
    """Whether a thing is the path of a file of rows, or of a folder of Parquet or Arrow files."""
    if not isinstance(thing, (str, os.PathLike)):
        return False
    path = Path(thing)
    try:
        if path.is_dir():
            return _holds_rows(path)
        return path.is_file() and kind_of(path.name) is not None
    except (OSError, ValueError):
        return False


def kind_of(name: str) -> str | None:
    """The kind of a file by its suffix: CSV, Parquet or Arrow; None for others."""
    return next((kind for kind, (ends, _) in KINDS.items() if name.lower().endswith(ends)), None)


def _holds_rows(folder: Path) -> bool:
    """Whether there are Parquet or Arrow files among the first entries of a folder, and no text files."""
    names: list[str] = []
    for depth in range(DEEPEST):
        with os.scandir(folder) as found:
            entries = [each for each in islice(found, LOOKED_AT) if not each.name.startswith(HIDDEN)]
        names += [each.name.lower() for each in entries if each.is_file()]
        below = [each.path for each in entries if each.is_dir()]
        if names or not below or depth == DEEPEST - 1:
            break
        folder = Path(min(below))
    return any(name.endswith((*PARQUET, *ARROW)) for name in names) and not any(
        name.endswith((*SUFFIXES, *CSV)) for name in names
    )


def open_files(path: Path, options: ScanOptions) -> TableFiles:
    """Open the files of a table, and see that they have the same columns; no row is read yet.

    Raises:
        SourceError: There is none, or it cannot be read, or one lacks columns that another has.
        ArgumentError: `rows` says that rows are no samples.
    """
    if options.rows is False:
        raise ArgumentError(
            f"{path}: expected rows of a table as samples. Received: rows=False.",
            "Each row of such a file is a sample. Only a folder of CSV files can hold a file per sample.",
        )
    if not path.is_dir():
        kind = kind_of(path.name)
        if kind is None or not path.is_file():
            raise SourceNotFoundError(f"{path}: there is no table.", f"Expected a file {', '.join(CSV)} ...")
        return TableFiles((KINDS[kind][1](path, options),), ("",), ({},))
    _refuse_store(path)
    files, facts = _listed(path)
    kinds = {kind_of(file.name) for file in files}
    if len(kinds) > 1:
        raise MalformedFileError(
            f"{path}: there are files of several kinds: {', '.join(sorted(map(str, kinds)))}.",
            "Scan each kind in a folder of its own.",
        )
    opened = KINDS[str(kinds.pop())][1]
    parts = tuple(opened(file, options) for file in files)
    relative = [file.relative_to(path) for file in files]
    prefixes = tuple(f"{_stem(each)}/" for each in relative)
    _check_stems(path, prefixes)
    folders = tuple(map(_columns_of, relative))
    _check_columns(path, parts, folders)
    return TableFiles(parts, prefixes, folders, facts)


def _refuse_store(path: Path) -> None:
    """Refuse a store, whose shards are Arrow files."""
    if (path / "manifest.json").is_file() and any(path.glob(SHARDS)):
        raise ArgumentError(
            f"{path}: expected raw data. Received: a store.", f"Open it: bf.open({str(path)!r})."
        )


def _listed(path: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The files of a folder, and what was left out."""
    files, others = [], Counter[str]()
    for root, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN))
        others["that are links to folders"] += sum(Path(root, name).is_symlink() for name in folders)
        for name in names:
            if name.startswith(HIDDEN):
                others["that begin with . or _"] += 1
            elif kind_of(name):
                files.append(Path(root, name))
            else:
                others[f"of the suffix {PurePosixPath(name).suffix or 'none'}"] += 1
    if not files:
        raise SourceNotFoundError(
            f"{path}: there is no file of rows.", f"Expected {', '.join(CSV)} or others."
        )
    left = ", ".join(f"{count:,} {what}" for what, count in others.items() if count)
    return sorted(files), ((f"files left out: {left}",) if left else ())


def _stem(relative: Path) -> str:
    name = relative.name
    ends = next(
        end for end in sorted((*CSV, *PARQUET, *ARROW), key=len, reverse=True) if name.lower().endswith(end)
    )
    return (relative.parent / name[: -len(ends)]).as_posix()


def _check_stems(path: Path, prefixes: tuple[str, ...]) -> None:
    twice = [prefix for prefix, count in Counter(prefixes).items() if count > 1]
    if twice:
        raise MalformedFileError(
            f"{path}: two files are called {twice[0][:-1]!r}, but for their suffixes.", "Rename one."
        )


def _columns_of(relative: Path) -> dict[str, str]:
    """The columns that folders called `name=value` give. Their values are texts: 04 stays 04."""
    pairs = (folder.partition("=") for folder in relative.parent.parts if "=" in folder)
    return {unquote(name): "" if value == NO_VALUE else unquote(value) for name, _, value in pairs}


def _check_columns(path: Path, parts: tuple[Part, ...], folders: tuple[dict[str, str], ...]) -> None:
    """Refuse files of other columns than the rest; their order does not matter."""
    for part, given in zip(parts, folders, strict=True):
        both = sorted({*part.names} & {*given})
        if both:
            raise MalformedFileError(
                f"{part.path}: the column {both[0]!r} is in the file, and its folder is called "
                f"{both[0]}={given[both[0]]}.",
                "Rename the folder, or the column: it is not clear which one is meant.",
            )
    have = [{*part.names, *given} for part, given in zip(parts, folders, strict=True)]
    every = set().union(*have)
    lacking = [
        f"{part.path.relative_to(path)} lacks {', '.join(map(repr, sorted(every - its)[:5]))}"
        for part, its in zip(parts, have, strict=True)
        if its != every
    ]
    if lacking:
        raise MalformedFileError(
            f"{path}: the files have different columns: {'; '.join(lacking[:5])}.",
            "A table has the same columns in all files: scan the files apart, or write the missing ones.",
        )
