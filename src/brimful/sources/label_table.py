"""LabelTable: the file that labels the samples: a column of ids, some of targets, perhaps one of weights."""

import codecs
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from brimful.errors import ArgumentError, LabelError, ReadError
from brimful.keys import HashedKeys
from brimful.memory import POOL
from brimful.options import ScanOptions
from brimful.samples import Finding
from brimful.sources.split_column import SplitColumn, find_split_columns

FILE_NAMES = tuple(
    f"{name}.{suffix}"
    for name in ("target", "targets", "labels", "label")
    for suffix in ("csv", "tsv", "txt")
)
ID_NAMES = (
    *("id", "key", "file", "filename", "filepath", "path", "name", "stem", "fname", "basename"),
    *("image", "imageid", "imagename", "imagefile", "imagepath", "img", "imgid"),
    *("sample", "sampleid", "samplename", "recording", "recordingid", "uid", "uuid", "guid"),
)
TARGET_NAMES = (
    *("label", "labels", "target", "targets", "class", "y"),
    *("category", "classid", "classname", "labelid", "labelname", "species"),
)
MEASURED_NAMES = ("weight", "weights")
WEIGHT_NAMES = ("sampleweight", "sampleweights", *MEASURED_NAMES)
FIRST_BYTES = 1 << 16  # of a table, that show how it is written
OTHER_FORMATS = {
    b"PK": "an Excel file",
    b"\xd0\xcf": "an old Excel file",
    b"{": "JSON",
    b"[": "JSON",
    b"PAR1": "Parquet",
}


@dataclass(frozen=True)
class LabelTable:
    """The columns taken, as strings without blanks around them.

    Attributes:
        name: The file, or what else it is, for messages.
        first_line: Line of the file that holds the first row, if each takes one line; 0 if it is no file.
        others: Names of the columns that are not used.
        measured: The name of the column of weights, if that is only said by a name like "weight", which may
            also be that of something measured; empty if not.
        findings: What is doubtful about the file.
        is_id_named: Whether the user has named the column of ids.
        split: The column that says on which side of a split each sample is, if there is one. If there are
            several, the others are among those that are not used.
    """

    name: str
    ids: HashedKeys
    targets: dict[str, pa.Array]
    weights: pa.Array | None
    first_line: int
    others: tuple[str, ...]
    split: SplitColumn | None = None
    measured: str = ""
    findings: tuple[Finding, ...] = ()
    is_id_named: bool = False

    def without_first(self) -> "LabelTable":
        """The table without its first row, which turned out to be a header."""
        return replace(
            self,
            ids=HashedKeys.of(self.ids.keys[1:]),
            targets={name: cells[1:] for name, cells in self.targets.items()},
            weights=None if self.weights is None else self.weights[1:],
            first_line=self.first_line + 1,
        )


def find_tables(root: Path) -> Iterator[Path]:
    """The label tables of a folder, by name: `target.csv`, `labels.csv` and the like. The first is used."""
    found: list[Path] = []
    for usual in FILE_NAMES:
        for name in (usual, usual.capitalize(), usual.upper(), usual.replace(".csv", ".CSV")):
            path = root / name
            if path.is_file() and not any(path.samefile(other) for other in found):
                found.append(path)
                yield path


def read_table(path: Path, options: ScanOptions) -> LabelTable:
    """Read a label table.

    The first row is a header if it holds a column name that was asked for, or begins with a usual name for
    ids, or holds such a name and a usual one for targets or weights. Otherwise the join finds out.

    Raises:
        ReadError: The file cannot be read.
        LabelError: The file is not a table, or it is not clear which columns to take.
        ArgumentError: The table lacks a column that was asked for.
    """
    content, findings = _text(path)
    return replace(_table(str(path), _cells(path, content), options, first_line=1), findings=findings)


def read_ids(path: Path) -> LabelTable:
    """The ids of a table, whatever other columns it has; the targets are those of all columns.

    Raises:
        ReadError: The file cannot be read.
        LabelError: The file is not a table.
    """
    cells = _cells(path, _text(path)[0])
    if len(cells) < 2:
        raise LabelError(f"{path}: expected at least two columns, id and label. Found one.")
    heads = [str(column[0].as_py()) for column in cells]
    has_header = _is_header(heads, [column[1:] for column in cells], ScanOptions())
    name = _usual(heads, ID_NAMES) if has_header else None
    ids = cells[heads.index(name) if name else 0]
    columns = {str(at): column for at, column in enumerate(cells)}
    table = LabelTable(str(path), HashedKeys.of(ids), columns, None, 1, ())
    return table.without_first() if has_header else table


def frame_table(frame: Any, options: ScanOptions) -> LabelTable:
    """The label table that a table in memory holds, of pandas, Polars or Arrow; an index is the first column.

    Raises:
        LabelError: It is not clear which columns to take.
        ArgumentError: The table lacks a column that was asked for.
    """
    if hasattr(frame, "index"):  # of pandas; a name says that the index is worth keeping
        table = pa.Table.from_pandas(frame, preserve_index=True if frame.index.name else None)
    else:
        table = pa.table(frame)
    names = ["id" if name.startswith("__index_level_") else name for name in table.column_names]
    columns = [
        pa.concat_arrays([pa.array([name], pa.large_string()), *_as_strings(column).chunks])
        for name, column in zip(names, table.columns, strict=True)
    ]
    order = sorted(range(len(names)), key=lambda at: names[at] != "id" or table.column_names[at] == "id")
    return _table(
        f"the {type(frame).__name__} given as labels", [columns[at] for at in order], options, first_line=0
    )


def is_frame(given: Any) -> bool:
    """Whether labels are given as a table in memory: of pandas, Polars or Arrow."""
    return hasattr(given, "__arrow_c_stream__") and hasattr(given, "columns")


def _as_strings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as strings, empty where there is nothing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pc.fill_null(column.cast(pa.large_string()), "")


def _table(name: str, cells: list[pa.Array], options: ScanOptions, *, first_line: int) -> LabelTable:
    """The columns that are taken; the first row may be a header, and is one if there are no lines."""
    path, heads = name, [str(column[0].as_py()) for column in cells]
    below = [column[1:] for column in cells]
    has_header = not first_line or _is_header(heads, below, options)
    numbers = [str(number) for number in range(1, len(cells) + 1)]
    names = heads if has_header else numbers
    if len(set(names)) < len(names):
        raise LabelError(f"{path}: two columns have the same name: {_listed(names)}.", "Rename one.")

    def named(asked: str) -> str:
        if asked in names:
            return asked
        if asked in numbers:
            return names[int(asked) - 1]
        close = difflib.get_close_matches(asked, heads, n=1)
        raise ArgumentError(
            f"{path}: there is no column {asked!r}. There are {_listed(heads)}.",
            f"Did you mean {close[0]!r}?" if close else "",
        )

    asked_targets = tuple(map(named, options.target))
    free = [name for name in names if name not in map(named, options.table_columns)]
    id_name = named(options.id) if options.id else _usual(free, ID_NAMES) or (free or names)[0]
    weight = named(options.weight) if options.weight else _usual(free, WEIGHT_NAMES)
    by_name = dict(zip(names, below if has_header else cells, strict=True))
    left = [name for name in names if name not in (id_name, weight)]
    splits = find_split_columns({name: (_word(name), by_name[name]) for name in left if name in free})
    split = splits[0] if splits and len(left) > 1 else None
    left = [name for name in left if not split or name != split.name]
    targets = asked_targets or _target(path, left)
    if {id_name, weight} & {*targets} or id_name == weight:
        raise ArgumentError(f"{path}: one column cannot be two of id, target and weight: {_listed(names)}.")
    return LabelTable(
        name,
        HashedKeys.of(by_name[id_name]),
        {name: by_name[name] for name in targets},
        by_name[weight] if weight else None,
        first_line + has_header if first_line else 0,
        tuple(name for name in left if name not in targets),
        split,
        weight if weight and not options.weight and _word(weight) in MEASURED_NAMES else "",
        is_id_named=bool(options.id),
    )


def _is_header(heads: Sequence[str], below: Sequence[pa.Array], options: ScanOptions) -> bool:
    """Whether the first row has headings, given the cells below it."""
    if any(name in heads for name in options.table_columns if not name.isdigit()):
        return True
    words = [_word(head) for head in heads]
    others = {*words} & {*TARGET_NAMES, *WEIGHT_NAMES}
    if words[0] in ID_NAMES or ({*words} & {*ID_NAMES} and others):
        return True
    return bool(find_split_columns(dict(zip(heads, zip(words, below, strict=True), strict=True))))


def _target(path: str, left: Sequence[str]) -> tuple[str, ...]:
    usual = _usual(left, TARGET_NAMES)
    if usual and _word(usual) == "y" and any(_word(name) == "x" for name in left):
        usual = None  # a place, of which y is one half
    if usual or len(left) == 1:
        return (usual or left[0],)
    if not left:
        raise LabelError(
            f"{path}: expected at least two columns, id and label. Found one.",
            "Keep the column that names the sample and the one with its label.",
        )
    raise LabelError(
        f"{path}: which column is the target? There are {_listed(left)}.",
        "Name it: target='...' in Python, --target on the command line; several with commas between.",
    )


def _usual(names: Sequence[str], known: Sequence[str]) -> str | None:
    """The first known name that occurs, however it is spelt."""
    return next((name for usual in known for name in names if _word(name) == usual), None)


def _word(head: str) -> str:
    """A heading as it is looked up: `ImageId`, `image_id` and `Image Id` are one."""
    return "".join(letter for letter in head.casefold() if letter.isalnum())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")


def _cells(path: Path, content: bytes) -> list[pa.Array]:
    """All columns as strings, stripped, without what is blank throughout; a header is still the first row."""
    first = content[:FIRST_BYTES]
    line = next((line for line in first.splitlines() if line.strip()), b"")
    delimiter = next((mark.decode() for mark in (b"\t", b";", b",") if mark in line), " ")
    if delimiter == " " and b'"' not in content:
        content = re.sub(rb"(?m)^ +| +$", b"", re.sub(rb" {2,}", b" ", content))
    content = _with_row_names(content, delimiter.encode())
    row = first if b'"' in line else line  # quoted cells may hold line breaks; `count` is an upper bound
    count = row.count(delimiter.encode()) + 2
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            # each thread would keep its own freed memory
            pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True),
            pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                column_types={f"f{at}": pa.large_string() for at in range(count)},
                null_values=[],
                strings_can_be_null=False,
            ),
            POOL,
        )
    except pa.ArrowInvalid as error:
        raise LabelError(
            f"{path}: this is not a label table: {error}.",
            "Expected columns, id and label, with the same delimiter in every line.",
        ) from error
    return _without_blanks([_trimmed(pa.concat_arrays(column.chunks, POOL)) for column in table.columns])


def _text(path: Path) -> tuple[bytes, tuple[Finding, ...]]:
    """The table in UTF-8: spreadsheets also write UTF-16, and cp1252, which is a guess that is warned of."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path}: the label table cannot be read: {error.strerror or error}.") from error
    begin = content[:FIRST_BYTES].lstrip()
    for magic, what in OTHER_FORMATS.items():
        if begin.startswith(magic):
            raise LabelError(
                f"{path}: this is {what}, not a table as text.",
                "Save it as CSV, or read it with pandas and give the table: labels=frame.",
            )
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16").encode(), ()
    try:
        if not content.isascii():
            content.decode()
    except UnicodeDecodeError as error:
        text = content.decode("cp1252", errors="replace")
        line = text[: len(content[: error.start].decode("cp1252", errors="replace"))].count("\n")
        example = f"{path}:{line + 1}: {text.splitlines()[line][:60]!r}"
        hint = "It is not UTF-8, and is read as cp1252. If letters are wrong, save it as UTF-8."
        return text.encode(), (Finding("guessed_encoding", 1, (example,), is_problem=False, hint=hint),)
    return content, ()


def _with_row_names(content: bytes, delimiter: bytes) -> bytes:
    """The table of R's `write.table`, whose lines begin with a name that the header lacks, with a heading."""
    first, second, *_ = [*content[:FIRST_BYTES].split(b"\n", 2)[:2], b""]
    is_short = first.count(delimiter) + 1 == second.count(delimiter) and first.startswith(b'"')
    return b'"row names"' + delimiter + content if is_short and second.startswith(b'"') else content


def _without_blanks(cells: list[pa.Array]) -> list[pa.Array]:
    """The columns and rows in which something stands; spreadsheets write others too."""
    blank = np.array([pc.equal(column, "").to_numpy(zero_copy_only=False) for column in cells])
    kept = [column for column, empty in zip(cells, blank, strict=True) if not empty.all()]
    if not blank.all(axis=0).any():
        return kept or cells
    rows = pa.array(~blank.all(axis=0))
    return [column.filter(rows) for column in kept] or cells


def _trimmed(cells: pa.LargeStringArray) -> pa.LargeStringArray:
    """Cells without blanks around them; most tables have no blank at all, which is quick to check."""
    content = np.frombuffer(cells.buffers()[2] or b"", np.uint8)
    may_be_blank = (content <= ord(" ")).any() or (content >= 0x80).any()  # Unicode has more blanks
    return pc.utf8_trim_whitespace(cells, memory_pool=POOL) if may_be_blank else cells
