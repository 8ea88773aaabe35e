"""Backend: imports keras once, on a backend that is installed.

All code that needs keras says `from brimful.training.backend import keras`, so that a machine with JAX or
PyTorch alone needs no configuration.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brimful.errors import DependencyError

BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
"""Backend of Keras -> module that it needs; the fastest on a CPU first."""


@contextmanager
def chosen_backend() -> Iterator[None]:
    """Choose a backend for the import of keras, unless the user has chosen one.

    A user chooses by importing keras first, by the variable KERAS_BACKEND, or in Keras' own file keras.json.
    Since Keras itself writes that file and names TensorFlow in it, it counts only if that backend is
    installed. Otherwise KERAS_BACKEND is set to the fastest backend that is installed, and removed after the
    import of keras: the environment of the user's process stays unchanged.

    Raises:
        DependencyError: No backend is installed.
    """
    if "keras" in sys.modules or "KERAS_BACKEND" in os.environ or _is_installed(_configured()):
        yield
        return
    fastest = next(filter(_is_installed, BACKENDS), None)
    if fastest is None:
        raise DependencyError(
            "Keras needs TensorFlow, JAX or PyTorch, and none of them is installed.",
            "pip install 'brimful[tensorflow]' (or [jax], or [torch]).",
        )
    os.environ["KERAS_BACKEND"] = fastest
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"]


def _configured() -> str | None:
    """The backend that keras.json names; None without such a file, or if Keras could not read it either."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        name = json.loads((home / "keras.json").read_text("utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None


def _is_installed(backend: str | None) -> bool:
    """Whether a backend can be imported; True for one that only Keras knows."""
    if backend is None:
        return False
    return backend not in BACKENDS or importlib.util.find_spec(BACKENDS[backend]) is not None


with chosen_backend():
    import keras

__all__ = ["BACKENDS", "chosen_backend", "keras"]
