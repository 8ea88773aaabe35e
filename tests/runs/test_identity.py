"""A training goes on with the same model, however often it was built, and with no other."""

import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.training import events as bf_events
from tests.runs.conftest import SHAPE, samples

pytestmark = pytest.mark.keras


def network(*, rate: float = 0.1, units: int = 8, seen: bool = True, optimizer: Any = "adam") -> Any:
    """A network with dropout; `seen` is whether it knows its input before it is trained."""
    import keras

    layers = [
        *([keras.Input(SHAPE)] if seen else []),
        keras.layers.Flatten(),
        keras.layers.Dense(units),
        keras.layers.Dropout(rate),
        keras.layers.Dense(3, "softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def samples_of(seed: int, batch_size: int = 16) -> Any:
    """Batches of the samples."""
    return samples(lambda at: at % 3, classes=[0, 1, 2]).batches(batch_size, seed=seed)


def trained(path: Path, model: Any, epochs: int) -> list[Any]:
    """Train so many epochs."""
    batches = samples(lambda at: at % 3, classes=[0, 1, 2]).batches(16)
    return bf.train(model, batches, run=path, epochs=epochs, listeners=[])


@pytest.mark.parametrize("seen", [True, False])
def test_the_same_model_goes_on(tmp_path: Path, *, seen: bool) -> None:
    """The very same, as in a cell that is executed again, and one that was built again."""
    model = network(seen=seen)
    trained(tmp_path / "run", model, 1)
    model.optimizer.learning_rate = 0.5
    assert len(trained(tmp_path / "run", model, 2)) == 2
    assert len(trained(tmp_path / "run", network(seen=seen), 3)) == 3


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"rate": 0.2}, "architecture"),
        ({"units": 9}, "parameters=131, not 147"),
        ({"optimizer": "sgd"}, "'Adam'"),
    ],
)
def test_another_model_is_refused(tmp_path: Path, change: dict[str, Any], what: str) -> None:
    """Also one whose variables have the same shapes; the run stays as it was."""
    trained(tmp_path / "run", network(), 1)
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(bf.RunExistsError, match=what):
        trained(tmp_path / "run", network(**change), 2)
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_mixed_precision_goes_on(tmp_path: Path) -> None:
    """Its scale moves while it trains."""
    import keras

    for epochs in (1, 2):
        inner = keras.optimizers.Adam(1e-3)
        model = network(optimizer=keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0))
        assert len(trained(tmp_path / "run", model, epochs)) == epochs
    inner = keras.optimizers.Adam(1e-3, beta_1=0.5)
    model = network(optimizer=keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0))
    with pytest.raises(bf.RunExistsError, match="beta_1"):
        trained(tmp_path / "run", model, 3)


def test_a_model_that_cannot_tell_its_layers_is_trained(tmp_path: Path) -> None:
    """One of the user's own, not built yet; its source file is copied, and a change of it is a warning."""
    import keras

    class Own(keras.Model):  # type: ignore[misc]  # keras has no types
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.last = keras.layers.Flatten(), keras.layers.Dense(3, "softmax")

        def call(self, x: Any) -> Any:
            """The scores of three classes."""
            return self.last(self.flat(x))

    model = Own()
    model.compile("adam", "sparse_categorical_crossentropy")
    assert len(trained(tmp_path / "run", model, 1)) == 1
    assert (tmp_path / "run" / "model.py").read_bytes() == Path(__file__).read_bytes()
    assert bf.Run(tmp_path / "run").report().exists()


def test_a_loss_that_is_no_number_is_never_the_best() -> None:
    """The first epoch with a number is better than it."""
    from brimful.training.events import EpochReport

    lost = EpochReport(1, 1.0, 0.0, {}, 1, 1, {"loss": float("nan")}, None)
    assert lost.loss == float("inf")


def test_the_second_of_two_trainings_leaves_the_first_alone(tmp_path: Path) -> None:
    """It is refused, and the configuration and log are those of the first, which goes on."""
    stop = Event()
    program = f"""
import brimful as bf
from tests.runs.test_identity import network, samples_of
bf.train(network(), samples_of(7), run={str(tmp_path / "run")!r}, epochs=9, listeners=[])
"""

    class Second(bf_events.Listener):
        def on_epoch_begin(self, epoch: int) -> None:
            """Begin another training while this one has kept nothing yet."""
            done = subprocess.run(
                [sys.executable, "-c", program], check=False, capture_output=True, text=True
            )
            assert done.returncode == 1
            assert "another process trains" in done.stderr
            stop.set()

    options: Any = {"run": tmp_path / "run", "epochs": 2}
    with pytest.raises(KeyboardInterrupt):
        bf.train(network(), samples_of(1), listeners=[Second()], stop=stop, **options)
    assert bf.Run(tmp_path / "run").config["epochs"] == 2
    assert [session.error for session in bf.Run(tmp_path / "run").sessions] == ["KeyboardInterrupt"]
    assert len(bf.train(network(), samples_of(1), listeners=[], **options)) == 2


def test_what_ended_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    """Also if the model was saved already; but not in a folder with something else."""

    class Killed(bf_events.Listener):
        def on_epoch_end(self, report: Any) -> None:
            """End the training when the model is saved, and no state kept."""
            raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            bf.train(network(), samples_of(1, 200), run=tmp_path / "run", epochs=1, listeners=[Killed()])
        assert (tmp_path / "run" / "best.keras").exists()
    assert len(bf.train(network(), samples_of(1, 200), run=tmp_path / "run", epochs=1, listeners=[])) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    with pytest.raises(bf.RunExistsError, match="not empty"):
        trained(tmp_path / "other", network(), 1)
    assert (tmp_path / "other" / "config.json").read_text() == "{}"


def test_a_torn_line_of_the_log_is_left_out(tmp_path: Path) -> None:
    """In the middle or at the end; the run is shown, and goes on."""
    trained(tmp_path / "run", network(), 1)
    log = tmp_path / "run" / "log.jsonl"
    log.write_text(log.read_text() + '{"kind": "inter{"kind": "interval"}\n{"kind": "ep')
    assert len(bf.Run(tmp_path / "run").epochs) == 1
    assert len(trained(tmp_path / "run", network(), 2)) == 2
    assert [report.epoch for report in bf.Run(tmp_path / "run").epochs] == [1, 2]
    assert trained(tmp_path / "run", network(), 1)
    assert bf.Run(tmp_path / "run").config["epochs"] == 2


def test_layers_that_are_wired_otherwise_are_another_model() -> None:
    """Of the same kinds and shapes; the same wiring, built again, is the same."""
    import keras

    from brimful.training.model_identity import identify

    def wired(which: int) -> Any:
        inputs = keras.Input((4,))
        first, second = keras.layers.Dense(4)(inputs), keras.layers.Dense(4)(inputs)
        third = keras.layers.Dense(4)(first)
        outputs = keras.layers.Add()([third, (first, second)[which]])
        model = keras.Model(inputs, outputs)
        model.compile("adam", "mse")
        return identify(model, None)["architecture"]

    assert wired(0) == wired(0)
    assert wired(0) != wired(1)


def test_raw_files_that_were_changed_are_refused(tmp_path: Path) -> None:
    """Though their names are the same; moved as they are, they are the same data."""
    folder = tmp_path / "data"
    for at in range(30):
        (folder / str(at % 3)).mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / str(at % 3) / f"{at}.txt", np.full(SHAPE, at % 3))

    def going_on(folder: Path, epochs: int) -> list[Any]:
        batches = bf.scan(folder).batches(8)
        return bf.train(network(), batches, run=tmp_path / "run", epochs=epochs, listeners=[])

    going_on(folder, 1)
    moved = folder.rename(tmp_path / "moved")
    assert len(going_on(moved, 2)) == 2
    np.savetxt(moved / "0" / "0.txt", np.full(SHAPE, 7))
    with pytest.raises(bf.RunExistsError, match="some were changed"):
        going_on(moved, 3)
