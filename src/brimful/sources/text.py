"""Numbers in text: how they lie in a file, and many files' numbers in a few native calls.

A float delivered is `dtype(float(text))`, as `np.loadtxt` gives: pyarrow parses to the nearest
float64, NumPy casts. Parsing goes the fastest way that is safe, and falls back:

    parse      the files joined, every cell found by the mark that ends it, all parsed in one call
    tidy       then with blanks and blank lines cleaned up, again in one call
    parse_one  then file by file with Python's `float`, which finds line and column of what is wrong

Every mark must be of the kind, and every file end at the mark, that the layout says, so that neither
a file nor a line can hide what it lacks behind the surplus of its neighbour. (A CSV reader would do, but
takes about a tenth longer, and collapses where a line has thousands of values.)
"""

import codecs
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NEWLINE = ord("\n")
PIECE = 1 << 18  # bytes
AROUND_NUMBERS = " \t\r\n,;"  # what may stand around a number in its cell, which ends with its mark
FILE_NUMBER_BYTES = 64  # a number's text is 1 to 25 bytes; beyond this a file is not what it seems
FILE_SPARE_BYTES = 4096

_scratch = threading.local()


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
    """Parse texts without blank lines in a few native calls, or raise TextError without a place."""
    joined = _joined(texts)
    marks = _marks(joined, ord(layout.delimiter))
    _check_grid(joined, marks, [len(text) for text in texts], layout)
    offsets = np.concatenate(([0], marks + 1))
    cells = pa.LargeStringArray.from_buffers(marks.size, pa.py_buffer(offsets), pa.py_buffer(joined))
    try:
        numbers = pc.cast(pc.ascii_trim(cells, characters=AROUND_NUMBERS), pa.float64())
    except pa.ArrowInvalid as error:
        raise TextError("malformed", str(error)) from error
    with np.errstate(over="ignore"):  # too large for the dtype becomes inf, which is refused
        values = numbers.to_numpy().astype(dtype)
    if not np.isfinite(values).all():
        raise TextError("non_finite", "a value is not finite")
    parsed: NDArray[Any] = values.reshape(len(texts), layout.size)
    return parsed


def _joined(texts: list[bytes]) -> NDArray[np.uint8]:
    """The texts one behind another, in memory that this thread uses again.

    Memory fresh from the system, megabytes a call, costs page faults: a third of the time to parse.
    """
    if len(texts) == 1:
        return np.frombuffer(texts[0], np.uint8)
    size = sum(map(len, texts))
    if getattr(_scratch, "memory", np.empty(0)).size < size:
        _scratch.memory = np.empty(size * 5 // 4, np.uint8)
    view, at = memoryview(_scratch.memory), 0
    for text in texts:
        view[at : at + len(text)] = text
        at += len(text)
    joined: NDArray[np.uint8] = _scratch.memory[:size]
    return joined


def _marks(joined: NDArray[np.uint8], delimiter: int) -> NDArray[np.int64]:
    """Positions of all delimiters and line ends: each ends a cell. Searched in pieces that fit a cache."""
    found = []
    for start in range(0, joined.size, PIECE):
        piece = joined[start : start + PIECE]
        mask = piece == NEWLINE
        mask |= piece == delimiter
        found.append(np.flatnonzero(mask) + start)
    return np.concatenate(found)


def _check_grid(
    joined: NDArray[np.uint8], marks: NDArray[np.int64], lengths: list[int], layout: Layout
) -> None:
    """Refuse texts of which one has more or fewer cells than it must, in all or in a line."""
    if marks.size != len(lengths) * layout.size:
        raise TextError("wrong_shape", "a file has more or fewer values than expected")
    last_of_file = marks[layout.size - 1 :: layout.size]
    ends_line = joined[marks].reshape(-1, layout.columns) == NEWLINE
    if (
        (last_of_file != np.cumsum(lengths) - 1).any()
        or not ends_line[:, -1].all()
        or ends_line[:, :-1].any()
    ):
        raise TextError("wrong_shape", "a line has more or fewer values than expected")
