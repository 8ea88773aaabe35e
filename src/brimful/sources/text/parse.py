"""Parse: detects the dialect of a file, and parses many files of one dialect.

A float delivered is `dtype(float(text))`, as `np.loadtxt` gives: pyarrow parses to the nearest
float64, NumPy casts. Parsing takes the fastest safe way, and falls back:

    even_numbers    all cells of one width, in a few native calls
    marked_numbers  cells of any width, in a few more
    tidy            then the same without needless blanks and blank lines
    parse_one       then file by file with Python's `float`, which finds line and column of an error
"""

import codecs
import contextlib
import csv
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.options import Missing
from brimful.sources.text.columns import NEWLINE, even_numbers, marked_numbers
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import PLAIN, Dialect, TextError, TextOptions
from brimful.sources.words import MISSING_WORDS

DECIMAL_COMMA = re.compile(
    rb"\d,\d|^\d+[ \t]+[+-]?\d+$"
)  # the second if the comma was taken for the delimiter

BLANKS_BESIDE_TABS = b" \r\n\v\f"
CARRIAGE_RETURN = ord("\r")
SMALL = 1_000  # bytes; below, a dozen native calls take longer than Python's `float`


def detect(text: bytes, options: TextOptions = PLAIN) -> Dialect:
    """Detect the dialect of a file, as far as the options do not say it.

    Raises:
        TextError: It is of no dialect known here.
    """
    _refuse_binary(text)
    lines = _lines(text)
    comments = 0
    while comments < len(lines) and lines[comments].startswith((b"#", b"%")):
        comments += 1
    skip = comments if options.skip_lines is None else options.skip_lines
    lines = lines[skip:]
    if not any(map(bytes.strip, lines)):
        raise TextError("empty", "there is no number in this file")
    body = b"\n".join(lines)
    marks: tuple[bytes, ...] = (b";", b",", b"\t")
    if options.decimal == "," and b'","' not in body:  # then commas stand between quotes
        marks = (b";", b"\t")
    delimiter = next((mark for mark in marks if mark in body), b" ")
    lines = [line for line in lines if not _is_blank(line, delimiter)]
    quoted, around = b'"' in body, b" " if delimiter == b"\t" else b" \t"
    trailing = (
        options.trailing
        and delimiter != b" "
        and all(line.rstrip(around).endswith(delimiter) for line in lines)
    )
    padded = delimiter == b" " and any(b"" in line.split(b" ") for line in lines)
    columns = len(_cells(lines[0], delimiter, quoted=quoted)) - trailing
    kept = options.kept_of(columns)
    widths = {len(_cells(line, delimiter, quoted=quoted)) for line in lines} if kept else set()
    dialect = Dialect(
        delimiter,
        rows=len(lines),
        columns=len(kept) or columns,
        padded=padded,
        skip=skip,
        comments=options.skip_lines is None and skip > 0,
        trailing=trailing,
        quoted=quoted,
        decimal=options.decimal or ".",
        kept=kept,
        missing=options.missing,
        width=columns if not kept or widths == {columns + trailing} else 0,
    )
    if len(text) >= SMALL:
        with contextlib.suppress(TextError):
            parse(FileContents.of([text]), dialect, "float64")
            return dialect
    parse_one(text, dialect)  # slow for much text, but it finds the place of an error
    return dialect


def parse(texts: FileContents, dialect: Dialect, dtype: str) -> NDArray[Any]:
    """Parse many whole files of one dialect to a float dtype.

    Returns:
        Shape `(len(texts), dialect.size)`.

    Raises:
        TextError: A file is not of this dialect, or holds something that is not a finite number.
            `parse_one` finds which file it is, and the place.
    """
    if dialect.is_written_otherwise:
        return parse(FileContents.of([plain(text, dialect) for text in texts.split()]), dialect.plain, dtype)
    if not dialect.padded:
        with contextlib.suppress(TextError):
            return even_numbers(texts, dialect, dtype)
        if (closed := _closed(texts)) is not texts:
            with contextlib.suppress(TextError):
                return even_numbers(closed, dialect, dtype)
        with contextlib.suppress(TextError):
            return marked_numbers(closed, dialect, dtype)
    tidied = FileContents.of([tidy(text, dialect.delimiter) for text in texts.split()])
    return marked_numbers(tidied, dialect, dtype)


def parse_one(text: bytes, dialect: Dialect, dtype: str = "float64") -> NDArray[Any]:
    """Parse one file with Python's `float`, slowly, and find the place of an error.

    It may have any number of lines if the dialect has 0.

    Returns:
        Shape `(dialect.size,)`.

    Raises:
        TextError: With line and column.
    """
    _refuse_binary(text)
    rows = list(_rows(text, dialect))
    if not rows:
        raise TextError("empty", "there is no number in this file")
    array = np.array([_numbers(cells, number, dialect) for number, cells in rows])
    if dialect.rows and len(rows) != dialect.rows:
        raise TextError("wrong_shape", f"expected {dialect.rows:,} lines of values, found {len(rows):,}")
    is_missing = np.isnan(array) & (dialect.missing not in ("raise", "skip"))
    if is_missing.any():
        array = _filled(array, is_missing, dialect.missing)
    with np.errstate(over="ignore"):
        array = array.astype(dtype)
    for row, column in np.argwhere(~np.isfinite(array) & ~(is_missing & np.isnan(array))).tolist():
        number, cells = rows[row]
        cell = cells[column].decode()
        raise TextError("non_finite", f"{cell} is not finite as {dtype}", number, column + 1)
    return array.ravel()


def line_dialect(text: bytes, dialect: Dialect) -> Dialect:
    """The dialect of a file of one line, which may have any number of values.

    Raises:
        TextError: It has no line, or several.
    """
    _refuse_binary(text)
    any_width = replace(dialect, rows=1, width=0)
    rows = list(_rows(text, any_width))
    if not rows:
        raise TextError("empty", "there is no number in this file")
    if len(rows) > 1:
        found = f"expected one line, as the other files have, found {len(rows):,}"
        raise TextError("wrong_shape", found, rows[1][0])
    return replace(any_width, columns=len(rows[0][1]))


def _filled(array: NDArray[Any], is_missing: NDArray[np.bool_], missing: Missing) -> NDArray[Any]:
    """An array in which zeros, or the means of their columns, stand for missing values; or NaN.

    A column that has no number gets the mean of the file.

    Raises:
        TextError: There is no number of which to take the mean.
    """
    if missing == "0":
        return np.where(is_missing, 0.0, array)
    if missing == "nan":
        return array
    if is_missing.all():
        raise TextError("empty", "there is no number in this file of which to take the mean")
    count = (~is_missing).sum(axis=0)
    known = np.where(is_missing, 0.0, array)
    means = np.where(count, known.sum(axis=0) / count.clip(min=1), known.sum() / count.sum())
    return np.where(is_missing, means, array)


def plain(text: bytes, dialect: Dialect) -> bytes:
    """The same numbers between delimiters alone, with decimal points; cells that are not kept are gone.

    Raises:
        TextError: A line that should be a comment is none, or has other columns.
    """
    mark = dialect.plain.delimiter
    return b"".join(mark.join(cells) + b"\n" for _, cells in _rows(text, dialect))


def _rows(text: bytes, dialect: Dialect) -> Iterator[tuple[int, list[bytes]]]:
    """The lines with values: their numbers from 1, and the cells that are kept."""
    for number, line in enumerate(_lines(text), start=1):
        if number <= dialect.skip:
            if dialect.comments and not line.startswith((b"#", b"%")):
                raise TextError("malformed", "expected a comment here, as in the other files", number)
        elif not _is_blank(line, dialect.delimiter):
            yield number, _kept_cells(line, number, dialect)


def _kept_cells(line: bytes, number: int, dialect: Dialect) -> list[bytes]:
    """The cells of a line that are kept, without quotes, with decimal points.

    Raises:
        TextError: The line has more or fewer columns than those of which some are kept.
    """
    cells = _cells(line, dialect.delimiter, quoted=dialect.quoted)
    if not dialect.is_written_otherwise:
        return cells
    if dialect.trailing and not cells[-1]:
        cells.pop()
    if dialect.kept:
        if dialect.width and len(cells) != dialect.width:
            message = f"expected {dialect.width:,} columns in this line, found {len(cells):,}"
            raise TextError("wrong_shape", message, number)
        cells = [cells[at] for at in dialect.kept if at < len(cells)]
    if dialect.quoted:
        cells = [cell.strip(b'"').strip(b" \t") for cell in cells]
    if dialect.decimal == ",":
        ends = b"," if dialect.delimiter == b" " else b""  # as in "0,98, 1,18"
        cells = [cell.rstrip(ends).replace(b",", b".") for cell in cells]
    return cells


def tidy(text: bytes, delimiter: bytes) -> bytes:
    """The same numbers without byte order mark, blank lines and, if blanks delimit, runs of blanks."""
    lines = [line for line in _lines(text) if not _is_blank(line, delimiter)]
    if delimiter == b" ":
        lines = [b" ".join(line.split()) for line in lines]
    return b"\n".join(lines) + b"\n"


def _refuse_binary(text: bytes) -> None:
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in text:
        raise TextError("malformed", "this is not text in UTF-8 (UTF-16, or binary)")


def _closed(texts: FileContents) -> FileContents:
    """The texts without byte order mark, every line ended by a newline alone."""
    joined, lengths, ends = texts.joined, texts.lengths, texts.ends
    if (
        lengths.all()
        and (joined[ends - 1] == NEWLINE).all()
        and (joined[ends - lengths] != codecs.BOM_UTF8[0]).all()
        and not (joined == CARRIAGE_RETURN).any()
    ):
        return texts
    files = (text.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n") for text in texts.split())
    return FileContents.of([text if text.endswith(b"\n") else text + b"\n" for text in files])


def _lines(text: bytes) -> list[bytes]:
    return text.removeprefix(codecs.BOM_UTF8).splitlines()


def _is_blank(line: bytes, delimiter: bytes) -> bool:
    """Whether a line has no cells, not even empty ones."""
    return not line.strip(BLANKS_BESIDE_TABS if delimiter == b"\t" else None)


def _cells(line: bytes, delimiter: bytes, *, quoted: bool) -> list[bytes]:
    """The cells of a line; if they may be quoted, a delimiter in quotes is part of a cell."""
    if delimiter == b" ":
        return line.split()
    if quoted and b'"' in line:
        text, mark = line.decode(errors="surrogateescape"), delimiter.decode()
        found = next(csv.reader([text], delimiter=mark, skipinitialspace=True), [])
        return [cell.encode(errors="surrogateescape").strip(b" \t") for cell in found]
    return [cell.strip(b" \t") for cell in line.split(delimiter)]


def _numbers(cells: list[bytes], number: int, dialect: Dialect) -> list[float]:
    values = [_number(cell, number, column, dialect.missing) for column, cell in enumerate(cells, start=1)]
    if len(cells) != dialect.columns:
        column = min(len(cells), dialect.columns) + 1
        message = f"expected {dialect.columns:,} values in this line, found {len(cells):,}"
        raise TextError("wrong_shape", message, number, column)
    return values


def _number(cell: bytes, line: int, column: int, missing: Missing) -> float:
    try:
        if b"_" in cell:  # Python takes 1_000 for a number, unlike programs that write CSV
            raise ValueError
        number = float(cell)
        value: float | None = number
        is_missing = math.isnan(number) and missing != "raise"
    except ValueError:
        is_missing = missing != "raise" and cell.decode(errors="replace").casefold() in MISSING_WORDS
        value = math.nan if is_missing else None
    if is_missing and missing == "skip":
        raise TextError("missing_value", "a value is missing", line, column)
    if value is None:
        found = f"{cell[:40].decode(errors='backslashreplace')!r}" if cell else "an empty cell"
        remark = ". For decimal commas: decimal=',', --decimal ," if DECIMAL_COMMA.search(cell) else ""
        raise TextError("malformed", f"expected a number, found {found}{remark}", line, column)
    return value
