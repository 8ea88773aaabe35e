"""Label join: joins a label table to the samples of a listing, by id, never by position.

A target is a class (an integer, or a name) or, if numbers have fractions or there are several columns, one or
several floats (regression).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import LabelError
from brimful.memory import POOL
from brimful.samples import EXAMPLES, Finding
from brimful.schema import Classes
from brimful.sides import Sides
from brimful.sources.id_match import match_ids
from brimful.sources.label_table import LabelTable
from brimful.sources.labels import (
    CONFLICTING,
    FAULTS,
    FIT,
    MALFORMED,
    MISSING,
    Labels,
    Placed,
    finished,
    of_rows,
)
from brimful.sources.listing import Listing
from brimful.sources.words import NUMBER, Words, is_blank, matches

WEIGHT_MEANS = 0.5, 2.0  # least and greatest mean of weights; by custom the mean is 1, or the greatest one
SEVERAL = 10  # at most one sample in so many is on several sides of a split


def join_table(
    table: LabelTable, listing: Listing, *, regression: bool = False, classes: Classes | None = None
) -> Labels:
    """Join a label table to the samples of a listing, by id; `classes` are those that may occur, if known.

    Raises:
        LabelError: No id names a sample, or an id could mean several.
    """
    way, rows, example = match_ids(table, listing)
    if rows[0] < 0 and table.first_line == 1 and _is_header(next(iter(table.targets.values()))):
        table, rows = table.without_first(), rows[1:]
    how = f"{Path(table.name).name} names the samples by {way} ({example})"
    return join_lines(table, rows, listing, how, regression=regression, classes=classes)


def join_lines(
    table: LabelTable,
    rows: NDArray[np.int64],
    samples: Placed,
    how: str,
    *,
    regression: bool = False,
    classes: Classes | None = None,
) -> Labels:
    """The labels of samples, given the sample that each line of a table is about.

    Args:
        table: The table.
        rows: The row that each of its lines names, -1 for none, shape `(lines,)`.
        samples: The samples, in row order.
        how: How lines name samples, for the user to check.
        regression: Whether targets are regression values even if they are integers.
        classes: The labels that may occur, if they are known.
    """
    join = _Join(table, rows, samples)
    values, found = join.targets(regression=regression, given=classes)
    weights = join.weights()
    join.note("orphan_label", np.flatnonzero(rows < 0), is_problem=False)
    row_values, row_weights = join.by_row(values, weights)
    sides = join.sides()
    how += f"; not used: {', '.join(table.others)}" if table.others else ""
    how += f"; {sides.origin} is a split" if sides else ""
    labels = Labels(row_values, join.state, found, row_weights, how, tuple(join.findings), sides)
    labels = replace(labels, findings=(*labels.findings, *table.findings))
    return finished(labels, samples, classes, table.name)


class _Join:
    """A join of a table's lines to rows, and the findings about them.

    `rows` holds the row that each line's id names, -1 for none.
    """

    def __init__(self, table: LabelTable, rows: NDArray[np.int64], samples: Placed) -> None:
        self.table = table
        self.rows = rows
        self.samples = samples
        self.findings: list[Finding] = []
        self.state = np.full(len(samples), MISSING, np.uint8)
        self._bad = np.zeros(len(rows), bool)  # lines with a malformed cell
        self._blank = np.zeros(len(rows), bool)  # lines with an empty cell
        split = table.split
        self._split = Sides.of(f"the column {split.name!r}", split.cells) if split else None  # of the lines
        self._look_at_split()

    def _look_at_split(self) -> None:
        """Leave a column for the split out if many samples are on several sides, as with a line a round."""
        split, name = self._split, self.table.split and self.table.split.name
        if split is None:
            return
        lines = np.flatnonzero(self.rows >= 0)
        pairs = np.unique(np.stack([self.rows[lines], split.codes[lines]]), axis=1)
        several = len(pairs[0]) - len(np.unique(pairs[0]))
        if several * SEVERAL > len(self.samples):
            example = f"{self.table.name}: the column {name!r} puts {several:,} samples on several sides"
            hint = "It is not used. Keep a line for each sample, or split by hash."
            self.findings.append(Finding("doubtful_split", several, (example,), is_problem=False, hint=hint))
            self._split = None

    def targets(
        self, *, regression: bool, given: Classes | None = None
    ) -> tuple[NDArray[Any], Classes | None]:
        """The target of each line, and the classes; None for floats. Classes may be given beforehand."""
        columns = [self._met(column) for column in self.table.targets.values()]
        if len(columns) > 1:
            self._refuse_words(columns)
            return np.stack([self._floats(column) for column in columns], axis=1), None
        words = Words.of(columns[0])
        if not given:
            words = self._read_as_classes(words, regression=regression)
        if regression or (not given and words.have_fractions()):
            return self._floats(columns[0]), None
        strays = words.strays() & (not given)
        hint = (
            f"Correct {self.table.name}: most labels are integers, these are not. For regression, give "
            "regression=True in Python, --regression on the command line."
        )
        self._note_malformed(np.flatnonzero(strays[words.at]), columns[0], "not an integer", hint)
        self._blank |= is_blank(words.words)[words.at]
        return words._replace(words=pc.if_else(pa.array(strays), "", words.words)).classes()

    def _refuse_words(self, columns: Sequence[pa.Array]) -> None:
        """Refuse several targets of which one is not of numbers."""
        for name, cells in zip(self.table.targets, columns, strict=True):
            is_word = ~(matches(cells, NUMBER) | is_blank(cells))
            if is_word.sum() * 2 > len(cells) - is_blank(cells).sum() > 0:
                word = cells[int(np.argmax(is_word))].as_py()
                raise LabelError(
                    f"{self.table.name}: the column {name!r} holds words, like {word!r}, and several targets "
                    "must be numbers.",
                    f"Take it alone: target={name!r}, --target {name}; or leave it out.",
                )

    def _read_as_classes(self, words: Words, *, regression: bool) -> Words:
        """The words of a column whose classes are not known: some of them may say that there is no label.

        Raises:
            LabelError: They are numbers that are written in another way.
        """
        if words.are_decorated():
            some = ", ".join(repr(word) for word in words.words.to_pylist()[:3])
            raise LabelError(
                f"{self.table.name}: labels like {some} are numbers with signs that are not read here.",
                "Write them with a decimal point alone, like 1234.5; or, if they are classes, name them: "
                "classes=[...], --classes.",
            )
        words, is_unknown = words.without_unknown()
        lines = np.flatnonzero(is_unknown[words.at])
        if lines.size:
            hint = "They say that there is no label. If they are a class, name all: classes=[...], --classes."
            self.note("unknown_word", lines, hint, is_problem=False)
            self._blank[lines] = True
        whole = words if regression else words.as_whole()
        if whole is not words:
            hint = "Labels like 1.0 are taken for classes. If they are values: regression=True, --regression."
            self.note("float_label", np.flatnonzero(~self._blank), hint, is_problem=False)
        return whole

    def weights(self) -> NDArray[np.float32] | None:
        """The weight of each line, not below 0; None without weights."""
        if self.table.weights is None or self._is_measured():
            return None
        weights = self._floats(self._met(self.table.weights))
        below = np.flatnonzero((weights < 0) & ~self._bad)
        hint = f"Correct {self.table.name}: a weight must not be below 0."
        self._note_malformed(below, self.table.weights, "below 0", hint)
        return weights

    def _is_measured(self) -> bool:
        """Whether the column of weights, which nobody has named, is something measured, like grams."""
        name, cells = self.table.measured, self.table.weights
        if not name or cells is None:
            return False
        numbers = cells.filter(pa.array(matches(cells, NUMBER))).cast(pa.float64())
        mean, most = (what(pc.abs(numbers)).as_py() or 0.0 for what in (pc.mean, pc.max))
        is_usual = most == 1 or WEIGHT_MEANS[0] <= mean <= WEIGHT_MEANS[1]
        if len(numbers) * 2 > len(cells) and is_usual:
            return False
        said = f"of mean {mean:.4g}" if len(numbers) else "no numbers"
        example = f"{self.table.name}: the column {name!r} ({said}) is not used"
        hint = f"If it holds the weights of samples, name it: weight={name!r}, --weight {name}."
        self.findings.append(Finding("measured_weight", len(cells), (example,), is_problem=False, hint=hint))
        return True

    def by_row(
        self, values: NDArray[Any], weights: NDArray[np.float32] | None
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """The values and weights of the lines, in row order."""
        lines = np.flatnonzero(self.rows >= 0)
        rows = self.rows[lines]
        self.state[rows[~self._blank[lines]]] = FIT
        if (np.bincount(rows) > 1).any():
            columns = (values, weights, self._split and self._split.codes)
            self._find_repeated(lines, [each for each in columns if each is not None])
        self.state[rows[self._bad[lines]]] = MALFORMED
        hint = f"Add them to {self.table.name}, or take the files out of {self.samples.name}."
        self.findings += of_rows(FAULTS[0], np.flatnonzero(self.state == MISSING), self.samples, hint)
        return _placed(values[lines], rows, len(self.samples)), (
            None if weights is None else _placed(weights[lines], rows, len(self.samples))
        )

    def sides(self) -> Sides | None:
        """The side of each row, if the table has a column for the split."""
        if self._split is None:
            return None
        lines = np.flatnonzero(self.rows >= 0)
        codes = _placed(self._split.codes[lines], self.rows[lines], len(self.samples))
        return replace(self._split, codes=codes)

    def _find_repeated(self, lines: NDArray[np.int64], columns: Sequence[NDArray[Any]]) -> None:
        """Note lines that name a sample again, with equal or with conflicting values."""
        lines = lines[np.argsort(self.rows[lines], kind="stable")]
        again = np.flatnonzero(self.rows[lines[1:]] == self.rows[lines[:-1]]) + 1
        again = again[~(self._bad[lines[again]] | self._bad[lines[again - 1]])]
        differs = self._blank[lines[again]] != self._blank[lines[again - 1]]
        for values in columns:
            unequal = values[lines[again]] != values[lines[again - 1]]
            differs |= unequal.any(axis=tuple(range(1, unequal.ndim)))
        equal, conflicting = lines[again[~differs]], lines[again[differs]]
        both = "labels" if self._split is None else "labels, or is on two sides of the split"
        hint = f"Correct {self.table.name}: a sample has two different {both}."
        self.note("duplicate_label", equal, is_problem=False)
        self.note("conflicting_label", conflicting, hint)
        self.state[self.rows[conflicting]] = CONFLICTING

    def _met(self, cells: pa.Array) -> pa.Array:
        """Cells of the lines that name a sample, empty for the others, whose labels are no classes."""
        met = self.rows >= 0
        return cells if met.all() else pc.if_else(pa.array(met), cells, "", memory_pool=POOL)

    def _floats(self, cells: pa.Array) -> NDArray[np.float32]:
        """Cells as finite floats; 0 for empty and malformed ones, which are noted."""
        blank = is_blank(cells)
        valid = matches(cells, NUMBER)
        numbers = pc.if_else(pa.array(valid), cells, "0").cast(pa.float64()).to_numpy()
        with np.errstate(over="ignore"):
            values: NDArray[np.float32] = numbers.astype(np.float32)
        valid &= np.isfinite(values)
        hint = f"Correct {self.table.name}: these are not finite numbers."
        malformed = np.flatnonzero(~valid & ~blank & ~self._bad)
        self._note_malformed(malformed, cells, "not a finite number", hint)
        self._blank |= blank
        return np.where(valid, values, np.float32(0))

    def _note_malformed(self, lines: NDArray[np.int64], cells: pa.Array, what: str, hint: str) -> None:
        self._bad[lines] = True
        remarks = [f": {cell!r} is {what}" for cell in cells.take(pa.array(lines[:EXAMPLES])).to_pylist()]
        self.note("malformed", lines, hint, remarks=remarks)

    def note(
        self,
        kind: str,
        lines: NDArray[np.int64],
        hint: str = "",
        *,
        is_problem: bool = True,
        remarks: Iterable[str] = repeat(""),
    ) -> None:
        """Note a finding about some lines, if there are any, with remarks on the first of them."""
        if lines.size:
            path, first, ids = self.table.name, self.table.first_line, self.table.ids.keys
            few = zip(lines[:EXAMPLES].tolist(), remarks, strict=False)
            examples = tuple(
                f"{path}{f':{line + first}' * (first > 0)} ({ids[line]}){what}" for line, what in few
            )
            self.findings.append(Finding(kind, lines.size, examples, is_problem=is_problem, hint=hint))


def _placed(values: NDArray[Any], rows: NDArray[np.int64], n: int) -> NDArray[Any]:
    placed = np.zeros((n, *values.shape[1:]), values.dtype)
    placed[rows] = values
    return placed


def _is_header(cells: pa.Array) -> bool:
    """Whether the first label, whose id names no sample, is a heading: it is unlike all other labels."""
    others = cells[1:]
    if pc.all(pc.match_substring_regex(others, NUMBER)).as_py():
        return not pc.match_substring_regex(cells[:1], NUMBER)[0].as_py()
    return not pc.is_in(cells[:1], value_set=others)[0].as_py()
