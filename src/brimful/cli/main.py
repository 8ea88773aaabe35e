"""Main: the group of commands, and the handling of errors.

Exit codes: 0 done, 1 the data, store or run is bad, 2 the command line is wrong, 130 interrupted,
143 terminated.
"""

import shlex
import sys
import warnings

import click

import brimful
from brimful.cli.bench import bench
from brimful.cli.console import COMMAND
from brimful.cli.demo import demo
from brimful.cli.report import report_command
from brimful.cli.run import evaluate_command, predict_command
from brimful.cli.scan import scan_command
from brimful.cli.signals import Terminated
from brimful.cli.store import info_command, pack_command, verify_command
from brimful.cli.train import train
from brimful.errors import ArgumentError, BrimfulError

DONE = 0
BAD_DATA = 1
BAD_COMMAND = 2
INTERRUPTED = 130
TERMINATED = 143


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(brimful.__version__, prog_name="brimful")
def cli() -> None:
    """Train Keras models on data that does not fit in memory.

    Point it at a folder of text files, one per sample, and train: every sample exactly once per epoch,
    really shuffled, in bounded memory.
    """


COMMANDS = (
    *(demo, scan_command, pack_command, info_command, verify_command),
    *(train, evaluate_command, predict_command, report_command, bench),
)
for command in COMMANDS:
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Execute a command line, by default that of the process, and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with cli.make_context("brimful", list(arguments)) as context:
            context.meta[COMMAND] = shlex.join(["brimful", *arguments])
            try:
                cli.invoke(context)
            except BrimfulError as error:
                if context.meta.get("brimful.debug"):
                    raise
                click.secho(f"error: {error.message}", fg="red", err=True)
                if error.hint:
                    click.secho(f"hint: {error.hint}", err=True)
                return BAD_COMMAND if isinstance(error, ArgumentError) else BAD_DATA
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Terminated:
        click.echo(f"terminated; to go on: {shlex.join(['brimful', *arguments])}", err=True)
        return TERMINATED
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"interrupted; to go on: {shlex.join(['brimful', *arguments])}", err=True)
        return INTERRUPTED
    return DONE


def entry() -> None:
    """The `brimful` program."""
    warnings.showwarning = _show_warning
    sys.exit(main())


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Show a warning as the rest is shown, without the line of code, but none about outdated code."""
    if not issubclass(category, (DeprecationWarning, FutureWarning)):
        click.secho(f"warning: {message}", fg="yellow", err=True)
