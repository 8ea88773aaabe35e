#!/bin/sh
# h5py 3.14.0 (HDF5 1.14.6), NumPy 2.4.6, Python 3.11: an assignment that broadcasts, `d[...] = array of shape
# (n, 1, 1)`, into a chunked, compressed dataset is not broadcast in memory. h5py writes the array again for each
# place that it is repeated at, and a chunk larger than HDF5's chunk cache (1 MiB) is decompressed and compressed anew
# for each of them. The same values as a full array are written once. The time grows with the number of places:
# 64 here, and with 4,096 (samples of 64 x 64) it was 303 s against 0.1 s.
#
# Seen, of 16,384 samples of 8 x 8 float64 in gzip chunks of 8,192 (4 MiB), the values read back being the same:
#
#   full array: 0.0 s    broadcast: 2.7 s    69 times as long
#
# Write np.broadcast_to(...).copy(), or slices of whole chunks. Fails if it takes less than five times as long.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check h5py==3.14.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
import time

import h5py
import numpy as np

N, SHAPE, CHUNK = 16_384, (8, 8), 8_192
column = np.random.default_rng(0).normal(size=(N, 1, 1))
full = np.broadcast_to(column, (N, *SHAPE)).copy()


def seconds(values, name):
    with h5py.File(f"{sys.argv[1]}/{name}.h5", "w") as file:
        dataset = file.create_dataset("x", (N, *SHAPE), "f8", chunks=(CHUNK, *SHAPE), compression="gzip")
        began = time.perf_counter()
        dataset[...] = values
        file.flush()
        took = time.perf_counter() - began
        assert np.array_equal(dataset[...], full)
    return took


one, other = seconds(full, "full"), seconds(column, "broadcast")
print(f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, NumPy {np.__version__}")
print(f"full array: {one:.1f} s    broadcast: {other:.1f} s    {other / one:.0f} times as long")
sys.exit(0 if other > 5 * one else 1)
PYTHON
