"""Keeper: keeps a training in checkpoints while it goes on, and brings it back to the same bits.

What decides the bits of a training is in a checkpoint: the variables of the model, its optimizer and its
metrics, the generators of random numbers, what the callbacks remember, and the position of the batches
behind the last one that was trained on.
"""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brimful.errors import ArgumentError, StateError
from brimful.feed.stats import Stats
from brimful.schema import map_structure
from brimful.training.backend import keras
from brimful.training.batches import Batches
from brimful.training.callback_state import restore_states, states_of
from brimful.training.checkpoint import Checkpoint, Checkpoints
from brimful.training.snapshot import arrays_of, build, random_state, restore, restore_random

EVERY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|m|min|h)?")
SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Interval:
    """How often a checkpoint is written: after so many batches, or seconds; the other one is None."""

    batches: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, every: str | float) -> "Interval":
        """The interval that a user names: a number of batches, or a time like "60s", "10m", "1h".

        Raises:
            ArgumentError: It is none.
        """
        if isinstance(every, int) and not isinstance(every, bool) and every > 0:
            return cls(batches=every)
        match = EVERY.fullmatch(every.strip()) if isinstance(every, str) else None
        if match is None or float(match[1]) <= 0:
            raise ArgumentError(f"Expected batches, like 500, or a time, like '60s'. Received: {every!r}")
        if match[2]:
            return cls(seconds=float(match[1]) * SECONDS[match[2]])
        return cls.of(int(float(match[1])))


class Keeper:
    """Keeps a training of a model on batches.

    Args:
        model: The model, compiled.
        batches: What it is trained on.
        checkpoints: Where its states are kept.
        interval: How often.
        validation: What it is evaluated on after each epoch.
        method: How it is trained: a training goes on in the way in which it began.
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
    ) -> None:
        self._model = model
        self._batches = batches
        self._checkpoints = checkpoints
        self._interval = interval
        self._validation = validation
        self._method = method
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
            if document[what] != here:
                raise StateError(
                    f"This training was begun with {what}={document[what]!r}, here it is {here!r}: it would "
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
            restore_random(self._restored.document["random"], self._restored.arrays)
            self._restored = None

    def end_batch(self, epoch: int, callbacks: Sequence[Any] = ()) -> None:
        """Call this after a batch; keeps the state if it is time to, unless the epoch is about to end.

        Args:
            epoch: How many epochs have ended.
            callbacks: The callbacks, which have all seen the batch.
        """
        self._unkept += 1
        if self._is_due() and self._batches.feed.position[1]:
            self._keep(epoch, callbacks)

    def end_epoch(self, epoch: int, callbacks: Sequence[Any] = ()) -> None:
        """Call this when all callbacks have seen that an epoch has ended; keeps the state."""
        self._keep(epoch, callbacks)

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
        self._checkpoints.write(Checkpoint(document, arrays))
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
