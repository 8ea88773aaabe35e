"""For any text: what is delivered is what Python's float says, or an error."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError
from brimful.sources.text.parse import detect, parse, parse_one

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e38, 1e38).map("{:.18e}".format),
    st.integers(-(10**25), 10**25).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=12).map(str),
    st.from_regex(r"[+-]?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
CELLS = st.one_of(NUMBERS, st.text("0123456789.eE+-_xnaif\x01\x0b\" '#", min_size=1, max_size=8))
DELIMITERS = st.sampled_from([" ", "\t", ",", ";"])


def as_python(cell: str) -> float:
    """What a cell is worth; NaN where it is not a finite number of the usual spelling."""
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan
    with np.errstate(over="ignore"):
        return value if math.isfinite(np.float32(value)) else math.nan


def alone(text: bytes, dialect: Dialect) -> NDArray[Any]:
    """A file's values by Python's float."""
    return parse_one(text, dialect, "float32")


def together(text: bytes, dialect: Dialect) -> NDArray[Any]:
    """A file's values as a reader gets them: natively, or else alone."""
    try:
        values: NDArray[Any] = parse(FileContents.of([text]), dialect, "float32")[0]
    except TextError:
        return alone(text, dialect)
    return values


@settings(max_examples=400)
@given(cell=CELLS, delimiter=DELIMITERS, columns=st.sampled_from([1, 3, 257]))
@example(cell="1\x0b", delimiter=",", columns=3)
@example(cell="nan(1)", delimiter=",", columns=3)
def test_a_cell_is_pythons_float_or_an_error(cell: str, delimiter: str, columns: int) -> None:
    """Through the native call and the slow way: `float32(float(text))`, or TextError where there is none."""
    if delimiter in cell:
        return
    text = delimiter.join(["1.5"] * (columns - 1) + [cell]).encode() + b"\n"
    dialect = Dialect(delimiter.encode(), 1, columns)
    expected = as_python(cell)
    for way in (together, alone):
        try:
            got = way(text, dialect)
        except TextError:
            assert math.isnan(expected)
        else:
            assert got[-1].tobytes() == np.float32(expected).tobytes()
            assert (got[:-1] == 1.5).all()


@given(
    grid=st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(NUMBERS, min_size=n, max_size=n), min_size=1, max_size=5)
    ),
    delimiter=DELIMITERS,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.booleans(),
    closed=st.booleans(),
)
def test_what_is_written_is_what_is_read(
    grid: list[list[str]], delimiter: str, end: str, mark: bool, closed: bool
) -> None:
    """Any grid of finite numbers, in any dialect, is found and read back as float64 bit for bit."""
    values = np.array([[float(cell) for cell in row] for row in grid])
    if not np.isfinite(values).all():
        return
    text = end.join(delimiter.join(row) for row in grid) + (end if closed else "")
    data = (b"\xef\xbb\xbf" if mark else b"") + text.encode()
    dialect = detect(data)
    assert (dialect.rows, dialect.columns) == values.shape
    assert parse(FileContents.of([data, data]), dialect, "float64").tobytes() == values.tobytes() * 2


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_layout_or_an_error(data: bytes) -> None:
    """No file makes the parser fail in any other way."""
    try:
        dialect = detect(data)
    except TextError:
        return
    assert parse(FileContents.of([data]), dialect, "float64").shape == (1, dialect.size)


@st.composite
def even_texts(draw: st.DrawFn) -> tuple[list[bytes], Dialect]:
    """Files of cells of one width, most of them the same cell, a few with something odd in them."""
    width = draw(st.integers(1, 26))
    delimiter = draw(DELIMITERS)
    rows, columns, files = draw(st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4)))
    digits = st.text("0123456789", min_size=width, max_size=width)
    odd = st.text(f"0123456789.eE+-\r\n\0 {delimiter}é", min_size=width, max_size=width)
    usual = draw(digits)
    cell = st.one_of(st.just(usual), st.just(usual), digits, odd)
    texts = []
    for _ in range(files):
        grid = draw(
            st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=rows, max_size=rows)
        )
        texts.append("".join(delimiter.join(line) + "\n" for line in grid).encode())
    return texts, Dialect(delimiter.encode(), rows, columns)


@settings(max_examples=400)
@given(even=even_texts())
def test_cells_of_one_width_are_what_they_are_alone(even: tuple[list[bytes], Dialect]) -> None:
    """The shortest way gives what the slowest gives, file by file, or refuses what that refuses."""
    texts, dialect = even
    try:
        values = parse(FileContents.of(texts), dialect, "float32")
    except TextError:
        with pytest.raises(TextError):
            [alone(text, dialect) for text in texts]
    else:
        assert values.tobytes() == b"".join(alone(text, dialect).tobytes() for text in texts)
