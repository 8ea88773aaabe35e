"""brimful report: what a training did, and how its model judges, in one HTML file."""

import webbrowser
from pathlib import Path

import click

from brimful.cli.console import Screen, screen_options
from brimful.cli.options import memory_option
from brimful.cli.run import import_model_code
from brimful.cli.run_data import test_data
from brimful.errors import BrimfulError
from brimful.reports.report import Report
from brimful.run import Run, write_report
from brimful.training.recorder import REPORT

BATCH_SIZE = 512


@click.command("report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The HTML file.  [default: report.html in the first RUN]",
)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@memory_option("Memory for feeding the test data.")
@screen_options
def report_command(
    runs: tuple[str, ...], out: Path | None, opens: bool, memory: str, as_json: bool, quiet: bool
) -> None:
    """Report on RUN, or on several side by side: one HTML file that needs no network.

    The best model judges the samples on which it was tested: what it takes for what, and its worst mistakes.
    """
    screen = Screen(as_json, quiet)
    opened = [Run(run) for run in runs]
    reports = [_report(run, memory, screen) for run in opened]
    path = write_report(reports, out or opened[0].path / REPORT)
    for report in reports:
        screen.say(f"{report.name}: {report.verdict.text}")
    screen.say(f"The report is in {path} ({path.stat().st_size / 1e6:.1f} MB).", "bold")
    screen.result(
        {
            "report": str(path),
            "runs": [
                {
                    "run": report.name,
                    "verdict": report.verdict.text,
                    "wait_share": report.verdict.wait_share,
                    "stage": report.verdict.stage,
                    "setting": report.verdict.setting,
                }
                for report in reports
            ],
        }
    )
    if opens:
        webbrowser.open(path.resolve().as_uri())


def _report(run: Run, memory: str, screen: Screen) -> Report:
    """All there is to tell of a run, and its judgement if the data and the model can still be had."""
    if run.best_epoch is None:
        return run.described()
    try:
        samples = test_data(run, screen)
        import_model_code(run)
        batches = samples.batches(BATCH_SIZE, shuffle=False, memory=memory)
        with screen.bar(f"judging {len(samples):,} samples", len(samples)) as bar:
            judgement = run.judge(batches, bar)
    except BrimfulError as error:
        screen.say(f"warning: no judgement: {error.message}", "yellow")
        return run.described(judged=f"The model judged no samples: {error.message}")
    return run.described(judgement, f"those of {samples.name} on which it was tested")
