"""Options: the options that describe the data, the same for every command that reads raw data."""

import csv
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from brimful.cli.console import Screen
from brimful.errors import ArgumentError
from brimful.options import COLOR_MODES, DTYPES, INTERPOLATIONS
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
    *("rows", "inputs", "fill", "x", "y", "read"),
    *("image_size", "color_mode", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio"),
    *("maxlen", "padding", "truncating", "value"),
)
LISTS = ("target", "classes", "inputs", "x", "y")
"""Options that are names with commas between them."""

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


def _maxlen(_: click.Context, option: click.Parameter, value: str | None) -> int | str | None:
    """Turn digits into an integer; "batch" stays."""
    if value is None or value == "batch":
        return value
    if not value.isdecimal() or not int(value):
        raise click.BadParameter(f"expected a positive number or 'batch', not {value!r}", param=option)
    return int(value)


def data_options(command: Any, *, required: bool = True) -> Any:
    """Give a command DATA and the options that describe it: DATA_OPTIONS."""
    for add in (
        click.option("--value", type=float, help="What shorter samples are padded with.  [default: 0]"),
        click.option(
            "--truncating", type=click.Choice(["pre", "post"]), help="Where longer samples are cut."
        ),
        click.option(
            "--padding", type=click.Choice(["pre", "post"]), help="Where shorter samples are padded."
        ),
        click.option(
            "--maxlen",
            callback=_maxlen,
            metavar="N|batch",
            help="Length to which samples of unequal lengths are padded or cut, or the longest of a batch.",
        ),
        click.option(
            "--pad-to-aspect-ratio", is_flag=True, help="Pad images of another aspect ratio, do not stretch."
        ),
        click.option(
            "--crop-to-aspect-ratio",
            is_flag=True,
            help="Crop images of another aspect ratio, do not stretch.",
        ),
        click.option(
            "--interpolation",
            type=click.Choice(INTERPOLATIONS),
            help="How images are resized.  [default: bilinear]",
        ),
        click.option(
            "--color-mode",
            type=click.Choice(COLOR_MODES),
            help="The channels that images are delivered with.  [default: rgb]",
        ),
        click.option(
            "--image-size",
            callback=_shape,
            metavar="224,224",
            help="Height and width to which images are resized.  [default: as they are, if all are equal]",
        ),
        click.option("--read", metavar="MODULE:FUNCTION", help="A function: path of a file -> array."),
        click.option("--y", metavar="NAME[,NAME]", help="Arrays of a file that are targets."),
        click.option("--x", metavar="NAME[,NAME]", help="Arrays of a file that are inputs."),
        click.option("--fill", type=float, help="What stands in a table for numbers that are missing."),
        click.option("--inputs", metavar="COLUMN[,COLUMN]", help="Columns of a table to train on."),
        click.option(
            "--rows/--no-rows", default=None, help="Whether each row of the files is a sample, or each file."
        ),
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
            "--dtype",
            type=click.Choice(DTYPES),
            help="The dtype of the inputs.  [default: as in the data; float32 for text]",
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
    **options: Any,
) -> Source:
    """Scan what the command line names, leave out bad samples if asked to, and show the progress."""
    missing: Any = options.pop("missing", None) or "raise"
    with screen.counting(f"{'reading' if missing == 'skip' else 'listing'} {data}:") as listed:
        for name in LISTS:
            if isinstance(given := options.get(name), str):
                options[name] = next(csv.reader([given]), None) or None
        if reader := options.get("read"):
            options["read"] = imported(reader)
        source = scan(data, missing=missing, progress=listed, **options)
    if on_bad != "skip":
        return source
    with screen.bar("reading every sample", len(source)) as bar:
        return usable(source, bar)


def imported(name: str) -> Any:
    """The function that a user names as `module:function`; modules in the current folder are found, too.

    Raises:
        ArgumentError: There is no such function.
    """
    module_name, _, function_name = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(
            f"Expected a function as module:function. Received: {name!r}: {error}",
            "Start brimful in the folder of the module, or add it to PYTHONPATH.",
        ) from error


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
