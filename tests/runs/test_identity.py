"""A training goes on with the same model, however often it was built, and with no other."""

from pathlib import Path
from typing import Any

import pytest

import brimful as bf
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
