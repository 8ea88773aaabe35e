"""Opened: the arrays of a file, a Zarr folder or a dict, by what they are: inputs, targets, weights."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from brimful.errors import ArgumentError, MalformedFileError, SourceNotFoundError
from brimful.memory import format_bytes
from brimful.options import ScanOptions
from brimful.samples import Finding
from brimful.schema import NAME, flatten, map_structure
from brimful.sources.arrays.array_format import Columns
from brimful.sources.arrays.choice import TARGET_NAMES, WEIGHT_NAMES, Choice, choose, last_names
from brimful.sources.arrays.column import Column, MemoryColumn, SlicedColumn
from brimful.sources.arrays.dtypes import as_dtype
from brimful.sources.arrays.files import Files
from brimful.sources.arrays.hdf5 import Hdf5Column, Hdf5File
from brimful.sources.arrays.meaning import FILLS, SCALES, XARRAY, other_meaning
from brimful.sources.arrays.npy import map_npy
from brimful.sources.arrays.npz import NpzFile
from brimful.sources.arrays.recognise import (
    HDF5,
    MATLAB5,
    NPY,
    SUFFIXES,
    begins,
    content_of,
    is_array,
)
from brimful.sources.arrays.reshaped import ReshapedColumn
from brimful.sources.arrays.zarr_store import ZarrColumn, ZarrStore

KEYS = ("x", "y", "w")
AXES = "brimful takes samples along the first axis as HDF5 has it, which is the last one in MATLAB."


@dataclass(frozen=True)
class Opened:
    """Arrays that were opened, and what they are.

    Attributes:
        name: What they are from.
        inputs: The inputs.
        targets: The targets; None without any.
        weights: The weights; None without any.
        files: The files that they are from.
        root: The folder of the data.
        facts: What was decided, for the user to check.
        findings: What is doubtful.
    """

    name: str
    inputs: Columns
    targets: Columns | None = None
    weights: Column | None = None
    files: Files | None = None
    root: Path | None = None
    facts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """All arrays."""
        return (*flatten(self.inputs), *flatten(self.targets), *flatten(self.weights))


def open_path(path: Path, options: ScanOptions) -> Opened:
    """Open a file or a Zarr folder.

    Raises:
        SourceError: It is not there, or damaged, or something else than it is called.
        ArgumentError: It is not clear which arrays to take.
    """
    if not os.path.exists(path):  # noqa: PTH110 (pathlib raises where a name is too long)
        raise SourceNotFoundError(f"{path}: there is no such file.", "Check the path.")
    if path.is_dir():
        return _open_zarr(path, options)
    kind = content_of(path)
    if kind == MATLAB5:
        raise MalformedFileError(
            f"{path}: this is a file of MATLAB before 7.3, which is not HDF5.",
            "Save it with -v7.3, or read it: scipy.io.loadmat(path, mat_dtype=True), and give the arrays in "
            "a dict. Without mat_dtype, numbers come in the smallest integers that hold them.",
        )
    if not kind:
        called = SUFFIXES.get(path.suffix.lower(), "file of arrays")
        raise MalformedFileError(f"{path}: this is no {called} file: {begins(path)}.", "Copy it again.")
    if kind == HDF5:
        return _open_hdf5(path, options)
    if kind == NPY:
        return _open_npy(path, options)
    return _open_npz(path, options)


def open_object(thing: Any) -> Opened:
    """Arrays that a user gives: a mapping with x, y and w, or one array of inputs.

    Raises:
        ArgumentError: It holds something else.
    """
    if not isinstance(thing, Mapping):
        return Opened(type(thing).__name__, column_of("x", thing), findings=tuple(_raw_meaning(thing, "x")))
    unknown = [key for key in thing if not isinstance(key, str)]
    if unknown or not thing:
        raise ArgumentError(
            f"Expected a dict of arrays with the keys x, y, w. Received: {list(thing)!r:.200}"
        )
    inputs = _inputs(thing)
    if "w" in thing and "y" not in thing:
        raise ArgumentError("Expected `y` with `w`: weights without targets mean nothing.")
    given = {"x": inputs, "y": thing.get("y"), "w": thing.get("w")}
    findings, paths = [], []
    for name, array in _named(given):
        findings += _raw_meaning(array, name)
        paths += [Path(array)] if isinstance(array, (str, os.PathLike)) else []
    x, y, w = (_columns(name, each) for name, each in given.items())
    if isinstance(w, dict):
        raise ArgumentError("Expected one array of weights, `w`. Received: a dict")
    files = Files(*paths) if len(paths) == len(list(_named(given))) else None
    return Opened("a dict of arrays", x, y, w, files, findings=tuple(findings))


def _inputs(given: Mapping[str, Any]) -> Any:
    """The inputs of a dict: `x`, or all that are neither y nor w."""
    if "x" in given:
        if others := [key for key in given if key not in KEYS]:
            raise ArgumentError(
                f"Expected the keys x, y, w. Received: {', '.join(map(repr, others))} beside 'x'",
                "Several inputs: {'x': {'image': a, 'place': b}, 'y': c}.",
            )
        return given["x"]
    names = [key for key in given if key not in KEYS]
    like = [name for name in names if name.casefold() in (*TARGET_NAMES, *WEIGHT_NAMES)]
    if not names or like:
        what = f"{like[0]!r}, which may be no input" if like else ", ".join(map(repr, given))
        raise ArgumentError(
            f"Expected the keys x, y, w. Received: {what}",
            "{'x': images, 'y': labels}. Without 'x', all arrays but 'y' and 'w' are inputs by name.",
        )
    return {name: given[name] for name in names}


def _named(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each array with the name that messages have for it."""
    for key, part in given.items():
        if isinstance(part, Mapping):
            yield from ((f"{key}[{name!r}]", array) for name, array in part.items())
        elif part is not None:
            yield key, part


def _columns(key: str, part: Any) -> Any:
    """A part of a dict as a column, or as columns by name."""
    if not isinstance(part, Mapping):
        return None if part is None else column_of(key, part)
    if not part or not all(isinstance(name, str) and NAME.fullmatch(name) for name in part):
        raise ArgumentError(
            f"Expected the arrays of {key!r} by names like 'image_1'. Received: {list(part)!r:.200}",
            "A name is a letter, then letters, digits, _ and -, at most 64 characters in all.",
        )
    return {name: column_of(f"{key}[{name!r}]", array) for name, array in part.items()}


def column_of(name: str, thing: Any) -> Column:
    """An array of a user's as a column.

    Raises:
        ArgumentError: It is no array.
        SourceError: It is the path of a file that cannot be read.
    """
    if isinstance(thing, (str, os.PathLike)):
        return _npy_of(name, Path(thing))
    if type(thing).__module__.startswith("h5py.") and not thing:
        raise ArgumentError(
            f"Expected {name} as an array. Received: a dataset of a file that is closed",
            "Keep the file open as long as the source is used, or scan it by its path.",
        )
    dtype = as_dtype(thing.dtype) if is_array(thing) else None
    if dtype is None or isinstance(thing, np.ma.MaskedArray):
        raise ArgumentError(
            f"Expected {name} as an array, with shape, dtype and slices of NumPy. "
            f"Received: {type(thing).__name__}",
            "Make it one: np.asarray(...). A list of arrays of one shape becomes one by np.stack.",
        )
    if isinstance(thing, np.ndarray):
        return MemoryColumn(name, thing)
    if type(thing).__module__.startswith("h5py."):
        return Hdf5Column(thing)
    if type(thing).__module__.startswith("zarr."):
        return ZarrColumn(thing, name)
    return SlicedColumn(name, thing, dtype)


def _npy_of(name: str, path: Path) -> Column:
    """A file of NumPy that is given as one of the arrays."""
    if not path.is_file():
        raise SourceNotFoundError(f"{path}: there is no such file, given as {name!r}.", "Check the path.")
    if content_of(path) != NPY:
        raise ArgumentError(
            f"Expected {name} as an array, or the path of a .npy file. Received: {str(path)!r}",
            "Files with several arrays are scanned by themselves: bf.scan(path, x='images', y='labels').",
        )
    return map_npy(path)


def _raw_meaning(array: Any, name: str) -> list[Finding]:
    """The warning that an array of the user's holds raw numbers, by its attributes."""
    dtype = as_dtype(array.dtype) if is_array(array) else None
    if dtype is None or not type(array).__module__.startswith(("h5py.", "zarr.")):
        return []
    said = other_meaning(_attributes(array.attrs), dtype)
    hint = f"The numbers are delivered as they are stored. {XARRAY}"
    return [Finding("scaled_values", 1, (f"{name}: {said}",), is_problem=False, hint=hint)] if said else []


def _attributes(given: Any) -> dict[str, Any]:
    return {name: given.get(name) for name in (*SCALES, *FILLS)}


def _take(choice: Choice, column: Callable[[str], Column], opened: Opened) -> Opened:
    """Open the arrays that were chosen."""

    def one_or_several(paths: tuple[str, ...]) -> Any:
        if len(paths) > 1:
            return {name: column(path) for name, path in last_names(paths).items()}
        return column(paths[0]) if paths else None

    others = (f"not used: {', '.join(choice.others)}",) if choice.others else ()
    return replace(
        opened,
        inputs=one_or_several(choice.inputs),
        targets=one_or_several(choice.targets),
        weights=column(choice.weights) if choice.weights else None,
        facts=(*opened.facts, *others),
    )


def _refuse_meaning(column: Column, attributes: Any, name: str) -> None:
    """Refuse numbers that mean others, with both readings."""
    said = other_meaning(_attributes(attributes), column.given)
    if said:
        raise ArgumentError(
            f"{column.name}: its attributes say that the stored numbers mean others: {said}.",
            f"{XARRAY} For the numbers as they are stored, open the file and give the array: "
            f"bf.scan({{'x': file[{name!r}]}}).",
        )


def _open_hdf5(path: Path, options: ScanOptions) -> Opened:
    file = Hdf5File(path)

    def column(name: str) -> Column:
        found = file.column(name)
        _refuse_meaning(found, found.dataset.attrs, name)
        return found

    nothing: Any = None
    opened = Opened(str(path), nothing)
    taken = _take(choose(str(path), file.arrays(), options), column, opened)
    others = {source for each in taken.columns if isinstance(each, Hdf5Column) for source in each.sources}
    taken = replace(taken, files=Files(path, *sorted(others)))
    return _of_matlab(taken) if file.is_matlab else taken


def _of_matlab(opened: Opened) -> Opened:
    """Arrays as MATLAB has them: the axes of a sample in reverse, and vectors with one axis."""

    def turned(column: Column) -> Column:
        return ReshapedColumn(column, transposed=True) if len(column.shape) > 2 else column

    def flat(column: Column) -> Column:
        is_across = len(column.shape) == 2 and column.shape[0] == 1
        return ReshapedColumn(column, across=True, squeezed=True) if is_across else turned(column)

    x, y, w = (
        map_structure(part, how)
        for part, how in ((opened.inputs, turned), (opened.targets, flat), (opened.weights, flat))
    )
    few = ", ".join(
        f"{column.name}: {column.shape[::-1]} in MATLAB, {len(column):,} samples of "
        f"{column.sample_shape[::-1]}"
        for column in flatten(opened.inputs)
    )
    found = Finding("matlab_axes", 1, (few,), is_problem=False, hint=AXES)
    return replace(opened, inputs=x, targets=y, weights=w, findings=(*opened.findings, found))


def _open_npz(path: Path, options: ScanOptions) -> Opened:
    file, nothing = NpzFile(path), None
    files = Files(path)
    opened = Opened(str(path), nothing, files=files)  # type: ignore[arg-type]
    taken = _take(choose(str(path), file.arrays(), options), file.column, opened)
    unpacked = tuple(
        f"{name} is compressed: it was unpacked, which takes {format_bytes(nbytes)} of memory"
        for name, nbytes in file.unpacked.items()
    )
    return replace(taken, facts=(*taken.facts, *unpacked))


def _open_npy(path: Path, options: ScanOptions) -> Opened:
    options.refuse(("x", "y", "weight"), "a .npy file, which holds one array")
    return Opened(str(path), map_npy(path), files=Files(path))


def _open_zarr(path: Path, options: ScanOptions) -> Opened:
    store = ZarrStore(path)

    def column(name: str) -> Column:
        found = store.column(name)
        _refuse_meaning(found, found.attributes, name)
        return found

    nothing: Any = None
    opened = Opened(str(path), nothing, files=Files(path), root=path)
    return _take(choose(str(path), store.arrays(), options), column, opened)
