"""Numbers in text: how they lie in a file, and many files' numbers in one native call.

A float delivered is `dtype(float(text))`, as `np.loadtxt` gives: pyarrow parses to the nearest
float64, NumPy casts. Parsing goes the fastest way that is safe, and falls back:

    parse      the files joined, their lines counted one by one, one native call
    tidy       then with blanks and blank lines cleaned up, again in one call
    parse_one  then file by file with Python's `float`, which finds line and column of what is wrong

The line count of each file and the cell count of each line are checked, so that no file can hide
what it lacks behind the surplus of its neighbour.
"""

import codecs
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

NEWLINE = ord("\n")
WIDEST = 256  # values a line above which pyarrow's cost a column exceeds that of joining all lines
NATIVE_BLOCK = 1 << 20  # bytes that pyarrow parses at a time; fastest of 64 KiB to 1 GiB
FILE_NUMBER_BYTES = 64  # a number's text is 1 to 25 bytes; beyond this a file is not what it seems
FILE_SPARE_BYTES = 4096


class TextError(ValueError):
    """A file's text is not what it should be. `line` and `column` (in values) count from 1, 0 if unknown."""

    def __init__(self, kind: str, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Layout:
    """How the numbers lie in a file.

    Attributes:
        delimiter: Between the values of a line: a blank, a tab, a comma or a semicolon.
        rows: Lines with values.
        columns: Values a line.
        padded: Blanks stand in runs, so that every file must be tidied first.
    """

    delimiter: bytes
    rows: int
    columns: int
    padded: bool = False

    @property
    def size(self) -> int:
        """Values a file."""
        return self.rows * self.columns

    @property
    def largest_file(self) -> int:
        """Bytes that a file of this layout does not exceed."""
        return self.size * FILE_NUMBER_BYTES + FILE_SPARE_BYTES

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a file's values; one line, or one value a line, is a vector, as for `np.loadtxt`."""
        return tuple(n for n in (self.rows, self.columns) if n > 1) or (1,)


def detect(text: bytes) -> Layout:
    """Find out how the numbers lie in a file.

    Args:
        text: All of the file.

    Raises:
        TextError: They lie in no way known here.
    """
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in text:
        raise TextError("malformed", "this is not text in UTF-8 (UTF-16, or binary)")
    delimiter = next((mark for mark in (b";", b",", b"\t") if mark in text), b" ")
    lines = [line for line in _lines(text) if line.strip()]
    if not lines:
        raise TextError("empty", "there is no number in this file")
    padded = delimiter == b" " and any(b"" in line.split(b" ") for line in lines)
    layout = Layout(delimiter, len(lines), len(_cells(lines[0], delimiter)), padded)
    try:
        parse([text], layout, "float64")
    except TextError:
        parse_one(text, layout)  # slow, but it knows the place
    return layout


def parse(texts: list[bytes], layout: Layout, dtype: str) -> NDArray[Any]:
    """Parse many files of one layout.

    Args:
        texts: The files, each whole.
        layout: How the numbers lie in each of them.
        dtype: NumPy name of a float dtype.

    Returns:
        Shape `(len(texts), layout.size)`.

    Raises:
        TextError: A file is not of this layout, or holds something that is not a finite number.
            Which one it is and where is for `parse_one` to find.
    """
    if not layout.padded:
        try:
            return _parse_native([_closed(text) for text in texts], layout, dtype)
        except TextError:
            pass
    return _parse_native([tidy(text, layout.delimiter) for text in texts], layout, dtype)


def parse_one(text: bytes, layout: Layout, dtype: str = "float64") -> NDArray[Any]:
    """Parse one file with Python's `float`, slowly, and say where it is wrong.

    Returns:
        Shape `(layout.size,)`.

    Raises:
        TextError: With line and column.
    """
    lines = [(number, line) for number, line in enumerate(_lines(text), start=1) if line.strip()]
    if not lines:
        raise TextError("empty", "there is no number in this file")
    array = np.array([_numbers(line, number, layout) for number, line in lines])
    if len(lines) != layout.rows:
        raise TextError("wrong_shape", f"expected {layout.rows:,} lines of values, found {len(lines):,}")
    with np.errstate(over="ignore"):
        array = array.astype(dtype)
    for row, column in np.argwhere(~np.isfinite(array)).tolist():
        number, line = lines[row]
        cell = _cells(line, layout.delimiter)[column].decode()
        raise TextError("non_finite", f"{cell} is not finite as {dtype}", number, column + 1)
    return array.ravel()


def tidy(text: bytes, delimiter: bytes) -> bytes:
    """The same numbers without byte order mark, blank lines and, where blanks delimit, runs of them."""
    lines = [line for line in _lines(text) if line.strip()]
    if delimiter == b" ":
        lines = [b" ".join(line.split()) for line in lines]
    return b"\n".join(lines) + b"\n"


def _closed(text: bytes) -> bytes:
    """The text without byte order mark and with its last line ended."""
    text = text.removeprefix(codecs.BOM_UTF8)
    return text if text.endswith(b"\n") else text + b"\n"


def _lines(text: bytes) -> list[bytes]:
    return text.removeprefix(codecs.BOM_UTF8).splitlines()


def _cells(line: bytes, delimiter: bytes) -> list[bytes]:
    return line.split() if delimiter == b" " else [cell.strip(b" \t") for cell in line.split(delimiter)]


def _numbers(line: bytes, number: int, layout: Layout) -> list[float]:
    """The values of a line."""
    cells = _cells(line, layout.delimiter)
    values = [_number(cell, number, column) for column, cell in enumerate(cells, start=1)]
    if len(cells) != layout.columns:
        column = min(len(cells), layout.columns) + 1
        message = f"expected {layout.columns:,} values in this line, found {len(cells):,}"
        raise TextError("wrong_shape", message, number, column)
    return values


def _number(cell: bytes, line: int, column: int) -> float:
    try:
        if b"_" in cell:  # Python takes 1_000 for a number; no other program that writes CSV does
            raise ValueError
        return float(cell)
    except ValueError:
        found = f"{cell[:40].decode(errors='backslashreplace')!r}" if cell else "an empty cell"
        raise TextError("malformed", f"expected a number, found {found}", line, column) from None


def _parse_native(texts: list[bytes], layout: Layout, dtype: str) -> NDArray[Any]:
    """Parse texts without blank lines in one call, or raise TextError without a place."""
    joined = b"".join(texts)
    if not _all_have_lines(joined, [len(text) for text in texts], layout.rows):
        raise TextError("wrong_shape", "a file has more or fewer lines than expected")
    n = len(texts)
    if layout.columns <= WIDEST:
        columns = _read_csv(joined, layout.delimiter, layout.columns)
    else:
        columns = _read_csv(_one_value_a_line(joined, n, layout), b"\x01", 1)
    if len(columns[0]) * len(columns) != n * layout.size:
        raise TextError("wrong_shape", "a file has more or fewer values than expected")
    values = np.empty((len(columns[0]), len(columns)), dtype)
    with np.errstate(over="ignore"):  # too large for the dtype becomes inf, which is refused below
        for at, column in enumerate(columns):
            values[:, at] = column.to_numpy()
    if not np.isfinite(values).all():
        raise TextError("non_finite", "a value is not finite")
    return values.reshape(n, layout.size)


def _all_have_lines(joined: bytes, lengths: list[int], rows: int) -> bool:
    ends = np.frombuffer(joined, np.uint8) == NEWLINE
    start = 0
    for length in lengths:
        if np.count_nonzero(ends[start : start + length]) != rows:
            return False
        start += length
    return True


def _one_value_a_line(joined: bytes, n: int, layout: Layout) -> bytes:
    """Turn delimiters into line breaks, once every line has proved to have the right number of them."""
    data = np.frombuffer(joined, np.uint8)
    marks = data[(data == NEWLINE) | (data == ord(layout.delimiter))]
    if marks.size != n * layout.size or (marks[layout.columns - 1 :: layout.columns] != NEWLINE).any():
        raise TextError("wrong_shape", "a line has more or fewer values than expected")
    return joined.replace(layout.delimiter, b"\n")


def _read_csv(data: bytes, delimiter: bytes, columns: int) -> list[pa.ChunkedArray]:
    """Parse `columns` columns of float64; every line has exactly as many cells, and no cell is empty."""
    names = [str(at) for at in range(columns)]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            pyarrow.csv.ReadOptions(use_threads=False, column_names=names, block_size=NATIVE_BLOCK),
            pyarrow.csv.ParseOptions(
                delimiter=delimiter.decode(), quote_char=False, ignore_empty_lines=False
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.float64()), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise TextError("malformed", str(error)) from error
    return list(table.columns)
