"""Model identity: what a model is made of, so that a training goes on with the same one or is refused."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64, xxh3_64_hexdigest

MOVING = ("learning_rate", "initial_scale")
COUNTED = re.compile(r'_\d+(?=")')  # Keras numbers layers by how many of the kind the process has made


def identify(model: Any, code: Path | None) -> dict[str, Any]:
    """The entries of a run's configuration about its model.

    Args:
        model: The model, compiled.
        code: Its source file.

    Returns:
        `architecture`, a hash of its layers and their arguments, None if the model cannot tell them;
        `optimizer`, its class and arguments, a rate that may change left out; `parameters`, None before the
        model is built; `code`, a hash of the source file.
    """
    return {
        "architecture": _architecture(model),
        "optimizer": _optimizer(model.optimizer),
        "parameters": model.count_params() if model.built else None,
        "code": None if code is None else xxh3_64_hexdigest(code.read_bytes()),
    }


def weights_digest(model: Any) -> str:
    """A hash of the values of all weights."""
    state = xxh3_64()
    for array in model.get_weights():
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def source_file(thing: Any) -> Path | None:
    """The file in which a function, or the class of a model, of the user's own is written."""
    thing = thing if inspect.isfunction(thing) or inspect.isclass(thing) else type(thing)
    if (getattr(thing, "__module__", None) or "").partition(".")[0] in ("keras", "brimful"):
        return None
    try:
        file = inspect.getsourcefile(thing)
    except TypeError:  # written in C
        return None
    return Path(file) if file and Path(file).is_file() else None


def _architecture(model: Any) -> str | None:
    """A hash of the layers; None if they are not known yet, or the model cannot tell them."""
    if not model.built:
        return None
    try:
        layers = json.loads(model.to_json())["config"]
    except Exception:  # noqa: BLE001 (a model of the user's own may fail in any way)
        return None
    return xxh3_64_hexdigest(COUNTED.sub("", json.dumps(_lasting(layers), sort_keys=True)).encode())


def _optimizer(optimizer: Any) -> dict[str, Any]:
    """Class and arguments of an optimizer, but for a plain learning rate, which moves while it trains."""
    config = _lasting(json.loads(json.dumps(optimizer.get_config(), default=repr)))
    return {"class": type(optimizer).__name__, **config}


def _lasting(config: Any) -> Any:
    """A configuration without what training changes: the shapes that layers were built for, rates, names."""
    if isinstance(config, list):
        return [_lasting(each) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        name: _lasting(value)
        for name, value in config.items()
        if name not in ("name", "build_config") and not (name in MOVING and isinstance(value, (int, float)))
    }
