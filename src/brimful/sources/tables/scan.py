"""Scan: a path -> the index of the rows of its table: opens files, chooses columns, joins labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import ArgumentError, LabelError, MalformedFileError
from brimful.memory import POOL
from brimful.options import ScanOptions
from brimful.samples import EXAMPLES, Finding
from brimful.sources.index import Index, RowOrder
from brimful.sources.split_column import SplitColumn, find_split_columns
from brimful.sources.tables.files import is_table, kind_of, open_files
from brimful.sources.tables.inputs import facts_of, features_of, findings_in, inputs_of
from brimful.sources.tables.roles import Roles, roles_of, word
from brimful.sources.tables.row_labels import RowLabels, cells_of
from brimful.sources.tables.table import Table
from brimful.sources.tables.table_format import TableFormat

TAKEN = (
    *("id", "target", "weight", "regression", "classes", "shape", "dtype"),
    *("rows", "inputs", "fill", "missing"),
)
TAKEN_BY_TEXT = ("skip_lines", "decimal")
LONGEST_KEY = 4096  # bytes

__all__ = ["is_table", "scan_table"]


def scan_table(path: Path, options: ScanOptions) -> Index:
    """Look at every row of a table, choose its inputs, and join its labels, which lie in columns of it.

    Raises:
        SourceError: A file cannot be read, or a column cannot be used.
        ArgumentError: An option does not fit the table.
    """
    what = "a folder of tables" if path.is_dir() else f"a table ({path.name})"
    is_text = path.is_dir() or kind_of(path.name) == "CSV"
    options.only((*TAKEN, *(TAKEN_BY_TEXT if is_text else ())), what)
    options = _with_fill(options)
    files = open_files(path, options)
    name = str(path)
    roles = roles_of(name, (*files.parts[0].names, *files.folders[0]), options)
    if roles.weight and not roles.targets:
        raise ArgumentError(f"{name}: expected a `target` for the weights. Received: weight={roles.weight!r}")
    table = Table(path, files, roles, options.progress)
    if not len(table):
        raise MalformedFileError(f"{name}: there is no row in this table.", "Check it.", "empty")
    ids, key_findings = _ids(table, roles)
    split = _split(table, roles)
    columns = [column for column in table.columns.values() if not split or column.name != split.name]
    features, findings, left_out = features_of(name, columns, len(table), roles.inputs)
    inputs = inputs_of(name, features, options)
    problems, warnings = findings_in(name, inputs)
    samples = TableFormat(table, inputs, ids)
    samples.findings = (*table.findings, *key_findings, *findings, *warnings)
    samples.facts = _facts(table, roles, samples, (*facts_of(inputs), *left_out, *files.facts))
    order = RowOrder.of(len(table), samples.keys, options.limit)
    index = Index(samples, order, RowLabels(table, roles, split, samples, order).join(options))
    index.sampled_findings = tuple(problems)
    table.texts.clear()  # what is needed of them is in the index
    return index


def _facts(table: Table, roles: Roles, samples: TableFormat, others: Sequence[str]) -> tuple[str, ...]:
    """What was decided, the number of rows first."""
    keyed = f"keyed by the column {roles.id!r}" if samples.has_ids else "keyed by their numbers"
    facts = [f"{len(table):,} rows, {keyed}"]
    facts += [] if roles.targets else ["no column is the target: name it by target=, --target"]
    facts += [*others, *table.facts]
    if table.is_large:
        facts.append("rows are cheap to read only in their order: pack the table to train on it")
    return tuple(facts)


def _with_fill(options: ScanOptions) -> ScanOptions:
    """The options, with the value that `missing` says as `fill`."""
    if options.missing in ("raise", "skip"):
        return options
    if options.missing == "mean" or options.fill is not None:
        raise ArgumentError(
            "Expected `missing` as 'skip', or `fill` with a number, for a table. "
            f"Received: missing={options.missing!r}, fill={options.fill!r}"
        )
    return replace(options, missing="raise", fill=float(options.missing))


def _ids(table: Table, roles: Roles) -> tuple[pa.LargeStringArray | None, list[Finding]]:
    """The ids that are the keys of rows; None for the numbers of rows.

    Raises:
        LabelError: The user has named a column in which an id is missing, or stands twice.
    """
    if roles.id is None:
        return None, []
    ids = pc.fill_null(pa.concat_arrays(table.texts[roles.id].chunks, POOL), "")
    what, rows = _unfit(ids)
    if not rows.size:
        return ids, []
    places = table.places(rows[:EXAMPLES])
    name = f"{table.path}: the column {roles.id!r}"
    if roles.is_id_asked:
        raise LabelError(
            f"{name} {what}: {' and '.join(places[:2])}.",
            "Keys name samples: correct them, or name another column; without one, rows are numbered.",
        )
    hint = (
        f"Rows are named by their numbers. If {roles.id!r} names groups of samples, mind them in the split."
    )
    finding = Finding("repeated_id", len(rows), (f"{name} {what}", *places), is_problem=False, hint=hint)
    return None, [finding]


def _unfit(ids: pa.LargeStringArray) -> tuple[str, NDArray[np.int64]]:
    """What is wrong with ids, and the rows that show it."""
    blank = np.flatnonzero(pc.equal(ids, "").to_numpy(zero_copy_only=False))
    if blank.size:
        return f"is empty in {len(blank):,} rows", blank
    long = np.flatnonzero(pc.greater(pc.binary_length(ids), LONGEST_KEY).to_numpy(zero_copy_only=False))
    if long.size:
        return f"holds more than {LONGEST_KEY:,} bytes in {len(long):,} rows", long
    if pc.count_distinct(ids).as_py() == len(ids):
        return "", blank
    at = pc.dictionary_encode(ids).indices.to_numpy()
    order = np.argsort(at, kind="stable")
    again = np.flatnonzero(at[order[1:]] == at[order[:-1]])
    first = int(again[0])
    text = ids[int(order[first])].as_py()
    rows = np.concatenate([order[first : first + 2], order[again[1:] + 1]])
    return f"holds {text!r} twice", rows


def _split(table: Table, roles: Roles) -> SplitColumn | None:
    """The column that says on which side of a split each row is."""
    if not roles.targets:
        return None
    found = find_split_columns({name: (word(name), cells_of(table, name)) for name in roles.splits})
    return found[0] if found else None
