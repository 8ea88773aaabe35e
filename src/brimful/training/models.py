"""Models: the built-in networks, and the user's own, found by name."""

import difflib
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from brimful.errors import ArgumentError
from brimful.schema import Field, Schema, map_structure
from brimful.training.backend import keras

BuildModel = Callable[[Any, Any], Any]
"""`(input_shape, num_classes)` -> a Keras model, compiled or not; several inputs or outputs are dicts."""


def lenet(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """LeNet-5 with padding and max-pooling: 105,166 parameters on 28 x 28 pixels and 10 classes.

    After LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition,
    Proc. IEEE 86(11), 1998; with a dense layer of 64 in place of 84. `input_shape` is `(height, width)` or
    `(height, width, channels)`.
    """
    return _convolutional("lenet", input_shape, num_classes, filters=(6, 16), dense=(120, 64))


def lenet_wide(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """A wider LeNet: 1,256,080 parameters on 28 x 28 pixels and 10 classes."""
    return _convolutional("lenet-wide", input_shape, num_classes, filters=(20, 50), dense=(500,))


def dense(input_shape: tuple[int, ...], _: int) -> Any:
    """Two dense layers of 128 and 64 on samples of any shape."""
    model = _sequential("dense", input_shape)
    model.add(keras.layers.Flatten())
    for units in (128, 64):
        model.add(keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal"))
    return model


def conv1d(input_shape: tuple[int, ...], _: int) -> Any:
    """Convolutions along the first axis, for signals of shape `(steps,)` or `(steps, channels)`."""
    if len(input_shape) not in (1, 2) or input_shape[0] < 8:
        raise ArgumentError(
            "conv1d expects signals of at least 8 steps: (steps,) or (steps, channels). "
            f"Received: input_shape={input_shape}",
            "Take another model (--model dense), or one of your own (--model package.module:function).",
        )
    model = _sequential("conv1d", input_shape)
    if len(input_shape) == 1:
        model.add(keras.layers.Reshape((*input_shape, 1)))
    for filters in (32, 64):
        model.add(keras.layers.Conv1D(filters, 5, padding="same", activation="relu"))
        model.add(keras.layers.MaxPooling1D())
    model.add(keras.layers.GlobalAveragePooling1D())
    model.add(keras.layers.Dense(64, activation="relu"))
    return model


BUILT_IN: dict[str, BuildModel] = {"lenet": lenet, "lenet-wide": lenet_wide, "dense": dense, "conv1d": conv1d}
BODIES = (dense, conv1d)  # whose last layer depends on the target: classes, or numbers


def find_model(name: str) -> BuildModel:
    """Find the function that builds a model: a built-in network, or `package.module:function`.

    Raises:
        ArgumentError: There is no such model.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    module_name, colon, function_name = name.partition(":")
    if "/" in module_name or module_name.endswith(".py") or module_name.startswith("."):
        stem = module_name.rpartition("/")[2].removesuffix(".py")
        raise ArgumentError(
            f"Expected a module, not a path, in the model {name!r}.",
            f"Start brimful in the folder of the file, or add it to PYTHONPATH, and give --model "
            f"{stem}:{function_name or 'function'}.",
        )
    if not colon:
        close = difflib.get_close_matches(name, BUILT_IN, n=1)
        raise ArgumentError(
            f"There is no model {name!r}. Built in are {', '.join(BUILT_IN)}; "
            "your own is package.module:function.",
            f"Did you mean {close[0]!r}?" if close else "",
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"There is no module {error.name!r} to take the model {name!r} from.",
            "Name the module without .py, and start brimful where it can be imported, or set PYTHONPATH.",
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        functions = [name for name, value in vars(module).items() if callable(value)]
        close = difflib.get_close_matches(function_name, functions, n=1)
        raise ArgumentError(
            f"The module {module_name!r} has no function {function_name!r}.",
            f"Did you mean {close[0]!r}?" if close else "",
        )
    try:
        inspect.signature(function).bind((1,), 1)
    except ValueError:  # some callables in C do not describe their arguments
        pass
    except TypeError as error:
        raise ArgumentError(
            f"{name} cannot be called with (input_shape, num_classes): {error}.",
            "Write it as: def build(input_shape, num_classes): ... return model",
        ) from error
    build: BuildModel = function
    return build


def build_model(build: BuildModel, schema: Schema) -> Any:
    """Build the model for samples of a schema.

    Raises:
        ArgumentError: The function returns something else.
    """
    shape = map_structure(schema.inputs, lambda field: field.shape)
    outputs = schema.num_classes or map_structure(schema.target, lambda field: field.size) or 0
    if build in BUILT_IN.values():
        _refuse_for_built_in(build, schema, outputs)
    model = build(shape, outputs)
    if build in BODIES:
        activation = "softmax" if schema.num_classes else None
        model.add(keras.layers.Dense(outputs, activation=activation))
    if build in BUILT_IN.values() and isinstance(schema.inputs, Field) and schema.inputs.dtype == "uint8":
        scaled = _sequential(f"{model.name}-of-bytes", schema.inputs.shape)
        scaled.add(keras.layers.Rescaling(1 / 255))
        scaled.add(model)
        return scaled
    if not isinstance(model, keras.Model):
        raise ArgumentError(
            f"Expected a Keras model from {build.__name__}{shape, outputs}. Received: {type(model).__name__}"
        )
    return model


def _refuse_for_built_in(build: BuildModel, schema: Schema, outputs: Any) -> None:
    """Refuse what the built-in networks cannot do: several inputs or outputs, and regression."""
    name = build.__name__
    bring = f"Take your own model: --model package.module:function, called with (input_shape, {outputs})."
    if isinstance(schema.inputs, dict) or isinstance(schema.target, dict):
        raise ArgumentError(f"{name} has one input and one output. Samples are {schema.described}.", bring)
    if schema.target and schema.num_classes is None and build not in BODIES:
        bring = f"Take --model dense, or conv1d for signals. {bring}"
        number = f"{outputs} number{'s' * (outputs > 1)}, of which no classes are known"
        raise ArgumentError(f"{name} is a classifier, but the target is {number}.", bring)


def compile_for(model: Any, schema: Schema) -> None:
    """Compile a model that is not compiled yet with Adam, and the loss and metrics that fit the target."""
    if model.compiled:
        return
    target = schema.target
    if isinstance(target, dict):
        losses = {"int64": "sparse_categorical_crossentropy", "float32": "mean_squared_error"}
        model.compile(optimizer="adam", loss=map_structure(target, lambda field: losses[field.dtype]))
    elif target and (schema.classes or target.dtype == "int64"):
        sparse = "sparse_" if target.dtype == "int64" else ""
        model.compile(optimizer="adam", loss=f"{sparse}categorical_crossentropy", metrics=["accuracy"])
    else:
        model.compile(optimizer="adam", loss="mean_squared_error")


def _sequential(name: str, input_shape: tuple[int, ...]) -> Any:
    model = keras.Sequential(name=name)
    model.add(keras.Input(input_shape))
    return model


def _convolutional(
    name: str,
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    filters: tuple[int, ...],
    dense: tuple[int, ...],
) -> Any:
    """Convolutions of 5 x 5 with pooling, then dense layers, then softmax."""
    if len(input_shape) not in (2, 3) or min(input_shape[:2]) < 2 ** len(filters):
        raise ArgumentError(
            f"{name} expects images of at least {2 ** len(filters)} pixels per side: (height, width) or "
            f"(height, width, channels). "
            f"Received: input_shape={input_shape}",
            "Give the samples that shape (--shape 28,28,1), "
            "or take another model: --model dense, --model conv1d for signals, or one of your own "
            "(--model package.module:function).",
        )
    model = _sequential(name, input_shape)
    if len(input_shape) == 2:
        model.add(keras.layers.Reshape((*input_shape, 1)))
    for count in filters:
        model.add(
            keras.layers.Conv2D(count, 5, padding="same", activation="relu", kernel_initializer="he_uniform")
        )
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    for units in dense:
        model.add(keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(num_classes, activation="softmax", kernel_initializer="he_normal"))
    return model
