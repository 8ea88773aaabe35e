"""Words: a column of repeated cells, and what its words mean: classes, or numbers."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.memory import POOL
from brimful.schema import Classes, count_from_zero

INTEGER = r"^[+-]?[0-9]{1,18}$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?[0-9]+$"
FRACTIONS = 20  # at least one number in so many has a fraction: the targets are floats
FLOAT_CLASS = r"^[+-]?[0-9]+\.0+$"
DECORATED = r"^[^0-9A-Za-z]*[+-]?[0-9][0-9.,' ]*[,%€$£°'][0-9.,' ]*%?$|^[€$£] ?[0-9.,]+$"
"""A number with a decimal comma, thousands, a percent sign or a currency."""
WHOLE_FLOAT = r"\.0+$"
"""What a spreadsheet, or pandas, puts behind an integer."""
MISSING_WORDS = frozenset(
    {
        *("", "na", "<na>", "n/a", "#n/a", "n.a.", "nan", "none", "null", "nil", "?", "-", "."),
        *("unknown", "missing", "#div/0!", "#value!", "#num!", "-nan", "nan(ind)", "-nan(ind)", "1.#qnan"),
        *("1.#ind", "-1.#ind", "--", "unlabeled", "unlabelled", "not labeled", "not labelled", "undefined"),
        *("unk", "tbd", "k.a.", "n.d."),
    }
)
"""What stands for a label, or a number, that is not there, in capitals or not."""
STRAYS = 10  # more than one label in so many is not an integer: the labels are names


class Words(NamedTuple):
    """A column of repeated cells: each word once ("" for an empty cell), its count, the word of each cell."""

    words: pa.Array
    counts: NDArray[np.int64]
    at: NDArray[np.int32]

    @classmethod
    def of(cls, cells: pa.Array) -> "Words":
        """The words of a column of strings."""
        encoded = pc.dictionary_encode(cells, memory_pool=POOL)
        at = encoded.indices.to_numpy()
        return cls(encoded.dictionary, np.bincount(at, minlength=len(encoded.dictionary)), at)

    def without_unknown(self) -> tuple["Words", NDArray[np.bool_]]:
        """The same column with empty cells where a word like NA says that there is no label; and which do."""
        is_unknown = np.array(
            [word != "" and word.casefold() in MISSING_WORDS for word in self.words.to_pylist()], bool
        )
        if not is_unknown.any():
            return self, is_unknown
        return self._replace(words=pc.if_else(pa.array(is_unknown), "", self.words)), is_unknown

    def as_whole(self) -> "Words":
        """The same column with integers in place of 0.0, 1.0, 2.0, if it holds few others."""
        is_float = matches(self.words, FLOAT_CLASS)
        is_class = is_float | matches(self.words, INTEGER) | is_blank(self.words)
        if not is_float.any() or not is_class.all() or len(self.words) > self.counts.sum() // 2:
            return self
        whole = pc.replace_substring_regex(self.words, pattern=WHOLE_FLOAT, replacement="")
        encoded = pc.dictionary_encode(whole)
        at = encoded.indices.to_numpy()[self.at]
        return Words(encoded.dictionary, np.bincount(at, minlength=len(encoded.dictionary)), at)

    def are_decorated(self) -> bool:
        """Whether most cells are numbers with a decimal comma, a percent sign or the like."""
        filled = self.counts[~is_blank(self.words)].sum()
        return bool(filled) and bool(self.counts[matches(self.words, DECORATED)].sum() * 2 > filled)

    def have_fractions(self) -> bool:
        """Whether most cells are numbers, and enough of them are written with a fraction."""
        filled = self.counts[~is_blank(self.words)].sum()
        numbers, whole = (self.counts[matches(self.words, pattern)].sum() for pattern in (NUMBER, WHOLE))
        return bool(numbers * 2 > filled and (numbers - whole) * FRACTIONS > numbers)

    def strays(self) -> NDArray[np.bool_]:
        """Which words are not integers although most are: mistakes that would renumber all classes."""
        filled = ~is_blank(self.words)
        strays = filled & ~matches(self.words, INTEGER)
        return strays & bool(self.counts[strays].sum() * STRAYS <= self.counts[filled].sum())

    def classes(self) -> tuple[NDArray[np.int64], Classes]:
        """Number the cells: by their own value if all are integers that count from 0.

        Otherwise by their place in ascending order, of integers, or of names in the alphabet.

        Returns:
            The number of each cell, 0 for an empty one, and the labels, ascending.
        """
        known = pc.if_else(pc.equal(self.words, ""), None, self.words)
        whole = pc.all(pc.match_substring_regex(known, INTEGER)).as_py()
        values = integers(known) if whole else known
        ordered = pc.drop_null(pc.unique(values))
        ordered = ordered.take(pc.sort_indices(ordered))
        names = ordered.to_pylist()
        if whole and names and count_from_zero(names):
            numbers, classes = values, tuple(names)
        else:
            numbers = pc.index_in(values, value_set=ordered, skip_nulls=True)
            classes = tuple(map(str, names))
        return pc.fill_null(numbers, 0).to_numpy().astype(np.int64)[self.at], classes


def is_blank(cells: pa.Array) -> NDArray[np.bool_]:
    """Which cells are empty."""
    blank: NDArray[np.bool_] = pc.equal(cells, "", memory_pool=POOL).to_numpy(zero_copy_only=False)
    return blank


def integers(strings: pa.Array) -> pa.Array:
    """The integers that strings spell, null for all others."""
    spelt = pc.match_substring_regex(strings, INTEGER)
    return pc.utf8_ltrim(pc.if_else(spelt, strings, None), characters="+").cast(pa.int64())


def matches(cells: pa.Array, pattern: str) -> NDArray[np.bool_]:
    """Which cells match a regular expression."""
    matches: NDArray[np.bool_] = pc.match_substring_regex(cells, pattern).to_numpy(zero_copy_only=False)
    return matches
