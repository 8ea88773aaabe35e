"""Feed: the batches of each epoch as NumPy arrays, from a reader, and the exact position in them."""

import time
from collections.abc import Iterator
from functools import cached_property
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from brimful.arguments import whole
from brimful.errors import ArgumentError, StateError
from brimful.feed.budget import divide
from brimful.feed.cutter import Block, Cutter
from brimful.feed.one_hot import one_hot_rows, one_hot_schema
from brimful.feed.stats import Stats
from brimful.order.epochs import Order
from brimful.order.view import View
from brimful.read_ahead import ReadAhead
from brimful.schema import Field
from brimful.sources.base import Reader

Batch = tuple[Any, ...]
"""`(x,)`, `(x, y)` or `(x, y, w)`, with the list of keys at the end where asked for."""

Position = tuple[int, int]
"""Epoch, and rows of it already handed out."""

STATE_VERSION = 1

Last = Literal["short", "drop"]


class Feed:
    """Batches of NumPy arrays; each pass is the next epoch.

    Iterating makes a pass over the current epoch. Once its last batch is handed out, the next pass is
    the next epoch; a pass that is left early is begun anew by the next one. There is one pass at a
    time: beginning another ends the one before.

    Args:
        reader: Where samples come from.
        view: The rows to feed.
        batch_size: Samples a batch.
        seed: Seed of the order.
        shuffle: False for row order in every epoch.
        memory: What the feed may hold, in bytes or like "1GB".
        last: What becomes of the samples left over at the end: a `"short"` batch, or `"drop"`.
        one_hot: Whether targets are rows of a 1 among 0s, float32 of shape `(n, num_classes)`.
        include_keys: Whether a batch ends with the list of its keys.
    """

    def __init__(
        self,
        reader: Reader,
        view: View,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        memory: str | float = "1GB",
        last: Last = "short",
        one_hot: bool = False,
        include_keys: bool = False,
    ) -> None:
        batch_size = whole("batch_size", batch_size, 1)
        if last not in ("short", "drop"):
            raise ArgumentError(f"Expected `last` as 'short' or 'drop'. Received: last={last!r}")
        if last == "drop" and len(view) < batch_size:
            raise ArgumentError(
                f"last='drop' would drop everything: batch_size={batch_size:,}, "
                f"but there are {len(view):,} samples."
            )
        self.reader = reader
        self.view = view
        self.schema = one_hot_schema(reader.schema) if one_hot else reader.schema
        self.batch_size = batch_size
        self.include_keys = include_keys
        self.last = last
        self.order = Order(len(view), seed=seed, shuffle=shuffle)
        self.budget = divide(memory, reader, self.schema, batch_size, len(view))
        self.samples_an_epoch = self._stop(0)
        self._position: Position = (0, 0)
        self._resumed = False
        self._pass: ReadAhead[NDArray[np.int64], Block] | None = None
        self.stats = self._fresh_stats(0)

    def __len__(self) -> int:
        """Batches an epoch."""
        return ceil(self.samples_an_epoch / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        # A generator begins at its first `next`: an iterator that nobody draws from (Keras makes
        # some) neither reads nor ends the pass under way.
        self._end_pass()
        epoch, position = self._position if self._resumed else (self._position[0], 0)
        self._resumed = False
        self._position = (epoch, position)
        stop = self._stop(position)
        stats = self.stats = self._fresh_stats(epoch)
        with ReadAhead(
            self.read,
            self._blocks(epoch, position, stop),
            threads=self.budget.threads,
            depth=self.budget.blocks,
        ) as blocks:
            self._pass = blocks
            cutter = Cutter(iter(blocks), self.schema)
            while position < stop:
                blocks.check()
                began = time.perf_counter()
                batch = cutter.take(min(self.batch_size, stop - position))
                stats.wait_seconds += time.perf_counter() - began
                stats.count(batch.rows)
                position += len(batch.rows)
                self._position = (epoch, position) if position < stop else (epoch + 1, 0)
                yield self._handed_out(batch)

    def state_dict(self) -> dict[str, Any]:
        """The exact position: what was handed out so far, and of which order. Fit for JSON."""
        epoch, position = self._position
        return {**self._identity(), "epoch": epoch, "position": position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the last batch that was handed out when the state was taken.

        Args:
            state: From `state_dict`, of a feed of the same view, seed and shuffle; the batch size may
                differ.

        Raises:
            StateError: It belongs to other data or to another order.
        """
        if not isinstance(state, dict):
            raise StateError(f"Expected what `state_dict` gave. Received: {type(state).__name__}")
        for name, expected in self._identity().items():
            if state.get(name) != expected:
                raise StateError(
                    f"This position was saved with {name}={state.get(name)!r}, "
                    f"these batches have {name}={expected!r}.",
                    "Go on with the data and the arguments that it was saved with, or start anew.",
                )
        epoch, position = state.get("epoch"), state.get("position")
        if (
            type(epoch) is not int
            or type(position) is not int
            or not (epoch >= 0 <= position <= len(self.view))
        ):
            raise StateError(
                f"There is no epoch={epoch!r}, position={position!r} in {len(self.view):,} samples.",
                "Load what `state_dict` gave, unchanged.",
            )
        self._end_pass()
        self._position = (epoch, position) if position < self._stop(position) else (epoch + 1, 0)
        self._resumed = True
        self.stats = self._fresh_stats(self._position[0])

    def read(self, rows: NDArray[np.int64]) -> Block:
        """Read a block: the samples at some positions of the view. Done in threads of the pool."""
        rows_of_reader = self.view.at(rows)
        keys = self.reader.keys(rows_of_reader) if self.include_keys else []
        samples = self.reader.read(rows_of_reader)
        if isinstance(self.schema.target, Field) and self.schema is not self.reader.schema:
            samples = samples._replace(y=one_hot_rows(samples.y, self.schema.target))
        return Block(rows, samples, keys)

    def _identity(self) -> dict[str, Any]:
        """What decides the sequence of samples."""
        return {
            "version": STATE_VERSION,
            "samples": len(self.view),
            "view": self._view_digest,
            "seed": self.order.seed,
            "shuffle": self.order.shuffle,
        }

    @cached_property
    def _view_digest(self) -> str:
        """A hash over the hashes of all keys in the view: which samples these are."""
        return xxh3_64_hexdigest(np.ascontiguousarray(self.reader.hashes[self.view.index]).data)

    def _end_pass(self) -> None:
        if self._pass is not None:
            self._pass.close()
            self._pass = None

    def _fresh_stats(self, epoch: int) -> Stats:
        return Stats(epoch, np.zeros(len(self.view), bool))

    def _stop(self, position: int) -> int:
        """Where an epoch ends that goes on at a position: with `last="drop"`, after whole batches."""
        left = len(self.view) - position
        return len(self.view) - (left % self.batch_size if self.last == "drop" else 0)

    def _blocks(self, epoch: int, position: int, stop: int) -> Iterator[NDArray[np.int64]]:
        """The rows of the view that are still to come, a block at a time."""
        for start in range(position, stop, self.budget.block_rows):
            yield self.order.rows(epoch, start, min(start + self.budget.block_rows, stop))

    def _handed_out(self, block: Block) -> Batch:
        batch: Batch = block.samples.batch
        return (*batch, block.keys) if self.include_keys else batch
