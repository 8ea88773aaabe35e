"""Run: the folder of one training.

config.json   the arguments and the environment of the training
log.jsonl     a line for every epoch
model.keras   the model after the last epoch that ended
checkpoints   the last two states, from which an interrupted training goes on
skipped.csv   key, kind, message of every bad sample that was left out, if there are any
"""

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brimful.errors import RunExistsError, WriteError
from brimful.samples import Fault
from brimful.storage.base import write_file
from brimful.storage.local import PARTIAL, LocalStorage
from brimful.training.checkpoint import FOLDER
from brimful.training.events import EpochReport, Listener, Training

CONFIG = "config.json"
LOG = "log.jsonl"
SKIPPED = "skipped.csv"
FREE = ("brimful", "keras", "epochs", "data", "epoch", "position", "window")
"""What may be otherwise when a training goes on; its data are known by their digest, not by their path."""
COPIED_TOGETHER = 1 << 20  # bytes of a model


def check_free(path: Path) -> None:
    """Refuse a folder in which there is something else than a training that may go on.

    A run of which no state was kept leaves only its configuration, which may be replaced.

    Raises:
        RunExistsError: The folder holds something else, or it is a file.
        WriteError: Nothing can be written there.
    """
    if path.exists() and not path.is_dir():
        raise RunExistsError(f"{path}: this is a file.", "Name a folder for the run.")
    names = {entry.name.removesuffix(PARTIAL) for entry in path.iterdir()} if path.is_dir() else set()
    if names - {CONFIG, SKIPPED, FOLDER} and not is_begun(path):
        raise RunExistsError(
            f"{path}: this folder is not empty, and holds no training that could go on.",
            "Name another folder for this run, or delete that one.",
        )
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise WriteError(
            f"{path}: nothing can be written into {there}.", "Name a folder elsewhere for the run."
        )


def is_begun(path: Path) -> bool:
    """Whether a folder holds a training that can go on."""
    return (path / CONFIG).is_file() and any((path / FOLDER).glob("*.json"))


class Run(Listener):
    """A listener that keeps each epoch that ends in a folder.

    Args:
        path: The folder: new, or that of a training that goes on.
        config: What the training is made of; one that goes on must be made of the same, but for more epochs.
        skipped: Samples that were left out.

    Raises:
        RunExistsError: The folder holds something else, or a training that is made of something else.
    """

    def __init__(
        self, path: str | os.PathLike[str], config: dict[str, Any], skipped: Sequence[Fault] = ()
    ) -> None:
        self.path = Path(path)
        self._storage = LocalStorage(path)
        self._model: Any = None
        self._lines: list[str] = []
        try:
            check_free(self.path)
            if is_begun(self.path):
                self._refuse_other(json.loads((self.path / CONFIG).read_bytes()), config)
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / SKIPPED).unlink(missing_ok=True)
            write_file(self._storage, CONFIG, (json.dumps(config, indent=2) + "\n").encode())
            if skipped:
                write_file(self._storage, SKIPPED, _as_csv(skipped))
        except OSError as error:
            if isinstance(error, (RunExistsError, WriteError)):
                raise
            raise self._unwritable(error) from error

    def _refuse_other(self, before: Any, config: dict[str, Any]) -> None:
        """Refuse to go on with something else."""
        here = json.loads(json.dumps(config))
        for name in (name for name in reversed(here) if name not in FREE):  # those of the command come last
            old, new = _differing(before.get(name), here[name])
            if old != new:
                raise RunExistsError(
                    f"{self.path}: the training in this folder was begun with {name}={old!r}, not {new!r}.",
                    "Go on with what it was begun with, or name another folder for this run.",
                )

    @property
    def model_path(self) -> Path:
        """The file of the model."""
        return self.path / "model.keras"

    def on_train_begin(self, training: Training) -> None:
        """Remember the model to keep."""
        self._model = training.model

    def on_resume(self, reports: list[EpochReport], samples: int) -> None:
        """Take lines of epochs that are trained again out of the log."""
        self._lines = [json.dumps(report.as_dict()) + "\n" for report in reports]
        try:
            write_file(self._storage, LOG, "".join(self._lines).encode())
        except OSError as error:
            raise self._unwritable(error) from error

    def on_epoch_end(self, report: EpochReport) -> None:
        """Keep the model as it is now, and the epoch's line; an old file stays until the new one is whole.

        Raises:
            WriteError: The folder cannot be written.
        """
        self._lines.append(json.dumps(report.as_dict()) + "\n")
        try:
            self._keep_model()
            write_file(self._storage, LOG, "".join(self._lines).encode())
        except OSError as error:
            raise self._unwritable(error) from error

    def on_train_end(self, error: BaseException | None) -> None:
        """Release the model."""
        self._model = None

    def _keep_model(self) -> None:
        """Save the model to another file, since Keras needs a path, and copy it to its place durably."""
        saved = self.path / "model.partial.keras"
        self._model.save(saved)
        with saved.open("rb") as file, self._storage.write(self.model_path.name) as writer:
            while piece := file.read(COPIED_TOGETHER):
                writer.write(piece)
            writer.commit(self.model_path.name)
        saved.unlink()

    def _unwritable(self, error: OSError) -> WriteError:
        return WriteError(
            f"{self.path}: the run cannot be written: {error.strerror or error}.",
            "Make room, or name a folder elsewhere for the run.",
        )


def _differing(old: Any, new: Any) -> tuple[Any, Any]:
    """Two values; of dicts only the parts that differ and matter."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return old, new
    names = [name for name in new if name not in FREE and old.get(name) != new[name]]
    return {name: old.get(name) for name in names}, {name: new[name] for name in names}


def _as_csv(skipped: Sequence[Fault]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([Fault._fields, *skipped])
    return text.getvalue().encode(errors="surrogateescape")
