"""Inferred: what the first files of a folder with an array in each hold."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError, SourceError
from brimful.options import ScanOptions
from brimful.samples import INFERRED_FROM
from brimful.schema import Field
from brimful.sources.arrays.dtypes import refuse_dtype
from brimful.sources.arrays.file_readers import FileReader
from brimful.sources.listing import Listing

FIRST_BYTES = 64_000_000  # of files that the shape is inferred from


@dataclass(frozen=True)
class Inferred:
    """What most of the first files hold.

    Attributes:
        inputs: The input as it is stored.
        target: The target in each file; None if they have none.
        nbytes: Bytes of the largest of them.
        converts: Whether files of any dtype are converted to the one that was asked for.
    """

    inputs: Field
    target: Field | None
    nbytes: int
    converts: bool


def infer(reader: FileReader, options: ScanOptions, listing: Listing) -> Inferred:
    """Shape and dtype of most of the first files."""
    found: list[tuple[Field, Field | None]] = []
    first_error: SourceError | None = None
    largest = read = 0
    for path in listing.paths[:INFERRED_FROM].to_pylist():
        try:
            x, y = next(iter(reader.read(listing.root, [path], _size(listing.root / path), None)))
        except SourceError as error:
            first_error = first_error or error
            continue
        found.append((_field(x), None if y is None else _target(y, options)))
        largest, read = max(largest, x.nbytes), read + x.nbytes
        if read > FIRST_BYTES:
            break
    if not found and first_error:
        raise first_error
    return Inferred(*_usual(listing, found), largest, options.dtype is not None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _usual(listing: Listing, found: list[tuple[Field, Field | None]]) -> tuple[Field, Field | None]:
    shapes = Counter(x.shape for x, _ in found)
    shape, count = shapes.most_common(1)[0]
    if count * 2 <= len(found):
        listed = ", ".join(f"{n} of {shape}" for shape, n in shapes.most_common(10))
        raise MalformedFileError(
            f"{listing.root}: the files have no shape in common: {listed}.",
            "Every sample must have the same shape.",
            kind="wrong_shape",
        )
    (x, y), _ = Counter(each for each in found if each[0].shape == shape).most_common(1)[0]
    refuse_dtype(str(listing.root), np.dtype(x.dtype))
    if 0 in shape:
        raise MalformedFileError(f"{listing.root}: the arrays have no values: {shape}.", kind="empty")
    return x, y


def _field(x: NDArray[Any]) -> Field:
    return Field(x.shape, x.dtype.newbyteorder("=").name if x.dtype.kind in "biuf" else x.dtype.str)


def _target(y: NDArray[Any], options: ScanOptions) -> Field:
    refuse_dtype("y in the files", y.dtype)
    return Field(y.shape, "float32" if y.dtype.kind == "f" or options.regression else "int64")


def reshaped(given: Field, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape that was asked for, or the given one.

    Raises:
        ArgumentError: It has more or fewer values.
    """
    if shape is not None and Field(shape, given.dtype).size != given.size:
        raise ArgumentError(
            f"Expected a `shape` of {given.size:,} values, as the files have ({given.shape}). "
            f"Received: shape={shape}"
        )
    return shape or given.shape
