"""Options: what a user has asked for, checked once at the door and passed on as one record."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, Literal, SupportsIndex

import numpy as np

from brimful.errors import ArgumentError
from brimful.memory import parse_bytes
from brimful.samples import Progress

DTYPES = ("float16", "float32", "float64")
FOLDERS = "folders"  # as `labels`: the name of the folder that a file lies in

Last = Literal["short", "drop", "pad"]
"""What becomes of the samples left over at the end of an epoch."""

Transform = Callable[[tuple[Any, ...], np.random.Generator], tuple[Any, ...]]
"""A batch `(x, y[, w])` of NumPy arrays, and a generator of random numbers -> a batch."""


@dataclass(frozen=True)
class PackOptions:
    """How to pack.

    Attributes:
        split_seed: Seed of the hash that orders the rows.
        memory: What may be held in memory for it, in bytes.
        overwrite: Whether to replace a store of other data.
        check_content: Whether to read files that seem to be unchanged, too.
        in_disk_order: Whether to read files in the order of the disk also where that is not known to pay:
            into piles beside the store, where `memory` allows it. The store is the same.
        chunk_bytes: What a chunk should take at the most, as delivered.
        shard_bytes: What a shard should.
        progress: Called with the number of samples packed so far.
    """

    split_seed: int = 0
    memory: int = 10**9
    overwrite: bool = False
    check_content: bool = False
    in_disk_order: bool = False
    chunk_bytes: int = 16 * 2**20
    shard_bytes: int = 512 * 2**20
    progress: Progress | None = None

    @classmethod
    def of(
        cls, *, split_seed: SupportsIndex = 0, memory: str | float = "1GB", **others: Any
    ) -> "PackOptions":
        """The options as a user gives them.

        Raises:
            ArgumentError: One is wrong.
        """
        seed = check_int("split_seed", split_seed, 0, 2**64 - 1)
        return cls(split_seed=seed, memory=parse_bytes(memory), **others)


@dataclass(frozen=True)
class FeedOptions:
    """How to feed.

    Attributes:
        batch_size: Samples per batch.
        seed: Seed of the order.
        shuffle: False for row order in every epoch.
        memory: What the feed may hold, in bytes.
        last: What becomes of the samples left over at the end: a `"short"` batch, or `"drop"`, or `"pad"`: a
            batch filled with samples of weight 0.
        one_hot: Whether targets are rows of a 1 among 0s, float32 of shape `(n, num_classes)`.
        class_weight: How much a sample of each class counts, by class.
        include_keys: Whether a batch ends with the list of its keys.
        transform: What is done to each batch, in threads.
    """

    batch_size: int
    seed: int = 0
    shuffle: bool = True
    memory: int = 10**9
    last: Last = "short"
    one_hot: bool = False
    class_weight: Mapping[Any, float] | None = None
    include_keys: bool = False
    transform: Transform | None = None

    @classmethod
    def of(
        cls, batch_size: SupportsIndex, *, seed: SupportsIndex = 0, memory: str | float = "1GB", **others: Any
    ) -> "FeedOptions":
        """The options as a user gives them.

        Raises:
            ArgumentError: One is wrong.
        """
        options = cls(
            check_int("batch_size", batch_size, 1),
            check_int("seed", seed, 0, 2**32 - 1),
            memory=parse_bytes(memory),
            **others,
        )
        if options.last not in ("short", "drop", "pad"):
            raise ArgumentError(
                f"Expected `last` as 'short', 'drop' or 'pad'. Received: last={options.last!r}"
            )
        return options


def check_int(name: str, value: SupportsIndex, low: int, high: int | None = None) -> int:
    """Take an argument that must be an integer, of Python or of NumPy.

    Args:
        name: The argument's name, for the error.
        value: What was given.
        low: The least it may be.
        high: The most it may be; None for no limit.

    Raises:
        ArgumentError: It is no integer, or out of its range.
    """
    span = f"of at least {low}" if high is None else f"from {low} to {high}"
    try:
        number = index(value)
    except TypeError as error:
        raise ArgumentError(f"Expected `{name}` as an integer {span}. Received: {name}={value!r}") from error
    if number < low or (high is not None and number > high):
        raise ArgumentError(f"Expected `{name}` as an integer {span}. Received: {name}={value!r}")
    return number


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Take an argument that must be one of a few words.

    Args:
        name: The argument's name, for the error.
        value: What was given.
        choices: What it may be.

    Raises:
        ArgumentError: It is none of them.
    """
    if value not in choices:
        listed = f"'{choices[0]}' or '{choices[1]}'" if len(choices) == 2 else f"one of {', '.join(choices)}"
        raise ArgumentError(f"Expected `{name}` as {listed}. Received: {name}={value!r}")
    return value


def check_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Take an argument that must be a shape: a sequence of positive integers.

    Args:
        name: The argument's name, for the error.
        shape: What was given.

    Raises:
        ArgumentError: It is none.
    """
    if isinstance(shape, str) or not isinstance(shape, Sequence) or not shape:
        raise ArgumentError(f"Expected `{name}` as a sequence of integers. Received: {name}={shape!r}")
    return tuple(check_int(name, n, 1) for n in shape)


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """How to look at raw data, checked once, where a user calls `scan`.

    Attributes:
        labels: The label table, FOLDERS, or None to look for what there is.
        shape: Shape to give to each sample; None for the shape that it has.
        dtype: NumPy name of the float dtype to deliver inputs in, one of DTYPES.
        limit: How many samples to draw, None for all.
        id: Column of the label table that names the samples, None to find it.
        target: Columns to predict; empty to find the one.
        weight: Column of sample weights, None to find it.
        regression: Whether targets are regression values, also where all are integers.
        progress: Called with the number of samples found so far.
    """

    labels: str | os.PathLike[str] | None = None
    shape: tuple[int, ...] | None = None
    dtype: str = DTYPES[1]
    limit: int | None = None
    id: str | None = None
    target: tuple[str, ...] = ()
    weight: str | None = None
    regression: bool = False
    progress: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        check_choice("dtype", self.dtype, DTYPES)
        if self.limit is not None:
            check_int("limit", self.limit, 1)
        if self.shape is not None:
            check_shape("shape", self.shape)

    def refuse(self, names: Sequence[str], what: str) -> None:
        """Refuse options that mean nothing for a format.

        Args:
            names: The options.
            what: What it is that is scanned, for the error.

        Raises:
            ArgumentError: One of them was given.
        """
        for name in names:
            if getattr(self, name) != getattr(ScanOptions, name):
                raise ArgumentError(
                    f"Expected no `{name}` for {what}. Received: {name}={getattr(self, name)!r}"
                )
