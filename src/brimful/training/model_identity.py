"""Model identity: what a model is made of, so that a training goes on with the same one or is refused."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64, xxh3_64_hexdigest

MOVING = ("learning_rate", "initial_scale", "seed")
"""Numbers that training changes, or that are drawn when a layer is made."""
BUILT = ("build_config", "code")
"""The shapes that a layer was built for; and the code of a lambda, which holds its file and line."""
NAMED = re.compile(r'"([A-Za-z][A-Za-z0-9_]*?)(?:_\d+)?"')


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
    return xxh3_64_hexdigest(_renumbered(json.dumps(_lasting(layers), sort_keys=True)).encode())


def _optimizer(optimizer: Any) -> dict[str, Any]:
    """Class and arguments of an optimizer, but for a plain learning rate, which moves while it trains."""
    try:
        config = json.dumps(optimizer.get_config(), default=lambda each: type(each).__name__)
    except Exception:  # noqa: BLE001 (a schedule of the user's own may fail in any way)
        config = "{}"
    return {"class": type(optimizer).__name__, **_lasting(json.loads(config), (*BUILT, "name"))}


def _lasting(config: Any, dropped: tuple[str, ...] = BUILT) -> Any:
    """A configuration without what may be otherwise in the same model: `dropped`, and MOVING."""
    if isinstance(config, list):
        return [_lasting(each, dropped) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        name: _lasting(value, dropped)
        for name, value in config.items()
        if name not in dropped and not (name in MOVING and isinstance(value, (int, float)))
    }


def _renumbered(text: str) -> str:
    """Names that end in a number by their order, since Keras counts the layers of all models of a process."""
    seen: dict[str, dict[str, int]] = {}

    def renamed(match: re.Match[str]) -> str:
        numbers = seen.setdefault(match[1], {})
        return f'"{match[1]}#{numbers.setdefault(match[0], len(numbers))}"'

    return NAMED.sub(renamed, text)
