"""Prediction table: predictions as columns, joined to their keys."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import ArgumentError
from brimful.schema import Classes
from brimful.training.reading import Predicted, Reading, class_names

KEY, PREDICTION, LABEL = "key", "prediction", "label"
MOST_COLUMNS = 4096


class PredictionColumns:
    """Turns batches of predictions into tables: `key`, `prediction`, a score for each class, `label`.

    With classes, `prediction` is the most likely class, and there is a column for each with its score.
    Without, `prediction` is the value, or there are `prediction_0`, `prediction_1`, ... where there are
    several. Several outputs have their names in front: `width.prediction`.

    Args:
        model: The model.
        trained_on: The classes that it was trained on; None if the target is no class.
        labelled: The classes of the samples whose labels are to be written beside.
    """

    def __init__(self, model: Any, trained_on: Classes | None, labelled: Classes | None) -> None:
        self._model = model
        self._trained_on = trained_on
        self._labelled = labelled
        self._readings: dict[str, Reading] | None = None

    def table(self, batch: Predicted) -> pa.Table:
        """The rows of a batch."""
        if self._readings is None:
            one = len(batch.outputs) == 1
            self._readings = {
                name: Reading.of(self._model, output, self._trained_on if one else None)
                for name, output in batch.outputs.items()
            }
        columns: dict[str, Any] = {KEY: pa.array(batch.keys, pa.string())}
        targets = batch.y if isinstance(batch.y, dict) else dict.fromkeys(self._readings, batch.y)
        for name in sorted(
            batch.outputs, key=list(targets).index if set(targets) == set(batch.outputs) else None
        ):
            output = batch.outputs[name]
            prefix = f"{name}." if name else ""
            columns |= self._scored(prefix, output, self._readings[name])
            if targets.get(name) is not None:
                columns |= self._labels(prefix, targets[name])
        return pa.table(columns)

    def _scored(self, prefix: str, output: NDArray[Any], reading: Reading) -> dict[str, Any]:
        if reading.classes is None:
            return _valued(f"{prefix}{PREDICTION}", output)
        most_likely = _named(reading.codes(output), reading.classes, self._trained_on)
        clash = {KEY, PREDICTION, LABEL} & set(reading.classes) or len(set(reading.classes)) < len(
            reading.classes
        )
        scores = reading.scores(output)
        names = [f"class.{name}" if clash else name for name in reading.classes]
        return {
            f"{prefix}{PREDICTION}": most_likely,
            **{f"{prefix}{name}": pa.array(scores[:, at]) for at, name in enumerate(names)},
        }

    def _labels(self, prefix: str, target: NDArray[Any]) -> dict[str, Any]:
        if self._labelled and target.ndim == 1 and target.dtype.kind in "iu":
            return {f"{prefix}{LABEL}": _named(target, class_names(self._labelled), self._labelled)}
        return _valued(f"{prefix}{LABEL}", target)


def _named(codes: NDArray[Any], names: tuple[str, ...], classes: Classes | None) -> pa.Array:
    """Classes by their names; those that are numbers stay numbers."""
    if not classes or isinstance(classes[0], int):
        return pa.array(codes.astype(np.int64))
    return pa.array(names, pa.string()).take(pa.array(codes))


def _valued(name: str, values: NDArray[Any]) -> dict[str, Any]:
    """A column of values, or one for each of several."""
    flat = values.reshape(len(values), -1)
    if flat.shape[1] > MOST_COLUMNS:
        raise ArgumentError(
            f"The model gives arrays of shape {values.shape[1:]}, {flat.shape[1]:,} values a sample: too "
            "many for columns of a table.",
            "Predict such a model with model.predict(batches), and keep the arrays.",
        )
    if flat.shape[1] == 1:
        return {name: pa.array(flat[:, 0])}
    return {f"{name}_{at}": pa.array(flat[:, at]) for at in range(flat.shape[1])}
