"""Evaluation: loss and metrics of a model on batches, in a stream."""

from typing import Any

from brimful.samples import Progress
from brimful.training.backend import keras
from brimful.training.batches import Batches
from brimful.training.events import Metrics


def evaluate(model: Any, batches: Batches, progress: Progress | None = None) -> Metrics:
    """Loss and metrics of a compiled model.

    Args:
        model: A Keras model.
        batches: The samples, with targets.
        progress: Called with the number of samples evaluated so far.
    """
    callbacks = [_Counting(batches, progress)] if progress else None
    found: dict[str, Any] = model.evaluate(batches, verbose=0, return_dict=True, callbacks=callbacks)
    return {name: float(value) for name, value in found.items()}


class _Counting(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Tells how many samples were evaluated."""

    def __init__(self, batches: Batches, progress: Progress) -> None:
        super().__init__()
        self._batches, self._progress = batches, progress

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the batch."""
        self._progress(min((batch + 1) * self._batches.batch_size, self._batches.feed.samples_per_epoch))
