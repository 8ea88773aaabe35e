"""Transforms: a batch may have another shape, rank and dtype afterwards, on every backend alike."""

from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.situations.models import SHAPE, network, samples

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")


def trained(transform: Any, shape: tuple[int, ...], loss: str = "sparse_categorical_crossentropy") -> Any:
    """A model that was trained, evaluated and asked with transformed batches."""
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    if loss == "mse":
        model = keras.Sequential([keras.Input(shape), keras.layers.Dense(shape[-1])])
    model.compile("sgd", loss)
    source = samples()
    model.fit(source.batches(16, transform=transform), epochs=2, verbose=0)
    model.evaluate(source.batches(16, transform=transform), verbose=0)
    return model.predict(source.batches(16, shuffle=False, transform=transform), verbose=0)


def channel(batch: Any, _: Any) -> Any:
    """An axis for channels."""
    x, y = batch
    return x[..., np.newaxis], y


def crop(batch: Any, generator: np.random.Generator) -> Any:
    """A random part."""
    x, y = batch
    at = int(generator.integers(0, 2))
    return x[:, at : at + 3], y


def doubles(batch: Any, _: Any) -> Any:
    """Another dtype, of the labels too."""
    x, y = batch
    return x.astype(np.float64), y.astype(np.int32)


def bytes_of(batch: Any, _: Any) -> Any:
    """Small integers."""
    x, y = batch
    return (x * 10).astype(np.uint8), y


@pytest.mark.parametrize(
    ("transform", "shape"),
    [(channel, (*SHAPE, 1)), (crop, (3, 3)), (doubles, SHAPE), (bytes_of, SHAPE)],
)
def test_inputs_may_have_another_shape_or_dtype(transform: Any, shape: tuple[int, ...]) -> None:
    """All are delivered."""
    assert trained(transform, shape).shape == (90, 3)


def test_mixed_labels_are_delivered() -> None:
    """Mixup: float targets of another rank."""

    def mixup(batch: Any, generator: np.random.Generator) -> Any:
        x, y = batch
        other, share = generator.permutation(len(x)), np.float32(generator.beta(0.4, 0.4))
        hot = np.eye(3, dtype=np.float32)[y]
        return share * x + (1 - share) * x[other], share * hot + (1 - share) * hot[other]

    assert trained(mixup, SHAPE, loss="categorical_crossentropy").shape == (90, 3)


def test_inputs_may_be_the_targets() -> None:
    """`(x, x)`, as an autoencoder takes them."""
    assert trained(lambda batch, _: (batch[0], batch[0]), SHAPE, loss="mse").shape == (90, *SHAPE)


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("what", ["shape", "dtype", "rank"])
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_what_differs_from_batch_to_batch_is_refused(what: str, method: str) -> None:
    """With the batch named; the model keeps its weights."""

    def differs(batch: Any, _: Any) -> Any:
        x, y = batch
        if len(x) == 16:
            return x, y
        return {"shape": x[:, :2], "dtype": x.astype(np.float64), "rank": x[..., np.newaxis]}[what], y

    model = network()
    with pytest.raises(bf.ArgumentError, match="Batch 6 of epoch 1 has"):
        getattr(model, method)(samples().batches(16, transform=differs), verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()
