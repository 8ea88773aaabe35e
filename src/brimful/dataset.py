"""Source: raw data as the user has it, and its views. The nouns that `import brimful` offers."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from brimful.arguments import whole
from brimful.errors import ArgumentError, LabelError, SourceError, UnknownKeyError
from brimful.feed.feed import Feed, Last
from brimful.keys import hash_keys
from brimful.order.split import WHOLE, Interval, cut
from brimful.order.view import View
from brimful.schema import Schema
from brimful.sources.audit import Audit, audit, glance
from brimful.sources.base import Fault, Finding, Progress, Reader
from brimful.sources.indexable import Indexable, RandomAccess
from brimful.sources.label_table import Columns
from brimful.sources.scan import scan_tree

if TYPE_CHECKING:
    from brimful.training.batches import Batches

Group = str | Callable[[str], str]
"""What the group of a key is: a regular expression whose match is the group, or a function."""

DTYPES = ("float16", "float32", "float64")
PIECE = 65_536  # keys held as Python strings at a time


def scan(
    path: str | os.PathLike[str] | RandomAccess,
    *,
    labels: str | os.PathLike[str] | None = None,
    shape: Sequence[int] | None = None,
    dtype: str = "float32",
    on_bad: str = "raise",
    limit: int | None = None,
    id: str | int | None = None,  # noqa: A002 (what the column is called)
    target: str | int | Sequence[str | int] | None = None,
    weight: str | int | None = None,
    progress: Progress | None = None,
) -> "Source":
    """Look at raw data: list its samples, join their labels by key, infer what they are like.

    Nothing is written, and of a folder only 256 files are read.

    Args:
        path: A folder with one text file a sample; or any object with `len` and `[i] -> (x, y)`.
        labels: The label table; or `"folders"` for the name of the folder that a file lies in. By
            default `target.csv`, `labels.csv` or the like in the folder; where there is none,
            the folders' names if there are several.
        shape: Shape to give to each sample, like `(28, 28, 1)`. By default as the files have it.
        dtype: What `x` is delivered in, "float16", "float32" or "float64".
        on_bad: `"raise"`: a bad sample is an error when it is met. `"skip"`: every sample is read
            now, and those that cannot be used are left out and listed in `skipped`.
        limit: Draw this many samples, to try first. The same ones every time.
        id: Column of the table that names the samples. Columns are named by the table's header, or
            counted from 1. By default the one called id, file or the like,
            or the first.
        target: Column to predict, or several, which must be numbers. By default the one called label,
            target or the like, or the only one left.
        weight: Column of sample weights; by default the one called weight, if there is one.
        progress: Called with the number of files listed so far; with `on_bad="skip"` then with that
            of samples read so far.

    Returns:
        The source.

    Raises:
        SourceError: There are no samples there, or no labels that fit, or they have no common shape.
        ArgumentError: An argument is wrong.
    """
    if dtype not in DTYPES:
        raise ArgumentError(f"Expected `dtype` as one of {', '.join(DTYPES)}. Received: dtype={dtype!r}")
    if on_bad not in ("raise", "skip"):
        raise ArgumentError(f"Expected `on_bad` as 'raise' or 'skip'. Received: on_bad={on_bad!r}")
    if limit is not None:
        limit = whole("limit", limit, 1)
    wanted = None if shape is None else _shape(shape)
    targets = () if target is None else (target,) if isinstance(target, (str, int)) else target
    columns = Columns(_column(id), tuple(map(str, targets)), _column(weight))
    source = Source(_reader(path, labels, columns, wanted, dtype, limit, progress))
    return usable(source, progress) if on_bad == "skip" else source


def _column(name: str | int | None) -> str | None:
    return None if name is None else str(name)


def usable(source: "Source", progress: Progress | None = None) -> "Source":
    """Read every sample, and leave out those that cannot be used: what `on_bad="skip"` does.

    Args:
        source: A source, not a part of one.
        progress: Called with the number of samples read so far.

    Returns:
        The source without them; `skipped` tells which they were.

    Raises:
        SourceError: All are bad.
    """
    faults = source.audit(progress=progress).faults
    bad = {fault.key for fault in faults}
    good = np.fromiter((key not in bad for key in source.keys), bool, len(source))
    if not good.any():
        raise SourceError(
            f"{source!r}: all of them are bad; the first: {faults[0].message}",
            "`brimful scan` shows what is wrong with them.",
        )
    return Source(source._reader.without(faults, np.flatnonzero(good)))  # noqa: SLF001 (of this module)


def _reader(
    path: str | os.PathLike[str] | RandomAccess,
    labels: str | os.PathLike[str] | None,
    columns: Columns,
    shape: tuple[int, ...] | None,
    dtype: str,
    limit: int | None,
    progress: Progress | None,
) -> Reader:
    if isinstance(path, (str, os.PathLike)):
        return scan_tree(
            Path(path),
            labels=labels,
            columns=columns,
            shape=shape,
            dtype=dtype,
            limit=limit,
            progress=progress,
        )
    if not isinstance(path, RandomAccess):
        raise ArgumentError(
            f"Expected a folder, or an object with `len` and `[i] -> (x, y)`. Received: {type(path).__name__}"
        )
    if labels is not None or columns.asked_for:
        raise ArgumentError(
            "Expected no `labels` or columns for an object, which gives its own. Received: labels"
        )
    return Indexable(path, shape=shape, dtype=dtype, limit=limit)


class Source:
    """Raw data as the user has it, or a part of it; never written to.

    `len(source)` is the number of samples, `source[i]` one of them: `(x, y)`, `(x,)` without
    labels, `(x, y, w)` with weights. Samples are in ascending order of a hash of their key, the same
    on every machine.

    Args:
        reader: Access to the samples.
        view: The rows that belong to this part; None for all.
        within: For each (group, split seed) that this part was split by, the hashes it was left with.
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

    def __len__(self) -> int:
        return len(self._view)

    def __repr__(self) -> str:
        inputs, classes = self.schema.inputs, self.schema.classes
        labels = f", {len(classes)} classes" if classes else "" if self.schema.target else ", no labels"
        return (
            f"Source({self._reader.name!r}: {len(self):,} samples of {inputs.shape} {inputs.dtype}{labels})"
        )

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no sample {index} in {len(self):,}.")
        samples = self._reader.read(self._view.at(np.array([index % len(self)])))
        return tuple(array[0] for array in samples.arrays)

    @property
    def schema(self) -> Schema:
        """What every sample has."""
        return self._reader.schema

    @property
    def keys(self) -> "Keys":
        """The keys, a sequence of strings in the order of the samples."""
        return Keys(self._reader, self._view)

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided when the source was scanned, a line each, for a person to check."""
        return self._reader.facts

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed when the source was scanned: problems, and warnings."""
        return self.audit(quick=True).findings

    @property
    def skipped(self) -> tuple[Fault, ...]:
        """Samples that `on_bad="skip"` has left out: key, kind, message."""
        return self._reader.skipped

    def audit(self, *, quick: bool = False, cached: bool = True, progress: Progress | None = None) -> Audit:
        """Read every sample, and tell all that is wrong: what is missing, orphaned, malformed.

        Args:
            quick: Read nothing more than the scan has.
            cached: Whether files that have not changed since an earlier audit may be left unread: size,
                times and inode tell. What was seen of them lies in the user's cache folder.
            progress: Called with the number of samples read so far.

        Returns:
            What was found; `print` shows it. Findings about labels and other files are those of the
            whole source also where this is a part.
        """
        rows = self._view.at(np.arange(len(self)))
        return glance(self._reader, rows) if quick else audit(self._reader, rows, progress, cached=cached)

    def split(
        self,
        test: float = 0.1,
        validation: float = 0.0,
        *,
        group: Group | None = None,
        split_seed: int | None = None,
    ) -> tuple[Self, ...]:
        """Split by a hash of the key: no sample changes sides when others come or go.

        The fractions are met approximately. Parts can be split again; fractions are then of the part.

        Args:
            test: Fraction for the test side.
            validation: Fraction for the validation side, 0 for no such side.
            group: What belongs together, so that none of it is on two sides: a regular expression to
                search for in the key (what its first group matches, or all of it), or a function of
                the key.
            split_seed: Seed of the hash; 0 by default.

        Returns:
            Train and test, or train, validation and test.

        Raises:
            ArgumentError: The fractions make no sense, or one side would be empty.
        """
        seed = 0 if split_seed is None else whole("split_seed", split_seed, 0, 2**64 - 1)
        within = self._within.get((group, seed), WHOLE)
        intervals = cut(within, test=float(test), validation=float(validation))
        hashes = self._hashes(group, seed)
        parts = [
            type(self)(self._reader, self._inside(hashes, part), {**self._within, (group, seed): part})
            for part in intervals
        ]
        if not all(len(part) for part in parts):
            sides = ", ".join(f"{len(part):,}" for part in parts)
            raise ArgumentError(
                f"A side of the split would be empty: {len(self):,} samples would be split into {sides} "
                f"(test={test}, validation={validation}, group={group!r}).",
                "Take another fraction, more data, or a `group` that tells more samples apart.",
            )
        return tuple(parts)

    def select(self, keys: Iterable[str]) -> Self:
        """The part with these keys.

        Raises:
            UnknownKeyError: There is no sample with one of them.
        """
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            raise ArgumentError("Expected at least one key to select. Received: none")
        rows = np.searchsorted(self._reader.hashes, hash_keys(wanted))
        found = self._reader.keys(rows.clip(max=len(self._reader) - 1))
        for at, (key, candidate) in enumerate(zip(wanted, found, strict=True)):
            if key != candidate:
                rows[at] = self._row_behind(int(rows[at]), key)
        inside = np.isin(rows, self._view.at(np.arange(len(self))))
        if not inside.all():
            raise self._unknown(wanted[int(np.argmin(inside))])
        return type(self)(self._reader, View(np.sort(rows)), self._within)

    def batches(
        self,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        memory: str | float = "1GB",
        last: Last = "short",
        one_hot: bool = False,
        include_keys: bool = False,
    ) -> "Batches":
        """Batches to train on: `model.fit(batches)`, or `for x, y in batches`, an epoch a pass.

        Args:
            batch_size: Samples a batch.
            seed: Seed of the shuffle, 0 to 2**32 - 1.
            shuffle: Whether each epoch has an order of its own: a uniform permutation of all samples.
            memory: What may be held in memory to feed them, in bytes or like "64MB", "1GB" (10**9).
            last: The samples left over at the end of an epoch are a `"short"` batch, or are dropped.
            one_hot: Whether `y` is a row of a 1 among 0s, float32 of shape `(batch, num_classes)`.
            include_keys: Whether a batch ends with the list of its keys (then it is not for Keras).

        Returns:
            The batches.

        Raises:
            SourceError: The scan found samples that cannot be trained on.
            MemoryBudgetError: `memory` is too small.
        """
        self._refuse_problems()
        from brimful.training.batches import Batches  # keras takes seconds to import

        feed = Feed(
            self._reader,
            self._view,
            batch_size,
            seed=seed,
            shuffle=shuffle,
            memory=memory,
            last=last,
            one_hot=one_hot,
            include_keys=include_keys,
        )
        return Batches(feed)

    def _refuse_problems(self) -> None:
        for finding in self.findings:
            if finding.is_problem:
                kind = LabelError if finding.kind.endswith("label") else SourceError
                raise kind(f"{self._reader.name}: {finding}", finding.hint)

    def _hashes(self, group: Group | None, seed: int) -> NDArray[np.uint64]:
        """The hash that decides the side of each sample."""
        if group is None and seed == 0:
            return self._reader.hashes[self._view.index]
        if group is None:
            return hash_keys(self.keys, seed)
        group_of = group if callable(group) else _regex_group(group)
        return hash_keys((_named(group_of(key), key) for key in self.keys), seed)

    def _inside(self, hashes: NDArray[np.uint64], interval: Interval) -> View:
        """The part whose hashes lie in the interval."""
        first, last = np.uint64(interval[0]), np.uint64(interval[1] - 1)
        return self._view.part(np.flatnonzero((hashes >= first) & (hashes <= last)))

    def _row_behind(self, row: int, key: str) -> int:
        """The row of a key of which `row` is the first with its hash, should another key share that."""
        hashes = self._reader.hashes
        shared = int(np.searchsorted(hashes, hashes[row : row + 1], "right")[0]) if row < len(hashes) else row
        keys = self._reader.keys(np.arange(row, shared))
        if key not in keys:
            raise self._unknown(key)
        return row + keys.index(key)

    def _unknown(self, key: str) -> UnknownKeyError:
        return UnknownKeyError(
            f"There is no sample with the key {key!r} here.", f"Keys look like {self.keys[0]!r}."
        )


class Keys(Sequence[str]):
    """The keys of a source or a part of it, made when asked for.

    Args:
        reader: Where the keys are.
        view: The rows of the part.
    """

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
        for start in range(0, len(self), PIECE):
            yield from self[start : start + PIECE]


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, str) or not isinstance(shape, Sequence) or not shape:
        raise ArgumentError(f"Expected `shape` as a sequence of integers. Received: shape={shape!r}")
    return tuple(whole("shape", n, 1) for n in shape)


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
                "Every key must belong to a group: write an expression that fits them all.",
            )
        return match[1] if match.lastindex else match[0]

    return group_of


def _named(group: object, key: str) -> str:
    if not isinstance(group, str):
        raise ArgumentError(f"Expected `group` to give a string. Received: {group!r} for the key {key!r}")
    return group
