"""CsvSurvey: what the columns of a CSV file hold, from a look at every cell."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.samples import EXAMPLES
from brimful.sources.tables.column import MOST_WORDS, Column, Kind
from brimful.sources.tables.csv_cells import ABBREVIATED, FLAGS, VECTOR, numbers_in, vectors_in
from brimful.sources.words import STRAYS, matches

COMMAS = r"^[+-]?[0-9]*,[0-9]+$"


@dataclass
class Look:
    """What is in a column, or in a part of it.

    Attributes:
        rows: How many cells were looked at.
        numbers: Cells that are numbers.
        missing: Cells that are empty, or a word like NA.
        others: Cells that are neither.
        blank: Cells that are empty.
        first_missing: The row of the first missing one, -1 for none; `first_blank` likewise.
        strays: The rows and the texts of the first few others.
        commas: Others that are numbers with a decimal comma.
        counts_from: The first number, if each is one more than the one before; None if not.
        largest: The largest of whole numbers, without sign; 0 if there is a fraction.
        words: How often each word occurs; None if there are too many, or they were not looked at.
        lengths: How often cells hold so many numbers in brackets or between blanks; None if one does not.
        abbreviated: The row of a cell from which numbers were left out with `...`, -1 for none.
    """

    rows: int = 0
    numbers: int = 0
    missing: int = 0
    others: int = 0
    blank: int = 0
    first_missing: int = -1
    first_blank: int = -1
    strays: list[tuple[int, str]] = field(default_factory=list)
    commas: int = 0
    counts_from: int | None = None
    largest: float = 0
    whole: bool = True
    words: Counter[str] | None = field(default_factory=Counter)
    lengths: Counter[int] | None = field(default_factory=Counter)
    abbreviated: int = -1

    def add(self, more: "Look") -> None:
        """Add the rows that follow."""
        begin = self.rows
        if self.first_missing < 0 <= more.first_missing:
            self.first_missing = begin + more.first_missing
        if self.first_blank < 0 <= more.first_blank:
            self.first_blank = begin + more.first_blank
        if self.abbreviated < 0 <= more.abbreviated:
            self.abbreviated = begin + more.abbreviated
        if not begin:
            self.counts_from = more.counts_from
        elif self.counts_from is None or more.counts_from != self.counts_from + begin:
            self.counts_from = None
        if more.strays:
            self.strays = [*self.strays, *((row + begin, text) for row, text in more.strays)][:EXAMPLES]
        self.rows, self.numbers = begin + more.rows, self.numbers + more.numbers
        self.missing, self.blank = self.missing + more.missing, self.blank + more.blank
        self.others, self.commas = self.others + more.others, self.commas + more.commas
        self.largest, self.whole = max(self.largest, more.largest), self.whole and more.whole
        self.words = _added(self.words, more.words)
        self.lengths = _added(self.lengths, more.lengths)

    @property
    def kind(self) -> Kind:
        """What the column holds, judging by all cells: a few strays do not make words of numbers."""
        filled = self.numbers + self.others
        if not filled:
            return "empty"
        if self.others * STRAYS <= filled:
            return "number"
        if self.lengths and max(self.lengths) > 1:
            return "vector"
        return "text"

    @property
    def is_flag(self) -> bool:
        """Whether all words are true and false."""
        return bool(self.words) and {*(self.words or ())} <= FLAGS


def _added(some: Counter[Any] | None, more: Counter[Any] | None) -> Counter[Any] | None:
    if some is None or more is None:
        return None
    some.update(more)
    return None if len(some) > MOST_WORDS else some


def look_at_numbers(cells: pa.Array) -> Look:
    """Look at cells that are numbers, null where they are missing; quickly, for tables have many columns."""
    values = present = cells.to_numpy(zero_copy_only=False)
    look = Look(len(values), len(values), words=None, lengths=None)
    low, high = float(values.min()), float(values.max())
    if math.isnan(low):
        missing = np.isnan(values)
        present, look.missing, look.first_missing = (
            values[~missing],
            int(missing.sum()),
            int(missing.argmax()),
        )
        look.numbers -= look.missing
        if not len(present):
            return look
        low, high = float(present.min()), float(present.max())
    if not math.isfinite(low + high):
        look.whole = False
        return look
    look.whole = bool((np.rint(present[:64]) == present[:64]).all() and (np.rint(present) == present).all())
    if look.whole:
        look.largest = max(abs(low), abs(high))
        look.counts_from = _counts_from(values)
    return look


def _counts_from(values: NDArray[np.float64]) -> int | None:
    """The first of some numbers if each is one more than the one before."""
    first = values[0]
    if not np.isfinite(first) or values[-1] != first + len(values) - 1:
        return None
    return int(first) if (values == first + np.arange(len(values))).all() else None


def look_at_texts(cells: pa.Array, decimal: str) -> Look:
    """Look at cells as text."""
    encoded = pc.dictionary_encode(pc.utf8_trim_whitespace(cells))
    words, at = encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)
    counts = np.bincount(at, minlength=len(words))
    found = numbers_in(words, decimal)
    blank = pc.equal(words, "").to_numpy(zero_copy_only=False)
    is_number = ~(found.missing | found.bad)
    look = Look(len(at), int(counts[is_number].sum()), int(counts[found.missing].sum()))
    look.others, look.blank = int(counts[found.bad].sum()), int(counts[blank].sum())
    look.first_missing, look.first_blank = _first(found.missing[at]), _first(blank[at])
    if look.others:
        rows = np.flatnonzero(found.bad[at])[:EXAMPLES]
        look.strays = list(zip(rows.tolist(), words.take(pa.array(at[rows])).to_pylist(), strict=True))
        if decimal == ".":
            look.commas = int(counts[found.bad & matches(words, COMMAS)].sum())
    values = np.where(is_number, found.values, np.nan)[at]
    present = values[~np.isnan(values)]
    look.whole = bool((present % 1 == 0).all()) if np.isfinite(present).all() else False
    if look.whole and len(present):
        look.largest = float(np.abs(present).max())
        look.counts_from = _counts_from(values)
    texts = words.to_pylist()
    look.words = Counter({word: n for word, n in zip(texts, counts.tolist(), strict=True) if word})
    _look_at_vectors(look, words, counts, found.bad, at)
    return look


def _look_at_vectors(
    look: Look, words: pa.Array, counts: NDArray[np.int64], others: NDArray[np.bool_], at: NDArray[np.int64]
) -> None:
    """Note how many numbers each cell holds, if all cells hold numbers."""
    look.lengths = None
    if not others.any() or look.numbers:
        return
    rows = np.flatnonzero(others)
    some = words.take(pa.array(rows))
    if matches(some, VECTOR).all():
        lengths, _ = vectors_in(some)
        look.lengths = Counter()
        for length, count in zip(lengths.tolist(), counts[rows].tolist(), strict=True):
            look.lengths[length] += count
        return
    begins = pc.match_substring_regex(some, r"^[\[(]")
    short = pc.and_(begins, pc.match_substring(some, ABBREVIATED)).to_numpy(zero_copy_only=False)
    if short.any():
        look.abbreviated = _first(np.isin(at, rows[short]))


def _first(found: NDArray[np.bool_]) -> int:
    """The position of the first that is True; -1 for none."""
    return int(found.argmax()) if found.any() else -1


def column_of(name: str, look: Look, places: Sequence[str]) -> Column:
    """A column, given what is in it, and the places of its first missing cell and of its strays."""
    kind = look.kind
    missing, first = (
        (look.blank, look.first_blank)
        if kind in ("text", "vector")
        else (
            look.missing,
            look.first_missing,
        )
    )
    shape = (max(look.lengths),) if kind == "vector" and look.lengths else ()
    described = {"number": "numbers", "text": "words", "vector": f"cells of {shape} numbers"}
    return Column(
        name,
        kind,
        described.get(kind, "nothing"),
        shape,
        look.words if kind == "text" else Counter(),
        missing,
        places[0] if first >= 0 else "",
        look.others if kind == "number" else 0,
        tuple(
            f"{place}: the column {name!r} holds {text[:60]!r}, which is no number"
            for place, (_, text) in zip(places[1:], look.strays, strict=False)
        )
        if kind == "number"
        else (),
        look.counts_from if look.rows == look.numbers else None,
        look.largest if look.whole else 0,
        kind == "text" and look.is_flag,
        look.numbers,
    )
