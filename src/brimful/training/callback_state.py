"""Callback state: what the callbacks of Keras remember between batches and epochs, and how it is kept."""

import csv
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError
from brimful.training.backend import keras

REMEMBERED = {
    "EarlyStopping": ("best", "best_epoch", "best_weights", "stopped_epoch", "wait"),
    "ReduceLROnPlateau": ("best", "cooldown_counter", "wait"),
    "ModelCheckpoint": ("best", "_batches_seen_since_last_saving", "_current_epoch", "_last_batch_seen"),
    "OrbaxCheckpoint": (
        *("best", "_batches_seen_since_last_saving", "_current_epoch", "_last_batch_seen"),
        "_total_batches_seen",
    ),
    "TensorBoard": ("_global_train_batch", "_global_test_batch", "_train_accumulated_time"),
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "History": ("epoch", "history"),
}
"""The attributes in which each callback of Keras keeps what it has seen; all others are its arguments."""
NOTHING = (
    "CSVLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "ProgbarLogger",
    "RemoteMonitor",
    "TerminateOnNaN",
)
"""Callbacks of Keras that remember nothing; what CSVLogger has written, `cut_csv` puts right."""
ARRAY = "__array__"


def states_of(callbacks: Sequence[Any]) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """What callbacks remember, fit for JSON, and the arrays that it speaks of; None where it is nothing."""
    arrays: dict[str, NDArray[Any]] = {}
    states = []
    for callback in callbacks:
        state = _state_of(callback)
        # as text, which keeps the order of a dict: the document is sorted when it is sealed
        kept = None if state is None else [type(callback).__name__, json.dumps(_packed(state, arrays))]
        states.append(kept)
    return states, arrays


def restore_states(
    callbacks: Sequence[Any], states: Sequence[Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Give callbacks what those of the same kind and order remembered; what is left over is warned of."""
    kept = [each for each in states if each is not None]
    for callback in callbacks:
        name = type(callback).__name__
        found = next((each for each in kept if each[0] == name), None)
        if found is not None:
            kept.remove(found)
            _set_state(callback, _unpacked(json.loads(found[1]), arrays))
    if kept:
        names = ", ".join(name for name, _ in kept)
        warnings.warn(f"The checkpoint has the state of callbacks that are not here: {names}.", stacklevel=2)


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Refuse callbacks that cannot go on, and name those whose own state is not kept.

    Raises:
        ArgumentError: BackupAndRestore, which would restore something else.
    """
    unknown = []
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ArgumentError(
                "BackupAndRestore begins the epoch anew, and would overwrite what is restored.",
                "Leave it out: the checkpoints do what it is for.",
            )
        own = set(vars(callback)) - set(vars(keras.callbacks.Callback()))
        is_known = _kind_of(callback) is not None or hasattr(callback, "get_state")
        if own and not is_known:
            unknown.append(type(callback).__name__)
    if unknown:
        warnings.warn(
            f"What these callbacks remember is not kept in checkpoints: {', '.join(sorted(set(unknown)))}. "
            "Give them get_state() and set_state(state), with a state that is fit for JSON or holds arrays.",
            stacklevel=2,
        )


def cut_csv(logger: Any, epochs: int) -> None:
    """Let a CSVLogger append behind the lines of the first epochs, and take away those of later ones.

    Args:
        logger: The callback, before it has begun.
        epochs: How many epochs had ended.
    """
    path = Path(os.fspath(logger.filename))
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = [*csv.reader(file, delimiter=logger.sep)] or [[]]
    kept = [row for row in rows if row and row[0].isdigit() and int(row[0]) < epochs]
    if len(kept) < len(rows):
        other = path.with_name(f"{path.name}.partial")
        with other.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=logger.sep).writerows([header, *kept])
        other.replace(path)
    logger.append = True


def keep_columns(logger: Any) -> None:
    """Let a CSVLogger that has begun to append write the columns that its file has."""
    path = Path(os.fspath(logger.filename))
    with path.open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file, delimiter=logger.sep), [])
    if header:
        logger.keys = header[1:]
        logger.append_header = False


def _kind_of(callback: Any) -> str | None:
    """The class of Keras that a callback is of, and that is known here."""
    for kind in type(callback).__mro__:
        if kind.__module__.startswith("keras.") and kind.__name__ in (*REMEMBERED, *NOTHING):
            return str(kind.__name__)
    return None


def _state_of(callback: Any) -> Any:
    if hasattr(callback, "get_state"):
        return callback.get_state()
    names = REMEMBERED.get(_kind_of(callback) or "", ())
    found = {name: getattr(callback, name) for name in names if hasattr(callback, name)}
    return found or None


def _set_state(callback: Any, state: Any) -> None:
    if hasattr(callback, "set_state"):
        callback.set_state(state)
        return
    for name in REMEMBERED.get(_kind_of(callback) or "", ()):
        if name in state:
            setattr(callback, name, state[name])


def _packed(state: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """A state fit for JSON; its arrays are put aside, under names."""
    if isinstance(state, dict):
        return {name: _packed(part, arrays) for name, part in state.items()}
    if isinstance(state, (list, tuple)):
        return [_packed(part, arrays) for part in state]
    if state is None or isinstance(state, (bool, int, float, str)):
        return state
    array = np.array(keras.ops.convert_to_numpy(state) if keras.ops.is_tensor(state) else state)
    if array.ndim == 0 and array.dtype.kind in "biuf":
        return array.item()
    name = f"callback {len(arrays):05d}"
    arrays[name] = array
    return {ARRAY: name}


def _unpacked(state: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The state that `_packed` made fit for JSON."""
    if isinstance(state, dict):
        if set(state) == {ARRAY}:
            return arrays[state[ARRAY]].copy()
        return {name: _unpacked(part, arrays) for name, part in state.items()}
    return [_unpacked(part, arrays) for part in state] if isinstance(state, list) else state
