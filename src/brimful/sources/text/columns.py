"""Columns: parses the numbers of many files in a few native calls.

A cell ends with its mark, a delimiter or a line end. Every mark, and the last mark of every file, must be the
one that the dialect demands, so that no file or line with too few values is completed by its neighbour's.
There are two ways to parse:

    even    all cells are of one width, as `np.savetxt` writes numbers that are not negative: no mark has to
            be searched, and the most frequent cell (the background of a picture) is parsed once
    marked  every mark is searched

(A CSV reader takes about a tenth longer than marked, and becomes very slow for lines of thousands of values.)
"""

import operator
from collections import Counter
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.memory import POOL
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError

NEWLINE = ord("\n")
SEARCHED_TOGETHER = 1 << 18  # bytes of text, so that they fit a cache
DRAWN = np.random.default_rng(0).random(64)  # positions of cells drawn to find the usual one, as fractions
USUAL_SHARE = 4  # at least one cell in so many must be the usual one, or comparing does not pay


def even_numbers(texts: FileContents, dialect: Dialect, dtype: str) -> NDArray[Any]:
    """Parse texts whose cells are all of one width, the same for all texts.

    Returns:
        Shape `(len(texts), dialect.size)`: `dtype(float(cell))` for each cell.

    Raises:
        TextError: They are not, or a cell is not a number, or has blanks around it.
    """
    width = _even_width(texts, dialect)
    if not width:
        raise TextError("malformed", "the cells are not of one width")
    return _even(texts.joined, width, dtype).reshape(len(texts), dialect.size)


def marked_numbers(texts: FileContents, dialect: Dialect, dtype: str) -> NDArray[Any]:
    """Parse texts without blank lines, each ended by a newline; blanks around numbers do no harm.

    Returns:
        Shape `(len(texts), dialect.size)`: `dtype(float(cell))` for each cell.

    Raises:
        TextError: A text is malformed; line and column are not known.
    """
    marks = _marks(texts.joined, ord(dialect.delimiter))
    _check_grid(texts, marks, dialect)
    offsets = np.concatenate(([0], marks + 1))
    cells = pa.LargeStringArray.from_buffers(marks.size, pa.py_buffer(offsets), pa.py_buffer(texts.joined))
    around = f" \t\n{dialect.delimiter.decode()}"  # a cell ends with its mark
    trimmed = pc.ascii_trim(cells, characters=around, memory_pool=POOL)
    return _cast(trimmed, dtype).reshape(len(texts), dialect.size)


def _even_width(texts: FileContents, dialect: Dialect) -> int:
    """Bytes per cell with its mark if all cells are of one width, else 0."""
    width, rest = divmod(int(texts.lengths[0]), dialect.size)
    if rest or width < 2 or (texts.lengths != texts.lengths[0]).any():
        return 0
    line = np.full(dialect.columns, ord(dialect.delimiter), np.uint8)
    line[-1] = NEWLINE
    marks = texts.joined.reshape(-1, dialect.columns, width)[:, :, -1]
    return width if (marks == line).all() else 0


def _even(joined: NDArray[np.uint8], width: int, dtype: str) -> NDArray[Any]:
    """The numbers of cells of one width; a cell with a mark inside is not a number."""
    size, count = width - 1, joined.size // width
    cells: NDArray[Any] = np.ndarray((count,), f"V{size}", joined, 0, (width,))
    drawn = (DRAWN * count).astype(np.int64)
    usual, times = Counter(cells[drawn].tolist()).most_common(1)[0]
    if times * USUAL_SHARE < DRAWN.size:
        return _cast(_untrimmed(cells), dtype)
    differ = _differ(joined, width, usual)
    one = drawn[np.argmin(differ[drawn])]
    differ[one] = True  # one usual cell is parsed for all of them
    parsed = np.flatnonzero(differ)
    cast = _cast(_untrimmed(cells[parsed]), dtype)
    values = np.full(count, cast[np.searchsorted(parsed, one)])
    values[parsed] = cast
    return values


def _differ(joined: NDArray[np.uint8], width: int, cell: bytes) -> NDArray[np.bool_]:
    """Which cells differ from the given one, compared in machine words, the last two of which may overlap."""
    count, size = joined.size // width, len(cell)
    word = next(np.dtype(f"u{n}") for n in (8, 4, 2, 1) if n <= size)
    starts = {*range(0, size - word.itemsize, word.itemsize), size - word.itemsize}
    parts = (
        np.ndarray((count,), word, joined, start, (width,)) != np.frombuffer(cell, word, 1, start)[0]
        for start in starts
    )
    differ: NDArray[np.bool_] = reduce(operator.ior, parts)
    return differ


def _untrimmed(cells: NDArray[Any]) -> pa.LargeStringArray:
    """Cells of one width as strings."""
    offsets = np.arange(cells.size + 1) * cells.itemsize
    whole = np.ascontiguousarray(cells).view(np.uint8)
    return pa.LargeStringArray.from_buffers(cells.size, pa.py_buffer(offsets), pa.py_buffer(whole))


def _cast(cells: pa.LargeStringArray, dtype: str) -> NDArray[Any]:
    """Cells as finite values: parsed to the nearest float64, then cast to the dtype."""
    try:
        parsed = pc.cast(cells, pa.float64(), memory_pool=POOL)
    except pa.ArrowInvalid as error:
        raise TextError("malformed", str(error)) from error
    with np.errstate(over="ignore"):  # too large for the dtype becomes inf, which is refused
        values: NDArray[Any] = parsed.to_numpy().astype(dtype)
    if not np.isfinite(values).all():
        raise TextError("non_finite", "a value is not finite")
    return values


def _marks(joined: NDArray[np.uint8], delimiter: int) -> NDArray[np.int64]:
    """Positions of all delimiters and line ends, each of which ends a cell."""
    found = []
    for start in range(0, joined.size, SEARCHED_TOGETHER):
        piece = joined[start : start + SEARCHED_TOGETHER]
        mask = piece == NEWLINE
        mask |= piece == delimiter
        found.append(np.flatnonzero(mask) + start)
    return np.concatenate(found)


def _check_grid(texts: FileContents, marks: NDArray[np.int64], dialect: Dialect) -> None:
    """Refuse texts if one of them has too many or too few cells, in all or in a line."""
    if marks.size != len(texts) * dialect.size:
        raise TextError("wrong_shape", "a file has more or fewer values than expected")
    last_of_file = marks[dialect.size - 1 :: dialect.size]
    ends_line = texts.joined[marks].reshape(-1, dialect.columns) == NEWLINE
    if (last_of_file != texts.ends - 1).any() or not ends_line[:, -1].all() or ends_line[:, :-1].any():
        raise TextError("wrong_shape", "a line has more or fewer values than expected")
