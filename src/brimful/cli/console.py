"""Console: output for people on stderr, and one JSON document on stdout."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from brimful.samples import Finding
from brimful.samples import Progress as Counter

COMMAND = "brimful.command"
"""Key of the whole command line, as text, in the context of a command."""


@dataclass
class Screen:
    """The output of a command: a JSON document at the end if `as_json`; only errors for people if `quiet`."""

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
        """Print findings about a source, with all their examples and hints if asked to."""
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

    def counting(self, text: str) -> AbstractContextManager[Counter]:
        """Show a growing count whose end is unknown."""
        return self._progress(
            text, None, SpinnerColumn(), TextColumn("{task.description} {task.completed:,}")
        )

    def bar(self, text: str, total: int) -> AbstractContextManager[Counter]:
        """Show a bar with rate and time left."""
        description = TextColumn("{task.description}")
        columns = (BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
        return self._progress(text, total, description, *columns)

    @contextmanager
    def _progress(self, text: str, total: int | None, *columns: ProgressColumn) -> Iterator[Counter]:
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(text, total=total)
            yield lambda count: progress.update(task, completed=count)


class _RateColumn(ProgressColumn):
    """A column of samples per second."""

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
        click.option("--quiet", is_flag=True, help="Print only errors on stderr."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout."),
    ):
        command = option(command)
    return command


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().meta["brimful.debug"] = True
