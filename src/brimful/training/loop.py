"""Train: the epochs of one training, by `fit` or by `train_on_batch`, counted and kept."""

import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Literal

import keras

from brimful.errors import ArgumentError, LabelError
from brimful.options import check_int
from brimful.samples import Fault
from brimful.schema import Schema, flatten
from brimful.training.batches import Batches
from brimful.training.events import EpochReport, LineObserver, Metrics, Observer
from brimful.training.models import compile_for
from brimful.training.run import Run

Method = Literal["fit", "train_on_batch"]
"""How to train: Keras' own loop, or the story's."""


def train(
    model: Any,
    batches: Batches,
    *,
    run: str | os.PathLike[str],
    epochs: int = 5,
    validation: Batches | None = None,
    method: Method = "fit",
    observer: Observer | None = None,
    config: dict[str, Any] | None = None,
    skipped: Sequence[Fault] | None = None,
) -> list[EpochReport]:
    """Train a model and keep it, its log and its configuration in a run folder.

    Args:
        model: A Keras model. Compiled, it is kept as it is; otherwise it gets Adam and the loss and
            metrics that fit the target.
        batches: What to train on.
        run: The run folder; must be new or empty.
        epochs: How many.
        validation: What to evaluate on after every epoch.
        method: `"fit"` or `"train_on_batch"`.
        observer: Who is told how it goes; by default a line an epoch is printed on stderr.
        config: More to keep in the run's `config.json`.
        skipped: Samples that were left out, to be listed in the run; by default those of the batches' source.

    Returns:
        A report for every epoch.

    Raises:
        RunExistsError: The run folder is not empty.
        LabelError: The data have no labels.
        SourceError: A sample cannot be read, or is not what the others are.
    """
    epochs = check_int("epochs", epochs, 1)
    if method not in ("fit", "train_on_batch"):
        raise ArgumentError(f"Expected `method` as 'fit' or 'train_on_batch'. Received: method={method!r}")
    if batches.feed.include_keys:
        raise ArgumentError("Expected batches without `include_keys`, for keys cannot be trained on.")
    check_trainable(batches.feed.reader.name, batches.schema)
    circumstances = {**_circumstances(batches, epochs, method), **(config or {})}
    folder = Run(run, circumstances, batches.feed.reader.skipped if skipped is None else skipped)
    compile_for(model, batches.schema)
    recorder = _Recorder(batches, epochs, observer or LineObserver(), folder)
    loop = _fit if method == "fit" else _train_on_batch
    loop(model, batches, validation, recorder)
    return recorder.reports


def check_trainable(name: str, schema: Schema) -> None:
    """Refuse to train on data without labels, or with labels that no classifier counts to.

    Args:
        name: Of the data, for the message.
        schema: What a sample has.

    Raises:
        LabelError: There are no labels, integers below 0, or one far larger than there are classes.
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


def _circumstances(batches: Batches, epochs: int, method: Method) -> dict[str, Any]:
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


class _Recorder:
    """Makes the report of each epoch, keeps it in the run, and tells the observer."""

    def __init__(self, batches: Batches, epochs: int, observer: Observer, run: Run) -> None:
        self.epochs = epochs
        self.reports: list[EpochReport] = []
        self._batches = batches
        self._observer = observer
        self._run = run
        self._began = self._trained = 0.0
        self._batches_seen = 0

    def begins(self) -> None:
        """Training begins; Keras may draw the first batch before it begins an epoch."""
        self._began = time.perf_counter()

    def epoch_begins(self) -> None:
        self._batches_seen = 0
        if self.reports:
            self._began = time.perf_counter()
        samples = self._batches.feed.samples_per_epoch
        self._observer.epoch_begins(len(self.reports) + 1, self.epochs, samples)

    def batch_ends(self) -> None:
        self._batches_seen += 1
        feed = self._batches.feed
        samples = min(self._batches_seen * feed.batch_size, feed.samples_per_epoch)
        self._observer.batch_ends(samples, self._batches.stats.wait_seconds)

    def training_ends(self) -> None:
        self._trained = time.perf_counter()
        self._observer.evaluation_begins()

    def epoch_ends(self, model: Any, train: Metrics, test: Metrics | None) -> None:
        stats = self._batches.stats
        report = EpochReport(
            len(self.reports) + 1,
            self._trained - self._began,
            stats.wait_seconds,
            stats.samples,
            stats.distinct_samples,
            train,
            test,
        )
        self.reports.append(report)
        self._run.save(report, model)
        self._observer.epoch_ends(report)


class _Callback(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Tells the recorder how `fit` goes."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._in_training = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._in_training = True
        self._recorder.epoch_begins()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._recorder.batch_ends()

    def on_test_begin(self, logs: Any = None) -> None:
        self._end_training()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._end_training()
        values = _metrics(logs or {})
        test = {name.removeprefix("val_"): value for name, value in values.items() if name.startswith("val_")}
        train = {name: value for name, value in values.items() if not name.startswith("val_")}
        self._recorder.epoch_ends(self.model, train, test or None)

    def _end_training(self) -> None:
        if self._in_training:
            self._in_training = False
            self._recorder.training_ends()


def _fit(model: Any, batches: Batches, validation: Batches | None, recorder: _Recorder) -> None:
    callbacks = [_Callback(recorder)]
    recorder.begins()
    with warnings.catch_warnings():
        # Keras' advice to repeat the data, where a pass ends with an error or began in the middle
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        model.fit(batches, validation_data=validation, epochs=recorder.epochs, verbose=0, callbacks=callbacks)


def _train_on_batch(model: Any, batches: Batches, validation: Batches | None, recorder: _Recorder) -> None:
    recorder.begins()
    for _ in range(recorder.epochs):
        recorder.epoch_begins()
        sums: Metrics = {}
        for x, y, *w in batches:  # each call's metrics are those of its batch alone
            for name, value in _metrics(model.train_on_batch(x, y, *w, return_dict=True)).items():
                sums[name] = sums.get(name, 0.0) + value * len(flatten(x)[0])
            recorder.batch_ends()
        train = {name: value / batches.stats.samples for name, value in sums.items()}
        recorder.training_ends()
        test = _metrics(model.evaluate(validation, verbose=0, return_dict=True)) if validation else None
        recorder.epoch_ends(model, train, test)


def _metrics(logs: dict[str, Any]) -> Metrics:
    return {name: float(value) for name, value in logs.items()}
