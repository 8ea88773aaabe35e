"""Numbers in text: every dialect that is found, and every fault that is named."""

import numpy as np
import pytest

from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError
from brimful.sources.text.parse import detect, parse, parse_one


@pytest.mark.parametrize(
    "text",
    [
        b"1 2 3\n4 5 6\n",
        b"1 2 3\n4 5 6",
        b"1 2 3\r\n4 5 6\r\n",
        b"1 2 3\r4 5 6\r",
        b"  1   2 3  \n 4 5     6\n",
        b"1\t2\t3\n4\t5\t6\n",
        b"1,2,3\n4,5,6\n",
        b"1, 2, 3\n4, 5, 6\n",
        b"1;2;3\n4;5;6\n",
        b"\xef\xbb\xbf1,2,3\n4,5,6\n",
        b"\n1,2,3\n\n4,5,6\n\n\n",
        b"1e0 +2 3.\n4.0e+00 5.000 0.6E1",
    ],
)
def test_layouts_are_found(text: bytes) -> None:
    """Blank, runs of blanks, tab, comma, semicolon; any line end, byte order mark, last line open or not."""
    dialect = detect(text)
    assert (dialect.rows, dialect.columns) == (2, 3)
    for values in (parse(FileContents.of([text]), dialect, "float32")[0], parse_one(text, dialect)):
        assert values.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("text", "shape"), [(b"1 2 3\n", (3,)), (b"1\n2\n3\n", (3,)), (b"5\n", (1,)), (b"1 2\n3 4\n", (2, 2))]
)
def test_shape_is_that_of_loadtxt(text: bytes, shape: tuple[int, ...]) -> None:
    """A single line or column is a vector."""
    assert detect(text).shape == shape


def test_files_of_other_dialects_are_parsed_among_the_usual() -> None:
    """One file with carriage returns, one padded, one with a mark: the same numbers."""
    dialect = Dialect(b" ", 2, 2)
    texts = [b"1 2\n3 4\n", b"1 2\r\n3 4\r\n", b" 1  2\n3 4", b"\xef\xbb\xbf1 2\n\n3 4\n", b"1 2\r3 4"]
    assert parse(FileContents.of(texts), dialect, "float64").tolist() == [[1, 2, 3, 4]] * 5
    assert parse(FileContents.of([b"1 ,2 \n3 ,4 \n"]), Dialect(b",", 2, 2), "float64").tolist() == [
        [1, 2, 3, 4]
    ]


@pytest.mark.parametrize(
    ("text", "kind", "line", "column"),
    [
        (b"", "empty", 0, 0),
        (b"\n \n", "empty", 0, 0),
        (b"1 2\n3\n", "wrong_shape", 2, 2),
        (b"1 2\n3 4 5\n", "wrong_shape", 2, 3),
        (b"1 2\n3 4\n5 6\n", "wrong_shape", 0, 0),
        (b"1 2\n", "wrong_shape", 0, 0),
        (b"1 \r2\n3 4\n", "wrong_shape", 1, 2),
        (b"1 2\n3 x\n", "malformed", 2, 2),
        (b"1 2\n\n1_0 4\n", "malformed", 3, 1),
        (b"1 ,2\n3 4\n", "malformed", 1, 2),
        (b"1 nan\n3 4\n", "non_finite", 1, 2),
        (b"1 2\n-inf 4\n", "non_finite", 2, 1),
        (b"1 2\n3 1e999\n", "non_finite", 2, 2),
        (b"1 2\n3 1e39\n", "non_finite", 2, 2),
    ],
)
def test_faults_are_named_with_their_place(text: bytes, kind: str, line: int, column: int) -> None:
    """What is wrong, in which line, at which value; and it is never parsed in one go either."""
    dialect = Dialect(b" ", 2, 2)
    with pytest.raises(TextError) as caught:
        parse_one(text, dialect, "float32")
    assert (caught.value.kind, caught.value.line, caught.value.column) == (kind, line, column)
    with pytest.raises(TextError):
        parse(FileContents.of([b"1 2\n3 4\n", text, b"5 6\n7 8\n"]), dialect, "float32")


@pytest.mark.parametrize(("text", "column"), [(b"1,,3\n", 2), (b"1,2,\n", 3)])
def test_an_empty_cell_is_a_fault(text: bytes, column: int) -> None:
    """A missing value is never skipped."""
    with pytest.raises(TextError, match="empty cell") as caught:
        parse_one(text, Dialect(b",", 1, 3))
    assert caught.value.column == column


@pytest.mark.parametrize("text", ["1 2\n".encode("utf-16"), b"1 \x00 2\n"])
def test_what_is_not_text_is_said_to_be_so(text: bytes) -> None:
    """UTF-16 and binary files."""
    with pytest.raises(TextError, match="not text"):
        detect(text)


@pytest.mark.parametrize("columns", [4, 300])
def test_surpluses_do_not_cancel_out(columns: int) -> None:
    """What one file or line has too much does not make up for what another lacks."""
    line = b",".join(b"%d" % number for number in range(columns)) + b"\n"
    longer, shorter = b"7," + line, line.split(b",", 1)[1]
    dialect = Dialect(b",", 2, columns)
    for texts in ([line * 3, line], [longer + shorter, line * 2], [longer + line, shorter + line]):
        with pytest.raises(TextError):
            parse(FileContents.of(texts), dialect, "float32")
    assert np.array_equal(parse(FileContents.of([line * 2]), dialect, "float64")[0], [*range(columns)] * 2)
