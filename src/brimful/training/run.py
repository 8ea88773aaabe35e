"""Run: the folder of one training.

config.json   what was asked for, and with what it ran
log.jsonl     a line for every epoch
model.keras   the model after the last epoch that ended
"""

import json
import os
from pathlib import Path
from typing import Any

from brimful.errors import ReadError, RunExistsError
from brimful.training.report import EpochReport


class Run:
    """The folder of one training, made anew and never written over.

    Args:
        path: Where.
        config: What to keep in `config.json`, fit for JSON.

    Raises:
        RunExistsError: Something is there already.
    """

    def __init__(self, path: str | os.PathLike[str], config: dict[str, Any]) -> None:
        self.path = Path(path)
        try:
            if self.path.exists() and any(self.path.iterdir()):
                raise RunExistsError(
                    f"{self.path}: this folder is not empty, and a run is never written over.",
                    "Name another folder for this run, or delete that one.",
                )
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        except NotADirectoryError as error:
            raise RunExistsError(f"{self.path}: this is a file.", "Name a folder for the run.") from error
        except OSError as error:
            if isinstance(error, RunExistsError):
                raise
            raise ReadError(f"{self.path}: the run cannot be written there: {error.strerror}.") from error

    @property
    def model_path(self) -> Path:
        """Where the model is kept."""
        return self.path / "model.keras"

    def save(self, report: EpochReport, model: Any) -> None:
        """Keep an epoch's line and the model as it is then: the old file stays until the new one is whole."""
        partial = self.path / "model.partial.keras"
        model.save(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(self.model_path)
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(report.as_dict()) + "\n")
