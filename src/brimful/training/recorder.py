"""Recorder: keeps a training in its run folder.

config.json   all that the training is made of: data, split, order, model, arguments, versions
log.jsonl     a line for every epoch, and one every few seconds in the middle of them: run_log
model.keras   the model after the last epoch that ended
best.keras    the model after the epoch whose loss on the test data was least; without test data, its own loss
model.py      the source file of the model, if it is one of the user's
checkpoints   the last two states, from which an interrupted training goes on
skipped.csv   key, kind, message of every bad sample that was left out, if there are any
"""

import csv
import io
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from brimful.errors import RunExistsError, WriteError
from brimful.samples import Fault
from brimful.storage.base import write_file
from brimful.storage.local import PARTIAL, LocalStorage
from brimful.training.checkpoint import FOLDER
from brimful.training.events import EpochReport, IntervalReport, Listener, Training
from brimful.training.run_log import NAME as LOG
from brimful.training.run_log import RunLog

CONFIG = "config.json"
CODE = "model.py"
LAST, BEST = "model.keras", "best.keras"
SKIPPED = "skipped.csv"
REPORT = "report.html"
SAVING = "model.partial.keras"  # Keras wants the suffix
OWN = {CONFIG, LOG, SKIPPED, CODE, FOLDER, LAST, BEST, REPORT, SAVING}
"""All that a run may have before its first checkpoint."""
FREE = ("brimful", "keras", "epochs", "data", "epoch", "position", "window", "code", "feeding")
"""What may be otherwise when a training goes on; its data are known by their digest, not by their path."""
FILES = "raw_files"
UNKNOWN = ("architecture", "parameters")
"""What is known only once a model is built; None before."""
ORIGIN = ("command", "source", "scan", "class_counts", "findings")
"""What a command says of where the data are from, likewise."""
COPIED_TOGETHER = 1 << 20  # bytes of a model


def check_free(path: Path) -> None:
    """Refuse a folder in which there is something else than a training that may go on.

    A run that ended before its first checkpoint may be begun anew.

    Raises:
        RunExistsError: The folder holds something else, or it is a file.
        WriteError: Nothing can be written there.
    """
    if path.exists() and not path.is_dir():
        raise RunExistsError(f"{path}: this is a file.", "Name a folder for the run.")
    names = {entry.name.removesuffix(PARTIAL) for entry in path.iterdir()} if path.is_dir() else set()
    is_left = names <= {FOLDER} or (names <= OWN and _is_config(path / CONFIG))
    if not is_left and not is_begun(path):
        raise RunExistsError(
            f"{path}: this folder is not empty, and holds no training that could go on.",
            "Name another folder for this run, or delete that one.",
        )
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise WriteError(
            f"{path}: nothing can be written into {there}.", "Name a folder elsewhere for the run."
        )


def _is_config(file: Path) -> bool:
    """Whether a file is the configuration of a run."""
    try:
        return "brimful" in json.loads(file.read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def is_begun(path: Path) -> bool:
    """Whether a folder holds a training that can go on."""
    return (path / CONFIG).is_file() and any((path / FOLDER).glob("*.json"))


class Recorder(Listener):
    """A listener that keeps a training in a folder.

    Args:
        path: The folder: new, or that of a training that goes on.
        config: What the training is made of; one that goes on must be made of the same, but for more epochs.
        skipped: Samples that were left out.
        code: The source file of the model, which is copied.

    Raises:
        RunExistsError: The folder holds something else, or a training that is made of something else.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: dict[str, Any],
        skipped: Sequence[Fault] = (),
        code: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self._storage = LocalStorage(path)
        self._model: Any = None
        self._config, self._skipped, self._code = config, skipped, code
        self._position = 0  # samples of the epoch that begins next
        self._is_open = self._is_resumed = self._is_training = False
        with self._writing():
            check_free(self.path)
            if is_begun(self.path):
                self._refuse_other(self._known(), config)
            self._log = RunLog(self.path)

    def _known(self) -> dict[str, Any]:
        """The configuration that is there; empty if there is none."""
        file = self.path / CONFIG
        found: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {}
        return found

    def _open(self) -> None:
        """Write what the training is made of, once it is known that it may train, and no other one does."""
        if self._is_open:
            return
        self._is_open = True
        epochs = max(self._config.get("epochs", 0), self._known().get("epochs", 0))
        config = {**self._config, "epochs": epochs} if self._is_resumed else self._config
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / SKIPPED).unlink(missing_ok=True)
            write_file(self._storage, CONFIG, (json.dumps(config, indent=2) + "\n").encode())
            if self._skipped:
                write_file(self._storage, SKIPPED, _as_csv(self._skipped))
            if self._code:
                write_file(self._storage, CODE, self._code.read_bytes())
            if not self._is_resumed and self._log.lines:
                self._log.undo([], 0)

    def _refuse_other(self, before: Any, config: dict[str, Any]) -> None:
        """Refuse to go on with something else."""
        here = json.loads(json.dumps(config))
        for name in (
            name for name in reversed(here) if name not in (*FREE, *ORIGIN)
        ):  # those of the command come last
            old, new = _differing(before.get(name), here[name])
            if old != new and not (name in UNKNOWN and (old is None or new is None)):
                if name == FILES:
                    old, new = "those of then", "those of now: some were changed, or replaced"
                raise RunExistsError(
                    f"{self.path}: the training in this folder was begun with {name}={old!r}, not {new!r}.",
                    "Go on with what it was begun with, or name another folder for this run.",
                )
        if before.get("code") != here.get("code"):
            warnings.warn(
                f"{self.path}: the source file of the model has changed since this training was begun: it "
                "goes on, perhaps not to the same bits.",
                stacklevel=2,
            )

    def on_train_begin(self, training: Training) -> None:
        """Remember the model to keep."""
        self._model = training.model

    def on_resume(self, reports: list[EpochReport], samples: int) -> None:
        """Mark the lines of what is trained again."""
        self._position, self._is_resumed = samples, True
        self._open()
        with self._writing():
            self._log.undo(reports, samples)

    def on_epoch_begin(self, epoch: int) -> None:
        """Note where this process begins."""
        self._open()
        if not self._is_training:
            self._is_training = True
            with self._writing():
                self._log.add_session("begin", epoch=epoch, samples=self._position)

    def on_interval(self, report: IntervalReport) -> None:
        """Keep a line; a training goes on without."""
        with suppress(OSError):
            self._log.append("interval", report.as_dict())

    def on_epoch_end(self, report: EpochReport) -> None:
        """Keep the model as it is now, and the epoch's line; an old file stays until the new one is whole.

        Raises:
            WriteError: The folder cannot be written.
        """
        self._open()
        before = [each.loss for each in self._log.epochs]
        with self._writing():
            self._keep_model(is_best=not before or report.loss < min(before))
            self._log.add_epoch(report)

    def on_train_end(self, error: BaseException | None) -> None:
        """Release the model, and note how the process ended."""
        self._model = None
        with suppress(OSError):
            if self._is_training:
                self._log.add_session("end", error=None if error is None else _in_words(error))

    def _keep_model(self, *, is_best: bool) -> None:
        """Save the model to another file, since Keras needs a path, and copy it to its place durably."""
        saved = self.path / SAVING
        self._model.save(saved)
        for name in (LAST, BEST) if is_best else (LAST,):
            with saved.open("rb") as file, self._storage.write(name) as writer:
                while piece := file.read(COPIED_TOGETHER):
                    writer.write(piece)
                writer.commit(name)
        saved.unlink()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (RunExistsError, WriteError):
            raise
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> WriteError:
        return WriteError(
            f"{self.path}: the run cannot be written: {error.strerror or error}.",
            "Make room, or name a folder elsewhere for the run.",
        )


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


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
