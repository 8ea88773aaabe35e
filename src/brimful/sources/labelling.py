"""Labelling: how the samples of a folder get their labels: as the user says, or as the folder shows."""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import ArgumentError, LabelError, SourceNotFoundError
from brimful.options import ScanOptions
from brimful.samples import EXAMPLES, Finding
from brimful.sources.folder_labels import folders_of, from_folders, meaning_of
from brimful.sources.label_join import join_table
from brimful.sources.label_table import (
    FILE_NAMES,
    LabelTable,
    find_tables,
    frame_table,
    is_frame,
    read_table,
)
from brimful.sources.labels import Labels
from brimful.sources.listing import Listing
from brimful.sources.single_labels import FILES, are_single, single_table
from brimful.sources.unusual_tables import UnusualTables

FOLDERS = re.compile(r"folders(?::(-?[1-9][0-9]?))?")
NOTES = r"(?i)(^|/)(readme|license|licence|changelog)\.[a-z]{3}$"
INNER_TABLE = r"(?i)(^|/)(target|targets|label|labels)\.[a-z]{3}$"


class Labelling:
    """The way in which the samples of a folder get their labels.

    Args:
        root: The folder.
        options: `labels`, and the columns of a table.

    Raises:
        SourceNotFoundError: The label table does not exist.
        LabelError: There are several label tables.
        ArgumentError: `labels` means nothing, or a column was asked for where there is no table.

    Attributes:
        tables: Files of the folder that are label tables, not samples.
    """

    def __init__(self, root: Path, options: ScanOptions) -> None:
        self._root = root
        self._options = options
        self._is_unlabelled = options.labels is False or (
            isinstance(options.labels, str) and options.labels == "none"
        )
        self._given = None if self._is_unlabelled else options.labels
        self._unusual: UnusualTables | None = None
        found = list(find_tables(root))
        self._path = self._table_path(found)
        self.tables = [*found, *([self._path] if self._path else [])]
        has_columns = self._path or is_frame(self._given)
        is_asked = options.table_columns or (options.regression and not are_single(self._given))
        if is_asked and not has_columns:
            wanted = f"the column {options.table_columns[0]!r}" if options.table_columns else "numbers"
            raise ArgumentError(
                f"{root}: there is no label table to take {wanted} from.",
                f"Name the table (--labels FILE), or call it {FILE_NAMES[0]} and put it into the folder.",
            )

    def read(self) -> LabelTable | None:
        """Read the label table, if there is one; the folder may be listed meanwhile."""
        if self._path:
            return read_table(self._path, self._options)
        return frame_table(self._given, self._options) if is_frame(self._given) else None

    def samples_of(self, listing: Listing) -> Listing:
        """The listing without label tables that lie deeper in the folder, or have unusual names."""
        if self._given is None and not self._path:
            self._unusual = UnusualTables.of(listing)
            if (among := self._unusual.rows).size:
                listing = listing.take(np.setdiff1d(np.arange(len(listing)), among))
        if isinstance(self._given, str) and self._given.startswith(FILES):  # what it names are no samples
            known = f"are {PurePosixPath(self._given).suffix}, which are left out"
            left = tuple(each for each in listing.findings if known not in each.examples[0])
            listing = replace(listing, findings=left)
        listing = _without_notes(listing)
        is_table = _are_tables(listing)
        if not is_table.any():
            return listing
        rows = np.flatnonzero(is_table)
        examples = tuple(str(self._root / listing.paths[row].as_py()) for row in rows[:EXAMPLES].tolist())
        hint = "Name the label table (--labels FILE), or scan its folder alone."
        is_problem = self._given is None and not self._is_unlabelled
        inner = Finding("table_below", len(rows), examples, is_problem=is_problem, hint=hint)
        others = listing.take(np.flatnonzero(~is_table))
        return replace(others, findings=(*others.findings, inner))

    def labels(self, listing: Listing, table: LabelTable | None) -> tuple[Labels | None, tuple[Finding, ...]]:
        """The labels of a listing, given the table that was read; and what is doubtful if there are none."""
        options, given = self._options, self._given
        if table is None and are_single(given):
            table = single_table(given, listing)
        if table is not None:
            return join_table(table, listing, regression=options.regression, classes=options.classes), ()
        if isinstance(given, str) and (asked := FOLDERS.fullmatch(given)):
            return from_folders(listing, int(asked[1] or -1), options.classes), ()
        if self._is_unlabelled:
            return None, ()
        folders = folders_of(listing)
        meaning = meaning_of(listing, folders, options.classes)
        unusual = self._unusual.findings(is_problem=meaning.level is None) if self._unusual else ()
        findings = (*meaning.findings, *unusual)
        if meaning.level is None:
            return None, findings
        return from_folders(listing, meaning.level, options.classes, folders), findings

    def _table_path(self, found: list[Path]) -> Path | None:
        """The file that is the label table; None if labels come from elsewhere."""
        given = self._given
        if given is None:
            if len(found) > 1 and not self._is_unlabelled and len({file.read_bytes() for file in found}) > 1:
                raise LabelError(
                    f"{self._root}: there are {len(found)} label tables, and they differ: "
                    f"{', '.join(file.name for file in found)}.",
                    f"Name one: labels={str(found[0])!r}, --labels {found[0]}.",
                )
            return found[0] if found and not self._is_unlabelled else None
        if is_frame(given) or are_single(given):
            return None
        if isinstance(given, (list, tuple, np.ndarray)):
            raise ArgumentError(
                f"Expected no {type(given).__name__} as `labels`, for labels are never joined by position.",
                "Give a dict of keys to labels, or a function of the key.",
            )
        if isinstance(given, str) and FOLDERS.fullmatch(given):
            return None
        if isinstance(given, str) and given.startswith("folders:"):
            raise ArgumentError(
                f"Expected `labels` as 'folders', or 'folders:1' for the outermost one. Received: {given!r}"
            )
        path = Path(given)
        if path.is_dir():
            raise SourceNotFoundError(
                f"{path}: this is a folder, not a label table.",
                "Give a file, or labels='folders' if the folders' names are the labels.",
            )
        if not path.is_file():
            raise SourceNotFoundError(f"{path}: there is no such label table.", "Check the path.")
        return path


def _without_notes(listing: Listing) -> Listing:
    """The listing without README files and the like, if they are few."""
    rows = np.flatnonzero(listing.end_with(b"eEgG"))
    if not rows.size:
        return listing
    names = listing.paths_of(rows)
    rows = rows[pc.match_substring_regex(names, NOTES).to_numpy(zero_copy_only=False)]
    if not 0 < len(rows) < len(listing):
        return listing
    others = listing.take(np.setdiff1d(np.arange(len(listing)), rows))
    return replace(others, left_out={**others.left_out, "README and the like": len(rows)})


def _are_tables(listing: Listing) -> NDArray[np.bool_]:
    """Which files have the name of a label table."""
    found = listing.end_with(b"tTsSlL")  # the letters that such names end with, which few other names do
    rows = np.flatnonzero(found)
    names = listing.paths_of(rows)
    found[rows] = pc.match_substring_regex(names, INNER_TABLE).to_numpy(zero_copy_only=False)
    return found
