"""Keeper: keeps a training in checkpoints while it goes on, and brings it back to the same bits.

What decides the bits of a training is in a checkpoint: the variables of the model, its optimizer and its
metrics, the generators of random numbers, what the callbacks remember, and the position of the batches
behind the last one that was trained on.
"""

import os
import time
import warnings
from collections.abc import Sequence
from threading import Event
from typing import Any

from brimful.errors import StateError, WriteError
from brimful.feed.stats import Stats
from brimful.schema import map_structure
from brimful.training.backend import keras
from brimful.training.batches import Batches
from brimful.training.callback_state import restore_states, states_of
from brimful.training.checkpoint import Checkpoint, Checkpoints
from brimful.training.interval import Interval
from brimful.training.snapshot import arrays_of, build, random_state, restore, restore_random


class Keeper:
    """Keeps a training of a model on batches.

    Args:
        model: The model, compiled.
        batches: What it is trained on.
        checkpoints: Where its states are kept.
        interval: How often.
        validation: What it is evaluated on after each epoch.
        method: How it is trained: a training goes on in the way in which it began.
        stop: Set by another thread, or a signal, to keep the state behind the batch under way, and stop.
    """

    def __init__(
        self,
        model: Any,
        batches: Batches,
        checkpoints: Checkpoints,
        interval: Interval,
        *,
        validation: Batches | None = None,
        method: str = "fit",
        stop: Event | None = None,
    ) -> None:
        self._model = model
        self._batches = batches
        self._checkpoints = checkpoints
        self._interval = interval
        self._validation = validation
        self._method = method
        self._stop = stop
        self._failure: WriteError | None = None  # of the last checkpoint
        self._restored: Checkpoint | None = None  # until the epoch has begun in which it goes on
        self._unkept = 0  # batches since the last checkpoint
        self._kept_at: float | None = None  # when that was done; None before the first

    def go_on(self, checkpoint: Checkpoint, callbacks: Sequence[Any] = ()) -> tuple[int, bool]:
        """Bring a checkpoint back: call this when all callbacks have begun the training.

        Returns:
            How many epochs had ended, and whether a callback had stopped the training then.

        Raises:
            StateError: It is of another model, of other data, or of another way to train.
        """
        document = checkpoint.document
        for what, here in self._surroundings().items():
            before = document[what]
            if what == "cores" and before != here:
                warnings.warn(
                    f"This training was begun on {before} cores, here are {here}: it goes on, but not to the "
                    "same bits.",
                    stacklevel=2,
                )
            elif before != here:
                raise StateError(
                    f"This training was begun with {what}={before!r}, here it is {here!r}: it would "
                    "not go on to the same bits.",
                    "Go on in the way in which it was begun, or begin anew in another folder.",
                )
        self._batches.load_state_dict(document["batches"])
        if self._validation is not None and document["validation"] is not None:
            self._validation.load_state_dict(document["validation"])
        if "delivered" in document:
            self._batches.feed.stats = Stats.from_json(document["delivered"], checkpoint.arrays["delivered"])
        build(self._model, document["shapes"])
        self._restore_variables(checkpoint)
        restore_states(callbacks, document["callbacks"], checkpoint.arrays)
        self._restored = checkpoint
        self._kept_at = time.monotonic()
        return document["epoch"], document["is_stopped"]

    def begin_epoch(self) -> None:
        """Call this when all callbacks have begun an epoch: metrics were reset, numbers may be drawn."""
        if self._restored is not None:
            self._restore_variables(self._restored)
            if "delivered" not in self._restored.document:  # between two epochs
                self._model.reset_metrics()
            restore_random(self._restored.document["random"], self._restored.arrays)
            self._restored = None

    def end_batch(self, epoch: int, callbacks: Sequence[Any] = ()) -> None:
        """Call this after a batch; keeps the state if it is time to, unless the epoch is about to end.

        Args:
            epoch: How many epochs have ended.
            callbacks: The callbacks, which have all seen the batch.
        """
        self._unkept += 1
        is_inside = self._batches.feed.position[1] > 0 and not self._is_before_short
        if is_inside and (self._is_due() or self._is_stopped):
            self._keep(epoch, callbacks)
        if is_inside:
            self.check_stop()

    def end_epoch(self, epoch: int, callbacks: Sequence[Any] = ()) -> None:
        """Call this when all callbacks have seen that an epoch has ended; keeps the state."""
        self._keep(epoch, callbacks)
        self.check_stop()

    def check_stop(self) -> None:
        """Call this whenever the training may be left.

        Raises:
            KeyboardInterrupt: `stop` is set.
        """
        if self._is_stopped:
            raise KeyboardInterrupt

    def end(self) -> None:
        """Call this when the training has ended.

        Raises:
            WriteError: The last state could not be kept.
        """
        if self._failure is not None:
            raise self._failure

    @property
    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    @property
    def _is_before_short(self) -> bool:
        """Whether a short batch comes next that TensorFlow would compile otherwise if it met it first.

        It compiles `train_on_batch` for the shape of a batch, and for any shape once it has met another one,
        which gives other bits.
        """
        feed = self._batches.feed
        return (
            self._method == "train_on_batch"
            and keras.backend.backend() == "tensorflow"
            and feed.batches_left == 1
            and self._batches.has_partial_batch
        )

    def _is_due(self) -> bool:
        if self._kept_at is None:  # the first one shows that there is room
            return True
        if self._interval.batches is not None:
            return self._unkept >= self._interval.batches
        return time.monotonic() - self._kept_at >= (self._interval.seconds or 0.0)

    def _keep(self, epoch: int, callbacks: Sequence[Any]) -> None:
        states, of_callbacks = states_of(callbacks)
        random, of_random = random_state()
        arrays = {**arrays_of(self._model), **of_random, **of_callbacks}
        document = {
            **self._surroundings(),
            "epoch": epoch,
            "is_stopped": bool(self._model.stop_training),
            "batches": self._batches.state_dict(),
            "validation": None if self._validation is None else self._validation.state_dict(),
            "shapes": self._shapes(),
            "callbacks": states,
            "random": random,
        }
        if self._batches.feed.position[1]:
            document["delivered"], arrays["delivered"] = self._batches.stats.to_json()
        try:
            self._checkpoints.write(Checkpoint(document, arrays))
            self._failure = None
        except WriteError as error:
            if self._kept_at is None:
                raise  # the first one: it is better to say so now
            self._failure = error
            warnings.warn(f"A checkpoint could not be kept, the training goes on: {error}", stacklevel=2)
        self._unkept, self._kept_at = 0, time.monotonic()

    def _restore_variables(self, checkpoint: Checkpoint) -> None:
        named = {name: array for name, array in checkpoint.arrays.items() if name[0].isdigit()}
        restore(self._model, named)

    def _surroundings(self) -> dict[str, Any]:
        """What else decides the bits, and must be as it was when a training goes on."""
        return {
            "backend": keras.backend.backend(),
            "method": self._method,
            "batch_size": self._batches.batch_size,
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        }

    def _shapes(self) -> list[Any]:
        """Shape and dtype of the parts of a batch."""
        size = self._batches.batch_size
        return [
            map_structure(part, lambda leaf: [[size, *leaf[0]], leaf[1]])
            for part in self._batches.layout or ()
        ]
