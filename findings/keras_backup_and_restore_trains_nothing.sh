#!/bin/sh
# keras 3.15.1, jax 0.10.2, Python 3.11: after BackupAndRestore has restored, the next fit of the model trains nothing.
#
# A training of three epochs is stopped in the second one, and fit is called again with BackupAndRestore: it
# restores the weights, trains the second epoch anew from its first batch, though the batch was written down (so
# batches are trained on twice), and ends. But it leaves the epoch at which it began in the model, for good: a
# later fit(epochs=1), without the callback and on whatever data, begins there, trains no step, and returns an
# empty history. Nothing is said.
#
# Seen:
#   batches of 8 in three epochs: 24; optimizer steps after stop and restore: 29
#   a fit of one more epoch afterwards: 0 steps, history {}
set -eu
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "keras==3.15.1" "jax==0.10.2" "numpy==2.4.6"
cd "$place"
KERAS_BACKEND=jax "$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

import keras
import numpy as np

x, y = np.random.default_rng(0).normal(size=(64, 4)).astype("float32"), np.zeros((64, 1), "float32")


class Stop(keras.callbacks.Callback):
    left = 13

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    made.compile("adam", "mse")
    return made


def backup():
    return keras.callbacks.BackupAndRestore("backup", save_freq=1, delete_checkpoint=False)


try:
    model().fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[backup(), Stop()])
except KeyboardInterrupt:
    pass
restored = model()
restored.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[backup()])
steps = int(restored.optimizer.iterations)
print(f"batches of 8 in three epochs: 24; optimizer steps after stop and restore: {steps}")
history = restored.fit(x, y, batch_size=8, epochs=1, verbose=0).history
more = int(restored.optimizer.iterations) - steps
print(f"a fit of one more epoch afterwards: {more} steps, history {history}")
sys.exit(not (steps > 24 and more == 0 and not history))
PYTHON
