"""Run data: the samples that a command about a run is to read: those it was tested on, or others."""

from pathlib import Path
from typing import Any

from brimful.cli.console import Screen
from brimful.cli.options import DATA_OPTIONS, is_store, refuse_for_store, say_source, scan_data
from brimful.cli.train import KEPT, TrainingOptions, sides_of
from brimful.collection import Collection
from brimful.dataset import open as open_store
from brimful.errors import RunNotFoundError, StateError
from brimful.run import Run

OF_THE_LABELS = ("labels", "id", "target", "weight", "classes", "limit", "rows")
OF_THE_FILES = tuple(name for name in DATA_OPTIONS if name not in OF_THE_LABELS)
"""Options that hold for other data of the same kind, too."""


def other_data(run: Run, data: str, options: dict[str, Any], screen: Screen, *, mapped: bool) -> Collection:
    """Samples that a command names.

    Args:
        run: The run, whose options hold where the command gives none.
        data: A store, or a folder of raw data.
        options: DATA_OPTIONS of the command.
        screen: Where to say what was found.
        mapped: Whether labels get the numbers that the model was trained on, by their names.
    """
    if is_store(Path(data)):
        refuse_for_store(Path(data), options)
        return open_store(data)
    known = run.config.get("scan") or {}
    inherited = {name: known[name] for name in OF_THE_FILES if known.get(name)}
    given = {name: value for name, value in options.items() if value}
    merged = {**inherited, **given}
    source = scan_data(screen, data, **merged)
    if mapped and source.schema.target is not None and run.classes and not given.get("classes"):
        source = scan_data(screen, data, **{**merged, "classes": run.classes})
    say_source(screen, source)
    return source


def test_data(run: Run, screen: Screen) -> Collection:
    """The samples that the run was tested on after each epoch.

    Raises:
        RunNotFoundError: There were none, or the training was no command.
        StateError: The data have changed since.
    """
    config = run.config
    if not config.get("test") or "source" not in config:
        raise RunNotFoundError(
            f"{run.path}: it is not known on what this training was tested.",
            "Name the data, with their labels.",
        )
    if is_store(Path(config["data"])):
        samples: Collection = open_store(config["data"])
    else:
        samples = scan_data(screen, config["source"], **config["scan"])
    training, test, *_ = sides_of(samples, TrainingOptions(str(run.path), **{k: config[k] for k in KEPT}))
    from brimful.training.data_identity import digest_of_files

    batches = training.batches(config["batch_size"], seed=config["seed"])
    now, then = batches.state_dict(), config["batches"]
    is_same = (now["data"], now["samples"]) == (then["data"], then["samples"])
    if not is_same or digest_of_files(batches.feed) != config.get("raw_files"):
        raise StateError(
            f"{samples.name}: these are not the data of the training, or they have changed since: it had "
            f"{then['samples']:,} samples to train on, here are {now['samples']:,}.",
            "Name the data to use.",
        )
    return test  # type: ignore[no-any-return]
