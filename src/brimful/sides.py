"""Sides: the split that the user has made, by the names of folders or a column of the label table."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

SIDES = ("train", "validation", "test")
WORDS = {
    "train": (
        "train",
        "training",
        "trainings",
        "trn",
        "tr",
        "entrenamiento",
        "entrainement",
        "apprentissage",
    ),
    "validation": ("valid", "validation", "validierungs", "val", "dev", "validacion"),
    "test": ("test", "testing", "tst", "te", "eval", "evaluation", "holdout", "prueba", "pruebas"),
}
THINGS = re.compile(r"(data|dataset|set|daten|datensatz|images?|samples?|files?|folder|split|dir)?[0-9]*")
"""What may stand behind such a word: of what it is a side, and a number."""
FOLD = re.compile(r"(fold|kfold|cv|split)[-_ ]?[0-9]+", re.IGNORECASE)
MOST_WORDS = 2**16 - 1
STRAYS = 10  # at most one path in so many is not as deep as the folders of a split
_side_of = {word: side for side, words in WORDS.items() for word in words}


@final
@dataclass(frozen=True, eq=False)
class Sides:
    """The side of each sample, as the user has put it: one of train, validation and test, or a fold.

    Attributes:
        origin: Where the words are from, for messages: "the folders" or "the column 'split'".
        words: The words that occur, ascending; those for a side are `SIDES`, however they were spelt.
        codes: For each sample the position of its word in `words`, counted from 1; 0 if it has none.
            uint16 of shape `(n,)`.
    """

    origin: str
    words: tuple[str, ...]
    codes: NDArray[np.uint16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sides) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(cls, origin: str, cells: pa.Array | pa.ChunkedArray) -> "Sides | None":
        """The sides that strings, one for each sample, say; "" says nothing. None for too many words."""
        spelt = pc.unique(cells).to_pylist()
        meant = [side_of(word) or word.strip() for word in spelt]
        words = sorted({word for word in meant if word})
        if len(words) > MOST_WORDS:
            return None
        code_of = {word: at for at, word in enumerate(words, start=1)}
        codes = np.array([code_of.get(word, 0) for word in meant], np.uint16)
        at = pc.index_in(cells, value_set=pa.array(spelt, cells.type)).to_numpy(zero_copy_only=False)
        return cls(origin, tuple(words), codes[at])

    @property
    def present(self) -> tuple[str, ...]:
        """The words that some of the samples have."""
        return tuple(self.words[code - 1] for code in np.unique(self.codes).tolist() if code)

    def take(self, rows: NDArray[np.int64]) -> "Sides":
        """The sides of some rows."""
        return replace(self, codes=self.codes[rows])

    def divided(self, test: str = "") -> dict[str, NDArray[np.int64]]:
        """The positions of the samples of each side that has any, in the order train, validation, test.

        With the word of a fold as `test`, all others are for training.

        Raises:
            LookupError: The words are not those of train, validation and test, and no `test` is named.
        """
        asked = side_of(test) or test
        sides = [("test" if word == asked else "train") if test else side_of(word) for word in self.words]
        present = set(self.present)
        if any(side is None and word in present for word, side in zip(self.words, sides, strict=True)):
            raise LookupError
        numbers = np.array([-1, *(SIDES.index(side) if side else -1 for side in sides)])[self.codes]
        found = {side: np.flatnonzero(numbers == at) for at, side in enumerate(SIDES)}
        return {side: rows for side, rows in found.items() if rows.size}

    def to_json(self) -> dict[str, Any]:
        """A document from which `from_json` makes the same sides; codes take as few bits as their values."""
        bits = np.unpackbits(self.codes.astype(">u2")[:, np.newaxis].view(np.uint8), axis=1)
        packed = np.packbits(bits[:, 16 - len(self.words).bit_length() :])
        return {
            "origin": self.origin,
            "words": list(self.words),
            "codes": b64encode(packed.tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, entry: Any, n: int) -> "Sides":
        """The sides of n samples that `to_json` wrote; ValueError, TypeError or KeyError if it did not."""
        origin, words = entry["origin"], entry["words"]
        if type(words) is not list or {type(word) for word in (origin, *words)} != {str}:
            raise TypeError("a split whose words are no strings")
        if not 0 < len(set(words)) == len(words) <= MOST_WORDS or not all((origin, *words)):
            raise ValueError(f"a split of the words {words[:5]!r}")
        "".join((origin, *words)).encode()  # a lone surrogate would be found out later
        width = len(words).bit_length()
        packed = np.frombuffer(b64decode(entry["codes"], validate=True), np.uint8)
        if len(packed) != -(-n * width // 8):
            raise ValueError(f"{len(packed)} bytes for the sides of {n} samples")
        bits = np.unpackbits(packed, count=n * width).reshape(n, width)
        padded = np.packbits(np.pad(bits, ((0, 0), (16 - width, 0))), axis=1)
        codes = padded.view(">u2").reshape(n).astype(np.uint16)
        if codes.max(initial=0) > len(words):
            raise ValueError("a side that has no word")
        return cls(origin, tuple(words), codes)


def side_of(word: str) -> str | None:
    """The side that a word stands for, like "train", "Test_Set" or "training data 2"; None for none."""
    letters = "".join(letter for letter in word.casefold() if letter.isalnum())
    known = (name for name in _side_of if letters.startswith(name))
    return next((_side_of[name] for name in known if THINGS.fullmatch(letters[len(name) :])), None)


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
    for level in range(max(map(len, folders), default=0)):
        words = [names[level] for names in folders if len(names) > level]
        is_usual = (len(folders) - len(words)) * STRAYS <= len(folders)
        if is_usual and (are_sides(words) or are_folds(words)):
            return level
    return None
