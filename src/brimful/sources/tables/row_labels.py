"""RowLabels: what to predict for each row of a table, from columns of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.keys import HashedKeys
from brimful.memory import POOL
from brimful.options import ScanOptions
from brimful.samples import Finding
from brimful.sources.index import RowOrder
from brimful.sources.label_join import join_lines
from brimful.sources.label_table import LabelTable
from brimful.sources.labels import Labels
from brimful.sources.split_column import SplitColumn
from brimful.sources.tables.roles import Roles
from brimful.sources.tables.table import Table
from brimful.sources.tables.table_format import TableFormat

DECIMAL_COMMA = r"^\s*([+-]?[0-9]*),([0-9]+)\s*$"


def cells_of(table: Table, name: str) -> pa.LargeStringArray:
    """The cells of a column as text without blanks around it, empty where there is nothing."""
    cells = pa.concat_arrays(table.texts[name].chunks, POOL)
    return pc.utf8_trim_whitespace(pc.fill_null(cells, ""), memory_pool=POOL)


class RowLabels:
    """The labels of the rows of an index that is being made.

    Args:
        table: The table, with the cells of the columns that are no inputs.
        roles: Which these are.
        split: The column that says on which side of a split each row is, if there is one.
        samples: The rows.
        order: Which of them are taken, and in which order.
    """

    def __init__(
        self, table: Table, roles: Roles, split: SplitColumn | None, samples: TableFormat, order: RowOrder
    ) -> None:
        self._table = table
        self._roles = roles
        self._samples = samples
        self._order = order
        self._numbers = order.at(np.arange(len(order)))
        self._lines = np.sort(self._numbers)
        self._is_whole = len(self._lines) == len(table)
        self._split = split if split is None else replace(split, cells=self._taken(split.cells))

    def join(self, options: ScanOptions) -> Labels | None:
        """What to predict for every row that is taken; None if no column is a target."""
        roles = self._roles
        if not roles.targets:
            return None
        listed = ", ".join(map(repr, roles.targets))
        rows = np.empty(len(self._table), np.int64)
        rows[self._numbers] = np.arange(len(self._numbers))
        labels = join_lines(
            self._as_table(),
            rows[self._lines],
            _InRowOrder(self._samples, self._order),
            f"the target is {'the column' if len(roles.targets) == 1 else 'the columns'} {listed}",
            regression=options.regression,
            classes=options.classes,
        )
        return replace(labels, findings=tuple(map(_said_of_rows, labels.findings)))

    def _as_table(self) -> LabelTable:
        """The columns as a label table, in the order of the file."""
        places: Any = _Places(self._samples, self._lines)
        return LabelTable(
            name=self._samples.name,
            ids=HashedKeys(places, np.empty(0, np.uint64), np.empty(0, np.int64)),
            targets={name: self._cells(name) for name in self._roles.targets},
            weights=self._cells(self._roles.weight) if self._roles.weight else None,
            first_line=0,
            others=(),
            split=self._split,
        )

    def _cells(self, name: str) -> pa.Array:
        """The cells of a column, with a decimal point where they have a decimal comma."""
        found = cells_of(self._table, name)
        if self._table.decimal(0) == ",":
            found = pc.replace_substring_regex(found, DECIMAL_COMMA, r"\1.\2")
        return self._taken(found)

    def _taken(self, cells: pa.Array) -> pa.Array:
        return cells if self._is_whole else cells.take(pa.array(self._lines))


def _said_of_rows(finding: Finding) -> Finding:
    """A finding about labels, with a hint that fits a table."""
    if finding.kind != "missing_label":
        return finding
    return replace(finding, hint="Fill the cells in, or leave these rows out (on_bad='skip', --on-bad skip).")


class _Places:
    """Where the lines of a table are, by position, for messages about single ones."""

    def __init__(self, samples: TableFormat, lines: NDArray[np.int64]) -> None:
        self._samples = samples
        self._lines = lines

    def __getitem__(self, line: int) -> str:
        place = self._samples.places(self._lines[line : line + 1])[0]
        rest = place.removeprefix(self._samples.name)
        return f"line {rest[1:]}" if rest[:1] == ":" and rest[1:].isdecimal() else rest.lstrip("/: ")


class _InRowOrder:
    """The rows of an index that is being made, as places that a user can find."""

    def __init__(self, samples: TableFormat, order: RowOrder) -> None:
        self._samples = samples
        self._order = order
        self.name = samples.name

    def __len__(self) -> int:
        return len(self._order)

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """The lines of some rows."""
        return self._samples.places(self._order.at(rows))
