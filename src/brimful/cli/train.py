"""brimful train: trains a model on a folder or a store."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from brimful.cli.backend import seed_everything, start_keras
from brimful.cli.console import COMMAND, Screen, screen_options
from brimful.cli.options import (
    DATA_OPTIONS,
    data_options,
    is_store,
    memory_option,
    on_bad_option,
    refuse_for_store,
    say_source,
    scan_data,
)
from brimful.cli.progress import TrainingProgress
from brimful.cli.signals import stopping
from brimful.cli.store import pack_source
from brimful.collection import Collection
from brimful.dataset import Dataset
from brimful.dataset import open as open_store
from brimful.errors import OtherStoreError, RunExistsError, StoreError, WriteError
from brimful.memory import parse_bytes
from brimful.run import Run
from brimful.samples import Fault
from brimful.source import Source
from brimful.training.events import EpochReport
from brimful.training.interval import Interval
from brimful.training.recorder import BEST, LAST, check_free, is_begun

if TYPE_CHECKING:
    from brimful.training.models import BuildModel


KEPT = ("model", "seed", "test", "group", "split", "split_seed")  # options in the run's config.json


@dataclass(frozen=True)
class TrainingOptions:
    """The options of the command that say how to train."""

    run: str
    model: str = "lenet"
    epochs: int = 5
    batch_size: int = 512
    test: float = 0.1
    group: str | None = None
    split: str | None = None
    split_seed: int | None = None
    seed: int = 0
    memory: str = "1GB"
    method: Literal["fit", "train_on_batch"] = "fit"
    checkpoint_every: str = "60s"
    resume: bool = False


@click.command()
@data_options
@click.option(
    "--run",
    required=True,
    metavar="DIR",
    help="Folder for the model, its log, configuration and checkpoints. The same command goes on in it.",
)
@on_bad_option
@click.option(
    "--model",
    default="lenet",
    show_default=True,
    metavar="NAME",
    help="lenet, lenet-wide, dense, conv1d or package.module:function.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=512, show_default=True)
@click.option(
    "--test",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Fraction to test on; 0 for none.",
)
@click.option(
    "--group", metavar="REGEX", help="Part of the key; samples that share it are on one side of the split."
)
@click.option(
    "--split",
    metavar="folders[:NAME]|column[:NAME]|hash",
    help="Test on the folders called test or the like (or NAME), on what the column split of the label "
    "table says, or on a fraction by hash.  [default: folders or column, if there are such]",
)
@click.option(
    "--split-seed",
    type=click.IntRange(0, 2**64 - 1),
    help="Seed of the hash that decides the split.  [default: that of the store, 0 for a new one]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of shuffle, weights and dropout.",
)
@memory_option("Memory for feeding, for training data and test data each.")
@click.option("--method", type=click.Choice(["fit", "train_on_batch"]), default="fit", show_default=True)
@click.option(
    "--checkpoint-every",
    default="60s",
    show_default=True,
    metavar="TIME|BATCHES",
    help="How often the state is kept from which an interrupted training goes on.",
)
@click.option("--resume", is_flag=True, help="Go on with the training in --run; an error if there is none.")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="STORE",
    help="Where DATA is packed.  [default: DATA.brim, beside it]",
)
@click.option(
    "--no-pack", is_flag=True, help="Train from the raw files, which are read again in every epoch."
)
@screen_options
def train(
    data: str,
    on_bad: str,
    store: Path | None,
    no_pack: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a model on DATA, a folder with one text file per sample, or a store.

    A folder is first packed into DATA.brim beside it, unless it was packed before and has not changed since.
    With --limit, which is for a first try, it is packed only if a --store is named.
    """
    screen = Screen(as_json, quiet)
    scan_options = {name: options.pop(name) for name in DATA_OPTIONS}
    how = TrainingOptions(**options)
    parse_bytes(how.memory)
    Interval.of(how.checkpoint_every)
    check_free(Path(how.run))
    if how.resume and not is_begun(Path(how.run)):
        raise RunExistsError(f"{how.run}: there is no training that could go on.", "Leave out --resume.")
    if is_packed := is_store(Path(data)):
        others = {"on_bad": on_bad == "skip", "store": store, "no_pack": no_pack}
        refuse_for_store(Path(data), {**scan_options, **others})
    build = start_keras(how.model, how.seed)
    skipped: tuple[Fault, ...] = ()
    origin: dict[str, Any] = {"command": click.get_current_context().meta.get(COMMAND)}
    if is_packed:
        samples: Source | Dataset = open_store(data)
        screen.say(repr(samples), "bold")
    else:
        samples = source = scan_data(screen, data, on_bad=on_bad, **scan_options)
        skipped = source.skipped
        origin |= origin_of(source)
        say_source(screen, source)
        refuse_model(build, source)  # before hours of packing
        if not no_pack and (store or not scan_options["limit"]):
            samples = packed(source, store or store_beside(data), how, screen)
    origin |= {"source": str(Path(data).resolve()), "scan": {**scan_options, "on_bad": on_bad}}
    reports, document = train_on(samples, how, build, screen, skipped, origin)
    screen.table(
        how.run,
        ("epoch", "train accuracy", "test loss", "test accuracy", "samples", "distinct", "wait"),
        [_epoch_row(report) for report in reports],
    )
    run = Run(how.run)
    screen.say(run.described().verdict.text)
    screen.say(
        f"The model is in {how.run}/{LAST}, that of the best epoch, {run.best_epoch}, in {BEST}; "
        f"to look at the training: brimful report {how.run}"
    )
    screen.result(document)


def origin_of(source: Source) -> dict[str, Any]:
    """What a run keeps of what a scan found, for its report."""
    return {
        "findings": [
            {"kind": each.kind, "count": each.count, "examples": each.examples[:3]}
            for each in source.findings
        ],
        "class_counts": {str(name): count for name, count in source.known_counts().items()},
    }


def store_beside(data: str | Path) -> Path:
    """The path of the store into which a folder of raw data is packed."""
    folder = Path(data).resolve()
    return folder.with_name(f"{folder.name}.brim")


def refuse_model(build: "BuildModel", source: Source) -> None:
    """Refuse a model that does not fit the samples."""
    from brimful.training.models import build_model

    if source.schema.target is not None:
        build_model(build, source.schema)


def packed(source: Source, store: Path, how: TrainingOptions, screen: Screen) -> Dataset:
    """The store of a source, packed now unless it is up to date."""
    from brimful.training.loop import check_trainable

    check_trainable(source.name, source.schema)  # reported before hours of packing
    sides_of(source, how)
    if source.is_packed_in(store):
        screen.say(f"  packed in {store}, and not changed since")
        return open_store(store)
    try:
        split_seed = open_store(store).manifest.split_seed  # with another one, all rows would move
    except StoreError:
        split_seed = how.split_seed or 0
    try:
        pack_source(screen, source, store, split_seed=split_seed, memory=how.memory)
    except (OtherStoreError, WriteError) as error:
        hint = "Name another one: --store STORE; or train from the raw files: --no-pack."
        raise type(error)(error.message, hint) from error
    return open_store(store)


def train_on(
    samples: Source | Dataset,
    how: TrainingOptions,
    build: "BuildModel",
    screen: Screen,
    skipped: tuple[Fault, ...],
    origin: dict[str, Any] | None = None,
) -> tuple[list[EpochReport], dict[str, Any]]:
    """Print the plan, and train; returns a report for every epoch, and the document for `--json`.

    `skipped` are the bad samples that were left out of the data; `origin` is what the run keeps of where they
    are from.
    """
    if how.test and not how.group and not how.split:
        for sides in samples.given_splits.values():
            screen.say(f"  {sides.origin}: a split already, which is used (--split hash pools all samples)")
    training, test, *others = sides_of(samples, how)
    _say_plan(training, test, how, screen)
    for other in others:
        screen.say(f"  {len(other):,} samples for a last test are left alone")

    from brimful.training.loop import check_trainable
    from brimful.training.loop import train as train_model
    from brimful.training.model_identity import source_file
    from brimful.training.models import build_model

    batches = training.batches(how.batch_size, seed=how.seed, memory=how.memory)
    validation = test.batches(how.batch_size, shuffle=False, memory=how.memory) if test else None
    check_trainable(samples.name, samples.schema)
    screen.say(f"  {batches.feed.loader.plan()}")
    backend = seed_everything(how.seed)
    model = build_model(build, samples.schema)
    screen.say(f"  model {how.model}, {model.count_params():,} parameters, on {backend}")
    progress = TrainingProgress(screen)
    with stopping(screen) as stop:
        reports = train_model(
            model,
            batches,
            run=how.run,
            epochs=how.epochs,
            validation=validation,
            method=how.method,
            listeners=[progress],
            config={**{name: getattr(how, name) for name in KEPT}, **(origin or {})},
            skipped=skipped,
            checkpoint_every=how.checkpoint_every,
            stop=stop,
            model_code=source_file(build),
        )
    if progress.resumed_from and progress.resumed_from[0] > how.epochs:
        screen.say(f"  {how.run} is finished; for more epochs: --epochs {len(reports) + 1} or more")
    return reports, {
        "run": how.run,
        "data": samples.name,
        "samples": len(samples),
        "training_samples": len(training),
        "test_samples": len(test) if test else 0,
        "skipped": samples.left_out,
        "backend": backend,
        "parameters": model.count_params(),
        "epochs": [report.as_dict() for report in reports],
        "peak_rss_bytes": peak_rss_bytes(),
        "resumed_from": _place(progress.resumed_from, how.batch_size),
    }


def _place(resumed_from: tuple[int, int] | None, batch_size: int) -> dict[str, int] | None:
    """Epoch, from 1, and batches of it that were done, where a training went on."""
    return resumed_from and {"epoch": resumed_from[0], "batch": -(-resumed_from[1] // batch_size)}


def _epoch_row(report: EpochReport) -> tuple[str, ...]:
    """The cells of an epoch in the table at the end."""
    test = report.test or {}
    return (
        str(report.epoch),
        _figure(report.train.get("accuracy"), ".2%"),
        _figure(test.get("loss"), ".4f"),
        _figure(test.get("accuracy"), ".2%"),
        f"{report.samples:,}",
        f"{report.distinct_samples:,}",
        f"{report.wait_share:.1%}",
    )


def peak_rss_bytes() -> int:
    """The most memory that this process has had resident.

    On Linux from /proc, since `ru_maxrss` begins there with the memory of the parent at the fork.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def sides_of(samples: Collection, how: TrainingOptions) -> tuple[Any, ...]:
    """The samples to train on, those to test on after each epoch or None, and others if there are any."""
    if not how.test:
        return samples, None
    given = () if how.group else tuple(samples.given_splits)
    by = how.split or (given[0] if len(given) == 1 else None if given else "hash")
    training, *held_out = samples.split(test=how.test, group=how.group, split_seed=how.split_seed, by=by)
    return training, *held_out


def _say_plan(training: Collection, test: Collection | None, how: TrainingOptions, screen: Screen) -> None:
    grouped = f", by group {how.group}" if how.group else ""
    share = (
        f", {len(test):,} to test on ({len(test) / (len(training) + len(test)):.1%}{grouped})" if test else ""
    )
    epochs = f"{how.epochs} epoch{'s' * (how.epochs > 1)}"
    screen.say(f"  {len(training):,} to train on{share}")
    screen.say(f"  {epochs} in batches of {how.batch_size:,}, memory {how.memory}")
