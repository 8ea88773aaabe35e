"""A training that may be killed: `python -m tests.resume.program FOLDER --kill-after 7`.

It prints a line of JSON: the hash of all variables, the history, and what the callbacks remember.
"""

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import click
import numpy as np

import brimful as bf
from brimful.training.events import Listener

COUNT, BATCH, EPOCHS = 64, 6, 3
SHAPE = (4, 3)
TIMES = ("seconds", "wait_seconds", "waited")


def samples() -> bf.Source:
    """Samples whose mean is about their class."""
    random = np.random.default_rng(0)
    return bf.scan(
        [(random.normal(at % 3, 0.7, SHAPE).astype("float32"), at % 3) for at in range(COUNT)],
        classes=[0, 1, 2],
    )


def network(kind: str) -> Any:
    """A network with dropout and BatchNormalization, and an optimizer with moments."""
    import keras

    keras.utils.set_random_seed(1)
    if kind == "mixed":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    seed = None if kind == "unseeded" else 7
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(16, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.4, seed=seed),
            keras.layers.Dense(3, "softmax", dtype="float32"),
        ]
    )
    rate: Any = 0.01
    if kind == "schedule":
        rate = keras.optimizers.schedules.CosineDecay(0.02, 40)
    options: dict[str, Any] = {
        "ema": {"use_ema": True, "ema_momentum": 0.9},
        "accumulate": {"gradient_accumulation_steps": 4},
    }
    optimizer = keras.optimizers.Adam(rate, **options.get(kind, {}))
    steps = {"steps_per_execution": 4} if kind == "steps" else {}
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **steps)
    return model


class Kill:
    """Ends this process, or raises an interrupt in it, after so many batches."""

    def __init__(self, after: int, *, is_soft: bool = False) -> None:
        self.left = after
        self.is_soft = is_soft

    def count(self) -> None:
        """A batch was trained on."""
        self.left -= 1
        if self.left == 0:
            if self.is_soft:
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGKILL)


def digest(model: Any) -> str:
    """A hash of all variables, those of the optimizer and of dropout among them."""
    from brimful.training.snapshot import arrays_of

    hashed = hashlib.sha256()
    for array in arrays_of(model).values():
        hashed.update(np.ascontiguousarray(array).view(np.uint8).data if array.ndim else array.tobytes())
    return hashed.hexdigest()


def fit(folder: Path, kind: str, every: str | int, kill: Kill) -> dict[str, Any]:
    """A training by `fit` with callbacks that remember something."""
    import keras

    class Killing(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            kill.count()

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            if kind == "validation":
                kill.count()

    source = samples()
    train, test = source.split(test=0.3)
    model = network(kind)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=1, factor=0.5)
    stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    best = keras.callbacks.ModelCheckpoint(
        str(folder / "best.weights.h5"), monitor="val_loss", save_best_only=True, save_weights_only=True
    )
    log = keras.callbacks.CSVLogger(str(folder / "log.csv"))
    callbacks = [log, bf.Resume(folder / "run", every=every), best, stopping, Killing()]
    if kind != "schedule":
        callbacks.insert(0, plateau)
    history = model.fit(
        train.batches(BATCH, seed=3),
        validation_data=test.batches(BATCH, shuffle=False),
        epochs=EPOCHS,
        callbacks=callbacks,
        verbose=0,
    )
    return {
        "digest": digest(model),
        "history": history.history,
        "epochs": history.epoch,
        "iterations": int(model.optimizer.iterations),
        "log": (folder / "log.csv").read_text(),
        "best": hashlib.sha256((folder / "best.weights.h5").read_bytes()).hexdigest(),
        "stopping": [stopping.wait, stopping.best, stopping.best_epoch],
    }


def train(folder: Path, kind: str, every: str | int, kill: Kill, method: Any) -> dict[str, Any]:
    """A training by `bf.train`."""

    class Killing(Listener):
        def on_batch_end(self, samples: int, wait_seconds: float) -> None:
            kill.count()

    source = samples()
    train, test = source.split(test=0.3)
    model = network(kind)
    reports = bf.train(
        model,
        train.batches(BATCH, seed=3),
        run=folder / "run",
        epochs=EPOCHS,
        validation=test.batches(BATCH, shuffle=False),
        method=method,
        listeners=[Killing()],
        checkpoint_every=every,
    )
    lines = (folder / "run" / "log.jsonl").read_text().splitlines()
    log = [{**line, **dict.fromkeys(TIMES)} for line in map(json.loads, lines) if line["kind"] == "epoch"]
    known = [{"kind": "epoch", **report.as_dict(), **dict.fromkeys(TIMES)} for report in reports]
    assert log == known
    return {"digest": digest(model), "log": log, "iterations": int(model.optimizer.iterations)}


def trained(how: str, folder: Path, kind: str, every: str | int, kill: Kill) -> dict[str, Any]:
    """A training in one of three ways, by `model.fit` or by either of `bf.train`."""
    folder.mkdir(exist_ok=True)
    if how == "keras":
        return fit(folder, kind, every, kill)
    return train(folder, kind, every, kill, how)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--how", default="keras")
@click.option("--kind", default="plain")
@click.option("--every", default="1")
@click.option("--kill-after", default=0)
def main(folder: Path, how: str, kind: str, every: str, kill_after: int) -> None:
    """Train, perhaps until the kill."""
    click.echo(json.dumps(trained(how, folder, kind, every, Kill(kill_after))))


if __name__ == "__main__":
    main()
