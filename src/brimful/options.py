"""Options: what a user has asked for, checked once at the door and passed on as one record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import index
from typing import Any, Literal, SupportsIndex

import numpy as np

from brimful.errors import ArgumentError
from brimful.memory import parse_bytes
from brimful.samples import Progress

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
