"""Column: what is known of a column of a table once all its rows were seen."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from brimful.errors import MalformedFileError

Kind = Literal["number", "text", "vector", "list", "empty", "other"]
"""Numbers; words; numbers written into one cell; lists of numbers; nothing at all; what is not read here."""

MOST_WORDS = 100_000  # of a column that are kept as a vocabulary
EXACT = 2**24  # integers up to this are exact as float32


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        kind: What it holds.
        described: Its type in words, for messages.
        shape: The shape of a cell: () unless it is a vector or a list.
        words: For words, how often each occurs, without the empty one; None if there are too many.
        missing: Cells that are empty, null, or for numbers a word like NA.
        missing_at: The place of the first of them, empty if it is not known.
        strays: Cells that are no numbers in a column of numbers.
        strays_at: The first few of them, with their places.
        counts_from: The first number if the column counts the rows, each one more than the one before.
        largest: The largest whole number in a column of whole numbers, without its sign; 0 for others.
        numbers: For words, how many cells are numbers, if that is known.
        is_flag: Whether the words are true and false, which are delivered as 1 and 0.
    """

    name: str
    kind: Kind
    described: str
    shape: tuple[int, ...] = ()
    words: Counter[str] | None = None
    missing: int = 0
    missing_at: str = ""
    strays: int = 0
    strays_at: tuple[str, ...] = ()
    counts_from: int | None = None
    largest: float = 0
    is_flag: bool = False
    numbers: int = 0

    @property
    def counts_rows(self) -> bool:
        """Whether the column counts the rows from 0 or 1."""
        return self.counts_from in (0, 1)


def united(columns: Iterable[tuple[str, Column]]) -> Column:
    """What is known of a column that several files have, given the name of each file.

    A file in which the column is empty has no vote.

    Raises:
        MalformedFileError: The files differ in what the column holds.
    """
    first_file, whole = "", None
    for file, column in columns:
        if whole is None or whole.kind == "empty":
            first_file = file
            missing = 0 if whole is None else whole.missing
            whole = replace(column, missing=column.missing + missing)
        elif column.kind == "empty":
            whole = replace(whole, missing=whole.missing + column.missing, counts_from=None)
        else:
            _check_alike(first_file, whole, file, column)
            whole = _both(whole, column)
    assert whole is not None  # noqa: S101 (there is a file)
    return whole


def _check_alike(first_file: str, first: Column, file: str, column: Column) -> None:
    mine, its = ((each.kind, each.shape, each.is_flag) for each in (first, column))
    if mine != its:
        raise MalformedFileError(
            f"The column {first.name!r} holds {first.described} in {first_file}, and {column.described} "
            f"in {file}.",
            "All files of a table must hold the same. Leave the column out (inputs=...), or scan the files "
            "apart.",
        )


def _both(first: Column, column: Column) -> Column:
    words = None if first.words is None or column.words is None else first.words + column.words
    return replace(
        first,
        words=None if words is not None and len(words) > MOST_WORDS else words,
        missing=first.missing + column.missing,
        missing_at=first.missing_at or column.missing_at,
        strays=first.strays + column.strays,
        strays_at=(*first.strays_at, *column.strays_at)[:10],
        counts_from=None,
        largest=max(first.largest, column.largest),
        numbers=first.numbers + column.numbers,
    )
