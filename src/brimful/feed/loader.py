"""Loader: makes the batches of a feed. The contract of every loader."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from brimful.options import FeedOptions
from brimful.order.epochs import Order
from brimful.order.view import View
from brimful.samples import Reader, Samples
from brimful.schema import Schema, map_structure

STAGES = ("read", "verify", "decode", "transform", "queue")
"""What a loop can wait for: bytes from the disk (of raw files, and their numbers), their checksums,
arrays made of them, the user's transform, and the handing over of a batch that is ready."""


class Block(NamedTuple):
    """Samples that are handed on together; `keys` are empty if they were not asked for."""

    rows: NDArray[np.int64]
    samples: Samples
    keys: list[str]

    def batches(self, size: int) -> "Iterator[Block]":
        """The same samples, so many at a time, in the same memory."""
        n = len(self.rows)
        if n <= size:
            yield self
            return
        for first in range(0, n, size):
            here = slice(first, first + size)
            samples = Samples(*(map_structure(part, itemgetter(here)) for part in self.samples))
            yield Block(self.rows[here], samples, self.keys[here])

    def padded(self, rows: int) -> "Block":
        """The same samples with rows of zeros behind them, in memory of their own."""

        def with_zeros(array: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([array, np.zeros((rows, *array.shape[1:]), array.dtype)])

        return self._replace(samples=Samples(*(map_structure(part, with_zeros) for part in self.samples)))


class EpochIterator(ABC):
    """The batches of one epoch from a position on. Iterating gives them in order; closing stops threads."""

    @abstractmethod
    def __iter__(self) -> Iterator[Block]: ...

    @abstractmethod
    def stage(self) -> str:
        """What the next batch is waiting for at this moment, one of STAGES."""

    @abstractmethod
    def check(self) -> None:
        """Raise PassEndedError if it is closed."""

    @abstractmethod
    def close(self) -> None:
        """Stop the threads after their current task, and drop all batches."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Loader(Protocol):
    """Makes batches.

    Attributes:
        view: The rows that are fed.
        options: How they are fed.
        schema: What a sample of a batch has.
        order: The order of the rows in each epoch.
        busy: Seconds that threads have spent in each stage, over all epochs.
    """

    view: View
    options: FeedOptions
    schema: Schema
    order: Order
    busy: dict[str, float]

    @property
    def reader(self) -> Reader:
        """Access to the samples."""

    @property
    def whole_memory(self) -> int | None:
        """Memory with which later epochs read nothing, in bytes; None if none is enough."""

    def epoch(self, number: int, start: int, stop: int) -> EpochIterator:
        """The batches of some positions of an epoch; nothing is read before the first is asked for."""

    def identity(self) -> dict[str, Any]:
        """What the sequence of samples depends on besides seed and shuffle. Fit for JSON."""

    def plan(self) -> str:
        """How it will read, as text for a person; may read a few samples to find out."""

    def set_window(self, window: int) -> None:
        """Set how many pieces a window has: as many as when a position was saved.

        Raises:
            MemoryBudgetError: There is not enough memory for it.
            StateError: This loader cannot have such windows.
        """
