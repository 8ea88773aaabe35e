"""Sides: which side of a split, train, validation or test, a word stands for: a folder's name or a cell."""

import re
from collections.abc import Iterable, Sequence

SIDES = ("train", "validation", "test")
WORDS = {
    "train": ("train", "training", "trn", "trainset", "train_set"),
    "validation": ("valid", "validation", "val", "dev", "validset", "valid_set", "val_set"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "holdout", "hold_out", "testset", "test_set"),
}
FOLD = re.compile(r"(fold|kfold|cv|split)[-_ ]?[0-9]+", re.IGNORECASE)
_side_of = {word: side for side, words in WORDS.items() for word in words}


def side_of(word: str) -> str | None:
    """The side that a word stands for, in capitals or not; None if it stands for none."""
    return _side_of.get(word.strip().casefold())


def are_sides(words: Iterable[str]) -> bool:
    """Whether words stand for two sides at least, and all of them for one."""
    sides = {side_of(word) for word in words}
    return len(sides) > 1 and None not in sides


def are_folds(words: Iterable[str]) -> bool:
    """Whether words name the parts of a cross-validation, like fold1 and fold2."""
    distinct = set(words)
    return len(distinct) > 1 and all(map(FOLD.fullmatch, distinct))


def level_of_sides(folders: Sequence[Sequence[str]]) -> int | None:
    """At which place of some paths the folders stand for the sides of a split, or for folds; None if nowhere.

    Args:
        folders: The names of the folders of each path, from the outermost.
    """
    for level in range(min(map(len, folders), default=0)):
        words = [names[level] for names in folders]
        if are_sides(words) or are_folds(words):
            return level
    return None
