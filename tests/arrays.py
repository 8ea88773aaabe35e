"""Arrays: small ones, and files of them as people write them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import brimful as bf

h5py: Any = pytest.importorskip("h5py")
zarr: Any = pytest.importorskip("zarr")

N = 60


def inputs(dtype: str = "float32", n: int = N) -> NDArray[Any]:
    """Samples of 4 x 3 values, all different from one another."""
    random = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return random.random((n, 4, 3)).astype(dtype)
    return random.integers(0, 2 if dtype == "bool" else 120, (n, 4, 3)).astype(dtype)


def labels(n: int = N) -> NDArray[np.int64]:
    """Three classes."""
    return np.arange(n) * 7 % 3


def write_hdf5(path: Path, chunks: Any = (8, 4, 3), **datasets: Any) -> Path:
    """A file of datasets; those of several axes are in compressed chunks."""
    partial = path.with_suffix(".partial")
    with h5py.File(partial, "w") as file:
        for name, values in datasets.items():
            how = {"chunks": chunks, "compression": "gzip"} if np.ndim(values) > 1 and chunks else {}
            file.create_dataset(name, data=values, **how)
    os.replace(partial, path)  # noqa: PTH105 (an open one stays as it is)
    return path


def write_matlab(path: Path, **datasets: NDArray[Any]) -> Path:
    """A file as MATLAB writes it with -v7.3: axes in reverse, vectors as matrices."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in datasets.items():
            file[name] = np.atleast_2d(values.T if values.ndim > 1 else values)
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    return path


def write_zarr(path: Path, chunks: Any = (8, 4, 3), **arrays: NDArray[Any]) -> Path:
    """A group of arrays."""
    group = zarr.open_group(path, mode="w")
    for name, values in arrays.items():
        how = {"chunks": chunks} if values.ndim > 1 else {}
        group.create_array(name, data=values, **how)
    return path


def write_folder(root: Path, x: NDArray[Any], save: Callable[[Path, NDArray[Any]], Any]) -> Path:
    """train/000.npy and so on, and a label table."""
    (root / "train").mkdir(parents=True)
    for number, sample in enumerate(x):
        save(root / "train" / f"{number:03d}.npy", sample)
    (root / "target.csv").write_text("".join(f"{n},{y}\n" for n, y in enumerate(labels(len(x)).tolist())))
    return root


def assert_holds(samples: bf.Source | bf.Dataset, x: NDArray[Any], y: NDArray[Any] | None) -> None:
    """Each key has its row of the arrays, with dtype and shape, bit for bit."""
    assert sorted(map(int, samples.keys)) == list(range(len(x)))
    batch = next(iter(samples.batches(len(samples), include_keys=True)))
    numbers = np.array([int(key) for key in batch[-1]])
    assert batch[0].dtype == x.dtype.newbyteorder("=")
    assert batch[0].tobytes() == np.ascontiguousarray(x[numbers], batch[0].dtype).tobytes()
    assert len(batch) == (2 if y is None else 3)
    if y is not None:
        assert np.array_equal(batch[1], y[numbers])
