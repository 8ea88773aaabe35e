"""SplitColumn: the column of a label table that says on which side of a split each sample is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from brimful.sides import MOST_WORDS, are_folds, are_sides

NAMES = ("split", "subset", "partition", "set", "dataset", "phase", "usage", "mluse", "datasplit", "splitset")
FOLD_NAMES = ("fold", "folds", "kfold", "cvfold", "foldid")
YES_NO = {
    "isvalid": ("train", "validation"),
    "isvalidation": ("train", "validation"),
    "isval": ("train", "validation"),
    "istest": ("train", "test"),
    "istrain": ("test", "train"),
}
"""Columns that say of each sample whether it is on a side: the side that "no" means, and that of "yes"."""
_no, _yes = ("0", "false", "no", "f", "n"), ("1", "true", "yes", "t", "y")


@dataclass(frozen=True)
class SplitColumn:
    """A column that says on which side each sample is.

    Attributes:
        name: Its heading.
        cells: A word for each line, empty if there is none.
    """

    name: str
    cells: pa.Array

    def without_first(self) -> "SplitColumn":
        """The column without its first line."""
        return replace(self, cells=self.cells[1:])


def find_split_column(columns: Mapping[str, tuple[str, pa.Array]]) -> SplitColumn | None:
    """The column among some that is a split by its heading and by its words; None if there is none.

    Args:
        columns: The cells of each column, and its heading as it is looked up, without blanks and capitals.
    """
    for name, (heading, cells) in columns.items():
        if heading not in (*NAMES, *FOLD_NAMES, *YES_NO):
            continue
        words = [word for word in pc.unique(cells).to_pylist() if word]
        if heading in YES_NO and {word.casefold() for word in words} <= {*_no, *_yes} and len(words) > 1:
            no, yes = YES_NO[heading]
            is_yes = pc.is_in(pc.utf8_lower(cells), value_set=pa.array(_yes, cells.type))
            said = pc.if_else(is_yes, pa.scalar(yes, cells.type), pa.scalar(no, cells.type))
            return SplitColumn(name, pc.if_else(pc.equal(cells, ""), "", said))
        if are_sides(words) or are_folds(words) or (heading in FOLD_NAMES and _are_numbered(words)):
            return SplitColumn(name, cells)
    return None


def _are_numbered(words: list[str]) -> bool:
    """Whether words are the numbers of folds."""
    return 1 < len(words) <= MOST_WORDS and all(re.fullmatch(r"[0-9]{1,3}", word) for word in words)
