"""Devices: batches that several devices cannot share evenly are refused; others train to the same figures."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")

MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
scope = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope
"""
PARALLEL = """
import contextlib, keras
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=keras.distribution.list_devices()))
scope = contextlib.nullcontext
"""
TRAIN = """
import brimful as bf
from tests.situations.models import network, samples

with scope():
    model = network()
    for size, last, hint in SIZES:
        batches = samples(COUNT).batches(size, last=last)
        try:
            losses = model.fit(batches, epochs=1, verbose=0).history["loss"]
            print("trained", size, len(losses))
        except bf.ArgumentError as error:
            assert "2 devices" in error.message and hint in error.hint, (error.message, error.hint)
            print("refused", size)
"""


@pytest.mark.parametrize(
    ("count", "sizes", "expected"),
    [
        (
            90,
            [(16, "short", ""), (45, "short", "batches(44)"), (7, "short", "batches(6)")],
            "trained refused refused",
        ),
        (
            91,
            [(16, "short", "last='drop'"), (16, "pad", "last='drop'"), (16, "drop", "")],
            "refused refused trained",
        ),
        (
            89,
            [(1, "short", "last='drop'"), (88, "short", "last='drop'"), (88, "drop", "")],
            "refused refused trained",
        ),
    ],
)
def test_uneven_batches_are_refused(count: int, sizes: list[tuple[int, str, str]], expected: str) -> None:
    """With a batch size that works; on TensorFlow and JAX, whose loops share batches."""
    backend = keras.backend.backend()
    if backend == "torch":
        pytest.skip("torch shares no batches by itself")
    script = (
        (MIRRORED if backend == "tensorflow" else PARALLEL) + f"SIZES, COUNT = {sizes}, {count}\n" + TRAIN
    )
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "PYTHONPATH": "."}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == expected.split()
