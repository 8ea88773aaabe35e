"""Columns as Arrow has them become arrays: slices, nulls, dictionaries and large integers keep their rows."""

import numpy as np
import pyarrow as pa
import pytest

from brimful.sources.tables.column import Column
from brimful.sources.tables.values import Delivery, Fault, codes, lists, numbers, vectors

HOW = Delivery("float32", None)


def kinds(faults: list[Fault]) -> dict[int, str]:
    """The kind of the fault of each row."""
    return {row: kind for row, kind, _ in faults}


@pytest.mark.parametrize(
    "dtype", [pa.list_(pa.float32()), pa.large_list(pa.int64()), pa.list_(pa.float64(), 2)]
)
@pytest.mark.parametrize("start", [0, 1, 2, 5])
def test_lists_keep_their_rows_in_a_slice_with_nulls(dtype: pa.DataType, start: int) -> None:
    """`values` ignores a slice, and `flatten` drops what lies below null: neither may shift a row."""
    cells = [[1, 2], None, [3, 4], [5, None], None, [7, 8], [9, 10]]
    found, faults = lists(Column("v", "list", "lists", (2,)), pa.array(cells, dtype)[start:], HOW)
    missing = {1, 3, 4}
    assert kinds(faults) == {row - start: "missing_value" for row in missing if row >= start}
    for row, cell in enumerate(cells[start:]):
        if row + start not in missing:
            assert found[row].tolist() == cell
    filled, faults = lists(
        Column("v", "list", "lists", (2,)), pa.array(cells, dtype)[start:], Delivery("float32", -1)
    )
    assert kinds(faults) == {row - start: "missing_value" for row in (1, 4) if row >= start}
    assert start > 3 or filled[3 - start].tolist() == [5, -1]


def test_matrices_of_another_shape_are_a_fault_of_their_row() -> None:
    """As many numbers in all do not make it right."""
    cells = pa.array([[[1, 2, 3], [4, 5, 6]], [[1, 2], [3, 4], [5, 6]], [[1, 2, 3]], [[7, 8, 9], [0, 1, 2]]])
    found, faults = lists(Column("v", "list", "lists", (2, 3)), cells, HOW)
    assert kinds(faults) == {1: "wrong_shape", 2: "wrong_shape"}
    assert found[[0, 3]].tolist() == [cells[0].as_py(), cells[3].as_py()]


def test_integers_beside_nulls_stay_exact() -> None:
    """To float64 through NumPy's way with nulls they would not: 9007199254740993 is read as it is."""
    cells = pa.array([2**53 - 1, None, -(2**53) + 1, 5])
    found, faults = numbers(Column("v", "number", "numbers"), cells[1:], Delivery("float64", None))
    assert found[1:].tolist() == [-(2**53) + 1, 5]
    assert kinds(faults) == {0: "missing_value"}


def test_numbers_that_are_not_finite_are_faults() -> None:
    """Infinity, and what is too large; NaN is a missing one."""
    cells = pa.array([1.5, np.inf, 1e39, np.nan, -2.0])
    found, faults = numbers(Column("v", "number", "numbers"), cells, HOW)
    assert kinds(faults) == {1: "non_finite", 2: "non_finite", 3: "missing_value"}
    assert found[[0, 4]].tolist() == [1.5, -2]


@pytest.mark.parametrize("encoded", [True, False])
def test_words_are_those_of_a_slice(encoded: bool) -> None:
    """Of categories, the text counts; a null is no word."""
    cells = pa.array(["b", "a", None, " c ", "d"])
    cells = cells.dictionary_encode() if encoded else cells
    found, faults = codes(Column("v", "text", "words"), cells[1:], ("a", "b", "c"))
    assert found[[0, 2]].tolist() == [0, 2]
    assert kinds(faults) == {1: "missing_value", 3: "unknown_category"}


def test_numbers_in_cells_of_a_slice() -> None:
    """Too few, none, a word: each is a fault of its own row."""
    cells = pa.array(["9 9", "[1, 2]", "", "(3;4)", "5", "6 x", None, "7\n8"])
    found, faults = vectors(Column("v", "vector", "cells", (2,)), cells[1:], HOW)
    assert found[[0, 2, 6]].tolist() == [[1, 2], [3, 4], [7, 8]]
    assert kinds(faults) == {1: "missing_value", 3: "wrong_shape", 4: "malformed", 5: "missing_value"}
