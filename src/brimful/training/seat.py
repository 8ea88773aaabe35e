"""Seat: hands the passes of a feed to Keras, on each backend.

An error in the data must reach the user as it is, and the model must keep its weights. JAX and TensorFlow
would lose one or the other if it were raised while a step is being made. So the first batch is drawn before
Keras takes the weights out of the model, and an error in a later one ends the pass: Keras sees the data run
out, calls `on_epoch_end`, and the error is raised there.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from itertools import chain
from typing import Any

import numpy as np

from brimful.errors import ArgumentError
from brimful.feed.feed import Batch, Feed
from brimful.schema import map_structure
from brimful.training.keras_call import find_call, find_epoch_iterator

Layout = tuple[Any, ...]
"""For each part of a batch its shape without the batch axis, and its dtype; by name for a dict."""


class Seat:
    """Where Keras draws batches from.

    To build a model, Keras draws one batch, ends that "epoch", and asks for a new iterator, which hands out
    that batch again and goes on with its pass. An epoch of one batch looks the same, but then Keras asks for
    the next iterator before it ends the epoch.

    Args:
        feed: The source of the batches.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._failure: Exception | None = None
        self._first: tuple[Batch, Generator[Batch]] | None = None  # of a pass from which no more was drawn
        self._first_drawn = False  # since Keras last ended an epoch
        self._is_due = False  # Keras has begun an epoch, and has not asked for an iterator yet
        self.layout: Layout | None = None
        self._steps: int | None = None  # that the optimizer had made when the epoch began
        self._drawn = 0  # batches since then
        self._num_classes: int | None = None  # that the model tells apart
        self._shortened: Any = None  # Keras' iterator that was told how many batches are left

    def arrays(self) -> Iterator[Batch]:
        """A pass of NumPy arrays."""
        if self._first_drawn:
            self.forget()
        if self._is_due:
            self._is_due = False
            self._draw_first()
        return self._go_on(is_shared=True)

    def plain(self) -> Iterator[Batch]:
        """A pass for a loop of one's own; an error in the data is raised where it is."""
        for batch in self._feed.unpadded():
            self.layout = self.layout or _layout(batch)
            yield batch
            del batch

    def tensors(self) -> Iterator[Any]:
        """A pass of tensors of the backend."""
        from brimful.training.backend import keras

        convert = keras.ops.convert_to_tensor
        return (keras.tree.map_structure(convert, batch) for batch in self.arrays())

    def dataset(self) -> Any:
        """A `tf.data.Dataset` that begins a pass each time it is iterated.

        The first pass goes on from the batch that is drawn here, in the caller's thread. TensorFlow must not
        draw ahead, so that the position is that of the batches trained on.
        """
        import tensorflow as tf

        self._refuse_keys()
        self._draw_first()
        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.inject_prefetch = False
        return tf.data.Dataset.from_generator(
            lambda: self._go_on(is_shared=False),
            output_signature=_map_leaves(
                lambda leaf: tf.TensorSpec((None, *leaf[0]), leaf[1]), self.layout or ()
            ),
        ).with_options(options)

    def begin_epoch(self) -> None:
        """Keras is about to draw: check whether it can be given these batches, and draw the first one.

        Raises:
            ArgumentError: Keras cannot be given such batches, or not in this call.
        """
        refuse_worker()
        self._refuse_keys()
        call = find_call(self._feed)
        try:
            if call:
                call.check(self._feed)
                self._steps, self._num_classes = call.steps, call.num_classes
            if self._feed.position[1] == 0:  # no pass is under way that goes on in this epoch
                self._check(self._draw_first()[0])
            else:
                self._shorten()
            if call:
                call.check_inputs(self.layout[0] if self.layout else self._feed.schema.inputs)
        except ArgumentError:
            self.forget()
            raise
        self._is_due, self._drawn = True, 0

    def end_epoch(self) -> None:
        """Settle the model if a pass was short, and raise the error that ended it, if there was one."""
        self._first_drawn = False
        if self._shortened is not None:
            self._shortened._num_batches, self._shortened = len(self._feed), None  # noqa: SLF001
        failure, self._failure = self._failure, None
        if failure is None and self._drawn == len(self._feed):
            return
        if call := find_call(self._feed):
            call.settle(None if self._steps is None else self._steps + self._drawn)
        if failure is not None:
            raise failure

    def _shorten(self) -> None:
        """Let Keras expect no more batches in this epoch than are left of the pass that goes on in it."""
        if self._first is None and not self._feed.goes_on:
            return
        left = self._feed.batches_left + (self._first is not None)
        iterator = find_epoch_iterator()
        is_whole = getattr(iterator, "steps_per_epoch", 0) is None  # an epoch of the loop is one of the data
        if is_whole and left < len(self._feed) == iterator._num_batches:  # noqa: SLF001
            iterator._num_batches = left  # noqa: SLF001
            self._shortened = iterator

    def forget(self) -> None:
        """Begin the next pass anew."""
        if self._first is not None:
            self._first[1].close()
        self._first = None
        self._first_drawn = False

    def _refuse_keys(self) -> None:
        if self._feed.include_keys:
            raise ArgumentError(
                "These batches end with their keys, which Keras would take for sample weights.",
                "Make batches without include_keys for fit, evaluate and predict.",
            )

    def _draw_first(self) -> tuple[Batch, Generator[Batch]]:
        """The first batch of a pass, drawn now unless it was before, and the others."""
        if self._first is None:
            batches = self._feed.unpadded()
            first = next(batches)
            self.layout = self.layout or _layout(first)
            self._first = first, batches
        return self._first

    def _go_on(self, *, is_shared: bool) -> Iterator[Batch]:
        """The pass whose first batch was drawn, or the next one; an error ends it.

        If it is shared, an iterator that hands out no more than the first batch leaves the pass to another.
        """
        is_own = False  # and so is to be closed
        try:
            first, others = self._draw_first()
            is_own = not is_shared
            batches = chain([first], others)
            del first  # or it would live on for the whole pass
            self._first_drawn = is_shared
            if is_own:
                self._first = None
            for batch in batches:
                self._check(batch)
                self._drawn += 1
                yield batch
                del batch
                is_own, self._first, self._first_drawn = True, None, False
        except Exception as error:  # noqa: BLE001 (raised in end_epoch)
            self._failure = error
            self.forget()
        finally:
            if is_own:
                others.close()

    def _way_out(self, classes: int) -> str:
        """What to do about targets that the model does not know."""
        known = self._feed.schema.num_classes
        if known and known > classes:
            return (
                f"Give the model {known} outputs; or, if it was trained on others: bf.scan(..., like=train)."
            )
        return "Name the classes, then they are numbered from 0: bf.scan(..., classes=[...])."

    def _check(self, batch: Batch) -> None:
        """Check that a batch is like the first one, and that the model knows its classes."""
        stats, layout = self._feed.stats, _layout(batch)
        name = f"Batch {stats.batches:,} of epoch {stats.epoch + 1}"
        if layout != self.layout:
            raise ArgumentError(
                f"{name} has the shapes and dtypes {_described(layout)}, the first one had "
                f"{_described(self.layout or ())}.",
                "Keras needs the same of every batch: let `transform` give it.",
            )
        y, classes = batch[1] if len(batch) > 1 else None, self._num_classes
        if not classes or not isinstance(y, np.ndarray) or y.dtype.kind != "i":
            return
        if not (y.min() >= 0 and y.max() < classes):
            raise ArgumentError(
                f"{name} has targets from {y.min()} to {y.max()}, but the model tells {classes} classes "
                "apart, which count from 0.",
                self._way_out(classes),
            )


def refuse_worker() -> None:
    """Refuse to deliver everything in each of the workers of a torch DataLoader.

    Raises:
        ArgumentError: This is such a worker.
    """
    torch = sys.modules.get("torch.utils.data")
    if torch and torch.get_worker_info():
        raise ArgumentError(
            "Each worker of the DataLoader would deliver every sample.",
            "Loop over the batches themselves, threads read ahead. Or give the DataLoader num_workers=0.",
        )


def _layout(batch: Batch) -> Layout:
    return tuple(map_structure(part, lambda array: (array.shape[1:], array.dtype.name)) for part in batch)


def _map_leaves(what: Callable[[Any], Any], layout: Layout) -> Layout:
    return tuple(map_structure(part, what) for part in layout)


def _described(layout: Layout) -> str:
    """Shapes and dtypes, in words."""
    parts = [list(part.items()) if isinstance(part, dict) else [("", part)] for part in layout]
    return ", ".join(f"{name} {shape} {dtype}".strip() for part in parts for name, (shape, dtype) in part)
