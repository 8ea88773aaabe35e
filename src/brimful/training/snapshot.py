"""Snapshot: all that a model, its optimizer and the random numbers are made of, as arrays, and back.

Neither `.keras` archives nor weights files hold all of it: they leave out the counters of dropout, the
metrics of an epoch under way and the generators of Python, NumPy and PyTorch.
"""

import random
import re
import sys
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import StateError
from brimful.schema import map_structure
from brimful.training.backend import keras

Arrays = dict[str, NDArray[Any]]


def variables_of(model: Any) -> dict[str, Any]:
    """All variables that training changes, each once, by number and path.

    They are those of layers (with the seeds of dropout), of the optimizer, and of loss and metrics.
    """
    groups = (model.variables, model.optimizer.variables if model.optimizer else (), model.metrics_variables)
    distinct = {id(each): each for group in groups for each in group}
    return {f"{at:05d} {each.path}": each for at, each in enumerate(distinct.values())}


def arrays_of(model: Any) -> Arrays:
    """Copies of the values of all variables."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()  # they are elsewhere while JAX trains
    return {name: _copied(variable) for name, variable in variables_of(model).items()}


def restore(model: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give all variables the values that `arrays_of` copied.

    Raises:
        StateError: The model has other variables.
    """
    pairs = zip_longest(variables_of(model).items(), arrays.items(), fillvalue=("", None))
    for (name, variable), (saved, array) in pairs:
        is_alike = (
            variable is not None
            and array is not None
            and _last(name) == _last(saved)
            and (tuple(variable.shape), variable.dtype) == (array.shape, array.dtype.name)
        )
        if not is_alike:
            raise StateError(
                f"The checkpoint is of another model: there it has {_described(saved, array)}, "
                f"here {_described(name, variable)}.",
                "Go on with the model that it was saved with, or begin anew in another folder.",
            )
        assert variable is not None  # noqa: S101 (it is alike)
        variable.assign(keras.ops.convert_to_tensor(np.array(array), dtype=variable.dtype))


def random_state() -> tuple[dict[str, Any], Arrays]:
    """The states of the global generators of Python, NumPy and Keras and, if it is loaded, PyTorch."""
    version, internal, gauss = random.getstate()
    kind, words, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 (what others draw from)
    document = {
        "python": [version, gauss],
        "numpy": [kind, int(position), int(has_gauss), float(cached)],
    }
    arrays = {"random python": np.array(internal, np.uint64), "random numpy": np.asarray(words)}
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        arrays["random torch"] = torch.get_rng_state().numpy().copy()
    if (seed := _global_seed()) is not None:
        arrays["random keras"] = _copied(seed)
    return document, arrays


def restore_random(document: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Set the global generators to the states that `random_state` gave."""
    version, gauss = document["python"]
    random.setstate((version, tuple(arrays["random python"].tolist()), gauss))
    kind, *others = document["numpy"]
    np.random.set_state((kind, arrays["random numpy"].copy(), *others))  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None and "random torch" in arrays:
        torch.set_rng_state(torch.from_numpy(arrays["random torch"].copy()))
    if "random keras" in arrays:
        _global_seed(is_made=True).assign(arrays["random keras"])


def build(model: Any, shapes: list[list[Any]]) -> None:
    """Make the variables of a compiled model that Keras makes with the first batch, from the shapes of one.

    Args:
        model: The model.
        shapes: Shape and dtype of each part of a batch, by name in a dict if there are several of a kind.
    """
    blank = tuple(map_structure(part, lambda leaf: np.zeros(*leaf)) for part in shapes)
    model._symbolic_build(data_batch=blank)  # noqa: SLF001 (fit does it on two backends of three)


def _copied(variable: Any) -> NDArray[Any]:
    """The value of a variable, in memory of its own."""
    array = np.array(keras.ops.convert_to_numpy(variable.value))
    return array if array.dtype.name == variable.dtype else array.astype(variable.dtype)


def _global_seed(*, is_made: bool = False) -> Any:
    """The counter of Keras' generator for operations without a seed; None unless it was used, or is made."""
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR, global_seed_generator

    if global_state.get_global_attribute(GLOBAL_SEED_GENERATOR) is None and not is_made:
        return None
    return global_seed_generator().state


def _last(name: str) -> str:
    """The name of a variable in its layer; the numbers in it count the layers of this process."""
    return re.sub(r"_[0-9]+", "", name.rpartition("/")[2].rpartition(" ")[2])


def _described(name: str, value: Any) -> str:
    if value is None:
        return "no more variables"
    dtype = getattr(value.dtype, "name", value.dtype)
    return f"{name.partition(' ')[2]} {tuple(value.shape)} {dtype}"
