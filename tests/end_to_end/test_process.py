"""A library leaves its user's process alone: what is looked at before and after is the same, item by item."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trees import Tree

FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")

STATE = '''
import gc, os, random, signal, sys, threading, time, warnings
from pathlib import Path
import numpy as np
import pyarrow as pa

def open_files():
    """What the descriptors lead to; the one with which the folder is listed is gone by then."""
    folder = Path("/proc/self/fd")
    entries = sorted(os.listdir(folder), key=int) if folder.exists() else []
    links = {entry: os.path.realpath(folder / entry) for entry in entries if (folder / entry).is_symlink()}
    return {entry: link for entry, link in links.items() if not link.endswith("/fd")}

def running():
    """The threads that Python began. A backend's own are known to Python as dummies once they call it."""
    return [thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)]

def threads():
    """Those that run, after some patience for such as were told to end."""
    deadline = time.monotonic() + 20
    while len(running()) > expected_threads and time.monotonic() < deadline:
        time.sleep(0.05)
    return sorted(thread.name for thread in running())

expected_threads = len(running())

def backend_random():
    """The state of the backend's global random numbers, where it has any."""
    if "keras" not in sys.modules:
        return None
    import keras
    seeds = keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")
    state = None if seeds is None else np.asarray(seeds.state).tolist()
    if keras.backend.backend() == "torch":
        import torch
        return state, torch.get_rng_state().tolist()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf
        return state, tf.random.get_global_generator().state.numpy().tolist()
    return state

def state():
    gc.collect()
    return {
        "memory pool": pa.default_memory_pool().backend_name,
        "sys.path": list(sys.path),
        "environment": dict(os.environ),
        "working directory": os.getcwd(),
        "open files": open_files(),
        "signal handlers": {str(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
        "warning filters": [str(each) for each in warnings.filters],
        "random": str(random.getstate()),
        "NumPy's random": str(np.random.get_state()),
        "backend's random": backend_random(),
        "threads": threads(),
        "hooks": [str(hook) for hook in (sys.excepthook, threading.excepthook, sys.displayhook)],
        "import hooks": [str(hook) for hook in (*sys.meta_path, *sys.path_hooks)],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval()],
    }
'''

DATA = """
import brimful as bf
source = bf.scan(sys.argv[1])
source.audit()
bf.scan(sys.argv[1], on_bad="skip")
data = bf.pack(source, sys.argv[2])
data = bf.open(sys.argv[2])
assert data.verify().ok
for samples in (source, data):
    train, test = samples.split(test=0.2)
    batches = train.batches(8, class_weight="balanced")
    assert sum(len(batch[0]) for batch in batches) == len(train)
    next(iter(batches))  # a pass that is left early
del source, data, samples, train, test, batches
"""

WARM_UP = """
import keras
keras.utils.set_random_seed(3)
layers = [keras.layers.Flatten(), keras.layers.Dense(5, "softmax")]  # no dropout: that draws at random
model = keras.Sequential([keras.Input((4, 3)), *layers])
model.compile("adam", "sparse_categorical_crossentropy")
x, y = np.zeros((16, 4, 3)), np.zeros(16)
model.fit(x, y, batch_size=8, validation_data=(x, y), verbose=0)  # what Keras and its backend change once
model.train_on_batch(x, y)
model.save(sys.argv[2] + ".keras")
keras.random.uniform((1,))  # from the global generator: now there is one
"""

TRAIN = """
import brimful as bf
train, test = bf.scan(sys.argv[1]).split(test=0.2)
for method in ("fit", "train_on_batch"):
    evaluated = {"validation": test.batches(8, shuffle=False), "epochs": 2}
    bf.train(model, train.batches(8), run=sys.argv[2] + method, method=method, **evaluated)
del train, test, evaluated
"""

COMPARED = """
import json
before = state()
{}
after = state()
changed = {{item: [before[item], after[item]] for item in before if before[item] != after[item]}}
print("RESULT", json.dumps({{"changed": changed, "imported": sorted(sys.modules)}}, default=str))
"""


def run(program: str, *arguments: Path) -> Any:
    """Run a program in a fresh process, and return what it prints last, from JSON."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("RESULT ")[2])


@pytest.fixture
def paths(make_tree: Callable[..., Tree], tmp_path: Path) -> tuple[Path, Path]:
    """A folder of data, and where something may be written."""
    return make_tree(60).path, tmp_path / "packed.brim"


def test_the_work_with_data_changes_nothing(paths: tuple[Path, Path]) -> None:
    """Scan, audit, pack, open, verify and an epoch of batches of each: no item is another one after it."""
    result = run(STATE + "import brimful\n" + COMPARED.format(DATA), *paths)
    assert result["changed"] == {}


def test_numpy_batches_import_no_framework(paths: tuple[Path, Path]) -> None:
    """Looping over batches costs neither keras nor a backend."""
    result = run(STATE + COMPARED.format(DATA), *paths)
    assert not set(FRAMEWORKS) & set(result["imported"])
    assert "brimful.training.batches" in result["imported"]


@pytest.mark.keras
def test_training_changes_nothing(paths: tuple[Path, Path]) -> None:
    """`bf.train` both ways, in a process that has used Keras before: no item is another one after it."""
    result = run(STATE + WARM_UP + "import brimful\n" + COMPARED.format(TRAIN), *paths)
    assert result["changed"] == {}


ORDERS = {
    "batches, then keras": """
import brimful as bf
batches = bf.scan(sys.argv[1]).batches(8)
assert batches.__class__ is type(batches) is bf.training.batches.Batches
import keras
""",
    "keras, then batches": """
import keras
import brimful as bf
batches = bf.scan(sys.argv[1]).batches(8)
""",
    "half a pass, then keras": """
import brimful as bf
batches = bf.scan(sys.argv[1]).batches(8)
next(iter(batches))
import keras
""",
    "training, then keras": """
import brimful as bf
bf.train
batches = bf.scan(sys.argv[1]).batches(8)
import keras
""",
}

FIT = """
import copy, json
from keras.src.trainers.data_adapters.data_adapter import DataAdapter
Batches = bf.training.batches.Batches
assert isinstance(batches, DataAdapter) and isinstance(batches, Batches)
assert type(batches) is Batches and issubclass(batches.__class__, Batches)
assert repr(batches) == repr(copy.copy(batches)) == "Batches(8 of 8 samples from %r)" % sys.argv[1]
assert isinstance(copy.copy(batches), DataAdapter)
assert not isinstance(batches, (dict, list, keras.utils.PyDataset))
model = keras.Sequential([keras.Input((4, 3)), keras.layers.Flatten(), keras.layers.Dense(5, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
history = model.fit(batches, validation_data=copy.copy(batches), epochs=2, verbose=0)
model.evaluate(batches, verbose=0)
assert len(model.predict(batches, verbose=0)) == 60
print("RESULT", json.dumps({"epochs": len(history.history["val_loss"])}))
"""


@pytest.mark.keras
@pytest.mark.parametrize("order", ORDERS)
def test_keras_takes_batches_whichever_came_first(paths: tuple[Path, Path], order: str) -> None:
    """Batches are what they are, and a DataAdapter as soon as there is one."""
    assert run("import sys\n" + ORDERS[order] + FIT, *paths) == {"epochs": 2}
