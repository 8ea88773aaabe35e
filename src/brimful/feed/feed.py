"""Feed: the batches of each epoch as NumPy arrays, and the exact position in them."""

import threading
import time
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from brimful.errors import ArgumentError, StateError
from brimful.feed.budget import divide
from brimful.feed.decode import Kind
from brimful.feed.loader import Block, EpochIterator, Loader
from brimful.feed.loading import place_bytes
from brimful.feed.postprocess import Last, Postprocessor, Transform
from brimful.feed.rows import RowLoader
from brimful.feed.stats import Stats
from brimful.feed.window_budget import divide_windows
from brimful.feed.windows import WindowLoader
from brimful.memory import memory_limit, parse_bytes
from brimful.options import check_int
from brimful.order.epochs import Order
from brimful.order.view import View
from brimful.samples import Reader
from brimful.store.chunk_reader import io_bytes
from brimful.store.reader import StoreReader

Batch = tuple[Any, ...]
"""`(x,)`, `(x, y)` or `(x, y, w)`, with the list of keys at the end where asked for."""

Position = tuple[int, int]
"""Epoch, and rows of it already handed out."""

STATE_VERSION = 2
CACHED_SHARE = 2  # a store of less than one part in so many of the memory there is fits the page cache


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
        last: What becomes of the samples left over at the end: a `"short"` batch, or `"drop"`, or `"pad"`: a
            batch filled with samples of weight 0.
        one_hot: Whether targets are rows of a 1 among 0s, float32 of shape `(n, num_classes)`.
        class_weight: How much a sample of each class counts, by class.
        include_keys: Whether a batch ends with the list of its keys.
        transform: What is done to each batch, in threads.
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
        class_weight: Mapping[Any, float] | None = None,
        include_keys: bool = False,
        transform: Transform | None = None,
    ) -> None:
        batch_size = check_int("batch_size", batch_size, 1)
        if last not in ("short", "drop", "pad"):
            raise ArgumentError(f"Expected `last` as 'short', 'drop' or 'pad'. Received: last={last!r}")
        if last == "drop" and len(view) < batch_size:
            raise ArgumentError(
                f"last='drop' would drop everything: batch_size={batch_size:,}, "
                f"but there are {len(view):,} samples."
            )
        seed = check_int("seed", seed, 0, 2**32 - 1)
        finishing = Postprocessor(
            reader.schema,
            batch_size,
            seed=seed,
            one_hot=one_hot,
            class_weight=class_weight,
            transform=transform,
            pad=last == "pad",
        )
        self.reader = reader
        self.view = view
        self.schema = finishing.schema
        self.batch_size = batch_size
        self.include_keys = include_keys
        self.last = last
        total, keys = parse_bytes(memory), include_keys
        self.supply: Loader = (
            _windows(reader, view, batch_size, finishing, total, seed, shuffle=shuffle, keys=keys)
            if isinstance(reader, StoreReader)
            else _rows(reader, view, batch_size, finishing, total, seed, shuffle=shuffle, keys=keys)
        )
        self.order = self.supply.order
        self.samples_an_epoch = self._stop(0)
        self._position: Position = (0, 0)
        self._resumed = False
        self._pass: EpochIterator | None = None
        self._beginning = threading.Lock()
        self.stats = self._fresh_stats(0)

    def __len__(self) -> int:
        """Batches an epoch."""
        return ceil(self.samples_an_epoch / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        # A generator begins at its first `next`: an iterator that nobody draws from (Keras makes
        # some) neither reads nor ends the pass under way.
        with self._beginning:
            self._end_pass()
            epoch, position = self._position if self._resumed else (self._position[0], 0)
            self._resumed = False
            self._position = (epoch, position)
            stop = self._stop(position)
            stats = self.stats = self._fresh_stats(epoch)
            self._pass = batches = self.supply.begin(epoch, position, stop)
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
                yield self._handed_out(batch)
                del batch  # or it would live on beside the next one

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
        self._end_pass()  # also whatever it makes for the next epoch
        self.supply.set_window(window)
        self._position = (epoch, position) if position < self._stop(position) else (epoch + 1, 0)
        self._resumed = True
        self.stats = self._fresh_stats(self._position[0])

    def _identity(self) -> dict[str, Any]:
        """What decides the sequence of samples."""
        return {
            "version": STATE_VERSION,
            "samples": len(self.view),
            "seed": self.order.seed,
            "shuffle": self.order.shuffle,
            **self.supply.identity(),
        }

    def _end_pass(self) -> None:
        if self._pass is not None:
            self._pass.close()
            self._pass = None

    def _fresh_stats(self, epoch: int) -> Stats:
        return Stats(epoch, len(self.view))

    def _stop(self, position: int) -> int:
        """Where an epoch ends that goes on at a position: with `last="drop"`, after whole batches."""
        left = len(self.view) - position
        return len(self.view) - (left % self.batch_size if self.last == "drop" else 0)

    def _handed_out(self, block: Block) -> Batch:
        batch: Batch = block.samples.batch
        return (*batch, block.keys) if self.include_keys else batch


def _rows(
    reader: Reader,
    view: View,
    batch_size: int,
    finishing: Postprocessor,
    memory: int,
    seed: int,
    *,
    shuffle: bool,
    keys: bool,
) -> RowLoader:
    """Batches from raw data."""
    n, finishes = len(view), finishing.is_worth_a_thread
    budget = divide(memory, reader, finishing.schema, batch_size, n, finishes=finishes)
    order = Order(len(view), seed=seed, shuffle=shuffle)
    return RowLoader(reader, view, order, batch_size, budget, with_keys=keys, finish=finishing)


def _windows(
    reader: StoreReader,
    view: View,
    batch_size: int,
    finishing: Postprocessor,
    memory: int,
    seed: int,
    *,
    shuffle: bool,
    keys: bool,
) -> WindowLoader:
    """Batches from a store; refused where it is not any more what it was when it was opened."""
    for shard in reader.manifest.shards:
        reader.check_size(shard)
    chunks, bounds = view.pieces(reader.rows_per_chunk)
    layout = reader.manifest.layout
    largest = min(reader.rows_per_chunk, len(reader))
    row_bytes = finishing.schema.nbytes + place_bytes(len(reader.schema.fields))
    kinds = {Kind(layout, rules) for rules in {shard.rules for shard in reader.manifest.shards}}
    budget = divide_windows(
        memory,
        io_bytes=io_bytes(reader),
        slot_bytes=max(kind.slot_bytes(largest) for kind in kinds),
        key_bytes=reader.largest_keys if keys else 0,
        rows_per_chunk=largest,
        pieces=len(chunks),
        batch_bytes=min(batch_size, len(view)) * row_bytes,
        finishes=not finishing.is_plain,
    )
    order = Order(len(view), seed=seed, shuffle=shuffle, bounds=bounds, window=budget.window)
    direct = len(chunks) * budget.slot_bytes > memory_limit() // CACHED_SHARE
    return WindowLoader(
        reader, view, order, chunks, batch_size, budget, direct=direct, with_keys=keys, finish=finishing
    )
