"""CsvDialect: how a CSV file is written: delimiter, header, decimal mark; found in its first records."""

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from brimful.errors import MalformedFileError
from brimful.options import ScanOptions
from brimful.samples import Finding
from brimful.sources.label_table import ID_NAMES, TARGET_NAMES, WEIGHT_NAMES
from brimful.sources.tables.csv_cells import COMMA_NUMBER, FLAGS, GROUPED, NUMBER, THOUSANDS
from brimful.sources.words import MISSING_WORDS

HEAD_BYTES = 1 << 20  # of a file, in which the dialect is looked for
HEAD_RECORDS = 500
DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
FEW = 20  # at most one cell in so many of a column of numbers is something else
OTHER_FORMATS = {
    b"PK": "an Excel file, or another zip archive",
    b"\xd0\xcf": "an old Excel file",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x1f\x8b": "compressed: its name should end in .gz",
    b"\x89HDF": "an HDF5 file",
    codecs.BOM_UTF32_LE: "text in UTF-32",
    codecs.BOM_UTF16_LE: "text in UTF-16",
    codecs.BOM_UTF16_BE: "text in UTF-16",
}


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written.

    Attributes:
        delimiter: What stands between cells.
        names: The heading of each column; its number, counted from 1, if there is no header.
        has_header: Whether the first record is a header.
        skipped_lines: Lines at the beginning that are left out.
        decimal: The decimal mark.
        width: Cells per record: one more than there are names if a delimiter ends each record.
        findings: What is doubtful.
    """

    delimiter: str
    names: tuple[str, ...]
    has_header: bool
    skipped_lines: int
    decimal: str
    width: int
    findings: tuple[Finding, ...] = ()

    @property
    def described(self) -> str:
        """In words."""
        header = "a header" if self.has_header else "no header"
        skipped = f", {self.skipped_lines} lines before it left out" if self.skipped_lines else ""
        decimal = ", decimal commas" if self.decimal == "," else ""
        between = f"cells between {DELIMITERS[self.delimiter]}" if self.width > 1 else "a single column"
        return f"{between}, {header}{skipped}{decimal}"


def detect_dialect(path: Path, head: bytes, options: ScanOptions, *, is_whole: bool) -> CsvDialect:
    """The dialect of a CSV file, from its first bytes.

    Raises:
        MalformedFileError: It is no CSV file, or it is not clear what the first line is.
    """
    text = _text(path, head, is_whole=is_whole)
    skipped = options.skip_lines or 0
    lines = text.split("\n", skipped)
    if len(lines) <= skipped or not lines[-1].strip():
        raise MalformedFileError(f"{path}: there is no record in this file.", "Check the file.", "empty")
    found = {mark: _records(lines[-1], mark, is_whole=is_whole) for mark in DELIMITERS}
    delimiter, findings = _delimiter(path, found)
    records = found[delimiter]
    _refuse_blanks(path, records)
    decimal = options.decimal or _decimal(path, records)
    has_header, doubts = _has_header(path, records, options, decimal)
    names, width = _names(path, records, has_header=has_header)
    doubts += _leading_zeros(path, dict(enumerate(names)), records[has_header:], options)
    return CsvDialect(delimiter, names, has_header, skipped, decimal, width, (*findings, *doubts))


def _text(path: Path, head: bytes, *, is_whole: bool) -> str:
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            hint = (
                "Save it as CSV in UTF-8." if "UTF" in what or "Excel" in what else "Give it its own suffix."
            )
            raise MalformedFileError(f"{path}: this is {what}, not CSV in UTF-8.", hint)
    if b"\0" in head:
        raise MalformedFileError(f"{path}: this is not text: there are NUL bytes.", "Check the file.")
    if b"\r" in head and b"\n" not in head:
        raise MalformedFileError(
            f"{path}: its lines end in carriage returns alone.", "Save it with line feeds, as all systems do."
        )
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=is_whole)
    except UnicodeDecodeError as error:
        line = head[: error.start].count(b"\n") + 1
        raise MalformedFileError(f"{path}:{line}: this is not UTF-8.", "Save it as UTF-8.") from error


def _records(text: str, delimiter: str, *, is_whole: bool) -> list[list[str]]:
    """The first records that are not blank; the last one, which may be cut, is left out of a part."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        found = list(islice((record for record in reader if record), HEAD_RECORDS))
    except csv.Error:  # a cell that is too large
        return []
    return found if is_whole or len(found) == HEAD_RECORDS or len(found) < 2 else found[:-1]


def _delimiter(path: Path, found: dict[str, list[list[str]]]) -> tuple[str, list[Finding]]:
    """The delimiter that divides all records into as many cells; the header may have one less."""
    widths = {
        mark: Counter(map(len, records[1:] or records)).most_common(1)[0]
        for mark, records in found.items()
        if records
    }
    if not widths:
        raise MalformedFileError(f"{path}: the first record cannot be told.", "Check quotes and line ends.")
    fits = [mark for mark in widths if _fits(found[mark], *widths[mark])]
    if not fits:  # the records that differ are an error later, with their line
        heads = {mark: len(found[mark][0]) == width for mark, (width, _) in widths.items()}
        usual = max(
            widths, key=lambda mark: (widths[mark][0] > 1, widths[mark][1] + heads[mark], mark == ",")
        )
        return (usual if widths[usual][0] > 1 else ","), []
    if path.name.lower().endswith((".tsv", ".tab")) and "\t" in fits:
        return "\t", []
    if len(fits) < 2 or (fits[-1] == "," and _are_decimals(found[fits[0]])):
        return fits[0], []
    both = " or ".join(f"{DELIMITERS[mark]} ({widths[mark][0]} cells)" for mark in fits)
    hint = f"It is read with {DELIMITERS[fits[0]]}. If that is wrong, write it with tabs."
    return fits[0], [Finding("doubtful_delimiter", 1, (f"{path}: cells between {both}",), False, hint)]


def _refuse_blanks(path: Path, records: list[list[str]]) -> None:
    """Refuse a table whose cells stand between blanks."""
    words = {len(record[0].split()) for record in records}
    if (
        len(records[0]) == 1
        and len(words) == 1
        and words != {1}
        and not is_number(records[0][0].split()[0], ".")
    ):
        raise MalformedFileError(
            f"{path}: cells stand between {', '.join(DELIMITERS.values())}, and here there are only blanks: "
            f"{records[0][0][:60]!r}.",
            "Write the table with commas or tabs.",
        )


def _fits(records: list[list[str]], width: int, count: int) -> bool:
    """Whether all records have as many cells; the header may have one less if the last is always empty."""
    below = records[1:] or records
    if width < 2 or count < len(below):
        return False
    return width == len(records[0]) or (
        width == len(records[0]) + 1 and not any(record[-1] for record in below)
    )


def _are_decimals(records: list[list[str]]) -> bool:
    """Whether all commas in some cells are decimal commas."""
    cells = [cell.strip() for record in records[1:] for cell in record if "," in cell]
    return all(re.match(COMMA_NUMBER, cell) for cell in cells)


def _decimal(path: Path, records: list[list[str]]) -> str:
    """The decimal mark of most numbers that have one.

    Raises:
        MalformedFileError: A comma may be a decimal one, or stand between thousands.
    """
    cells = [cell.strip() for record in records[1:] for cell in record if "," in cell]
    grouped = next((cell for cell in cells if re.match(THOUSANDS, cell)), None)
    if grouped:
        raise MalformedFileError(
            f"{path}: numbers like {grouped!r} have a mark between thousands.",
            "Write them without it, like 1299.99.",
        )
    commas = [cell for cell in cells if re.match(COMMA_NUMBER, cell)]
    if not commas:
        return "."
    if all(re.match(GROUPED, cell) for cell in commas):
        raise MalformedFileError(
            f"{path}: numbers like {commas[0]!r} may have a decimal comma, or a comma between thousands.",
            "If it is a decimal comma: decimal=',', --decimal ,. If not, write them without it.",
        )
    return ","


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell is a number, or true or false."""
    cell = cell.strip()
    return bool(re.match(NUMBER if decimal == "." else COMMA_NUMBER, cell)) or cell in FLAGS


def _has_header(
    path: Path, records: list[list[str]], options: ScanOptions, decimal: str
) -> tuple[bool, list[Finding]]:
    """Whether the first record is a header: it is unlike the cells below it.

    Raises:
        MalformedFileError: That cannot be told: words over words that nobody knows.
    """
    first, below = records[0], records[1:]
    asked = [*options.table_columns, *options.inputs]
    if any(name in first for name in asked if not name.isdigit()):
        return True, []
    if not below:
        return not all(is_number(cell, decimal) for cell in first), []
    evidence = [_is_unlike(cell, at, below, decimal) for at, cell in enumerate(first)]
    is_pandas = not first[0].strip() and all(cell.strip() for cell in first[1:])  # with row numbers
    if True in evidence or is_pandas:
        return True, []
    if False in evidence:
        return False, _counting(path, first)
    names = {"".join(filter(str.isalnum, cell.casefold())) for cell in first}
    is_usual = bool(names & {*ID_NAMES, *TARGET_NAMES, *WEIGHT_NAMES})
    if is_usual or (asked and all(name.isdigit() for name in asked)):
        return is_usual, []
    raise MalformedFileError(
        f"{path}: the first line may be a header or a sample: {', '.join(first)[:80]!r}.",
        "All columns are words. If it is a header, name a column by it: target='...'. If it is a sample, "
        "name columns by their numbers, counted from 1: target='3'.",
    )


def _is_unlike(cell: str, at: int, below: list[list[str]], decimal: str) -> bool | None:
    """Whether a cell of the first record is none of a column of numbers; None if the column is of words."""
    cells = [record[at].strip() for record in below if len(record) > at]
    filled = [each for each in cells if each.casefold() not in MISSING_WORDS]
    if not filled or sum(not is_number(each, decimal) for each in filled) * FEW > len(filled):
        known = Counter(cells)
        few = len(cells) > 2 * len(known)
        return True if few and cell.strip() and cell.strip() not in known else None
    return not is_number(cell, decimal) if cell.strip().casefold() not in MISSING_WORDS else None


def _counting(path: Path, first: list[str]) -> list[Finding]:
    """The warning that a first record of 0, 1, 2, ... may be the numbers of the columns."""
    if len(first) < 4 or first not in ([str(at + start) for at in range(len(first))] for start in (0, 1)):
        return []
    hint = "It is taken for a sample. If it numbers the columns, leave it out: skip_lines=1, --skip-lines 1."
    return [Finding("doubtful_header", 1, (f"{path}:1: {', '.join(first[:6])}, ...",), False, hint)]


def _leading_zeros(
    path: Path, names: dict[int, str], records: list[list[str]], options: ScanOptions
) -> list[Finding]:
    """The warning that a column may be of codes: as many digits in each cell, and a 0 in front of some."""
    found = []
    for at, name in names.items():
        cells = [record[at].strip() for record in records if len(record) > at and record[at].strip()]
        is_code = len({len(cell) for cell in cells}) == 1 and all(map(str.isdecimal, cells))
        zero = next((cell for cell in cells if len(cell) > 1 and cell.startswith("0")), None)
        if is_code and zero and name not in options.table_columns:
            found.append(f"{path}: the column {name!r} holds {zero!r}, which is delivered as {int(zero)}")
    if not found:
        return []
    hint = "If these are codes, leave the column out (inputs=, --inputs), or write letters in front of them."
    return [Finding("leading_zeros", len(found), tuple(found[:10]), is_problem=False, hint=hint)]


def _names(path: Path, records: list[list[str]], *, has_header: bool) -> tuple[tuple[str, ...], int]:
    """The names of the columns, and how many cells a record has."""
    if not has_header:
        return tuple(str(number) for number in range(1, len(records[0]) + 1)), len(records[0])
    names = [name.strip() for name in records[0]]
    width = Counter(map(len, records[1:])).most_common(1)[0][0] if len(records) > 1 else len(names)
    is_dropped = width == len(names) + 1 and not any(record[width - 1 :] != [""] for record in records[1:])
    if width != len(names) and not is_dropped:
        raise MalformedFileError(
            f"{path}: the header has {len(names)} names, and the lines below it have {width} cells.",
            "Complete it; or leave lines above the header out: skip_lines=1, --skip-lines 1.",
            "wrong_shape",
        )
    names += [""] * is_dropped
    named = [name or f"column {at}" for at, name in enumerate(names, start=1)]
    twice = [name for name, count in Counter(named).items() if count > 1]
    if twice:
        raise MalformedFileError(f"{path}: two columns are called {twice[0]!r}.", "Rename one of them.")
    return tuple(named), len(named)
