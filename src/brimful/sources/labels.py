"""Labels: what to predict for every row, joined by key from a label table or from the folders' names.

Labels are never joined by position. All ids of a table name samples in the same way, the one that fits most
of them: the key, the path, the file's stem, the file's name, or the integer that the stem spells ("1" matches
"00001.csv"). A target is a class (an integer, or a name) or, if numbers have fractions or there are several
columns, one or several floats (regression).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import LabelError
from brimful.keys import find_keys
from brimful.memory import POOL
from brimful.samples import EXAMPLES, Finding
from brimful.schema import Field
from brimful.sources.label_table import INTEGER, LabelTable
from brimful.sources.listing import Listing
from brimful.sources.walk import keys_of

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?[0-9]+$"
FRACTIONS = 20  # at least one number in so many has a fraction: the targets are floats
CLASSES_NAMED = 12
WORDS = 10  # more than one label in so many is not an integer: the labels are names
FAULTS = ("missing_label", "conflicting_label", "malformed")
FIT, MISSING, CONFLICTING, MALFORMED = range(4)  # the `state` of a row's label

Classes = tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """What to predict for every row.

    Attributes:
        values: What is delivered: int64 of shape `(n,)` for classes, the integer itself or the
            position of a string in `classes`; float32 of shape `(n,)` or `(n, columns)` otherwise.
        state: FIT if a row has all that is needed to train on it: one target, and a weight if there
            are weights. Otherwise the fault, and `values` mean nothing. uint8.
        classes: The labels that occur, ascending; None for floats.
        weights: Sample weights, float32 of shape `(n,)`, or None.
        how: How they were joined, for the user to check.
    """

    values: NDArray[Any]
    state: NDArray[np.uint8]
    classes: Classes | None
    weights: NDArray[np.float32] | None
    how: str
    findings: tuple[Finding, ...] = ()

    @property
    def target(self) -> Field:
        """Shape and dtype of a target."""
        return Field(self.values.shape[1:], self.values.dtype.name)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self.values.nbytes + self.state.nbytes + (0 if self.weights is None else self.weights.nbytes)

    @property
    def described(self) -> str:
        """How they were joined, and the classes or the number of targets, in words."""
        weighted = "" if self.weights is None else ", with weights"
        if self.classes is None:
            columns = self.target.size
            return f"{self.how}; {columns} number{'s' * (columns > 1)} to predict{weighted}"
        few = ", ".join(map(str, self.classes[:CLASSES_NAMED]))
        more = ", ..." if len(self.classes) > CLASSES_NAMED else ""
        return f"{self.how}; {len(self.classes):,} classes: {few}{more}{weighted}"

    def take(self, rows: NDArray[np.int64]) -> "Labels":
        """The labels of some rows."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, values=self.values[rows], state=self.state[rows], weights=weights)

    def with_findings(self, listing: Listing) -> "Labels":
        """The labels of a part of a listing, with findings about its rows alone."""
        findings = []
        for state, kind in enumerate(FAULTS, start=1):
            rows = np.flatnonzero(self.state == state)
            findings += _of_rows(kind, rows, listing, "Correct the label table.")
        return replace(self, findings=tuple(findings))

    def without_classes_left_out(self) -> "Labels":
        """The same labels with only the classes that a row has; names are numbered anew."""
        if self.classes is None:
            return self
        used, places = np.unique(self.values, return_inverse=True)
        if isinstance(self.classes[0], int):
            return replace(self, classes=tuple(used.tolist()))
        return replace(self, values=places, classes=tuple(str(self.classes[at]) for at in used.tolist()))


def join_table(table: LabelTable, listing: Listing, *, regression: bool = False) -> Labels:
    """Join a label table to the samples of a listing, by id.

    Raises:
        LabelError: No id names a sample, or an id could mean several.
    """
    way, rows, example = _match(table, listing)
    if rows[0] < 0 and table.first_line == 1 and _is_header(next(iter(table.targets.values()))):
        table, rows = table.without_first(), rows[1:]
    join = _Join(table, rows, listing)
    values, classes = join.targets(regression=regression)
    weights = join.weights()
    join.note("orphan_label", np.flatnonzero(rows < 0), is_problem=False)
    row_values, row_weights = join.by_row(values, weights)
    others = f"; not used: {', '.join(table.others)}" if table.others else ""
    how = f"{table.path.name} names the samples by {way} ({example}){others}"
    return Labels(row_values, join.state, classes, row_weights, how, tuple(join.findings))


class _Join:
    """A join of a table's lines to rows, and the findings about them.

    `rows` holds the row that each line's id names, -1 for none.
    """

    def __init__(self, table: LabelTable, rows: NDArray[np.int64], listing: Listing) -> None:
        self.table = table
        self.rows = rows
        self.listing = listing
        self.findings: list[Finding] = []
        self.state = np.full(len(listing), MISSING, np.uint8)
        self._bad = np.zeros(len(rows), bool)  # lines with a malformed cell
        self._blank = np.zeros(len(rows), bool)  # lines with an empty cell

    def targets(self, *, regression: bool) -> tuple[NDArray[Any], Classes | None]:
        """The target of each line, and the classes; None for floats."""
        columns = [self._met(column) for column in self.table.targets.values()]
        if len(columns) > 1:
            return np.stack([self._floats(column) for column in columns], axis=1), None
        words = _Words.of(columns[0])
        if regression or words.have_fractions():
            return self._floats(columns[0]), None
        strays = words.strays()
        hint = (
            f"Correct {self.table.path}: most labels are integers, these are not. For regression, give "
            "regression=True in Python, --regression on the command line."
        )
        self._note_malformed(np.flatnonzero(strays[words.at]), columns[0], "not an integer", hint)
        self._blank |= _blank(words.words)[words.at]
        return words._replace(words=pc.if_else(pa.array(strays), "", words.words)).classes()

    def weights(self) -> NDArray[np.float32] | None:
        """The weight of each line, not below 0; None without weights."""
        if self.table.weights is None:
            return None
        weights = self._floats(self._met(self.table.weights))
        below = np.flatnonzero((weights < 0) & ~self._bad)
        hint = f"Correct {self.table.path}: a weight must not be below 0."
        self._note_malformed(below, self.table.weights, "below 0", hint)
        return weights

    def by_row(
        self, values: NDArray[Any], weights: NDArray[np.float32] | None
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """The values and weights of the lines, in row order."""
        lines = np.flatnonzero(self.rows >= 0)
        rows = self.rows[lines]
        self.state[rows[~self._blank[lines]]] = FIT
        if (np.bincount(rows) > 1).any():
            self._find_repeated(lines, (values,) if weights is None else (values, weights))
        self.state[rows[self._bad[lines]]] = MALFORMED
        hint = f"Add them to {self.table.path}, or take the files out of {self.listing.root}."
        self.findings += _of_rows(FAULTS[0], np.flatnonzero(self.state == MISSING), self.listing, hint)
        return _placed(values[lines], rows, len(self.listing)), (
            None if weights is None else _placed(weights[lines], rows, len(self.listing))
        )

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
        hint = f"Correct {self.table.path}: a sample has two different labels."
        self.note("duplicate_label", equal, is_problem=False)
        self.note("conflicting_label", conflicting, hint)
        self.state[self.rows[conflicting]] = CONFLICTING

    def _met(self, cells: pa.Array) -> pa.Array:
        """Cells of the lines that name a sample, empty for the others, whose labels are no classes."""
        met = self.rows >= 0
        return cells if met.all() else pc.if_else(pa.array(met), cells, "", memory_pool=POOL)

    def _floats(self, cells: pa.Array) -> NDArray[np.float32]:
        """Cells as finite floats; 0 for empty and malformed ones, which are noted."""
        blank = _blank(cells)
        valid = _matches(cells, NUMBER)
        numbers = pc.if_else(pa.array(valid), cells, "0").cast(pa.float64()).to_numpy()
        with np.errstate(over="ignore"):
            values: NDArray[np.float32] = numbers.astype(np.float32)
        valid &= np.isfinite(values)
        hint = f"Correct {self.table.path}: these are not finite numbers."
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
            path, first, ids = self.table.path, self.table.first_line, self.table.ids.keys
            few = zip(lines[:EXAMPLES].tolist(), remarks, strict=False)
            examples = tuple(f"{path}:{line + first} ({ids[line]}){what}" for line, what in few)
            self.findings.append(Finding(kind, lines.size, examples, is_problem=is_problem, hint=hint))


def _placed(values: NDArray[Any], rows: NDArray[np.int64], n: int) -> NDArray[Any]:
    placed = np.zeros((n, *values.shape[1:]), values.dtype)
    placed[rows] = values
    return placed


def _blank(cells: pa.Array) -> NDArray[np.bool_]:
    blank: NDArray[np.bool_] = pc.equal(cells, "", memory_pool=POOL).to_numpy(zero_copy_only=False)
    return blank


def from_folders(listing: Listing) -> Labels:
    """Label every sample with the name of its folder."""
    folders = pc.fill_null(pc.struct_field(_split(listing.paths), "folder"), "")
    encoded = folders.dictionary_encode()
    names = pc.replace_substring_regex(encoded.dictionary, pattern=r"^.*/", replacement="")
    values, classes = _Words.of(names).classes()
    if len(classes) < len(pc.unique(names)) - ("" in names.to_pylist()):
        raise LabelError(
            f"{listing.root}: two folders spell the same class in different ways, like 1 and 01.",
            "Give the folders of a class the same name, or names that are no integers.",
        )
    at = encoded.indices.to_numpy()
    state = np.where(_blank(names)[at], MISSING, FIT).astype(np.uint8)
    found = _of_rows(FAULTS[0], np.flatnonzero(state), listing, "Move them into the folder of their class.")
    how = "the label of a file is the name of its folder"
    return Labels(values[at], state, classes, None, how, tuple(found))


def has_folder_classes(listing: Listing) -> bool:
    """Whether all files lie in folders, at least two of them: then folder names are taken for labels."""
    folders = pc.unique(pc.struct_field(_split(listing.paths), "folder"))
    return len(folders) > 1 and folders.null_count == 0 and not pc.any(pc.equal(folders, "")).as_py()


def _of_rows(kind: str, rows: NDArray[np.int64], listing: Listing, hint: str) -> list[Finding]:
    """The finding about the labels of some samples, if there are any."""
    if not rows.size:
        return []
    examples = tuple(str(listing.root / listing.paths[row].as_py()) for row in rows[:EXAMPLES].tolist())
    return [Finding(kind, rows.size, examples, is_problem=True, hint=hint)]


def _split(paths: pa.LargeStringArray) -> pa.StructArray:
    """Folder and name of each path; the folder is empty at the root."""
    return pc.extract_regex(paths, pattern=r"(?s)^(?:(?P<folder>.*)/)?(?P<name>[^/]*)$", memory_pool=POOL)


def _ways(table: LabelTable, listing: Listing) -> Iterator[tuple[str, NDArray[np.int64], pa.Array]]:
    """The ways in which ids can name samples: name of the way, row of each id, names of the samples."""
    ids, keys = table.ids.keys, lambda rows: keys_of(listing.paths_of(rows))
    yield "key", find_keys(table.ids, listing.hashes, keys), listing.paths
    yield "path", _rows_of(ids, listing.paths), listing.paths
    names = pc.struct_field(_split(listing.paths), "name")
    stems = keys_of(names)
    yield "stem", _rows_of(ids, stems), stems
    yield "file name", _rows_of(ids, names), names
    integers = _integers(stems)
    yield "integer", _rows_of(_integers(ids), integers), integers


def _rows_of(ids: pa.Array, names: pa.Array) -> NDArray[np.int64]:
    """The first row with each name, -1 for none."""
    rows: NDArray[np.int32] = pc.fill_null(pc.index_in(ids, value_set=names, skip_nulls=True), -1).to_numpy()
    return rows.astype(np.int64)


def _integers(strings: pa.Array) -> pa.Array:
    """The integers that strings spell, null for all others."""
    spelt = pc.match_substring_regex(strings, INTEGER)
    return pc.utf8_ltrim(pc.if_else(spelt, strings, None), characters="+").cast(pa.int64())


def _match(table: LabelTable, listing: Listing) -> tuple[str, NDArray[np.int64], str]:
    """Find the way in which the ids name samples, the row of each (-1 for none), and an example."""
    path, ids, most = table.path, table.ids.keys, 0
    for each, rows_of_ids, names_of_samples in _ways(table, listing):
        count = int(np.count_nonzero(rows_of_ids >= 0))
        if count > most:
            most, way, rows, names = count, each, rows_of_ids, names_of_samples
        if count == len(ids):
            break
    if not most:
        raise LabelError(
            f"{path}: none of its {len(ids):,} ids names a sample. Ids look like "
            f"{_some(ids)}, keys like {_some(listing.keys)}.",
            "An id is the key, the file's stem or name, or the integer that the stem spells.",
        )
    if way not in ("key", "path"):  # which are each file's own
        _refuse_ambiguous(path, way, rows, names, listing)
    met = int(np.argmax(rows >= 0))
    example = f"{ids[met].as_py()!r} matches {listing.paths[rows[met]].as_py()!r}"
    return way, rows, example


def _refuse_ambiguous(
    path: Path, way: str, rows: NDArray[np.int64], names: pa.Array, listing: Listing
) -> None:
    """Refuse ids that name several samples: files in different folders may share stem, name or integer."""
    counts = pc.value_counts(pc.drop_null(names))
    shared = pc.filter(counts.field("values"), pc.greater(counts.field("counts"), 1))
    used = names.take(pa.array(rows[rows >= 0]))
    both = pc.filter(used, pc.is_in(used, value_set=shared))
    if len(both):
        files = sorted(pc.filter(listing.paths, pc.equal(names, both[0])).slice(0, 2).to_pylist())
        raise LabelError(
            f"{path}: ids are the {way} of a file, and {both[0].as_py()!r} is that of several: "
            f"{', '.join(files)}.",
            f"Write the key as id, the path without suffix: {keys_of(pa.array(files))[0].as_py()!r}.",
        )


def _some(strings: pa.Array) -> str:
    return ", ".join(repr(string) for string in strings.slice(0, 3).to_pylist())


def _is_header(cells: pa.Array) -> bool:
    """Whether the first label, whose id names no sample, is a heading: it is unlike all other labels."""
    others = cells[1:]
    if pc.all(pc.match_substring_regex(others, NUMBER)).as_py():
        return not pc.match_substring_regex(cells[:1], NUMBER)[0].as_py()
    return not pc.is_in(cells[:1], value_set=others)[0].as_py()


class _Words(NamedTuple):
    """A column of repeated cells: each word once ("" for an empty cell), its count, the word of each cell."""

    words: pa.Array
    counts: NDArray[np.int64]
    at: NDArray[np.int32]

    @classmethod
    def of(cls, cells: pa.Array) -> "_Words":
        encoded = pc.dictionary_encode(cells, memory_pool=POOL)
        at = encoded.indices.to_numpy()
        return cls(encoded.dictionary, np.bincount(at, minlength=len(encoded.dictionary)), at)

    def have_fractions(self) -> bool:
        """Whether most cells are numbers, and enough of them are written with a fraction."""
        filled = self.counts[~_blank(self.words)].sum()
        numbers, whole = (self.counts[_matches(self.words, pattern)].sum() for pattern in (NUMBER, WHOLE))
        return bool(numbers * 2 > filled and (numbers - whole) * FRACTIONS > numbers)

    def strays(self) -> NDArray[np.bool_]:
        """Which words are not integers although most are: mistakes that would renumber all classes."""
        filled = ~_blank(self.words)
        strays = filled & ~_matches(self.words, INTEGER)
        return strays & bool(self.counts[strays].sum() * WORDS <= self.counts[filled].sum())

    def classes(self) -> tuple[NDArray[np.int64], Classes]:
        """Number the cells: by their own value if all are integers, else by their place in the alphabet.

        Returns:
            The number of each cell, 0 for an empty one, and the labels, ascending.
        """
        known = pc.if_else(pc.equal(self.words, ""), None, self.words)
        whole = pc.all(pc.match_substring_regex(known, INTEGER)).as_py()
        values = _integers(known) if whole else known
        ordered = pc.drop_null(pc.unique(values))
        ordered = ordered.take(pc.sort_indices(ordered))
        numbers = values if whole else pc.index_in(values, value_set=ordered, skip_nulls=True)
        return pc.fill_null(numbers, 0).to_numpy().astype(np.int64)[self.at], tuple(ordered.to_pylist())


def _matches(cells: pa.Array, pattern: str) -> NDArray[np.bool_]:
    matches: NDArray[np.bool_] = pc.match_substring_regex(cells, pattern).to_numpy(zero_copy_only=False)
    return matches
