"""brimful evaluate, predict: use the model that a run has made, on samples in a stream."""

import sys
import time
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from xxhash import xxh3_64_hexdigest

from brimful.cli.backend import start_keras
from brimful.cli.console import Screen, screen_options
from brimful.cli.options import data_options, memory_option
from brimful.cli.run_data import other_data, test_data
from brimful.errors import BrimfulError
from brimful.run import Run
from brimful.training.prediction_file import check_free

model_option = click.option(
    "--model",
    "which",
    default="best",
    show_default=True,
    metavar="best|last|FILE.keras",
    help="The model after the best epoch, after the last one, or one from elsewhere.",
)
batch_size_option = click.option("--batch-size", type=click.IntRange(min=1), default=512, show_default=True)


@click.command("evaluate")
@click.argument("run")
@partial(data_options, required=False)
@model_option
@batch_size_option
@memory_option("Memory for feeding.")
@screen_options
def evaluate_command(
    run: str,
    data: str | None,
    which: str,
    batch_size: int,
    memory: str,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Evaluate the model of RUN on DATA, by default on what it was tested on while it trained."""
    screen = Screen(as_json, quiet)
    opened = Run(run)
    if data is None:
        samples = test_data(opened, screen)
    else:
        samples = other_data(opened, data, options, screen, mapped=True)
    screen.say(f"  {len(samples):,} samples of {samples.name}, with the {which} model of {run}")
    model = model_of(opened, which)
    batches = samples.batches(batch_size, shuffle=False, memory=memory)
    began = time.perf_counter()
    with screen.bar("evaluating", len(samples)) as bar:
        figures = opened.evaluate(batches, model=model, progress=bar)
    seconds = time.perf_counter() - began
    screen.table(run, ("metric", "value"), [(name, f"{value:.4f}") for name, value in figures.items()])
    screen.result(
        {
            "run": run,
            "data": samples.name,
            "model": which,
            "samples": len(samples),
            "metrics": figures,
            "seconds": seconds,
        }
    )


@click.command("predict")
@click.argument("run")
@data_options
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="predictions.parquet or predictions.csv: key, prediction, a score for each class, label.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@model_option
@batch_size_option
@memory_option("Memory for feeding.")
@screen_options
def predict_command(
    run: str,
    data: str,
    out: Path,
    overwrite: bool,
    which: str,
    batch_size: int,
    memory: str,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Predict every sample of DATA with the model of RUN, each with its key, into a file.

    If it is interrupted, the same command goes on.
    """
    screen = Screen(as_json, quiet)
    check_free(out, overwrite=overwrite)  # before a long scan
    opened = Run(run)
    samples = other_data(opened, data, options, screen, mapped=False)
    model = model_of(opened, which)
    batches = samples.batches(batch_size, shuffle=False, memory=memory)
    screen.say(f"  {len(samples):,} samples of {samples.name}, with the {which} model of {run}, into {out}")
    began = time.perf_counter()
    with screen.bar("predicting", len(samples)) as bar:
        count = opened.predict(batches, out, model=model, overwrite=overwrite, progress=bar)
    seconds = time.perf_counter() - began
    screen.say(f"{count:,} predictions are in {out} ({count / seconds:,.0f} samples/s).", "bold")
    screen.result(
        {
            "run": run,
            "data": samples.name,
            "model": which,
            "samples": count,
            "out": str(out),
            "seconds": seconds,
            "samples_per_second": count / seconds,
        }
    )


def model_of(run: Run, which: str) -> Any:
    """The model of a run that a command names: "best", "last", or a file from elsewhere."""
    import_model_code(run)
    if which in ("best", "last"):
        return run.best_model() if which == "best" else run.last_model()
    from brimful.training.predictions import load_model

    return load_model(which)


def import_model_code(run: Run) -> None:
    """Start Keras, and import the module of the run's model, which may register what it is made of."""
    start_keras("lenet", run.config.get("seed", 0))
    name = str(run.config.get("model"))
    if ":" in name and _is_that_code(run, name.partition(":")[0]):
        with suppress(BrimfulError):  # the file may do without
            start_keras(name, run.config.get("seed", 0))


def _is_that_code(run: Run, module: str) -> bool:
    """Whether a module is the one that the run was trained with, and no part of the run folder."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        found = None
    finally:
        sys.path.pop(0)
    if found is None or found.origin is None or not Path(found.origin).is_file():
        return False
    file = Path(found.origin).resolve()
    is_inside = run.path.resolve() in file.parents
    return not is_inside and xxh3_64_hexdigest(file.read_bytes()) == run.config.get("code")
