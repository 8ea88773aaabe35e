"""Backend: which one Keras runs on, settled before keras is imported."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brimful.errors import DependencyError

BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
"""Backend of Keras -> module that it needs; the quickest on a CPU first."""

GREETINGS = ("I0000", "WARNING: All log messages before absl", "To enable the following instructions")


def choose_backend() -> None:
    """Choose the quickest backend that is installed, unless the user has chosen one.

    Raises:
        DependencyError: None is installed.
    """
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    if "keras" in sys.modules or "KERAS_BACKEND" in os.environ or (keras_home / "keras.json").exists():
        return
    for backend, module in BACKENDS.items():
        if importlib.util.find_spec(module):
            os.environ["KERAS_BACKEND"] = backend
            return
    raise DependencyError(
        "Keras needs TensorFlow, JAX or PyTorch, and none of them is installed.",
        "pip install 'brimful[tensorflow]' (or [jax], or [torch]).",
    )


@contextmanager
def starting_tensorflow() -> Iterator[None]:
    """Make TensorFlow quick and quiet, unless the user has said otherwise; for a program of our own.

    On a CPU without AVX-512, TensorFlow leaves oneDNN off: an epoch of LeNet took 20 s without it and
    2.7 s with it (2 cores of an AMD EPYC with AVX2, TensorFlow 2.21). What it then says about that,
    in C++ and whatever the log level, is kept from the screen; anything else is not.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines(keepends=True)
            sys.stderr.writelines(line for line in lines if not line.startswith(GREETINGS))


def seed_everything(seed: int) -> str:
    """Seed weights and dropout, as `keras.utils.set_random_seed` does, and say which backend runs."""
    import keras

    keras.utils.set_random_seed(seed)
    name: str = keras.backend.backend()
    return name
