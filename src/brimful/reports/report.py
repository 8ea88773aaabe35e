"""Report: all that a page tells of one run, as plain data, from its configuration, log and judgement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brimful.reports.judgement import Judgement
from brimful.reports.verdict import Verdict
from brimful.training.events import EpochReport, IntervalReport
from brimful.training.run_log import Session

ARGUMENTS = ("model", "method", "backend", "batch_size", "seed", "test", "group", "split", "split_seed")


@dataclass(frozen=True)
class Report:
    """What there is to tell of a run.

    Attributes:
        name: The run folder.
        config: Its configuration.
        epochs: What each epoch did.
        intervals: What was done in the middle of them.
        sessions: The processes that trained.
        best_epoch: The epoch of the best model, from 1; None before the first has ended.
        judgement: How that model judges samples; None if that was not asked for.
        judged: What samples these are, in words.
    """

    name: str
    config: dict[str, Any]
    epochs: Sequence[EpochReport]
    intervals: Sequence[IntervalReport]
    sessions: Sequence[Session]
    best_epoch: int | None
    judgement: Judgement | None = None
    judged: str = ""

    @property
    def verdict(self) -> Verdict:
        """Who waited for whom."""
        return Verdict.of(self.epochs, self.config["feeding"])

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What the training was made of."""
        config, batches = self.config, self.config["batches"]
        facts = [
            ("data", str(config["data"])),
            ("samples", f"{batches['samples']:,} to train on"),
            ("parameters", f"{config['parameters'] or 0:,}"),
            ("epochs", f"{len(self.epochs)} of {config['epochs']}"),
            *(
                (name.replace("_", " "), str(config[name]))
                for name in ARGUMENTS
                if config.get(name) is not None
            ),
            ("versions", f"brimful {config['brimful']}, Keras {config['keras']}"),
        ]
        if self.epochs:
            facts.append(("training time", f"{sum(report.seconds for report in self.epochs):,.1f} s"))
        return facts

    @property
    def best(self) -> EpochReport | None:
        """What the best epoch did."""
        return next((report for report in self.epochs if report.epoch == self.best_epoch), None)

    @property
    def metrics(self) -> list[str]:
        """The names of loss and metrics, the loss first."""
        names = {name: None for report in self.epochs for name in (*report.train, *(report.test or {}))}
        return sorted(names, key=lambda name: name != "loss")

    @property
    def coverage(self) -> str:
        """How many of the samples each epoch trained on, counted."""
        all_of_them = self.config["batches"]["samples"]
        short = [report for report in self.epochs if report.distinct_samples != all_of_them]
        if not self.epochs:
            return "No epoch has ended yet."
        if not short:
            every = "in the one epoch" if len(self.epochs) == 1 else f"in each of {len(self.epochs)} epochs"
            whole = f"{all_of_them:,} of {all_of_them:,} samples"
            return f"The model was trained on {whole} {every}: counted, not assumed."
        return "The model was not trained on every sample: " + ", ".join(
            f"{report.distinct_samples:,} of {all_of_them:,} in epoch {report.epoch}" for report in short
        )

    @property
    def class_counts(self) -> list[tuple[str, int]]:
        """How many samples of each class there are to train on, or else among those judged."""
        if counts := self.config.get("class_counts"):
            return [(str(name), int(count)) for name, count in counts.items()]
        figures = self.judgement.class_figures if self.judgement else []
        return [(name, count) for name, count, _, _ in figures]

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Commands to use the run, if it was made by one."""
        if "command" not in self.config:
            return []
        return [
            ("to repeat it in another folder, or to go on", str(self.config["command"])),
            ("to evaluate its best model", f"brimful evaluate {self.name}"),
            ("to predict other data", f"brimful predict {self.name} DATA --out predictions.parquet"),
        ]
