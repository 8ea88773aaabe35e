"""Values: columns as Arrow has them -> arrays as they are delivered, and the cells that are no good."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.sources.tables.column import Column
from brimful.sources.tables.csv_cells import numbers_in, vectors_in


class Fault(NamedTuple):
    """A cell that cannot be delivered: its row, the kind of fault, and what is wrong."""

    row: int
    kind: str
    what: str


@dataclass(frozen=True)
class Delivery:
    """How columns are delivered: the dtype of numbers, what fills missing ones, the decimal mark of texts."""

    dtype: str
    fill: float | None
    decimal: str = "."


Faults = list[Fault]


def numbers(column: Column, cells: pa.Array, how: Delivery) -> tuple[NDArray[Any], Faults]:
    """One number per cell, finite, shape `(n,)`; 0 where there is a fault."""
    bad = np.zeros(len(cells), bool)
    if pa.types.is_null(cells.type):  # a file in which the column is empty
        cells = cells.cast(pa.float64())
    if pa.types.is_string(cells.type):
        if column.is_flag:
            cells = pc.replace_substring_regex(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), "^true$", "1")
            cells = pc.replace_substring_regex(cells, "^false$", "0")
        texts, (raw, missing, bad) = cells, numbers_in(cells, how.decimal)
    else:
        texts = cells
        missing = pc.is_null(cells).to_numpy(zero_copy_only=False)
        raw = _plain(cells)
    if raw.dtype.kind == "f":
        missing = missing | np.isnan(raw)
    values = _cast(raw, how.dtype)
    infinite = ~np.isfinite(values) & ~missing
    faults = _faults(column, bad, "malformed", texts, "which is no number")
    faults += _faults(column, infinite, "non_finite", texts, f"which is not finite as {how.dtype}")
    if how.fill is None:
        faults += _faults(column, missing, "missing_value", None, "")
    values[missing | bad | infinite] = 0 if how.fill is None else how.fill
    return values, faults


def codes(column: Column, cells: pa.Array, words: tuple[str, ...]) -> tuple[NDArray[np.int64], Faults]:
    """The position of each cell's word among some words, shape `(n,)`; these may have one for empty cells."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    texts = pc.utf8_trim_whitespace(pc.fill_null(cells.cast(pa.large_string()), ""))
    at = pc.index_in(texts, value_set=pa.array(words, pa.large_string()))
    found: NDArray[np.int64] = pc.fill_null(at, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    unknown = found < 0
    if not unknown.any():
        return found, []
    blank = unknown & pc.equal(texts, "").to_numpy(zero_copy_only=False)
    faults = _faults(column, blank, "missing_value", None, "")
    faults += _faults(column, unknown & ~blank, "unknown_category", texts, "a word that is not known")
    return found.clip(min=0), faults


def vectors(column: Column, cells: pa.Array, how: Delivery) -> tuple[NDArray[Any], Faults]:
    """The numbers written into each cell, shape `(n, length)`."""
    lengths, texts = vectors_in(cells)
    counts = np.repeat(np.arange(len(cells)), lengths)
    try:
        raw = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
        bad = np.zeros(len(cells), bool)
    except pa.ArrowInvalid:
        found = numbers_in(texts, ".")
        raw, bad = found.values, np.bincount(counts[found.bad | found.missing], minlength=len(cells)) > 0
    return _of_lengths(column, lengths, raw, bad, how)


def lists(column: Column, cells: pa.Array, how: Delivery) -> tuple[NDArray[Any], Faults]:
    """The numbers of each list, of lists too, shape `(n, *shape)`; lists of another length are a fault."""
    if pa.types.is_null(cells.type):  # a file in which the column is empty
        cells = cells.cast(pa.list_(pa.float32()))
    missing = pc.is_null(cells).to_numpy(zero_copy_only=False)
    fits = np.ones(len(cells), bool)
    rows, inner = np.arange(len(cells)), cells
    for length in column.shape:
        given = pc.fill_null(pc.list_value_length(inner), 0).to_numpy(zero_copy_only=False)
        fits[rows[given != length]] = False
        rows = np.repeat(rows, given)
        inner = inner.flatten()  # drops what lies under null, and minds slices
    null = pc.is_null(inner).to_numpy(zero_copy_only=False)
    raw = _plain(inner)
    null |= np.isnan(raw) if raw.dtype.kind == "f" else False
    if how.fill is None:
        missing = missing | (np.bincount(rows[null], minlength=len(cells)) > 0)
    values = _cast(raw, how.dtype)
    values[null] = 0 if how.fill is None else how.fill
    lengths = np.bincount(rows, minlength=len(cells))
    lengths[~fits] = 0
    found, faults = _of_lengths(column, lengths, values[fits[rows]], np.zeros(len(cells), bool), how, missing)
    return found, faults


def _of_lengths(
    column: Column,
    lengths: NDArray[np.int64],
    raw: NDArray[Any],
    bad: NDArray[np.bool_],
    how: Delivery,
    missing: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[Any], Faults]:
    """Numbers that belong to cells by their lengths; what is not as long as it should be is a fault."""
    size = int(np.prod(column.shape))
    fits = lengths == size
    values = np.zeros((len(lengths), size), how.dtype)
    values[fits] = _cast(raw[np.repeat(fits, lengths)], how.dtype).reshape(-1, size)
    if missing is None:
        missing = lengths == 0
    infinite = ~np.isfinite(values).all(axis=1) & ~missing
    faults = _faults(column, bad, "malformed", None, "holds something that is no number")
    faults += _faults(column, missing, "missing_value", None, "")
    faults += _faults(
        column, ~fits & ~missing & ~bad, "wrong_shape", None, f"does not hold {column.shape} numbers"
    )
    if how.fill is None or np.isfinite(how.fill):
        faults += _faults(
            column, infinite, "non_finite", None, f"holds a number that is not finite as {how.dtype}"
        )
    return values.reshape(-1, *column.shape), faults


def _plain(cells: pa.Array) -> NDArray[Any]:
    """Numbers as NumPy has them, 0 for nulls: values and bitmap are read apart, so integers stay exact."""
    if pa.types.is_boolean(cells.type):
        cells = cells.cast(pa.uint8())
    if cells.null_count:
        if cells.type == pa.float16():
            cells = cells.cast(pa.float32())
        cells = pc.fill_null(cells, pa.scalar(0, cells.type))
    found: NDArray[Any] = cells.to_numpy(zero_copy_only=False)
    return found


def _cast(raw: NDArray[Any], dtype: str) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        return raw.astype(dtype)


def _faults(column: Column, found: NDArray[np.bool_], kind: str, cells: pa.Array | None, what: str) -> Faults:
    """A fault for each cell of some."""
    if not found.any():
        return []
    name = f"the column {column.name!r}"
    rows = np.flatnonzero(found).tolist()
    if kind == "missing_value":
        return [Fault(row, kind, f"{name} has no value") for row in rows]
    if cells is None:
        return [Fault(row, kind, f"{name} {what}") for row in rows]
    texts = cells.take(pa.array(rows)).to_pylist()
    return [
        Fault(row, kind, f"{name} holds {str(text)[:60]!r}, {what}")
        for row, text in zip(rows, texts, strict=True)
    ]


Convert = Callable[[pa.Array], tuple[NDArray[Any], Faults]]
