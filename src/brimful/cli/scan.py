"""brimful scan: reports what a folder holds, and all that is wrong with it."""

from typing import Any

import click

from brimful.cli.console import Screen, screen_options
from brimful.cli.options import data_options, say_source, scan_data
from brimful.sources.audit import Audit

CLASSES_SHOWN = 20
PROBLEMS_FOUND = 1  # exit code


@click.command("scan")
@data_options
@click.option("--quick", is_flag=True, help="Read only the first 256 samples.")
@click.option("--no-cache", is_flag=True, help="Read files again that have not changed since the last scan.")
@screen_options
def scan_command(data: str, quick: bool, no_cache: bool, as_json: bool, **options: Any) -> None:
    """Read all of DATA, a folder of samples or a table of them, and report what is wrong with it.

    Exits with 1 if there is a problem. Nothing in DATA is changed.
    """
    screen = Screen(as_json, options.pop("quiet"))
    source = scan_data(screen, data, **options)
    say_source(screen, source, findings=False)
    if quick:
        audit = source.audit(quick=True)
    else:
        with screen.bar("reading every sample", len(source)) as bar:
            audit = source.audit(cached=not no_cache, progress=bar)
    _show(audit, screen)
    screen.result(audit.as_dict())
    if audit.problems:
        raise click.exceptions.Exit(PROBLEMS_FOUND)


def _show(audit: Audit, screen: Screen) -> None:
    """Print the audit as tables."""
    if audit.class_counts:
        counts = sorted(audit.class_counts.items(), key=lambda item: -item[1])
        rows = [(str(name), f"{n:,}", f"{n / audit.samples:.1%}") for name, n in counts[:CLASSES_SHOWN]]
        rows += [(f"{len(counts) - CLASSES_SHOWN:,} more", "", "")] if len(counts) > CLASSES_SHOWN else []
        screen.table("Classes", ("class", "samples", "share"), rows)
    if audit.value_range:
        screen.say(f"values from {audit.value_range[0]:g} to {audit.value_range[1]:g}")
    if audit.source_bytes is not None:
        rate = audit.samples / audit.seconds if audit.seconds else 0
        screen.say(
            f"{audit.source_bytes / 1e6:,.1f} MB seen in {audit.seconds:.1f} s, {rate:,.0f} samples/s; "
            f"{audit.samples * audit.schema.nbytes / 1e6:,.1f} MB once decoded"
        )
    if audit.packed_bytes is not None and audit.packing_seconds is not None:
        screen.say(
            f"about {audit.packed_bytes / 1e6:,.1f} MB once packed, in about {audit.packing_seconds:,.1f} s"
        )
    screen.findings(audit.findings, examples=True)
    if not audit.problems:
        screen.say("no problems" + ("" if audit.complete else " in the first samples"), "green")
