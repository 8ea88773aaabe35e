"""ArrayFolder: a Format: a folder with an array per file, of NumPy or of any kind that a function reads."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import LabelError, MalformedFileError, SourceNotFoundError
from brimful.options import ScanOptions
from brimful.samples import INFERRED_FROM, Samples
from brimful.schema import Classes, Field, Schema
from brimful.sources.arrays.dtypes import cast
from brimful.sources.arrays.file_readers import REPAIR, FileArrays, FileReader, FunctionFiles, NpyFiles
from brimful.sources.arrays.inferred import FIRST_BYTES, Inferred, infer, reshaped
from brimful.sources.arrays.npy import MOST_HEADER
from brimful.sources.arrays.suffix import NPY, array_suffix, second_suffix, usual_suffix
from brimful.sources.audit import findings_in
from brimful.sources.folder_format import FolderFormat
from brimful.sources.index import Index, RowOrder
from brimful.sources.labelled_folder import LabelledFolder, label_folder
from brimful.sources.listing import Listing, counted, list_folder
from brimful.sources.read_files import OPEN_AHEAD, OPEN_FILE_BYTES

UNKNOWN_SIZE = 2**62  # bytes: as large as a file may be while nothing is known of it
TAKEN = (
    *("labels", "id", "target", "weight", "regression", "classes"),
    *("shape", "dtype", "suffix"),
)


class ArrayFolder(FolderFormat):
    """A folder with an array per file, numbered in row order.

    Args:
        listing: The files.
        reader: How they are read.
        inferred: What most files hold; others are refused when they are read.
        inputs: Shape and dtype in which the input is delivered.
        is_targeted: Whether the targets in the files are delivered.
        classes: The integers that those may be; None for any.
    """

    def __init__(
        self,
        listing: Listing,
        reader: FileReader,
        inferred: Inferred,
        inputs: Field,
        *,
        is_targeted: bool,
        classes: Classes | None = None,
    ) -> None:
        super().__init__(listing)
        self._listing, self._reader, self._inferred = listing, reader, inferred
        self.schema = Schema(inputs, inferred.target if is_targeted else None, classes)
        self.identity = f"{reader.identity} {inferred} {self.schema}"
        given = inferred.inputs
        how = "" if isinstance(reader, NpyFiles) else f", {reader.identity}"
        others = [f"left out: {counted(listing.left_out)}"] if listing.left_out else []
        if inferred.target and not is_targeted:
            others.append("y in the files is not used: labels were given")
        self.facts = (f"{len(listing):,} {listing.suffix} files of {given.shape} {given.dtype}{how}", *others)

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """By inode."""
        return np.argsort(self._listing.inodes()[numbers], kind="stable")

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some files."""
        fields = self.schema.fields
        arrays = [np.empty((len(numbers), *field.shape), field.dtype) for field in fields]
        paths = self._listing.paths_of(numbers).to_pylist()
        root = self._listing.root
        for at, found in enumerate(self._reader.read(root, paths, self._largest, prints)):
            place = str(root / paths[at])
            self._check(found, place)
            for array, field, values in zip(arrays, fields, found, strict=False):
                given = np.asarray(values)[np.newaxis]
                array[at] = _cast(given, field.dtype, place).reshape(field.shape)
            if self.schema.classes is not None and int(arrays[-1][at]) not in self.schema.classes:
                raise MalformedFileError(
                    f"{place}: y is {arrays[-1][at]}, which is none of the classes.",
                    REPAIR,
                    kind="unknown_label",
                )
        return Samples(*self.schema.structured(arrays))

    @property
    def _largest(self) -> int:
        """Most bytes of a file: an array of the same size in the largest dtype, and a header."""
        stored = self._inferred.inputs.size * (8 if self._inferred.converts else self._itemsize)
        target = self._inferred.target
        compressed = self._inferred.nbytes // 4  # one that does not compress takes a little more
        return stored + (target.nbytes if target else 0) + 2 * MOST_HEADER + compressed

    @property
    def _itemsize(self) -> int:
        return np.dtype(self._inferred.inputs.dtype).itemsize

    def working_bytes(self, n: int) -> int:
        """The files as they are read, what they hold unpacked, the arrays handed out, files open ahead."""
        together = max(1, min(n, -(-(8 * 2**20) // self._largest)))
        return 3 * together * self._largest + 2 * (n + 1) * self.schema.nbytes + OPEN_AHEAD * OPEN_FILE_BYTES

    def _check(self, found: FileArrays, place: str) -> None:
        """Refuse a file that does not hold what most files do."""
        inputs, target = self._inferred.inputs, self._inferred.target
        x, y = found
        if x.shape != inputs.shape:
            raise MalformedFileError(
                f"{place}: expected the shape {inputs.shape}, as most files have. Found {x.shape}.",
                REPAIR,
                kind="wrong_shape",
            )
        is_other = x.dtype.newbyteorder("=").name != inputs.dtype
        if x.dtype.kind not in "biuf" or (is_other and not self._inferred.converts):
            raise MalformedFileError(
                f"{place}: expected {inputs.dtype}, as most files have. Found {x.dtype.name}.",
                f"Write it with that dtype, or have all files in one: dtype={_wider(inputs, x)!r}.",
                kind="wrong_dtype",
            )
        if (y is None) != (target is None) or (y is not None and target and y.shape != target.shape):
            found_y = "none" if y is None else f"the shape {y.shape}"
            raise MalformedFileError(
                f"{place}: expected {f'y of shape {target.shape}' if target else 'no y'}, as most files "
                f"have. Found {found_y}.",
                REPAIR,
                kind="wrong_shape",
            )


def _cast(given: NDArray[Any], dtype: str, place: str) -> NDArray[Any]:
    try:
        return cast(given, dtype, place, np.zeros(1, np.int64))
    except MalformedFileError as error:
        message = error.message.replace(f"{place}[0, ", f"{place}[", 1).replace(f"{place}[0]", place, 1)
        raise MalformedFileError(message, error.hint, error.kind) from error


def _wider(inputs: Field, x: NDArray[Any]) -> str:
    if x.dtype.kind not in "biuf":
        return inputs.dtype
    return np.promote_types(inputs.dtype, x.dtype.newbyteorder("=")).name


def is_array_folder(root: Path, options: ScanOptions) -> bool:
    """Whether a folder holds files of NumPy, or files that the user's function reads."""
    if options.read is not None or (options.suffix or "").lower() in NPY:
        return True
    return options.suffix is None and os.path.isdir(root) and array_suffix(root) is not None  # noqa: PTH112


def scan_array_folder(root: Path, options: ScanOptions) -> Index:
    """List a folder, join its labels, and infer shape and dtype from 256 files.

    Raises:
        SourceError: There are no samples, or no labels that fit, or the samples have no common shape.
        ArgumentError: An option does not fit the folder or its label table.
    """
    if not root.is_dir():
        raise SourceNotFoundError(f"{root}: there is no such folder.", "Check the path.")
    options.only((*TAKEN, "read"), "a folder with an array per file")
    reader: FileReader = NpyFiles() if options.read is None else FunctionFiles(options.read)
    suffix = options.suffix or (array_suffix(root) if options.read is None else usual_suffix(root))
    folder = label_folder(root, replace(options, suffix=suffix), list_folder, partial(infer, reader, options))
    inferred, listing = folder.inferred, folder.listing
    listing = replace(listing, findings=(*listing.findings, *second_suffix(listing)))
    is_targeted = _is_targeted(folder, options)
    inputs = Field(reshaped(inferred.inputs, options.shape), options.dtype or inferred.inputs.dtype)
    classes = _classes(inferred, options) if is_targeted else None
    samples = ArrayFolder(listing, reader, inferred, inputs, is_targeted=is_targeted, classes=classes)
    index = Index(samples, RowOrder(listing.hashes), None if is_targeted else folder.labels)
    count = max(1, min(INFERRED_FROM, FIRST_BYTES // max(1, inferred.nbytes)))
    index.sampled_findings = findings_in(index, np.arange(min(count, len(index))))
    return index


def _is_targeted(folder: LabelledFolder[Inferred], options: ScanOptions) -> bool:
    """Whether the targets in the files are taken; not if labels were given by name.

    Raises:
        LabelError: The files have targets, and there is a label table too.
    """
    if folder.inferred.target is None or options.labels is not None:
        return False
    if folder.labels is not None and folder.tables:
        raise LabelError(
            f"{folder.tables[0]}: this is a label table, and the files have y, too.",
            "Say which: labels='FILE' for the table; or take it out of the folder.",
        )
    return True


def _classes(inferred: Inferred, options: ScanOptions) -> Classes | None:
    """The classes that were given for integers in the files."""
    if inferred.target == Field((), "int64") and options.classes and isinstance(options.classes[0], int):
        return options.classes
    options.refuse(("classes",), "targets in files that are not one integer each, counted from 0")
    return None
