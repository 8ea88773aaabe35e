"""Roles: which column of a table is the id, which are targets, which may be inputs."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from brimful.errors import ArgumentError
from brimful.options import ScanOptions
from brimful.sources.label_table import TARGET_NAMES
from brimful.sources.split_column import DOUBTFUL, FOLD_NAMES, NAMES, YES_NO

ID_NAMES = ("id", "key", "uid", "uuid", "guid", "sampleid", "rowid")
WEIGHT_NAMES = ("sampleweight", "sampleweights")
SPLIT_NAMES = frozenset((*NAMES, *FOLD_NAMES, *YES_NO, *DOUBTFUL))


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for.

    Attributes:
        id: The column whose text is the key; None for the numbers of the rows.
        is_id_asked: Whether the user has named it: if not, one whose text repeats is no id.
        targets: The columns to predict.
        weight: The column of sample weights.
        splits: Columns that may say on which side of a split a sample is, by their headings.
        inputs: The columns to train on, if the user has named them.
    """

    id: str | None
    is_id_asked: bool
    targets: tuple[str, ...]
    weight: str | None
    splits: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns whose cells are wanted as text."""
        wanted = (self.id, *self.targets, self.weight, *self.splits)
        return tuple(dict.fromkeys(name for name in wanted if name is not None))

    @property
    def unanalysed(self) -> tuple[str, ...]:
        """Those that are no inputs, whatever they hold."""
        return tuple(name for name in self.texts if name not in self.splits)


def roles_of(table: str, names: Sequence[str], options: ScanOptions) -> Roles:
    """The roles of the columns of a table, by their headings and by what the user has named.

    Raises:
        ArgumentError: A column that was named is not there, or has two roles.
    """

    def named(asked: str) -> str:
        if asked in names:
            return asked
        if asked.isdecimal() and 0 < int(asked) <= len(names):
            return names[int(asked) - 1]
        close = difflib.get_close_matches(asked, names, n=1)
        listed = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
        raise ArgumentError(
            f"{table}: there is no column {asked!r}. There are {listed}.",
            f"Did you mean {close[0]!r}?" if close else "Name columns by their headings, or count from 1.",
        )

    inputs = tuple(map(named, options.inputs))
    asked = [named(name) for name in options.table_columns]
    _refuse_two_roles(table, [*asked, *inputs])
    free = [name for name in names if name not in asked and name not in inputs]
    key = named(options.id) if options.id else _usual(free, ID_NAMES)
    weight = named(options.weight) if options.weight else _usual(free, WEIGHT_NAMES)
    usual = _usual(free, TARGET_NAMES)
    if usual and word(usual) == "y" and len(free) > 2 and any(word(name) == "x" for name in free):
        usual = None  # a place, of which y is one half
    targets = tuple(map(named, options.target)) or ((usual,) if usual else ())
    others = [name for name in free if name not in (key, weight, *targets)]
    splits = tuple(name for name in others if word(name) in SPLIT_NAMES)
    return Roles(key, options.id is not None, targets, weight, splits, inputs)


def _refuse_two_roles(table: str, asked: Sequence[str]) -> None:
    twice = next((name for name in asked if asked.count(name) > 1), None)
    if twice:
        raise ArgumentError(
            f"{table}: the column {twice!r} was named twice: as id, target, weight or one of the inputs.",
            "One column cannot be two of them.",
        )


def _usual(names: Sequence[str], known: Sequence[str]) -> str | None:
    """The first known name that occurs, however it is spelt."""
    return next((name for usual in known for name in names if word(name) == usual), None)


def word(head: str) -> str:
    """A heading as it is looked up: `ImageId`, `image_id` and `Image Id` are one."""
    return "".join(letter for letter in head.casefold() if letter.isalnum())
