"""Models: small networks for situations in Keras' seat, and data that they learn."""

from typing import Any

import numpy as np

import brimful as bf

SHAPE = (4, 3)


def samples(count: int = 90, classes: int = 3) -> bf.Source:
    """Samples whose mean is about their class."""
    random = np.random.default_rng(0)
    return bf.scan(
        [(random.normal(at % classes, 0.3, SHAPE).astype("float32"), at % classes) for at in range(count)]
    )


def network(*, metrics: Any = ("accuracy",), normalizes: bool = False, **compiled: Any) -> Any:
    """A classifier whose weights are the same each time, compiled with SGD."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.BatchNormalization()] if normalizes else []
    model = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), *layers, keras.layers.Dense(3, "softmax")]
    )
    options = {"loss": "sparse_categorical_crossentropy", "metrics": list(metrics), **compiled}
    model.compile(keras.optimizers.SGD(0.1), **options)
    return model
