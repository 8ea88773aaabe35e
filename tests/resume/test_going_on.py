"""Going on: what is refused, what callbacks remember, signals, and the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from tests.resume.program import BATCH, samples
from tests.situations.models import network

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Your input ran out")]
keras = pytest.importorskip("keras")


class Interrupt(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
    """Interrupts a training after so many batches."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count down."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def begun(folder: Path, after: int = 12, **options: Any) -> bf.Source:
    """A training in a folder that was interrupted; returns its data."""
    source = samples()
    with pytest.raises(KeyboardInterrupt):
        network().fit(
            source.batches(BATCH, seed=3),
            epochs=3,
            callbacks=[bf.Resume(folder, every=1), Interrupt(after), *options.get("callbacks", [])],
            verbose=0,
        )
    return source


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda source: source.batches(5, seed=3), "batch_size"),
        (lambda source: source.batches(BATCH, seed=4), "seed"),
        (lambda source: source.split(test=0.3)[0].batches(BATCH, seed=3), "samples"),
        (lambda source: source.batches(BATCH, seed=3, shuffle=False), "shuffle"),
    ],
)
def test_other_batches_are_refused(change: Any, what: str, tmp_path: Path) -> None:
    """With both values; and what was kept stays."""
    source = begun(tmp_path)
    model = network()
    with pytest.raises(bf.StateError, match=what):
        model.fit(change(source), epochs=3, callbacks=[bf.Resume(tmp_path)], verbose=0)
    network().fit(source.batches(BATCH, seed=3), epochs=3, callbacks=[bf.Resume(tmp_path)], verbose=0)


def test_another_model_is_refused(tmp_path: Path) -> None:
    """With the variable that is another one."""
    source = begun(tmp_path)
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(bf.StateError, match="another model: there it has"):
        model.fit(source.batches(BATCH, seed=3), epochs=3, callbacks=[bf.Resume(tmp_path)], verbose=0)


def test_more_epochs_are_welcome_and_a_finished_training_is_left_alone(tmp_path: Path) -> None:
    """As if it had been asked for so many at once."""
    source = begun(tmp_path)
    for epochs in (3, 3, 5):
        model = network()
        history = model.fit(
            source.batches(BATCH, seed=3), epochs=epochs, callbacks=[bf.Resume(tmp_path)], verbose=0
        )
        assert history.epoch == list(range(epochs))
        assert model._initial_epoch is None
    straight = network()
    straight.fit(source.batches(BATCH, seed=3), epochs=5, verbose=0)
    for one, other in zip(straight.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("argument", [{"steps_per_epoch": 2}, {"initial_epoch": 1}])
def test_arguments_that_mean_other_epochs_are_refused(argument: dict[str, int], tmp_path: Path) -> None:
    """The checkpoint knows where to go on."""
    with pytest.raises(bf.ArgumentError, match=next(iter(argument))):
        network().fit(
            samples().batches(BATCH), epochs=2, callbacks=[bf.Resume(tmp_path)], verbose=0, **argument
        )


def test_data_of_others_are_refused(tmp_path: Path) -> None:
    """Arrays know no position."""
    x, y = np.zeros((12, 4, 3), "float32"), np.zeros(12)
    with pytest.raises(bf.ArgumentError, match="batches of brimful"):
        network().fit(x, y, callbacks=[bf.Resume(tmp_path)], verbose=0)


def test_backup_and_restore_is_refused(tmp_path: Path) -> None:
    """It would restore something else."""
    callbacks = [keras.callbacks.BackupAndRestore(str(tmp_path / "b")), bf.Resume(tmp_path / "r")]
    with pytest.raises(bf.ArgumentError, match="BackupAndRestore"):
        network().fit(samples().batches(BATCH), callbacks=callbacks, verbose=0)


class Counting(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
    """Remembers something of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.sums = np.zeros(2)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count."""
        self.seen += 1
        self.sums += 1


class Keeping(Counting):
    """Says how to keep it."""

    def get_state(self) -> dict[str, Any]:
        """What it has seen."""
        return {"seen": self.seen, "sums": self.sums}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on."""
        self.seen, self.sums = state["seen"], state["sums"]


@pytest.mark.parametrize("is_first", [True, False])
def test_callbacks_of_ones_own_are_kept_or_named(is_first: bool, tmp_path: Path) -> None:
    """Wherever they stand."""
    source = samples()
    for after in (7, 9, 0):
        counting, keeping = Counting(), Keeping()
        own = [counting, keeping]
        callbacks = [*own, bf.Resume(tmp_path, every=1)] if is_first else [bf.Resume(tmp_path, every=1), *own]
        try:
            with pytest.warns(UserWarning, match="not kept in checkpoints: Counting"):
                network().fit(
                    source.batches(BATCH, seed=3),
                    epochs=3,
                    verbose=0,
                    callbacks=[*callbacks, Interrupt(after)],
                )
        except KeyboardInterrupt:
            continue
    assert keeping.seen == 33
    assert keeping.sums.tolist() == [33, 33]
    assert counting.seen < 33


def test_a_training_that_was_stopped_early_stays_stopped(tmp_path: Path) -> None:
    """EarlyStopping had its say."""
    source = samples()
    weights = []
    for _ in range(2):
        stopping = keras.callbacks.EarlyStopping("loss", min_delta=10, patience=1, restore_best_weights=True)
        model = network()
        history = model.fit(
            source.batches(BATCH, seed=3), epochs=9, verbose=0, callbacks=[bf.Resume(tmp_path), stopping]
        )
        assert len(history.epoch) < 9
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_full_disk_is_said_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state that was kept stays; at the end it is an error."""
    from brimful.training.checkpoint import Checkpoints

    write, calls = Checkpoints.write, []

    def fail(self: Any, checkpoint: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise bf.WriteError("the disk is full.")
        write(self, checkpoint)

    monkeypatch.setattr(Checkpoints, "write", fail)
    model = network()
    with pytest.warns(UserWarning, match="the training goes on"), pytest.raises(bf.WriteError, match="full"):
        model.fit(
            samples().batches(BATCH, seed=3), epochs=2, callbacks=[bf.Resume(tmp_path, every=1)], verbose=0
        )
    assert int(model.optimizer.iterations) == 22
    assert len(list(tmp_path.rglob("*.json"))) == 1


@pytest.mark.parametrize("every", ["", "10 days", "-1s", 0, True, None, 1.5])
def test_intervals_that_are_none_are_refused(every: Any, tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(bf.ArgumentError, match="60s"):
        bf.Resume(tmp_path, every=every)


def data(root: Path, count: int = 400) -> Path:
    """A folder of two classes."""
    random = np.random.default_rng(0)
    for at in range(count):
        path = root / "ab"[at % 2] / f"{at}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, random.normal(at % 2, 1, (4, 3)))
    return root


def weights_of(run: Path) -> list[Any]:
    """The weights of the model that a run has kept."""
    found: list[Any] = keras.models.load_model(run / "model.keras").get_weights()
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_state_and_the_same_command_goes_on(
    number: int, code: int, tmp_path: Path
) -> None:
    """It is printed; the result is that of a training that nobody stopped."""
    if keras.backend.backend() != "jax":
        pytest.skip("tried with JAX, which starts fastest")
    root = data(tmp_path / "data", 200)
    command = [sys.executable, "-m", "brimful", "train", str(root), "--model", "dense", "--epochs", "40"]
    command += ["--batch-size", "4", "--no-pack", "--json", "--run"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "b")], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "b" / "log.jsonl").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == code, said
    assert "to go on: brimful train" in said
    done = subprocess.run(
        [*command, str(tmp_path / "b"), "--resume"], check=True, capture_output=True, text=True
    )
    document = json.loads(done.stdout)
    assert document["resumed_from"]["epoch"] >= 1
    assert [each["epoch"] for each in document["epochs"]] == list(range(1, 41))
    subprocess.run([*command, str(tmp_path / "a")], check=True, capture_output=True)
    for one, other in zip(weights_of(tmp_path / "a"), weights_of(tmp_path / "b"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_command_line_goes_on_finishes_and_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 for a finished run; other data and arguments are named."""
    root, run = data(tmp_path / "data", 60), tmp_path / "run"
    command = ["train", str(root), "--model", "dense", "--no-pack", "--batch-size", "16", "--run", str(run)]
    assert main([*command, "--epochs", "1", "--resume"]) == 1
    assert "no training that could go on" in capsys.readouterr().err
    assert main([*command, "--epochs", "2"]) == 0
    assert main([*command, "--epochs", "2"]) == 0
    assert "is finished" in capsys.readouterr().err
    assert main([*command, "--epochs", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["resumed_from"] == {"epoch": 3, "batch": 0}
    assert [report.epoch for report in bf.Run(run).epochs] == [1, 2, 3]
    assert [session.epoch for session in bf.Run(run).sessions] == [1, 3]
    for change, what in (
        (["--batch-size", "8"], "batch_size=16, not 8"),
        (["--seed", "1"], "seed"),
        (["--method", "train_on_batch"], "'fit', not 'train_on_batch'"),
        (["--test", "0.3"], "test=0.1, not 0.3"),
    ):
        assert main([*command, "--epochs", "4", *change]) == 1
        assert what in capsys.readouterr().err
    data(tmp_path / "data", 70)
    assert main([*command, "--epochs", "4"]) == 1
    assert "begun with" in capsys.readouterr().err


def test_two_trainings_in_one_folder_are_refused(tmp_path: Path) -> None:
    """The second one; a process that has ended holds nothing."""
    source = samples()
    pid = os.fork() if hasattr(os, "fork") and keras.backend.backend() == "torch" else None
    if pid is None:
        pytest.skip("a fork is safe here with torch alone")
    if pid == 0:  # pragma: no cover
        from brimful.training.checkpoint import checkpoints_in

        checkpoints_in(tmp_path).lock()
        (tmp_path / "locked").touch()
        time.sleep(60)
        os._exit(0)
    try:
        while not (tmp_path / "locked").exists():
            time.sleep(0.01)
        with pytest.raises(bf.RunExistsError, match="another process"):
            network().fit(source.batches(BATCH), callbacks=[bf.Resume(tmp_path)], verbose=0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    network().fit(source.batches(BATCH), callbacks=[bf.Resume(tmp_path)], verbose=0)
