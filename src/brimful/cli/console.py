"""Console: what a person sees on stderr, and the one JSON document on stdout."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from brimful.samples import Finding
from brimful.training.events import EpochReport, LineObserver

LINE_EVERY = 10.0  # seconds between lines of progress where there is no terminal


@dataclass
class Screen:
    """Where output goes.

    Attributes:
        as_json: One JSON document on stdout at the end.
        quiet: Nothing for people but errors.
    """

    as_json: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        self.console = Console(stderr=True, quiet=self.quiet, highlight=False, soft_wrap=True)

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line for people."""
        self.console.print(Text(text, style))

    def result(self, document: dict[str, Any]) -> None:
        """Print the JSON document, if it was asked for."""
        if self.as_json:
            json.dump(document, sys.stdout)
            sys.stdout.write("\n")
            sys.stdout.flush()

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table for people."""
        table = Table(title=title, title_justify="left", title_style="bold")
        for at, column in enumerate(columns):
            table.add_column(column, justify="left" if at == 0 else "right")
        for row in rows:
            table.add_row(*map(Text, row))
        self.console.print(table)

    def findings(self, findings: Iterable[Finding], *, examples: bool = False) -> None:
        """Print what was noticed about a source; with all examples, and what to do, a line each."""
        for finding in findings:
            what, style = ("problem", "red") if finding.is_problem else ("warning", "yellow")
            if not examples:
                self.say(f"{what}: {finding}", style)
                continue
            self.say(f"{what}: {finding.count:,} x {finding.kind.replace('_', ' ')}", style)
            for example in finding.examples:
                self.say(f"    {example}")
            if finding.count > len(finding.examples):
                self.say("    ...")
            if finding.hint:
                self.say(f"    hint: {finding.hint}")

    @contextmanager
    def counting(self, text: str) -> Iterator["Counter"]:
        """Show a count that grows, its end unknown."""
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description} {task.completed:,}"),
            console=self.console,
            transient=True,
        ) as progress:
            yield Counter(progress, progress.add_task(text, total=None))

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator["Counter"]:
        """Show a bar with rate and time left."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        ) as progress:
            yield Counter(progress, progress.add_task(text, total=total))

    def observer(self) -> "TrainingObserver":
        """Who shows how a training goes."""
        return TrainingObserver(self)


class Counter:
    """How far something is: call it with the count.

    Args:
        progress: Where it is shown.
        task: Which of its tasks.
    """

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, count: int) -> None:
        """Show the count."""
        self._progress.update(self._task, completed=count)


class _RateColumn(TextColumn):
    """Samples a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Samples a second so far."""
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")


class TrainingObserver:
    """A live bar while an epoch runs, and a line once it is done.

    Where there is no terminal, a line every few seconds in place of the bar.

    Args:
        screen: Where.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._progress: Progress | None = None
        self._task: Any = None
        self._heading = ""
        self._samples = 0
        self._began = self._last_line = 0.0

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """Show an empty bar."""
        self._heading = f"epoch {epoch}/{epochs}"
        self._samples = samples
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
            self._task = self._progress.add_task(self._heading, total=samples, note="")
            self._progress.start()

    def batch_ends(self, samples: int, wait_seconds: float) -> None:
        """Move the bar, or print a line if it is time."""
        now = time.perf_counter()
        seconds = now - self._began
        note = f"{samples / seconds:,.0f} samples/s, wait {wait_seconds / seconds:.1%}"
        if self._progress:
            self._progress.update(self._task, completed=samples, note=note)
        elif now - self._last_line > LINE_EVERY:
            self._last_line = now
            left = seconds / samples * (self._samples - samples)
            self._screen.say(f"{self._heading}  {samples:,}/{self._samples:,}  {note}, {left:.0f} s left")

    def evaluation_begins(self) -> None:
        """Say that the test data are next."""
        if self._progress:
            self._progress.update(self._task, note="evaluating on the test data")

    def epoch_ends(self, report: EpochReport) -> None:
        """Take the bar away and print what the epoch did."""
        self.close()
        if not self._screen.quiet:
            LineObserver().epoch_ends(report)

    def close(self) -> None:
        """Take the bar away."""
        if self._progress:
            self._progress.stop()
            self._progress = None


def screen_options(command: Any) -> Any:
    """Give a command `--json`, `--quiet` and `--debug`."""
    for option in (
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_set_debug,
            help="Show the traceback of an error.",
        ),
        click.option("--quiet", is_flag=True, help="Nothing on stderr but errors."),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
    ):
        command = option(command)
    return command


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().meta["brimful.debug"] = True
