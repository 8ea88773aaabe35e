"""Arguments: what stands beside batches in fit, evaluate and predict works, or is refused."""

import warnings
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.situations.models import network, samples

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")


@pytest.mark.parametrize(
    ("method", "arguments", "hint"),
    [
        ("fit", {"class_weight": {0: 1.0, 1: 100.0}}, "batches(..., class_weight"),
        ("fit", {"sample_weight": np.linspace(0, 9, 90)}, "weight="),
        ("fit", {"y": np.zeros(90)}, "labels="),
        ("fit", {"y": []}, "labels="),
        ("fit", {"batch_size": 32}, "batches(32"),
        ("fit", {"shuffle": False}, "shuffle=False"),
        ("evaluate", {"y": np.zeros(90)}, "labels="),
        ("evaluate", {"sample_weight": np.zeros(90)}, "weight="),
        ("evaluate", {"batch_size": 7}, "batches(7"),
        ("predict", {"batch_size": 7}, "batches(7"),
    ],
)
def test_what_would_be_ignored_is_refused(method: str, arguments: dict[str, Any], hint: str) -> None:
    """With the argument named, and where it belongs; the model is untouched."""
    model = network()
    before = model.get_weights()
    with pytest.raises(bf.ArgumentError, match=f"ignore.*{next(iter(arguments))}") as caught:
        getattr(model, method)(samples().batches(16), verbose=0, **arguments)
    assert hint in caught.value.hint
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("beside", [(np.zeros(90),), (None, np.ones(90))])
def test_labels_beside_validation_batches_are_refused(beside: tuple[Any, ...]) -> None:
    """Before the first epoch, not after it."""
    model, source = network(), samples()
    before = model.get_weights()
    with pytest.raises(bf.ArgumentError, match="validation_data"):
        model.fit(source.batches(16), validation_data=(source.batches(16), *beside), verbose=0)
    assert np.array_equal(before[0], model.get_weights()[0])


def test_another_batch_size_for_validation_is_refused() -> None:
    """It is that of the validation batches."""
    source = samples()
    with pytest.raises(bf.ArgumentError, match="validation_batch_size=8"):
        network().fit(source.batches(16), validation_data=source.batches(32), validation_batch_size=8)


def test_a_fraction_for_validation_is_refused() -> None:
    """By Keras itself or by brimful, but not ignored."""
    with pytest.raises(ValueError, match="validation_split"):
        network().fit(samples().batches(16), validation_split=0.2, verbose=0)


def test_what_works_is_not_refused() -> None:
    """The same batch size, steps, frequency of validation, an initial epoch; validation of another size."""
    source, model = samples(), network()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        history = model.fit(
            source.batches(16, shuffle=False),
            batch_size=16,
            shuffle=False,
            epochs=4,
            initial_epoch=1,
            validation_data=source.batches(32, shuffle=False),
            validation_steps=2,
            validation_freq=2,
            verbose=0,
        )
        model.evaluate(source.batches(32, shuffle=False), steps=2, verbose=0)
        assert len(model.predict(source.batches(32, shuffle=False), steps=2, verbose=0)) == 64
    assert history.epoch == [1, 2, 3]
    assert len(history.history["val_loss"]) == 2


def test_predicting_in_shuffled_order_warns() -> None:
    """Nobody could tell which row is of which sample."""
    with pytest.warns(UserWarning, match="shuffled order"):
        network().predict(samples().batches(16), verbose=0)


def test_a_subclass_that_hands_on_to_keras_is_seen_through() -> None:
    """The call that counts is Keras' own."""

    class Mine(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def call(self, x: Any) -> Any:
            """Ask the inner model."""
            return self.inner(x)

        def fit(self, *args: Any, **kwargs: Any) -> Any:
            """Fit with weights."""
            return super().fit(*args, class_weight={0: 2.0}, **kwargs)

    model = Mine()
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(bf.ArgumentError, match="class_weight"):
        model.fit(samples().batches(16), verbose=0)


@pytest.mark.parametrize("names", [("a", "b", "extra"), ("a",), ("a", "c")])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_inputs_of_other_names_than_the_models_are_refused(names: tuple[str, ...], method: str) -> None:
    """Keras would take the values in order: wrong numbers, and a warning only."""
    ones = [({name: np.full(1, at + 1.0) for at, name in enumerate(names)}, 0.0) for _ in range(8)]
    inputs = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    model = keras.Model(inputs, inputs["a"] + 10 * inputs["b"])
    model.compile("sgd", "mse")
    batches = bf.scan(ones).batches(4, shuffle=False)
    with pytest.raises(bf.ArgumentError, match="'a', 'b'"):
        getattr(model, method)(batches, verbose=0)


def test_inputs_of_the_models_names_are_taken_by_name() -> None:
    """In whatever order they are written."""
    ones = [({"b": np.full(1, 2.0), "a": np.full(1, 1.0)}, 0.0) for _ in range(8)]
    inputs = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    model = keras.Model(inputs, inputs["a"] + 10 * inputs["b"])
    assert (model.predict(bf.scan(ones).batches(4, shuffle=False), verbose=0) == 21).all()
