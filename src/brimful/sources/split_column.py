"""SplitColumn: the column of a label table that says on which side of a split each sample is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from brimful.sides import are_folds, side_of
from brimful.sources.words import MISSING_WORDS

NAMES = ("split", "subset", "partition", "set", "dataset", "phase", "usage", "mluse", "datasplit", "splitset")
FOLD_NAMES = ("fold", "folds", "kfold", "cvfold", "foldid")
YES_NO = {
    "isvalidation": ("train", "validation"),
    "isval": ("train", "validation"),
    "istest": ("train", "test"),
    "istrain": ("test", "train"),
}
"""Columns that say of each sample whether it is on a side: the side that "no" means, and that of "yes"."""
DOUBTFUL = ("isvalid", "valid")  # may also say that a sample is a good one
_no, _yes = ("0", "false", "no", "f", "n"), ("1", "true", "yes", "t", "y")
NUMBER = re.compile(r"[0-9]{1,5}(\.0+)?")


@dataclass(frozen=True)
class SplitColumn:
    """A column that says on which side each sample is.

    Attributes:
        name: Its heading.
        cells: A word for each line, empty if there is none.
    """

    name: str
    cells: pa.Array


def find_split_columns(columns: Mapping[str, tuple[str, pa.Array]]) -> list[SplitColumn]:
    """The columns among some that are a split by their headings and their words, the most usual one first.

    It is enough that one word is that of a side: what the others mean is for the user to say.

    Args:
        columns: The cells of each column, and its heading as it is looked up, without blanks and capitals.
    """
    usual = (*NAMES, *YES_NO, *FOLD_NAMES, *DOUBTFUL)
    named = sorted(
        (usual.index(heading), name, cells) for name, (heading, cells) in columns.items() if heading in usual
    )
    found = (_as_split(name, usual[at], cells) for at, name, cells in named)
    return [column for column in found if column]


def _as_split(name: str, heading: str, cells: pa.Array) -> SplitColumn | None:
    """A column with such a heading as a split; None if its words are none."""
    distinct = {word: _canonical(word) for word in pc.unique(cells).to_pylist()}
    words = {word for word in distinct.values() if word}
    if heading in YES_NO and words <= {*_no, *_yes}:
        no, yes = YES_NO[heading]
        meant = {word: (yes if each in _yes else no) if each else "" for word, each in distinct.items()}
    elif (
        any(map(side_of, words))
        or are_folds(words)
        or (heading in FOLD_NAMES and all(map(NUMBER.fullmatch, words)))
        or (heading in DOUBTFUL and words <= {*_no, *_yes})
    ):
        meant = distinct
    else:
        return None
    if len({side_of(word) or word for word in meant.values() if word}) < 2:
        return None
    said = pa.array([meant[word] for word in distinct], cells.type)
    at = pc.index_in(cells, value_set=pa.array(list(distinct), cells.type))
    return SplitColumn(name, said.take(at))


def _canonical(word: str) -> str:
    """A word, in small letters where it says yes or no, an integer as such; "" if it says nothing."""
    folded = word.strip().casefold()
    if folded in MISSING_WORDS:
        return ""
    if NUMBER.fullmatch(folded):
        return folded.partition(".")[0]
    return folded if folded in (*_no, *_yes) else word
