"""Backend: starts Keras for the program: fast, quiet, seeded, and able to import the user's model.

All of this changes the process: its environment, its module path, temporarily its stderr. A program may do
that, but the library does not.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brimful.training.models import BuildModel

GREETINGS = ("I0000", "WARNING: All log messages before absl", "To enable the following instructions")


def start_keras(model: str, seed: int) -> "BuildModel":
    """Import keras and find the function that builds the model, before any long work.

    The model is a built-in network, or `package.module:function` of a module in the working directory or
    elsewhere.

    Raises:
        ArgumentError: There is no such model.
        DependencyError: No backend is installed.
    """
    with starting_tensorflow():
        seed_everything(seed)  # imports keras
    from brimful.training.models import find_model

    if ":" in model and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return find_model(model)


@contextmanager
def starting_tensorflow() -> Iterator[None]:
    """Make TensorFlow fast and quiet, unless the user has chosen otherwise.

    On a CPU without AVX-512, TensorFlow leaves oneDNN off: an epoch of LeNet took 20 s without it and
    2.7 s with it (2 cores of an AMD EPYC with AVX2, TensorFlow 2.21). Its C++ code prints a message about
    that at any log level, which is kept from the screen; everything else is shown.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
            printed.seek(0)
            lines = printed.read().decode(errors="replace").splitlines(keepends=True)
            sys.stderr.writelines(line for line in lines if not line.startswith(GREETINGS))


def seed_everything(seed: int) -> str:
    """Seed weights and dropout, as `keras.utils.set_random_seed` does; returns the name of the backend."""
    from brimful.training.backend import keras

    keras.utils.set_random_seed(seed)
    name: str = keras.backend.backend()
    return name
