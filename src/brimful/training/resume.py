"""Resume: a callback of Keras with which an interrupted `fit` goes on to the same bits."""

import os
from pathlib import Path
from threading import Event
from typing import Any

from brimful.errors import ArgumentError
from brimful.training.backend import keras
from brimful.training.batches import Batches
from brimful.training.callback_state import check_callbacks, cut_csv, keep_columns
from brimful.training.checkpoint import Checkpoint, Checkpoints, checkpoints_in
from brimful.training.interval import Interval
from brimful.training.keeper import Keeper
from brimful.training.keras_call import callers, find_call


class Resume(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Keeps checkpoints of `model.fit(batches, ...)`, and goes on from the last one.

    Run the same program again after it was stopped or killed, at whatever moment: the training goes on at the
    batch behind the last one kept, and ends with the weights, optimizer, metrics and history that it would
    have had undisturbed, bit for bit, on the same machine with as many cores.

    It may stand anywhere among the callbacks. What Keras' own callbacks remember is kept, too; one of your
    own may have `get_state()` and `set_state(state)`.

    Args:
        path: A folder for this training; it is made. The checkpoints are in `checkpoints/` in it.
        every: How often: a time, like `"60s"`, `"10m"`, or a number of batches. At the end of each epoch
            there is one anyway.
        stop: Set it, in another thread or by a signal, and the training stops behind the batch under way with
            KeyboardInterrupt, its state kept.

    Raises:
        ArgumentError: `every` is neither.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, every: str | int = "60s", stop: Event | None = None
    ) -> None:
        super().__init__()
        self.path = Path(path)
        self._interval = Interval.of(every)
        self._stop = stop
        self._found: Checkpoint | None = None
        self._checkpoints: Checkpoints | None = None

    def set_model(self, model: Any) -> None:
        """Keras makes a list of its callbacks: look at the others before they begin."""
        super().set_model(model)
        others = [each for each in _callback_list().callbacks if each is not self]
        check_callbacks(others)
        self._checkpoints = checkpoints_in(self.path)
        self._checkpoints.lock()
        self._found = self._checkpoints.latest()
        if self._found is not None:
            for logger in _csv_loggers(others):
                cut_csv(logger, self._found.document["epoch"])

    def on_train_begin(self, logs: Any = None) -> None:
        """Follow the training from the end of the list, where all others have seen what happened."""
        call = find_call()
        if call is None or not isinstance(call.arguments["x"], Batches):
            raise ArgumentError(
                "Resume goes on with batches of brimful only, which know their position.",
                "Make them with bf.scan(...).batches(...) or bf.open(...).batches(...).",
            )
        for name in ("steps_per_epoch", "initial_epoch"):
            if call.arguments.get(name):
                raise ArgumentError(f"Expected no `{name}` beside Resume, which knows where to go on.")
        callbacks = _callback_list()
        assert self._checkpoints is not None  # noqa: S101 (set_model comes first)
        validation = call.arguments.get("validation_data")
        keeper = Keeper(
            call.model,
            call.arguments["x"],
            self._checkpoints,
            self._interval,
            validation=validation if isinstance(validation, Batches) else None,
            stop=self._stop,
        )
        last = _Last(keeper, callbacks, self._found)
        last.set_params(self.params)
        last.set_model(call.model)
        callbacks.callbacks.append(last)  # to which Keras comes in this very round

    def on_train_end(self, logs: Any = None) -> None:
        """Let others into the folder."""
        if self._checkpoints is not None:
            self._checkpoints.unlock()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing; but Keras waits for each batch if one of its callbacks has this method."""


class _Last(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """The last one of the callbacks of a `fit`: it keeps what all others have seen."""

    def __init__(self, keeper: Keeper, callbacks: Any, found: Checkpoint | None) -> None:
        super().__init__()
        self._keeper = keeper
        self._list = callbacks
        self._found = found
        self._epoch = 0
        self._initial_epoch: Any = None  # of the model, as it was before

    def on_train_begin(self, logs: Any = None) -> None:
        """Go on, if there is something to go on from."""
        model, self._initial_epoch = self.model, self.model._initial_epoch  # noqa: SLF001 (Keras reads it next)
        if self._found is None:
            return
        for logger in _csv_loggers(self._others):
            keep_columns(logger)
        epoch, is_stopped = self._keeper.go_on(self._found, self._others)
        model._initial_epoch = max(epoch, self.params["epochs"]) if is_stopped else epoch  # noqa: SLF001
        self._found = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Bring back the metrics of the epoch under way."""
        self._epoch = epoch
        self.model._initial_epoch = self._initial_epoch  # noqa: SLF001
        self._keeper.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keep the state, if it is time to."""
        self._keeper.end_batch(self._epoch, self._others)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop, if that is wanted."""
        self._keeper.check_stop()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the state."""
        self._keeper.end_epoch(epoch + 1, self._others)

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the model as it was."""
        self._model._initial_epoch = self._initial_epoch  # noqa: SLF001
        self._keeper.end()

    @property
    def _others(self) -> list[Any]:
        return [each for each in self._list.callbacks if not isinstance(each, (Resume, _Last))]


def _callback_list() -> Any:
    """Keras' list of callbacks that is calling."""
    for frame in callers():
        found = frame.f_locals.get("self")
        if isinstance(found, keras.callbacks.CallbackList):
            return found
    raise ArgumentError("Expected Resume among the callbacks of model.fit(...).")


def _csv_loggers(callbacks: list[Any]) -> list[Any]:
    return [each for each in callbacks if isinstance(each, keras.callbacks.CSVLogger)]
