"""Run: the folder of one training.

config.json   what was asked for, and with what it ran
log.jsonl     a line for every epoch
model.keras   the model after the last epoch that ended
skipped.csv   key, kind, message of every sample that was left out because it is bad; only if any was
"""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brimful.errors import RunExistsError, WriteError
from brimful.samples import Fault
from brimful.training.events import EpochReport, Listener, Training

CONFIG = "config.json"
SKIPPED = "skipped.csv"


def check_free(path: Path) -> None:
    """Refuse a folder in which something is that a run would write over.

    What a run leaves in which no epoch ended is only what it was asked for; its place may be taken.

    Raises:
        RunExistsError: Something is there already.
    """
    if path.exists() and not path.is_dir():
        raise RunExistsError(f"{path}: this is a file.", "Name a folder for the run.")
    if path.is_dir() and any(entry.name not in (CONFIG, SKIPPED) for entry in path.iterdir()):
        raise RunExistsError(
            f"{path}: this folder is not empty, and a run is never written over.",
            "Name another folder for this run, or delete that one.",
        )


class Run(Listener):
    """The folder of one training, made new and never written over; it keeps each epoch that ends.

    Args:
        path: Where.
        config: What to keep in `config.json`, fit for JSON.
        skipped: Samples that were left out.

    Raises:
        RunExistsError: Something is there already.
    """

    def __init__(
        self, path: str | os.PathLike[str], config: dict[str, Any], skipped: Sequence[Fault] = ()
    ) -> None:
        self.path = Path(path)
        self._model: Any = None
        try:
            check_free(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / CONFIG).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
            (self.path / SKIPPED).unlink(missing_ok=True)
            if skipped:
                with (self.path / SKIPPED).open(
                    "w", encoding="utf-8", errors="surrogateescape", newline=""
                ) as file:
                    csv.writer(file).writerows([Fault._fields, *skipped])
        except OSError as error:
            if isinstance(error, RunExistsError):
                raise
            raise self._unwritable(error) from error

    @property
    def model_path(self) -> Path:
        """Where the model is kept."""
        return self.path / "model.keras"

    def on_train_begin(self, training: Training) -> None:
        """Note which model is to be kept."""
        self._model = training.model

    def on_epoch_end(self, report: EpochReport) -> None:
        """Keep the model as it is then, and the epoch's line: the old file stays until the new one is whole.

        Raises:
            WriteError: The folder cannot be written.
        """
        partial = self.path / "model.partial.keras"
        try:
            self._model.save(partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(self.model_path)
            with (self.path / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(report.as_dict()) + "\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def on_train_end(self, error: BaseException | None) -> None:
        """Let go of the model."""
        self._model = None

    def _unwritable(self, error: OSError) -> WriteError:
        return WriteError(
            f"{self.path}: the run cannot be written there: {error.strerror or error}.",
            "Make room, or name a folder elsewhere for the run.",
        )
