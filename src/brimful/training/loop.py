"""Train: trains a model by `fit` or by `train_on_batch`, and keeps each epoch in a run folder."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Literal

from brimful.errors import ArgumentError, LabelError
from brimful.options import check_choice, check_int
from brimful.samples import Fault
from brimful.schema import Schema, flatten
from brimful.training.backend import keras
from brimful.training.batches import Batches
from brimful.training.emitter import Emitter
from brimful.training.events import EpochReport, LinePrinter, Listener, Metrics
from brimful.training.keras_call import KerasCall
from brimful.training.models import compile_for
from brimful.training.run import Run

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
) -> list[EpochReport]:
    """Train a model and keep it, its log and its configuration in a run folder.

    Args:
        model: A Keras model. Unless compiled, it gets Adam and the loss and metrics that fit the target.
        batches: What to train on.
        run: The run folder; must be new or empty.
        epochs: How many epochs to train.
        validation: What to evaluate on after every epoch.
        method: `"fit"` or `"train_on_batch"`.
        listeners: Listeners of the training; by default a line per epoch is printed on stderr. The run folder
            keeps each epoch before any of them is called.
        config: More entries for the run's `config.json`.
        skipped: Samples left out, to be listed in the run; by default those of the batches' source.

    Returns:
        A report for every epoch.

    Raises:
        RunExistsError: The run folder is not empty.
        LabelError: The data have no labels.
        SourceError: A sample cannot be read, or is unlike the others.
    """
    epochs = check_int("epochs", epochs, 1)
    check_choice("method", method, ("fit", "train_on_batch"))
    if batches.feed.include_keys:
        raise ArgumentError("Expected batches without `include_keys`, because keys cannot be trained on.")
    check_trainable(batches.feed.reader.name, batches.schema)
    folder = Run(
        run,
        {**_config(batches, epochs, method), **(config or {})},
        batches.feed.reader.skipped if skipped is None else skipped,
    )
    compile_for(model, batches.schema)
    emitter = Emitter(batches, epochs, [folder, *([LinePrinter()] if listeners is None else listeners)])
    loop = _fit if method == "fit" else _train_on_batch
    with emitter.training(model):
        loop(model, batches, validation, emitter)
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
            "or sort the files into a folder for each class (--labels folders).",
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
    return {
        "brimful": version("brimful"),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "epochs": epochs,
        "method": method,
        "batch_size": batches.batch_size,
        "data": batches.feed.reader.name,
        "schema": asdict(batches.schema),
        "batches": batches.state_dict(),
    }


class _Callback(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """A callback that reports the progress of `fit` to the emitter."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__()
        self._emitter = emitter

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._emitter.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._emitter.end_batch()

    def on_test_begin(self, logs: Any = None) -> None:
        self._emitter.begin_evaluation()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        values = _metrics(logs or {})
        test = {name.removeprefix("val_"): value for name, value in values.items() if name.startswith("val_")}
        train = {name: value for name, value in values.items() if not name.startswith("val_")}
        self._emitter.end_epoch(train, test or None)


def _fit(model: Any, batches: Batches, validation: Batches | None, emitter: Emitter) -> None:
    callbacks = [_Callback(emitter)]
    with warnings.catch_warnings():
        # Keras' advice to repeat the data, if a pass ends with an error or began in the middle
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        model.fit(batches, validation_data=validation, epochs=emitter.epochs, verbose=0, callbacks=callbacks)


def _train_on_batch(model: Any, batches: Batches, validation: Batches | None, emitter: Emitter) -> None:
    call = KerasCall("fit", model, {"validation_data": validation}, is_validation=False)
    call.check(batches.feed)
    call.check_inputs(batches.schema.inputs)
    for _ in range(emitter.epochs):
        emitter.begin_epoch()
        train = _train_an_epoch(model, batches, emitter)
        test = None
        if validation is not None:
            emitter.begin_evaluation()
            test = _metrics(model.evaluate(validation, verbose=0, return_dict=True))
        emitter.end_epoch(train, test)


def _train_an_epoch(model: Any, batches: Batches, emitter: Emitter) -> Metrics:
    """Train on every batch, and average the metrics, which are those of each batch alone."""
    sums: Metrics = {}
    for x, y, *w in batches.feed.unpadded():
        for name, value in _metrics(model.train_on_batch(x, y, *w, return_dict=True)).items():
            sums[name] = sums.get(name, 0.0) + value * len(flatten(x)[0])
        emitter.end_batch()
    return {name: value / batches.stats.samples for name, value in sums.items()}


def _metrics(logs: dict[str, Any]) -> Metrics:
    return {name: float(value) for name, value in logs.items()}
