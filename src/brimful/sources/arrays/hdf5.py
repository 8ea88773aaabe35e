"""Hdf5File: the datasets of an HDF5 file, and all by which HDF5 would give other values than are meant.

HDF5 gives zeros, without an error, for chunks that were never written, for virtual datasets whose sources are
gone, and for external files that are cut short. Each of these is found before a value is read.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, ReadError, SourceNotFoundError
from brimful.sources.arrays.column import Column
from brimful.sources.arrays.library import library

MATLAB = b"MATLAB 7.3 MAT-file"
LOCK = threading.RLock()  # HDF5 has one of its own, for which waiting threads would contend
PLUGINS = (
    "Other compressions are read once they are installed: pip install hdf5plugin, and import hdf5plugin."
)


class Hdf5File:
    """A file, open for reading in this process; after a fork it is opened again.

    Raises:
        MalformedFileError: It is no HDF5 file, or is cut off.
        ReadError: It cannot be opened.
        DependencyError: h5py is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = path.absolute()  # the folder of the process may change
        self._pid = -1
        self._file: Any = None
        self.file  # noqa: B018 (opens it)
        with path.open("rb") as file:
            self.is_matlab = file.read(len(MATLAB)) == MATLAB

    @property
    def file(self) -> Any:
        """The file of h5py."""
        with LOCK:
            if self._pid != os.getpid():  # a handle of before a fork reads wrong numbers
                self._file, self._pid = self._open(), os.getpid()
            return self._file

    def _open(self) -> Any:
        h5py = library("h5py", "HDF5 files")
        try:
            return h5py.File(self._place, "r")
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"{self.path}: there is no such file.", "Check the path.") from error
        except OSError as error:
            if "signature not found" in str(error) or "truncated" in str(error):
                raise MalformedFileError(
                    f"{self.path}: HDF5 cannot read this file: {error}.",
                    "Copy it again: it is cut off, or no HDF5 file.",
                ) from error
            raise ReadError(
                f"{self.path}: HDF5 cannot open this file: {error}.",
                "Check that nothing writes to it, and that you may read it.",
            ) from error

    def arrays(self) -> dict[str, str]:
        """Shape and dtype of each dataset that has an axis, in words, by its path."""
        h5py = library("h5py", "HDF5 files")
        found: dict[str, str] = {}

        def visit(path: str, thing: Any) -> None:
            if isinstance(thing, h5py.Dataset) and thing.shape:
                found[path] = f"{thing.shape} {thing.dtype}"

        with LOCK:
            self.file.visititems(visit)
        return found

    def column(self, path: str) -> "Hdf5Column":
        """A dataset, checked."""
        return Hdf5Column(self.file[path], self, path)


class Hdf5Column(Column):
    """A dataset of an HDF5 file.

    Args:
        dataset: The dataset, of h5py.
        file: The file, if brimful has opened it: it is opened again in another process.
        path: The path of the dataset in the file.

    Attributes:
        missing: Which samples lie in chunks that were never written; None if all were.
        fill: What HDF5 gives for values that were never written.
        sources: Other files that it takes values from.
    """

    def __init__(self, dataset: Any, file: Hdf5File | None = None, path: str = "") -> None:
        place = f"{file.path if file else dataset.file.filename}[{(path or dataset.name).strip('/')}]"
        super().__init__(place, tuple(dataset.shape), dataset.dtype)
        self._dataset, self._pid = dataset, os.getpid()
        self._file, self._path = file, path
        with LOCK:
            refuse_filters(self.name, dataset)
            refuse_lost_sources(self.name, dataset)
            self.missing = missing_samples(dataset)
            self.sources = frozenset(sources_of(dataset))
            self.fill = dataset.fillvalue if dataset.dtype.kind in "biuf" else None
        self.chunks = dataset.chunks
        self.chunk_rows = self.chunks[0] if self.chunks else 0

    @property
    def dataset(self) -> Any:
        """The dataset, open in this process."""
        if self._file is not None and self._pid != os.getpid():
            self._dataset, self._pid = self._file.file[self._path], os.getpid()
        return self._dataset

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Some consecutive samples."""
        try:
            with LOCK:
                block: NDArray[Any] = self.dataset[start:stop]
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise MalformedFileError(
                f"{self.name}[{start}:{stop}]: HDF5 cannot read this: {error}.",
                "The file is damaged: copy it again, or leave these samples out (on_bad='skip').",
            ) from error
        return block


def refuse_filters(name: str, dataset: Any) -> None:
    """Refuse a dataset whose compression HDF5 does not know here.

    Raises:
        MalformedFileError: It does not.
    """
    h5py = library("h5py", "HDF5 files")
    properties = dataset.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        code, _, _, label = properties.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            what = f"{code} ({label.decode(errors='replace')})" if label else str(code)
            raise MalformedFileError(
                f"{name}: it is compressed by the filter {what}, which HDF5 does not have here.",
                PLUGINS,
                kind="unreadable",
            )


def refuse_lost_sources(name: str, dataset: Any) -> None:
    """Refuse a dataset whose values lie in other files, or other datasets, that are not all there.

    Raises:
        MalformedFileError: They are not.
    """
    for what in (*_lost_external(dataset), *_lost_virtual(dataset)):
        raise MalformedFileError(
            f"{name}: {what}. HDF5 would give {dataset.fillvalue} in its place.",
            "Put the file back where the dataset expects it.",
            kind="missing_chunk",
        )


def _lost_external(dataset: Any) -> Iterator[str]:
    """What is wrong with the raw files that a dataset is kept in."""
    for file, offset, size in dataset.external or ():
        there = os.path.getsize(file) if os.path.exists(file) else -1  # noqa: PTH110, PTH202 (as HDF5 names it)
        if there < 0:
            yield f"its values are in {file!r}, which is not there"
        elif there < offset + min(size, dataset.nbytes):
            yield f"its values are in {file!r}, which is cut off after {there:,} bytes"


def _lost_virtual(dataset: Any) -> Iterator[str]:
    """What is wrong with the datasets that a virtual one is made of."""
    if not dataset.is_virtual:
        return
    h5py = library("h5py", "HDF5 files")
    covered = 0
    for virtual, file, path, _ in dataset.virtual_sources():
        own = dataset.file.filename
        place = own if file == "." else str(Path(own).parent / file)
        covered += virtual.get_select_npoints()
        if place == own:
            yield from _lost_in(dataset.file, path, place)
            continue
        try:
            with h5py.File(place, "r") as other:
                yield from _lost_in(other, path, place)
        except OSError as error:
            yield f"a part of it is in {place!r}, which cannot be opened ({error})"
    if covered < dataset.size:
        yield f"its sources have {covered:,} of its {dataset.size:,} values"


def _lost_in(file: Any, path: str, place: str) -> Iterator[str]:
    """What is wrong with one source of a virtual dataset."""
    if path not in file:
        yield f"a part of it is the dataset {path!r} of {place!r}, which is not there"
        return
    yield from _lost_external(file[path])
    yield from _lost_virtual(file[path])
    if missing_samples(file[path]) is not None:
        yield f"a part of it is the dataset {path!r} of {place!r}, some chunks of which were never written"


def sources_of(dataset: Any) -> Iterator[Path]:
    """The files that an external or virtual dataset takes values from, all of which are there."""
    h5py = library("h5py", "HDF5 files")
    yield from (Path(file) for file, _, _ in dataset.external or ())
    for _, file, path, _ in dataset.virtual_sources() if dataset.is_virtual else ():
        if file != ".":
            place = Path(dataset.file.filename).parent / file
            yield place
            with h5py.File(place, "r") as other:
                yield from sources_of(other[path])


def missing_samples(dataset: Any) -> NDArray[np.bool_] | None:
    """Which samples lie in chunks that were never written; None if all chunks were."""
    chunks = dataset.chunks
    if dataset.is_virtual or dataset.external or not dataset.size:
        return None
    if chunks is None:
        is_lost = dataset.id.get_storage_size() == 0 and dataset.dtype.kind in "biufc"
        return np.ones(len(dataset), bool) if is_lost else None
    grid = [-(-n // size) for n, size in zip(dataset.shape, chunks, strict=True)]
    if dataset.id.get_num_chunks() >= int(np.prod(grid, dtype=object)):
        return None
    written = np.zeros(grid[0], np.int64)
    seen = []
    dataset.id.chunk_iter(lambda info: seen.append(info.chunk_offset[0] // chunks[0]))
    np.add.at(written, seen, 1)
    is_missing = np.repeat(written < int(np.prod(grid[1:], dtype=object)), chunks[0])
    return is_missing[: len(dataset)]
