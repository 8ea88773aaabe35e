"""Run: the folder of one training, to look at it and to use what it has made."""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brimful.errors import RunNotFoundError
from brimful.samples import Progress
from brimful.schema import Classes
from brimful.storage.base import write_file
from brimful.storage.local import LocalStorage
from brimful.training.events import EpochReport, Metrics
from brimful.training.recorder import BEST, CONFIG, LAST, REPORT
from brimful.training.run_log import RunLog, Session

if TYPE_CHECKING:
    from brimful.reports.judgement import Judgement
    from brimful.reports.report import Report
    from brimful.training.batches import Batches

PART_ROWS = 65_536
PART_BYTES = 1 << 25


class Run:
    """The folder of one training.

    Args:
        path: The folder, as given to `train(run=...)`, `--run`.

    Raises:
        RunNotFoundError: It is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.config: dict[str, Any] = json.loads((self.path / CONFIG).read_bytes())
            is_run = isinstance(self.config, dict) and "brimful" in self.config
        except (OSError, ValueError):
            is_run = False
        if not is_run:
            raise RunNotFoundError(
                f"{path}: this is no run: it holds no {CONFIG} of a training.",
                "Name the folder that was given to train: --run DIR, bf.train(..., run=DIR).",
            )
        self.log = RunLog(self.path)

    def __repr__(self) -> str:
        epochs = self.epochs
        last = f", last {epochs[-1]}" if epochs else ""
        return f"Run({str(self.path)!r}: {len(epochs)} of {self.config['epochs']} epochs{last})"

    def _repr_html_(self) -> str:
        """The report, without a judgement, for a notebook."""
        from html import escape

        from brimful.reports.page import page

        whole = escape(page([self.described()]))
        return f'<iframe srcdoc="{whole}" style="width:100%;height:640px;border:0" sandbox></iframe>'

    @property
    def epochs(self) -> list[EpochReport]:
        """What each epoch that has ended did."""
        return self.log.epochs

    @property
    def sessions(self) -> list[Session]:
        """The processes that trained: more than one if the training was interrupted."""
        return self.log.sessions

    @property
    def history(self) -> dict[str, list[float]]:
        """Loss and metrics of every epoch by name, those on the test data as `val_NAME`, as in Keras."""
        lines = [
            {**report.train, **{f"val_{name}": value for name, value in (report.test or {}).items()}}
            for report in self.epochs
        ]
        names = dict.fromkeys(chain.from_iterable(lines))
        return {name: [line.get(name, float("nan")) for line in lines] for name in names}

    @property
    def classes(self) -> Classes | None:
        """The classes that the model was trained on; None if the target is no class."""
        classes = self.config["schema"]["classes"]
        return None if classes is None else tuple(classes)

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best model, from 1: the first one with the least loss. None before the first."""
        epochs = self.epochs
        return min(epochs, key=lambda report: report.loss).epoch if epochs else None

    def best_model(self) -> Any:
        """The Keras model after the epoch whose loss on the test data was least; without test data, its own.

        Raises:
            RunNotFoundError: There is none yet.
            StateError: It needs code that cannot be found.
        """
        return self._model(BEST)

    def last_model(self) -> Any:
        """The Keras model after the last epoch that has ended.

        Raises:
            RunNotFoundError: There is none yet.
            StateError: It needs code that cannot be found.
        """
        return self._model(LAST)

    def evaluate(self, batches: "Batches", *, model: Any = None, progress: Progress | None = None) -> Metrics:
        """Loss and metrics of a model on samples, in bounded memory.

        Args:
            batches: The samples.
            model: A Keras model; by default the best one of the run.
            progress: Called with the number of samples evaluated so far.

        Raises:
            ArgumentError: The samples have other classes.
            StateError: They are not shaped like those of the training.
        """
        from brimful.training.evaluation import evaluate
        from brimful.training.loop import check_trainable

        check_trainable(batches.feed.reader.name, batches.schema)
        return evaluate(self._fitting(model, batches), batches, progress)

    def predict(
        self,
        batches: "Batches",
        path: str | os.PathLike[str],
        *,
        model: Any = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Predict samples into a Parquet or CSV file: a row for each, with its key, in the order of the rows.

        The columns are `key`; `prediction`, the most likely class, or the value; for each class its score;
        `label` where the samples have labels. The memory is bounded. If it is stopped, the same call goes on,
        to the same bytes.

        Args:
            batches: The samples; whatever order they are shuffled in does not matter.
            path: The file: .parquet or .csv.
            model: A Keras model; by default the best one of the run.
            overwrite: Whether to replace a file that is there.
            progress: Called with the number of samples predicted so far.

        Returns:
            The number of samples.

        Raises:
            ArgumentError: The file is there already.
            StateError: The samples are not shaped like those of the training.
            WriteError: The file cannot be written, for example because the disk is full.
        """
        import pyarrow as pa

        from brimful.training.model_identity import weights_digest
        from brimful.training.prediction_file import PredictionFile, check_free
        from brimful.training.prediction_table import PredictionColumns
        from brimful.training.predictions import content_identity, in_order, predict

        check_free(Path(path), overwrite=overwrite)
        model, feed = self._fitting(model, batches), in_order(batches)
        identity = {
            **content_identity(feed),
            "batch_size": feed.batch_size,
            "model": weights_digest(model),
            "classes": [self.classes, feed.schema.classes],
        }
        columns = PredictionColumns(model, self.classes, feed.schema.classes)
        with PredictionFile(Path(path), identity, overwrite=overwrite) as file:
            if file.rows:
                feed.load_state_dict({**feed.state_dict(), "position": file.rows})
            if file.rows < feed.samples_per_epoch:
                tables = map(columns.table, predict(model, feed))
                for part in _parts(tables):
                    file.add(pa.concat_tables(part))
                    if progress:
                        progress(file.rows)
            file.finish()
            return file.rows

    def judge(self, batches: "Batches", progress: Progress | None = None) -> "Judgement":
        """Count how the best model judges samples whose labels are known, in bounded memory.

        Args:
            batches: The samples, with the classes that the model was trained on.
            progress: Called with the number of samples judged so far.
        """
        from brimful.reports.judgement import Judgement
        from brimful.training.loop import check_trainable
        from brimful.training.predictions import in_order, predict

        check_trainable(batches.feed.reader.name, batches.feed.reader.schema)
        model, feed = self._fitting(None, batches), in_order(batches)

        def counted() -> Iterator[Any]:
            for at, batch in enumerate(predict(model, feed, judged=True)):
                yield batch
                if progress:
                    progress(at * feed.batch_size + len(batch.keys))

        return Judgement.of(model, counted(), self.classes)

    def described(self, judgement: "Judgement | None" = None, judged: str = "") -> "Report":
        """All that a report tells.

        Args:
            judgement: How the best model judges some samples.
            judged: What samples these are, in words.
        """
        from brimful.reports.report import Report

        return Report(
            str(self.path),
            self.config,
            self.epochs,
            self.log.intervals,
            self.sessions,
            self.best_epoch,
            judgement,
            judged,
        )

    def report(
        self, path: str | os.PathLike[str] | None = None, *, validation: "Batches | None" = None
    ) -> Path:
        """Write a report on the run: one HTML file that needs no network.

        Args:
            path: The file; by default `report.html` in the run folder.
            validation: Samples with labels, for how the best model judges them: confusions, the worst judged.

        Returns:
            The file.
        """
        judgement = None if validation is None else self.judge(validation)
        judged = "" if validation is None else f"of {validation.feed.reader.name}"
        return write_report(
            [self.described(judgement, judged)], self.path / REPORT if path is None else Path(path)
        )

    def _model(self, name: str) -> Any:
        from brimful.training.predictions import load_model

        if not (self.path / name).is_file():
            raise RunNotFoundError(f"{self.path}: there is no {name}: no epoch has ended yet.")
        return load_model(self.path / name)

    def _fitting(self, model: Any, batches: "Batches") -> Any:
        """The model to use; refuses samples that are not shaped like those that it was trained on."""
        from brimful.training.keras_call import remember_classes
        from brimful.training.predictions import check_layout

        check_layout(batches.feed.reader.schema, self.config["schema"], batches.feed.reader.name)
        model = self.best_model() if model is None else model
        remember_classes(model, self.classes)
        return model


def write_report(reports: Sequence["Report"], path: Path) -> Path:
    """Write reports as one HTML file, in place of what has its name."""
    from brimful.reports.page import page

    write_file(LocalStorage(path.parent), path.name, page(reports).encode(errors="replace"))
    return path


def _parts(tables: Iterator[Any]) -> Iterator[list[Any]]:
    """Tables of batches, so many together that a part of them is worth a file."""
    part: list[Any] = []
    rows = nbytes = 0
    for table in tables:
        part.append(table)
        rows, nbytes = rows + len(table), nbytes + table.nbytes
        if rows >= PART_ROWS or nbytes >= PART_BYTES:
            yield part
            part, rows, nbytes = [], 0, 0
    if part:
        yield part
