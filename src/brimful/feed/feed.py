"""Feed: the batches of each epoch as NumPy arrays, and the exact position in them."""

import threading
import time
from collections.abc import Generator, Iterator
from math import ceil
from typing import Any

from brimful.errors import ArgumentError, StateError
from brimful.feed.loader import EpochIterator, Loader
from brimful.feed.stats import Stats

Batch = tuple[Any, ...]
"""`(x,)`, `(x, y)` or `(x, y, w)`, with the list of keys at the end where asked for."""

Position = tuple[int, int]
"""Epoch, and the number of its rows that were handed out."""

STATE_VERSION = 2


class Feed:
    """Batches of NumPy arrays; each pass is the next epoch.

    Iterating makes a pass over the current epoch. Once its last batch is handed out, the next pass is
    the next epoch; if a pass is left early, the next one begins the same epoch anew. There is one pass at a
    time: beginning another ends the one before.

    Args:
        loader: What makes the batches.

    Raises:
        ArgumentError: `last="drop"` would drop everything.
    """

    def __init__(self, loader: Loader) -> None:
        options = loader.options
        if options.last == "drop" and len(loader.view) < options.batch_size:
            raise ArgumentError(
                f"last='drop' would drop everything: batch_size={options.batch_size:,}, "
                f"but there are {len(loader.view):,} samples."
            )
        self.loader = loader
        self.reader = loader.reader
        self.view = loader.view
        self.schema = loader.schema
        self.batch_size = options.batch_size
        self.include_keys = options.include_keys
        self.last = options.last
        self.order = loader.order
        self.samples_per_epoch = self._stop(0)
        self._position: Position = (0, 0)
        self._resumed = False
        self._pass: EpochIterator | None = None
        self._beginning = threading.Lock()
        self.stats = Stats(0, len(self.view))

    def __len__(self) -> int:
        """Batches per epoch."""
        return ceil(self.samples_per_epoch / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self._pass_over(is_padded=self.last == "pad")

    def unpadded(self) -> Generator[Batch]:
        """A pass as Keras is given it: with `last="pad"`, the last batch has its weights, but no padding.

        Keras divides the loss by the number of rows whatever their weights, shows no weights to plain
        metrics, and predicts for every row.
        """
        return self._pass_over(is_padded=False)

    def _pass_over(self, *, is_padded: bool) -> Generator[Batch]:
        # A generator begins at its first `next`: an iterator that is never used (Keras makes some) neither
        # reads nor ends the pass under way.
        with self._beginning:
            self._end_pass()
            resumed, self._resumed = self._resumed, False
            epoch, position = self._position if resumed else (self._position[0], 0)
            self._position = (epoch, position)
            stop = self._stop(position)
            if not resumed:
                self.stats = Stats(epoch, len(self.view))
            stats = self.stats
            self._pass = batches = self.loader.epoch(epoch, position, stop)
        with batches:
            left = iter(batches)
            while position < stop:
                batches.check()
                stage, began = batches.stage(), time.perf_counter()
                batch = next(left)
                stats.waited[stage] += time.perf_counter() - began
                stats.count(batch.rows)
                position += len(batch.rows)
                self._position = (epoch, position) if position < stop else (epoch + 1, 0)
                if is_padded and len(batch.rows) < self.batch_size:
                    batch = batch.padded(self.batch_size - len(batch.rows))
                yield (*batch.samples.batch, batch.keys) if self.include_keys else batch.samples.batch
                del batch  # or it would live on beside the next one

    @property
    def position(self) -> Position:
        """The epoch, and the number of its rows that were handed out; 0 between two epochs."""
        return self._position

    @property
    def goes_on(self) -> bool:
        """Whether the next pass goes on behind the position, and does not begin the epoch anew."""
        return self._resumed

    @property
    def batches_left(self) -> int:
        """Batches from the position to the end of the epoch."""
        position = self._position[1]
        return ceil((self._stop(position) - position) / self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """The exact position: what has been handed out, and the order it is from. Fit for JSON."""
        epoch, position = self._position
        return {**self._identity(), "epoch": epoch, "position": position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the last batch that was handed out when the state was taken.

        Args:
            state: From `state_dict`, with the same view, seed and shuffle; the batch size may differ.

        Raises:
            StateError: It belongs to other data or to another order.
        """
        if not isinstance(state, dict):
            raise StateError(f"Expected what `state_dict` gave. Received: {type(state).__name__}")
        window: Any = state.get("window")
        for name, expected in self._identity().items():
            if state.get(name) != expected and not (name == "window" and type(window) is int and window > 0):
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
        self._end_pass()  # and what it does for the next epoch
        self.loader.set_window(window)
        self._position = (epoch, position) if position < self._stop(position) else (epoch + 1, 0)
        self._resumed = True
        self.stats = Stats(self._position[0], len(self.view))

    def _identity(self) -> dict[str, Any]:
        """What decides the sequence of samples."""
        return {
            "version": STATE_VERSION,
            "samples": len(self.view),
            "seed": self.order.seed,
            "shuffle": self.order.shuffle,
            **self.loader.identity(),
        }

    def _end_pass(self) -> None:
        if self._pass is not None:
            self._pass.close()
            self._pass = None

    def _stop(self, position: int) -> int:
        """The end of an epoch that goes on at a position: with `last="drop"`, after whole batches."""
        left = len(self.view) - position
        return len(self.view) - (left % self.batch_size if self.last == "drop" else 0)
