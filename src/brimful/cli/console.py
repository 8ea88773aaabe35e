"""Console: what a person sees on stderr, and the one JSON document on stdout."""

import json
import sys
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
from brimful.samples import Progress as Counter


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
        """Print what was noticed about a source; with all examples, and what to do, on a line each."""
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
    def counting(self, text: str) -> Iterator[Counter]:
        """Show a count that grows, its end unknown."""
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description} {task.completed:,}"),
            console=self.console,
            transient=True,
        ) as progress:
            yield _counter(progress, progress.add_task(text, total=None))

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator[Counter]:
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
            yield _counter(progress, progress.add_task(text, total=total))


def _counter(progress: Progress, task: Any) -> Counter:
    """What shows how far a task is, called with the count."""
    return lambda count: progress.update(task, completed=count)


class _RateColumn(TextColumn):
    """Samples per second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Samples per second so far."""
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")


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
