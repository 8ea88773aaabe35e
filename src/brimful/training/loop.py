"""Train: trains a model by `fit` or by `train_on_batch`, and keeps each epoch in a run folder."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any, Literal

from brimful.errors import ArgumentError, LabelError
from brimful.options import check_choice, check_int
from brimful.samples import Fault
from brimful.schema import Schema, flatten
from brimful.training.backend import keras
from brimful.training.batches import Batches
from brimful.training.checkpoint import Checkpoint, checkpoints_in
from brimful.training.data_identity import digest_of_files
from brimful.training.emitter import Emitter
from brimful.training.events import EpochReport, LinePrinter, Listener, Metrics
from brimful.training.interval import Interval
from brimful.training.keeper import Keeper
from brimful.training.keras_call import KerasCall
from brimful.training.model_identity import identify, source_file
from brimful.training.models import compile_for
from brimful.training.recorder import Recorder
from brimful.training.resume import Resume

Method = Literal["fit", "train_on_batch"]
"""How to train: Keras' own loop, or one over batches."""


def train(
    model: Any,
    batches: Batches,
    *,
    run: str | os.PathLike[str],
    epochs: int = 5,
    validation: Batches | None = None,
    method: Method = "fit",
    listeners: Sequence[Listener] | None = None,
    config: dict[str, Any] | None = None,
    skipped: Sequence[Fault] | None = None,
    checkpoint_every: str | int = "60s",
    stop: Event | None = None,
    model_code: str | os.PathLike[str] | None = None,
) -> list[EpochReport]:
    """Train a model and keep it, its log, its configuration and checkpoints in a run folder.

    The same call goes on where an interrupted or killed one was, and ends with the same bits as if it had not
    been disturbed, on the same machine with as many cores. More epochs may be asked for then; a finished
    training is not trained on.

    Args:
        model: A Keras model. Unless compiled, it gets Adam and the loss and metrics that fit the target.
        batches: What to train on.
        run: The run folder: new, empty, or that of a training with the same data and arguments.
        epochs: How many epochs to train.
        validation: What to evaluate on after every epoch.
        method: `"fit"` or `"train_on_batch"`.
        listeners: Listeners of the training; by default a line per epoch is printed on stderr. The run folder
            keeps each epoch before any of them is called.
        config: More entries for the run's `config.json`.
        skipped: Samples left out, to be listed in the run; by default those of the batches' source.
        checkpoint_every: How often the state is kept, besides at the end of each epoch: a time like `"60s"`
            or `"10m"`, or a number of batches.
        stop: Set it, in another thread or by a signal, and the training stops behind the batch under way with
            KeyboardInterrupt, its state kept.
        model_code: The source file of the model, to be copied into the run; by default that of its class, if
            that is one of your own.

    Returns:
        A report for every epoch, those that had ended before among them.

    Raises:
        RunExistsError: The run folder holds something else, or a training with other data or arguments.
        StateError: The model is another one, or all checkpoints are damaged.
        LabelError: The data have no labels.
        SourceError: A sample cannot be read, or is unlike the others.
    """
    epochs = check_int("epochs", epochs, 1)
    check_choice("method", method, ("fit", "train_on_batch"))
    if batches.feed.include_keys:
        raise ArgumentError("Expected batches without `include_keys`, because keys cannot be trained on.")
    check_trainable(batches.feed.reader.name, batches.schema)
    interval = Interval.of(checkpoint_every)
    compile_for(model, batches.schema)
    code = source_file(model) if model_code is None else Path(model_code)
    folder = Recorder(
        run,
        {**_config(batches, epochs, method), **identify(model, code), **(config or {})},
        batches.feed.reader.skipped if skipped is None else skipped,
        code,
    )
    emitter = Emitter(batches, epochs, [folder, *([LinePrinter()] if listeners is None else listeners)])
    with emitter.training(model):
        if method == "fit":
            resume = Resume(folder.path, every=checkpoint_every, stop=stop)
            _fit(model, batches, validation, emitter, resume)
        else:
            checkpoints = checkpoints_in(folder.path)
            checkpoints.lock()
            keeper = Keeper(
                model, batches, checkpoints, interval, validation=validation, method=method, stop=stop
            )
            _train_on_batch(model, batches, validation, emitter, keeper, checkpoints.latest())
            checkpoints.unlock()
    return emitter.reports


def check_trainable(name: str, schema: Schema) -> None:
    """Refuse data whose labels cannot be trained on.

    Raises:
        LabelError: There are no labels, or integers below 0, or one far above the number of classes.
    """
    classes = schema.classes
    if schema.target is None:
        raise LabelError(
            f"{name}: the samples have no labels, so there is nothing to train for.",
            "Put a label table (target.csv, lines of id,label) into the folder, name one (--labels FILE), "
            "take them from the files' names (--labels name:REGEX), or sort the files into a folder for each "
            "class.",
        )
    if not classes:
        return
    first, last = classes[0], classes[-1]
    most = max(1000, 10 * len(classes))
    if isinstance(first, int) and isinstance(last, int) and not 0 <= first <= last < most:
        raise LabelError(
            f"{name}: {len(classes):,} classes from {first} to {last}: integer labels count from 0.",
            "Number the classes from 0, or give them names.",
        )


def _config(batches: Batches, epochs: int, method: Method) -> dict[str, Any]:
    """The arguments and the environment of the training, for `config.json`."""
    options = batches.feed.loader.options
    return {
        "raw_files": digest_of_files(batches.feed),  # what comes last is compared first
        "brimful": version("brimful"),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "epochs": epochs,
        "method": method,
        "batch_size": batches.batch_size,
        "data": batches.feed.reader.name,
        "schema": asdict(batches.schema),
        "batches": batches.state_dict(),
        "feeding": {
            "memory": options.memory,
            "whole_memory": batches.feed.loader.whole_memory,
            "is_encoded": batches.feed.reader.schema.is_encoded,
            "transform": options.transform and getattr(options.transform, "__qualname__", "transform"),
        },
    }


class _Callback(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """A callback that reports the progress of `fit` to the emitter."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__()
        self._emitter = emitter
        self._last = -1  # batch of the epoch, as Keras counts them

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._last = -1
        self._emitter.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        count, self._last = batch - self._last, batch  # with steps_per_execution, several at once
        self._emitter.end_batch(lambda: _metrics(logs or {}), count)

    def on_test_begin(self, logs: Any = None) -> None:
        self._emitter.begin_evaluation()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        values = _metrics(logs or {})
        test = {name.removeprefix("val_"): value for name, value in values.items() if name.startswith("val_")}
        train = {name: value for name, value in values.items() if not name.startswith("val_")}
        self._emitter.end_epoch(train, test or None)

    def get_state(self) -> dict[str, Any]:
        """What is known of the training so far."""
        return self._emitter.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._emitter.set_state(state)


def _fit(model: Any, batches: Batches, validation: Batches | None, emitter: Emitter, resume: Resume) -> None:
    callbacks = [_Callback(emitter), resume]
    with warnings.catch_warnings():
        # Keras' advice to repeat the data, if a pass ends with an error
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        model.fit(batches, validation_data=validation, epochs=emitter.epochs, verbose=0, callbacks=callbacks)


class _Means:
    """The means over an epoch of metrics that are those of each batch alone."""

    def __init__(self) -> None:
        self._sums: Metrics = {}

    def add(self, metrics: Metrics, samples: int) -> None:
        """Add those of a batch."""
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * samples

    def so_far(self, samples: int) -> Metrics:
        """The means over so many samples."""
        return {name: value / samples for name, value in self._sums.items()}

    def taken(self, samples: int) -> Metrics:
        """The means over so many samples; the next ones begin anew."""
        means = self.so_far(samples)
        self._sums = {}
        return means

    def get_state(self) -> Metrics:
        """The sums so far."""
        return self._sums

    def set_state(self, state: Metrics) -> None:
        """Go on from them."""
        self._sums = dict(state)


def _train_on_batch(
    model: Any,
    batches: Batches,
    validation: Batches | None,
    emitter: Emitter,
    keeper: Keeper,
    found: Checkpoint | None,
) -> None:
    call = KerasCall("fit", model, {"validation_data": validation}, is_validation=False)
    call.check(batches.feed)
    call.check_inputs(batches.schema.inputs)
    means = _Means()
    remembering = [_Callback(emitter), means]
    model.stop_training = False
    ended = keeper.go_on(found, remembering)[0] if found else 0
    for epoch in range(ended, emitter.epochs):
        emitter.begin_epoch()
        keeper.begin_epoch()
        for x, y, *w in batches.passed():
            metrics = model.train_on_batch(x, y, *w, return_dict=True)
            means.add(_metrics(metrics), len(flatten(x)[0]))
            emitter.end_batch(lambda: means.so_far(batches.stats.samples))
            keeper.end_batch(epoch, remembering)
        train, test = means.taken(batches.stats.samples), None
        if validation is not None:
            emitter.begin_evaluation()
            test = _metrics(model.evaluate(validation, verbose=0, return_dict=True))
        emitter.end_epoch(train, test)
        keeper.end_epoch(epoch + 1, remembering)
    keeper.end()


def _metrics(logs: dict[str, Any]) -> Metrics:
    return {name: float(value) for name, value in logs.items()}
