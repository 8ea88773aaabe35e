"""TrainingProgress: a listener that shows the progress of a training."""

import time
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from brimful.cli.console import Screen
from brimful.training.events import EpochReport, IntervalReport, LinePrinter, Listener, Training

LINE_EVERY = 10.0  # seconds between lines of progress without a terminal


class TrainingProgress(Listener):
    """Shows a live bar during an epoch, and a line after it.

    Without a terminal, a line is printed every few seconds in place of the bar.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lines = LinePrinter()
        self._progress: Progress | None = None
        self._task: Any = None
        self._heading = self._figures = ""
        self._epochs = self._samples = 0
        self._began = self._last_line = 0.0
        self._carried = 0  # samples of the epoch that were trained on before this process
        self.resumed_from: tuple[int, int] | None = None  # epoch and samples of it

    def on_train_begin(self, training: Training) -> None:
        """Remember how much there is to do."""
        self._epochs, self._samples = training.epochs, training.samples

    def on_resume(self, reports: list[EpochReport], samples: int) -> None:
        """Say where the training goes on."""
        self._carried, self.resumed_from = samples, (len(reports) + 1, samples)
        if len(reports) < self._epochs:
            self._screen.say(f"  going on in epoch {len(reports) + 1}, behind {samples:,} samples")

    def on_epoch_begin(self, epoch: int) -> None:
        """Show an empty bar."""
        self._heading = f"epoch {epoch}/{self._epochs}"
        self._figures = ""
        self._began = self._last_line = time.perf_counter()
        if self._screen.console.is_terminal and not self._screen.quiet:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:,}/{task.total:,}"),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=self._screen.console,
                transient=True,
                refresh_per_second=4,
            )
            self._task = self._progress.add_task(self._heading, total=self._samples, note="")
            self._progress.start()

    def on_batch_end(self, samples: int, wait_seconds: float) -> None:
        """Move the bar, or print a line if it is time."""
        now = time.perf_counter()
        seconds = now - self._began
        rate = (samples - self._carried) / seconds
        note = f"{self._figures}{rate:,.0f} samples/s, wait {wait_seconds / seconds:.1%}"
        if self._progress:
            self._progress.update(self._task, completed=samples, note=note)
        elif now - self._last_line > LINE_EVERY:
            self._last_line = now
            left = (self._samples - samples) / rate
            self._screen.say(f"{self._heading}  {samples:,}/{self._samples:,}  {note}, {left:.0f} s left")

    def on_interval(self, report: IntervalReport) -> None:
        """Show loss and metrics so far from now on."""
        self._figures = "".join(f"{name} {value:.4f}, " for name, value in report.train.items())

    def on_evaluation_begin(self) -> None:
        """Show that the test data follow."""
        if self._progress:
            self._progress.update(self._task, note="evaluating on the test data")

    def on_epoch_end(self, report: EpochReport) -> None:
        """Remove the bar and print what the epoch did."""
        self._close()
        self._carried = 0
        if not self._screen.quiet:
            self._lines.on_epoch_end(report)

    def on_train_end(self, error: BaseException | None) -> None:
        """Remove the bar if the epoch did not end."""
        self._close()

    def _close(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None
