"""Collection: samples with keys that can be split, selected and fed; the base of Source and Dataset."""

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import ArgumentError, UnknownKeyError
from brimful.feed.feed import Feed
from brimful.feed.loader import Loader
from brimful.feed.postprocess import balanced
from brimful.keys import HashedKeys, find_keys, hash_keys
from brimful.options import FeedOptions, Last, Transform, check_int
from brimful.order.split import WHOLE, Interval, cut
from brimful.order.view import View
from brimful.samples import Reader, Samples
from brimful.schema import Schema
from brimful.sides import Sides, level_of_sides
from brimful.training.batches import Batches

Group = str | Callable[[str], str]
"""How to find the group of a key: a regular expression whose match is the group, or a function."""

SEEN = 256  # keys that are looked at for folders; they are a uniform draw
NO_SPLIT = {
    "folders": "no folders are called train and test, or fold1 and fold2, or the like",
    "column": "the label table has no column called split or fold that says train and test or the like",
}
KEYS_TOGETHER = 65_536  # keys held as Python strings at a time


class Collection(ABC):
    """Samples with keys: a source, a packed data set, or a part of one.

    `len(samples)` is their number, `samples[i]` one of them: `(x, y)`, `(x,)` without labels,
    `(x, y, w)` with weights. Samples are in ascending order of a hash of their key, the same on
    every machine.

    Args:
        reader: Access to the samples.
        view: The rows that belong to this part; None for all.
        within: For each (group, split seed) of an earlier split, the interval of hashes of this part.
    """

    def __init__(
        self,
        reader: Reader,
        view: View | None = None,
        within: dict[tuple[Group | None, int], Interval] | None = None,
    ) -> None:
        self._reader = reader
        self._view = View(range(len(reader))) if view is None else view
        self._within = within or {}
        self._is_given = False  # whether a split that the user has made has given this part

    def __len__(self) -> int:
        return len(self._view)

    def __repr__(self) -> str:
        classes = self.schema.classes
        labels = f", {len(classes)} classes" if classes else "" if self.schema.target else ", no labels"
        each = f"{self.schema.described}{labels}"
        return f"{type(self).__name__}({self._reader.name!r}: {len(self):,} samples of {each})"

    def _repr_html_(self) -> str:
        """A few samples as pictures, and how many there are of each class, for a notebook."""
        from brimful.pictures.cell import SHOWN, cell

        rows = self._view.at(np.arange(min(SHOWN, len(self))))
        return cell(repr(self), self._reader, rows, self.known_counts())

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no sample {index} in {len(self):,}.")
        samples = self._reader.read(self._view.at(np.array([index % len(self)])))
        return Samples(*self.schema.structured(array[0] for array in samples.arrays)).batch

    @property
    def name(self) -> str:
        """The name shown to users, usually the folder."""
        return self._reader.name

    @property
    def schema(self) -> Schema:
        """What every sample has."""
        return self._reader.schema

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The columns of a table that the inputs are made of, in order; none where that is not known."""
        return ()

    @property
    def keys(self) -> "Keys":
        """The keys, a sequence of strings in the order of the samples."""
        return Keys(self._reader, self._view)

    def split(
        self,
        test: float = 0.1,
        validation: float = 0.0,
        *,
        group: Group | None = None,
        split_seed: int | None = None,
        by: str | None = None,
    ) -> tuple[Self, ...]:
        """Split by a hash of the key: no sample changes sides when others are added or removed.

        The fractions are met approximately. Parts can be split again; fractions are then of the part.

        If folders of the data are called train and test or the like, or the label table has a column `split`
        or `fold`, there is a split already: then `by` says whether it is used (`"folders"`, `"column"`), or
        all samples are pooled and split anew (`"hash"`).

        Args:
            test: Fraction for the test side.
            validation: Fraction for the validation side, 0 for no such side.
            group: The group of a key, so that no group is on two sides: a regular expression to search for
                in the key (the match of its first group, or the whole match), or a function of the key.
            split_seed: Seed of the hash; by default 0 for a source, and that of the store for packed data.
            by: `"hash"`, the default; `"folders"`: the sides are the folders called train, validation and
                test or the like; `"folders:NAME"`: test is the folder of that name, like one of several
                folds, and train the others. `"column"`, `"column:NAME"`: the same with the words of a
                column of the label table.

        Returns:
            Train and test, or train, validation and test. A split of the user's own may also be train and
            validation.

        Raises:
            ArgumentError: The fractions are wrong, or one side would be empty; or there is a split
                already, and it is not said whether to use it.
        """
        if by is not None and by != "hash":
            parts = self._split_as_given(by)
            self._look_at_sides(parts)
            return tuple(parts)
        if by is None and group is None and (given := self.given_splits):
            which = " and ".join(
                f"{sides.origin} ({', '.join(sides.present[:5])})" for sides in given.values()
            )
            ways = ", ".join(f"by={way!r}, or {way + ':NAME'!r} to test on NAME" for way in given)
            raise ArgumentError(
                f"{self.name}: there is a split already: {which}.",
                f"Use it: {ways}; or pool all samples and split them anew: by='hash'. On the command line: "
                "--split.",
            )
        own = self._reader.split_seed
        seed = own if split_seed is None else check_int("split_seed", split_seed, 0, 2**64 - 1)
        within = self._within.get((group, seed), WHOLE)
        intervals = cut(within, test=float(test), validation=float(validation))
        if group is None and seed == own:  # rows are in the order of this hash, so that a side is a range
            views = [self._view.between(*map(self._reader.row_from, part)) for part in intervals]
        else:
            hashes = self._hashes(group, seed)
            views = [self._inside(hashes, part) for part in intervals]
        parts = [
            type(self)(self._reader, view, {**self._within, (group, seed): part})
            for view, part in zip(views, intervals, strict=True)
        ]
        if not all(len(part) for part in parts):
            sides = ", ".join(f"{len(part):,}" for part in parts)
            raise ArgumentError(
                f"A side of the split would be empty: {len(self):,} samples would be split into {sides} "
                f"(test={test}, validation={validation}, group={group!r}).",
                "Take another fraction, more data, or a `group` that distinguishes more samples.",
            )
        self._look_at_sides(parts)
        return tuple(parts)

    @property
    def given_splits(self) -> dict[str, Sides]:
        """The splits that the user has made, by the way to use them, "folders" or "column".

        There are none in a part that such a split has given.
        """
        found = {way: None if self._is_given else self._sides(way) for way in ("folders", "column")}
        return {way: sides for way, sides in found.items() if sides and len(sides.present) > 1}

    def _split_as_given(self, by: str) -> list[Self]:
        """The split that the user has made: by the names of folders, or by a column of the label table."""
        way, _, test = by.partition(":")
        sides = self._sides(way)
        if way not in ("folders", "column"):
            ways = "'hash', 'folders', 'folders:NAME', 'column' or 'column:NAME'"
            raise ArgumentError(f"Expected `by` as {ways}. Received: {by!r}")
        if sides is None:
            raise ArgumentError(
                f"{self.name}: {NO_SPLIT[way]}.",
                "Split by hash, the default; or name the keys of each side: select(keys).",
            )
        if not sides.codes.all():
            key = self.keys[int(np.argmin(sides.codes))]
            raise ArgumentError(
                f"{self.name}: by {sides.origin}, {np.count_nonzero(sides.codes == 0):,} samples are on no "
                f"side of the split, like {key!r}.",
                "Complete it; or pool all samples and split them anew: by='hash', --split hash.",
            )
        try:
            found = sides.divided(test)
        except LookupError as error:
            raise ArgumentError(
                f"{self.name}: it is not clear which of {', '.join(sides.present[:5])} are for testing.",
                f"Name one: by='{way}:{sides.present[0]}', --split {way}:{sides.present[0]}.",
            ) from error
        if len(found) < 2 or "train" not in found:
            raise ArgumentError(
                f"{self.name}: by={by!r} gives no two sides of which one is for training, but only "
                f"{' and '.join(found)}."
            )
        parts = [type(self)(self._reader, self._view.part(rows), self._within) for rows in found.values()]
        for part in parts:
            part._is_given = True  # noqa: SLF001 (of this class)
        return parts

    def _sides(self, way: str) -> Sides | None:
        """The sides that folders or a column say of these samples; None if they say nothing."""
        if way == "column":
            return self._reader.sides and self._inner(self._reader.sides)
        level = level_of_sides([key.split("/")[:-1] for key in self.keys[:SEEN]])
        if way != "folders" or level is None:
            return None
        pieces = (self.keys[at : at + KEYS_TOGETHER] for at in range(0, len(self), KEYS_TOGETHER))
        names = (pa.array([_folder(key, level) for key in piece], pa.string()) for piece in pieces)
        return Sides.of("the folders", pa.chunked_array(names, pa.string()))

    def _inner(self, sides: Sides) -> Sides:
        """Those of these samples among the sides of all."""
        return sides.take(self._view.at(np.arange(len(self))))

    def _look_at_sides(self, parts: Sequence[Self]) -> None:
        """Warn of classes that a side of a split lacks."""
        present = {name for name, count in self.known_counts().items() if count}
        for part in parts if present else ():
            counts = part.known_counts()
            lacking = sorted(str(name) for name in present if not counts.get(name))
            if lacking:
                few = ", ".join(lacking[:5]) + ", ..." * (len(lacking) > 5)
                warnings.warn(
                    f"{self.name}: a side of the split, of {len(part):,} samples, has none of the class "
                    f"{few}. Take a larger fraction, or more data of that class.",
                    stacklevel=3,
                )

    def known_counts(self) -> dict[Any, int]:
        """How many samples are of each class, if that is known without reading them; empty if not."""
        return {}

    def select(self, keys: Iterable[str]) -> Self:
        """The part with these keys.

        Raises:
            UnknownKeyError: No sample has one of them.
        """
        reader = self._reader
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            raise ArgumentError("Expected at least one key to select. Received: none")
        hashed = HashedKeys.of(_arrow(wanted), reader.split_seed)
        rows = find_keys(hashed, reader.hashes, lambda rows: _arrow(reader.keys(rows)))
        inside = np.isin(rows, self._view.at(np.arange(len(self))))
        if not inside.all():
            raise UnknownKeyError(
                f"There is no sample with the key {wanted[int(np.argmin(inside))]!r} here.",
                f"Keys look like {self.keys[0]!r}.",
            )
        return type(self)(reader, View(np.sort(rows)), self._within)

    def batches(
        self,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        memory: str | float = "1GB",
        last: Last = "short",
        one_hot: bool = False,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        include_keys: bool = False,
        transform: Transform | None = None,
    ) -> Batches:
        """Batches to train on: `model.fit(batches)`, or `for x, y in batches`, one epoch per pass.

        Args:
            batch_size: Samples per batch.
            seed: Seed of the shuffle, 0 to 2**32 - 1.
            shuffle: Whether each epoch has an order of its own: a uniform permutation of all samples; for a
                store that does not fit in `memory`, one of its chunks, and of the rows in windows of them.
            memory: Memory for feeding, in bytes or like "64MB", "1GB" (10**9).
            last: The samples left over at the end of an epoch are a `"short"` batch, or are dropped
                (`"drop"`), or the batch is filled with zeros of weight 0 (`"pad"`): then all batches of a
                loop are of one size, and have weights. Keras, which would count the zeros, gets the batch
                without them.
            one_hot: Whether labels are one-hot, float32 of shape `(batch, num_classes)`.
            class_weight: Weight of the samples of each class, by class, 1 for those not named; or
                `"balanced"`: all classes have the same total weight. Batches then have weights.
            include_keys: Whether a batch ends with the list of its keys (then it is not for Keras).
            transform: A function for each batch, `transform(batch, generator) -> batch`: a tuple
                `(x, y[, w])` of NumPy arrays, and a `numpy.random.Generator` that depends on seed, epoch
                and position alone. Called in several threads at once, for raw files in that of the loop.

        Returns:
            The batches.

        Raises:
            SourceError: The scan found samples that cannot be trained on.
            MemoryBudgetError: `memory` is too small.
        """
        if class_weight == "balanced":
            class_weight = balanced(self._class_counts(batch_size, memory))
        options = FeedOptions.of(
            batch_size,
            seed=seed,
            shuffle=shuffle,
            memory=memory,
            last=last,
            one_hot=one_hot,
            class_weight=class_weight,
            include_keys=include_keys,
            transform=transform,
        )
        return Batches(Feed(self._loader(options)))

    @abstractmethod
    def _loader(self, options: FeedOptions) -> Loader:
        """The loader that reads these samples batch by batch."""

    def _class_counts(self, batch_size: int, memory: str | float) -> dict[Any, int]:
        """How many samples are of each class; reads all samples unless the labels are in memory."""
        classes = self.schema.classes
        if classes is None:
            raise ArgumentError(
                "Expected class_weight='balanced' with known classes as target.",
                "Name the classes: bf.scan(..., classes=[...]).",
            )
        feed = Feed(self._loader(FeedOptions.of(batch_size, shuffle=False, memory=memory)))
        counts = np.zeros(self.schema.num_classes or 0, np.int64)
        for batch in feed:
            counts += np.bincount(batch[1], minlength=len(counts))
        numbers = classes if isinstance(classes[0], int) else range(len(classes))
        return {name: int(counts[number]) for name, number in zip(classes, numbers, strict=True)}

    def _hashes(self, group: Group | None, seed: int) -> NDArray[np.uint64]:
        """The hash that decides the side of each sample."""
        if group is None:
            return hash_keys(self.keys, seed)
        return hash_keys(_groups(self.keys, group if callable(group) else _regex_group(group)), seed)

    def _inside(self, hashes: NDArray[np.uint64], interval: Interval) -> View:
        """The part whose hashes are in the interval."""
        first, last = np.uint64(interval[0]), np.uint64(interval[1] - 1)
        return self._view.part(np.flatnonzero((hashes >= first) & (hashes <= last)))


class Keys(Sequence[str]):
    """The keys of a collection, read when asked for."""

    def __init__(self, reader: Reader, view: View) -> None:
        self._reader = reader
        self._view = view

    def __len__(self) -> int:
        return len(self._view)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self._reader.keys(self._view.at(np.arange(len(self))[index]))
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no key {index} in {len(self):,}.")
        return self._reader.keys(self._view.at(np.array([index % len(self)])))[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), KEYS_TOGETHER):
            yield from self[start : start + KEYS_TOGETHER]


def _folder(key: str, level: int) -> str:
    """The folder at a level of a key, "" if it is not so deep."""
    parts = key.split("/")
    return parts[level] if level < len(parts) - 1 else ""


def _arrow(keys: Sequence[str]) -> pa.LargeStringArray:
    return pa.array(keys, pa.large_string())


def _regex_group(pattern: str) -> Callable[[str], str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ArgumentError(
            f"Expected `group` as a regular expression. Received: {pattern!r}: {error}"
        ) from error

    def group_of(key: str) -> str:
        match = compiled.search(key)
        if match is None:
            raise ArgumentError(
                f"The `group` {pattern!r} is not found in the key {key!r}.",
                "Every key must belong to a group: write an expression that matches all keys.",
            )
        return match[1] if match.lastindex else match[0]

    return group_of


def _groups(keys: Iterable[str], group_of: Callable[[str], str]) -> Iterator[str]:
    for key in keys:
        group = group_of(key)
        if not isinstance(group, str):
            raise ArgumentError(f"Expected `group` to give a string. Received: {group!r} for the key {key!r}")
        yield group
