"""Recognise: whether a path or an object is an array, or a file of arrays, by first bytes and name."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brimful.sources.arrays.npy import MAGIC
from brimful.sources.arrays.zarr_store import is_zarr

HDF5, NPY, NPZ, MATLAB5 = "HDF5", "NumPy", "NumPy archive", "MATLAB 5"
SUFFIXES = {
    ".h5": HDF5,
    ".hdf5": HDF5,
    ".he5": HDF5,
    ".nc": HDF5,
    ".mat": HDF5,
    ".npy": NPY,
    ".npz": NPZ,
}
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512, 1024, 2048, 4096)  # behind a block of the user's
ZIP_MAGIC = b"PK"


def is_arrays(thing: Any) -> bool:
    """Whether a thing is a mapping of arrays, an array, or a path to a file or a Zarr folder of them."""
    if isinstance(thing, (str, os.PathLike)):
        path = Path(thing)
        if os.path.isdir(path):  # noqa: PTH112 (pathlib raises where a name is too long)
            return is_zarr(path) or path.suffix.lower() == ".zarr"
        return path.suffix.lower() in SUFFIXES or content_of(path) in (HDF5, NPY)
    return isinstance(thing, Mapping) or is_array(thing)


def is_array(thing: Any) -> bool:
    """Whether an object has a shape, a dtype and slices."""
    try:
        return all(hasattr(thing, name) for name in ("shape", "dtype", "__getitem__"))
    except (ValueError, RuntimeError):  # a dataset of h5py whose file is closed
        return False


def content_of(path: Path) -> str:
    """What a file is by its first bytes; empty if that is unknown, or the file cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (likewise)
            begin = file.read(max(HDF5_PLACES) + len(HDF5_MAGIC))
    except (OSError, ValueError):
        return ""
    if any(begin[at : at + len(HDF5_MAGIC)] == HDF5_MAGIC for at in HDF5_PLACES):
        return HDF5
    for magic, kind in ((MAGIC, NPY), (ZIP_MAGIC, NPZ), (b"MATLAB 5.0", MATLAB5)):
        if begin.startswith(magic):
            return kind
    return ""


def begins(path: Path) -> str:
    """The first bytes of a file, for a message."""
    with path.open("rb") as file:
        begin = file.read(40)
    if not begin:
        return "it is empty"
    if begin.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS: fetch the file itself with `git lfs pull`"
    return f"it begins with {begin[:16]!r}"
