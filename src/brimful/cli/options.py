"""Options: the options that describe the data, the same for every command that reads raw data."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from brimful.cli.console import Screen
from brimful.errors import ArgumentError
from brimful.options import DTYPES
from brimful.source import Source, scan, usable
from brimful.store.format import MANIFEST, SHARD_NAME


def _shape(_: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Turn "28,28,1" into (28, 28, 1)."""
    if value is None:
        return None
    try:
        shape = tuple(int(part) for part in value.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        message = f"expected positive numbers between commas, like 28,28,1, not {value!r}"
        raise click.BadParameter(message, param=option)
    return shape


DATA_OPTIONS = (
    *("labels", "id", "target", "weight", "regression", "classes"),
    *("suffix", "skip_lines", "columns", "decimal", "missing", "shape", "dtype", "limit"),
)

on_bad_option = click.option(
    "--on-bad",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Bad samples are an error, or all samples are read first and the bad ones are left out.",
)


def memory_option(purpose: str) -> Callable[[Any], Any]:
    """The option `--memory`, with its purpose as help."""
    return click.option("--memory", default="1GB", show_default=True, metavar="SIZE", help=purpose)


def data_options(command: Any, *, required: bool = True) -> Any:
    """Give a command DATA and the options that describe it: DATA_OPTIONS."""
    for add in (
        click.option(
            "--limit", type=click.IntRange(min=1), metavar="N", help="Draw N samples for a first try."
        ),
        click.option(
            "--shape",
            callback=_shape,
            metavar="28,28,1",
            help="Shape of a sample.  [default: as in the files]",
        ),
        click.option(
            "--dtype", type=click.Choice(DTYPES), help="The dtype of the numbers.  [default: float32]"
        ),
        click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark of the files."),
        click.option(
            "--missing",
            type=click.Choice(["raise", "skip", "0", "mean", "nan"]),
            help="Empty cells, NA, nan and the like are an error, or such samples are left out, or they are "
            "delivered as 0, as the mean of the column in the file, or as NaN.  [default: raise]",
        ),
        click.option("--columns", metavar="2-4,6", help="Columns of each file to keep, counted from 1."),
        click.option(
            "--skip-lines", type=click.IntRange(min=0), metavar="N", help="Lines of each file to leave out."
        ),
        click.option("--suffix", metavar=".data", help="Suffix of the samples.  [default: the usual one]"),
        click.option(
            "--regression",
            is_flag=True,
            help="Targets are regression values, even if all of them are integers.",
        ),
        click.option(
            "--classes",
            metavar="NAME,NAME",
            help="The labels, in the order of their numbers.  [default: those that occur]",
        ),
        click.option("--weight", metavar="COLUMN", help="Column of sample weights."),
        click.option(
            "--target",
            metavar="COLUMN[,COLUMN]",
            help="Column of the label table to predict.  [default: label, target or the like]",
        ),
        click.option("--id", metavar="COLUMN", help="Column that names the samples."),
        click.option(
            "--labels",
            metavar="FILE|folders|files:PATTERN|name:REGEX|none",
            help="Label table, or `folders`, or a label file for each sample, like `files:../labels/*.txt`, "
            "or what is in the file's name.  [default: looked for in DATA]",
        ),
        click.argument("data", required=required),
    ):
        command = add(command)
    return command


def scan_data(
    screen: Screen,
    data: str,
    *,
    on_bad: str = "raise",
    target: str | None = None,
    classes: str | Sequence[str | int] | None = None,
    **options: Any,
) -> Source:
    """Scan what the command line names, leave out bad samples if asked to, and show the progress."""
    missing: Any = options.pop("missing", None) or "raise"
    with screen.counting(f"{'reading' if missing == 'skip' else 'listing'} {data}:") as listed:
        targets = next(csv.reader([target])) if target else None
        names = next(csv.reader([classes])) if isinstance(classes, str) and classes else classes
        kind = options.pop("dtype", None) or DTYPES[1]
        source = scan(
            data,
            target=targets,
            classes=names,
            dtype=kind,
            missing=missing,
            progress=listed,
            **options,
        )
    if on_bad != "skip":
        return source
    with screen.bar("reading every sample", len(source)) as bar:
        return usable(source, bar)


def say_source(screen: Screen, source: Source, *, findings: bool = True) -> None:
    """Print what was found."""
    screen.say(repr(source), "bold")
    for fact in source.facts:
        screen.say(f"  {fact}")
    if findings:
        screen.findings(source.findings)


def is_store(path: Path) -> bool:
    """Whether a path names a store, not raw data: it ends in .brim, or holds a manifest and shards."""
    if path.suffix == ".brim":
        return True
    names = {entry.name for entry in path.iterdir()} if (path / MANIFEST).is_file() else set()
    return any(map(SHARD_NAME.fullmatch, names))


def refuse_for_store(store: Path, options: dict[str, Any]) -> None:
    """Refuse options for raw data if the data are a store.

    Raises:
        ArgumentError: One of them was given.
    """
    for name, value in options.items():
        if value:
            raise ArgumentError(
                f"--{name.replace('_', '-')} is for raw data. Received: {store}, which is a store.",
                "Leave it out: a store knows what it was packed from. Or name the folder of the raw data.",
            )
