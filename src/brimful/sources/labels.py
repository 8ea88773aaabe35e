"""Labels: a label for every row, joined by key from a table, or taken from the folders' names.

Never by position. A table has two columns, id and label, with or without a header. The ids of one
table all name samples in the same way, the one of these that fits most of them: the key, the path,
the file's stem, the file's name, or the integer that the stem spells ("1" meets "00001.csv").
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from brimful.errors import LabelError, ReadError
from brimful.sources.base import Finding
from brimful.sources.listing import Listing, keys_of

TABLE_NAMES = tuple(
    f"{name}.{suffix}"
    for name in ("target", "targets", "labels", "label")
    for suffix in ("csv", "tsv", "txt")
)
EXAMPLES = 10
INTEGER = r"^[+-]?[0-9]{1,18}$"
FRACTION = r"^[+-]?([0-9]+\.[0-9]*|\.?[0-9]+)([eE][+-]?[0-9]+)?$"
NO_LABEL = -1  # in `codes`


@dataclass(frozen=True)
class Labels:
    """A label for every row.

    Attributes:
        codes: Position of each row's label in `classes`, int32, NO_LABEL where there is none.
        classes: The labels that occur, ascending.
        how: How they were joined, for a person to check.
        findings: What was noticed while joining.
    """

    codes: NDArray[np.int32]
    classes: tuple[int, ...] | tuple[str, ...]
    how: str
    findings: tuple[Finding, ...] = ()

    def take(self, rows: NDArray[np.int64]) -> "Labels":
        """The labels of some rows."""
        return Labels(self.codes[rows], self.classes, self.how, self.findings)

    def values(self) -> NDArray[np.int64]:
        """What is delivered for each class: the integer itself, or the position of a string."""
        whole = bool(self.classes) and isinstance(self.classes[0], int)
        return np.array(self.classes if whole else range(len(self.classes)), np.int64)


def find_tables(root: Path) -> Iterator[Path]:
    """The label tables of a folder, by name: `target.csv`, `labels.csv` and the like. The first counts."""
    return (root / name for name in TABLE_NAMES if (root / name).is_file())


def join_table(path: Path, listing: Listing) -> Labels:
    """Join a label table to the samples of a listing, by id.

    Raises:
        ReadError: The table cannot be read.
        LabelError: It is not a table of two columns, or its ids meet no sample.
    """
    ids, cells = _read_table(path)
    way, rows, example = _match(path, ids, listing)
    first = 0
    if rows[0] < 0 and _is_header(cells):
        ids, cells, rows, first = ids[1:], cells[1:], rows[1:], 1

    def examples(at: NDArray[np.int64]) -> tuple[str, ...]:
        return tuple(f"{path}:{line + first + 1} ({ids[line]})" for line in at[:EXAMPLES].tolist())

    findings = []
    cells = pc.if_else(pa.array(rows >= 0), cells, "")  # a label that no sample has is no class
    strays = _strays(cells)
    if strays.size:
        cells = pc.if_else(pa.array(np.isin(np.arange(len(cells)), strays)), "", cells)
        hint = f"Correct {path}: most labels are integers, these are not."
        findings.append(Finding("malformed", strays.size, examples(strays), is_problem=True, hint=hint))
    codes_of_lines, classes = _classes(path, cells)
    orphans = np.flatnonzero(rows < 0)
    if orphans.size:
        findings.append(Finding("orphan_label", orphans.size, examples(orphans), is_problem=False))
    codes = np.full(len(listing), NO_LABEL, np.int32)
    met = np.flatnonzero(rows >= 0)
    met = met[np.argsort(rows[met], kind="stable")]
    again = np.flatnonzero(rows[met][1:] == rows[met][:-1]) + 1
    differs = codes_of_lines[met[again]] != codes_of_lines[met[again - 1]]
    if again[~differs].size:
        lines = met[again[~differs]]
        findings.append(Finding("duplicate_label", lines.size, examples(lines), is_problem=False))
    if again[differs].size:
        lines = met[again[differs]]
        hint = f"Correct {path}: the same sample has two different labels."
        findings.append(Finding("conflicting_label", lines.size, examples(lines), is_problem=True, hint=hint))
    codes[rows[met]] = codes_of_lines[met]
    findings += missing(codes, listing, f"Add them to {path}, or take the files out of {listing.root}.")
    return Labels(codes, classes, f"{path.name} names the samples by {way} ({example})", tuple(findings))


def from_folders(listing: Listing) -> Labels:
    """Label every sample with the name of the folder it lies in."""
    folders = pc.fill_null(pc.struct_field(_split(listing.paths), "folder"), "")
    encoded = folders.dictionary_encode()
    names = pc.replace_substring_regex(encoded.dictionary, pattern=r"^.*/", replacement="")
    codes_of_names, classes = _classes(listing.root, names)
    if len(classes) < len(pc.unique(names)) - ("" in names.to_pylist()):
        raise LabelError(
            f"{listing.root}: two folders spell the same class in different ways, like 1 and 01.",
            "Give the folders of a class the same name, or names that are no integers.",
        )
    codes = codes_of_names[encoded.indices.to_numpy()]
    hint = "Move them into the folder of their class."
    found = missing(codes, listing, hint)
    return Labels(codes, classes, "the name of the folder that a file lies in is its label", tuple(found))


def has_folder_classes(listing: Listing) -> bool:
    """Whether all files lie in folders, and in at least two: what folder names as labels look like."""
    folders = pc.unique(pc.struct_field(_split(listing.paths), "folder"))
    return len(folders) > 1 and folders.null_count == 0 and not pc.any(pc.equal(folders, "")).as_py()


def missing(codes: NDArray[np.int32], listing: Listing, hint: str) -> list[Finding]:
    """The finding that samples have no label, if any has none."""
    rows = np.flatnonzero(codes == NO_LABEL)
    if not rows.size:
        return []
    examples = tuple(str(listing.root / listing.paths[row].as_py()) for row in rows[:EXAMPLES].tolist())
    return [Finding("missing_label", rows.size, examples, is_problem=True, hint=hint)]


def _split(paths: pa.LargeStringArray) -> pa.StructArray:
    """Folder and name of each path; the folder is empty at the root."""
    return pc.extract_regex(paths, pattern=r"(?s)^(?:(?P<folder>.*)/)?(?P<name>[^/]*)$")


def _read_table(path: Path) -> tuple[pa.Array, pa.Array]:
    """Ids and label cells, stripped; the header, if there is one, still the first row."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
        delimiter = _delimiter(head)
        table = pyarrow.csv.read_csv(
            path,
            # each thread would keep its own freed memory
            pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True),
            pyarrow.csv.ParseOptions(delimiter=delimiter),
            pyarrow.csv.ConvertOptions(
                column_types={"f0": pa.large_string(), "f1": pa.large_string()},
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except OSError as error:
        raise ReadError(f"{path}: the label table cannot be read: {error.strerror or error}.") from error
    except pa.ArrowInvalid as error:
        raise LabelError(
            f"{path}: this is not a label table: {error}.",
            "Expected two columns, id and label, in UTF-8, with the same delimiter in every line.",
        ) from error
    if table.num_columns != 2:
        raise LabelError(
            f"{path}: expected two columns, id and label. Found {table.num_columns}.",
            "Keep the column that names the sample and the one with its label.",
        )
    ids, cells = (pc.utf8_trim_whitespace(column.combine_chunks()) for column in table.columns)
    return ids, cells


def _delimiter(head: bytes) -> str:
    line = next((line for line in head.splitlines() if line.strip()), b"")
    return next((mark.decode() for mark in (b"\t", b";", b",") if mark in line), " ")


def _ways(listing: Listing) -> Iterator[tuple[str, pa.Array, Callable[[pa.Array], pa.Array]]]:
    """The ways in which ids can name samples: what it is called, the samples' names, what to do to an id."""

    def as_it_is(ids: pa.Array) -> pa.Array:
        return ids

    yield "key", listing.keys, as_it_is
    yield "path", listing.paths, as_it_is
    names = pc.struct_field(_split(listing.paths), "name")
    stems = keys_of(names)
    yield "stem", stems, as_it_is
    yield "file name", names, as_it_is
    yield "integer", _integers(stems), _integers


def _integers(strings: pa.Array) -> pa.Array:
    """The integers that strings spell, null for all others."""
    spelt = pc.match_substring_regex(strings, INTEGER)
    return pc.utf8_ltrim(pc.if_else(spelt, strings, None), characters="+").cast(pa.int64())


def _match(path: Path, ids: pa.Array, listing: Listing) -> tuple[str, NDArray[np.int64], str]:
    """Find the way in which the ids name samples, the row of each (-1 for none), and an example."""
    best: tuple[int, str, pa.Array, pa.Array] | None = None
    for way, names, read in _ways(listing):
        rows = pc.index_in(read(ids), value_set=names, skip_nulls=True)
        count = len(rows) - rows.null_count
        if count and (best is None or count > best[0]):
            best = count, way, rows, names
        if count == len(ids):
            break
    if best is None:
        raise LabelError(
            f"{path}: none of its {len(ids):,} ids meets a sample. Ids look like "
            f"{_some(ids)}, keys like {_some(listing.keys)}.",
            "An id is the key, the file's stem or name, or the integer that the stem spells.",
        )
    _, way, rows, names = best
    _refuse_ambiguous(path, way, rows, names, listing)
    met = pc.index(pc.is_valid(rows), True).as_py()
    example = f"{ids[met].as_py()!r} meets {listing.paths[rows[met].as_py()].as_py()!r}"
    return way, pc.fill_null(rows, -1).to_numpy().astype(np.int64), example


def _refuse_ambiguous(path: Path, way: str, rows: pa.Array, names: pa.Array, listing: Listing) -> None:
    """An id must name one sample: stems, names and integers may stand for several in nested folders."""
    counts = pc.value_counts(pc.drop_null(names))
    shared = pc.filter(counts.field("values"), pc.greater(counts.field("counts"), 1))
    used = pc.take(names, pc.drop_null(rows))
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
    """Whether the first label is a heading: its id meets no sample, and it is unlike all other labels."""
    others = cells[1:]
    if pc.all(pc.match_substring_regex(others, INTEGER)).as_py():
        return not pc.match_substring_regex(cells[:1], INTEGER)[0].as_py()
    return not pc.is_in(cells[:1], value_set=others)[0].as_py()


def _strays(cells: pa.Array) -> NDArray[np.int64]:
    """Positions of labels that are no integers where most are: a slip that would renumber all classes."""
    filled = pc.not_equal(cells, "").to_numpy(zero_copy_only=False)
    whole = pc.match_substring_regex(cells, INTEGER).to_numpy(zero_copy_only=False)
    mostly = np.count_nonzero(whole) * 2 > np.count_nonzero(filled)
    return np.flatnonzero(filled & ~whole) if mostly else np.empty(0, np.int64)


def _classes(path: Path, cells: pa.Array) -> tuple[NDArray[np.int32], tuple[int, ...] | tuple[str, ...]]:
    """Number the labels in ascending order: integers if all of them are, strings otherwise.

    Returns:
        The number of each cell, NO_LABEL for an empty one, and the labels.
    """
    filled = pc.if_else(pc.equal(cells, ""), None, cells)
    known = pc.drop_null(pc.unique(filled))
    whole = pc.all(pc.match_substring_regex(known, INTEGER)).as_py()
    if not whole and pc.all(pc.match_substring_regex(known, FRACTION)).as_py():
        raise LabelError(
            f"{path}: the labels are numbers with a fraction, or very large, like {known[0].as_py()!r}.",
            "Classes must be integers or names; regression on a table of numbers is not supported yet.",
        )
    values = _integers(filled) if whole else filled
    ordered = pc.drop_null(pc.unique(values))
    ordered = ordered.take(pc.sort_indices(ordered))
    codes = pc.fill_null(pc.index_in(values, value_set=ordered, skip_nulls=True), NO_LABEL)
    return codes.to_numpy().astype(np.int32), tuple(ordered.to_pylist())
