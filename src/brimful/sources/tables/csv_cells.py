"""Cells of a CSV file: what the text of cells means: numbers, missing values, vectors."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.memory import POOL
from brimful.sources.words import MISSING_WORDS, matches

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
COMMA_NUMBER = r"^[+-]?([0-9]+,?[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?$"
INFINITE = r"^(?i)[+-]?inf(inity)?$"
GROUPED = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$"
"""What may be a number with a mark between thousands, or with three digits behind the decimal mark."""
THOUSANDS = r"^[+-]?[0-9]{1,3}(\.[0-9]{3})+,[0-9]+$|^[+-]?[0-9]{1,3}(,[0-9]{3})+\.[0-9]+$"
FLAGS = frozenset({"true", "false", "True", "False", "TRUE", "FALSE"})
ABBREVIATED = "..."
BRACKETS = bytes.maketrans(b"[](),;\t\r\n", b" " * 9)
_unit = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
VECTOR = rf"^\s*[\[(]?\s*{_unit}([\s,;]+{_unit})+[\s,;]*[\])]?\s*$"


def _variants(word: str) -> set[str]:
    return {word, word.upper(), word.capitalize()}


MISSING = sorted({each for word in MISSING_WORDS for each in _variants(word)} | {"NaN", "<NA>", "N/A"})
"""How words for missing numbers are usually spelt; other spellings are found cell by cell."""


class Numbers(NamedTuple):
    """Cells as numbers: the values (0 where there is none), which are missing, which are no numbers."""

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]


def numbers_in(cells: pa.Array, decimal: str) -> Numbers:
    """The numbers that cells spell, `np.float64(text)` each; null is missing."""
    texts = pc.utf8_trim_whitespace(pc.fill_null(cells, ""), memory_pool=POOL)
    is_number = matches(texts, NUMBER if decimal == "." else COMMA_NUMBER)
    is_infinite = np.zeros(len(texts), bool)
    missing = np.zeros(len(texts), bool)
    left = np.flatnonzero(~is_number)
    if len(left):
        others = texts.take(pa.array(left))
        words = others.to_pylist()
        missing[left] = [word.casefold() in MISSING_WORDS for word in words]
        is_infinite[left] = matches(others, INFINITE)
    spelt = pc.if_else(pa.array(is_number), texts, "0")
    if decimal == ",":
        spelt = pc.replace_substring(spelt, ",", ".")
    values = pc.utf8_ltrim(spelt, "+").cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
    values[is_infinite] = np.inf
    return Numbers(values, missing, ~(is_number | missing | is_infinite))


def vectors_in(cells: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """How many numbers each cell holds, and the text of all of them; commas, blanks and brackets part them.

    The texts may be no numbers: casting them shows that.
    """
    texts = pc.fill_null(cells, "").cast(pa.large_string())
    _, offsets, content = texts.buffers()
    begin, n = texts.offset, len(texts)
    moved = pa.py_buffer((content.to_pybytes() if content else b"").translate(BRACKETS))
    plain = pa.Array.from_buffers(pa.large_string(), n, [None, offsets, moved], 0, begin)
    parts = pc.utf8_split_whitespace(pc.ascii_trim_whitespace(plain), memory_pool=POOL)
    lengths = pc.list_value_length(parts).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = parts.flatten()
    if (lengths == 1).any():  # an empty cell is one empty part
        kept = pc.not_equal(flat, "")
        empty = np.repeat(np.arange(n), lengths)[~kept.to_numpy(zero_copy_only=False)]
        lengths = lengths - np.bincount(empty, minlength=n)
        flat = flat.filter(kept)
    return lengths, flat
