"""ArrayFolder: a Format: a folder with an array per file, of NumPy or of any kind that a function reads."""

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import ArgumentError, LabelError, MalformedFileError, SourceError, SourceNotFoundError
from brimful.options import ScanOptions
from brimful.samples import FINGERPRINT, INFERRED_FROM, Finding, Samples
from brimful.schema import Classes, Field, Schema
from brimful.sources.arrays.dtypes import cast, refuse_dtype
from brimful.sources.arrays.file_readers import REPAIR, FileArrays, FileReader, FunctionFiles, NpyFiles
from brimful.sources.arrays.npy import MOST_HEADER
from brimful.sources.audit import findings_in
from brimful.sources.base import BaseFormat
from brimful.sources.index import Index, RowOrder
from brimful.sources.label_table import FILE_NAMES
from brimful.sources.labelling import Labelling
from brimful.sources.labels import Labels
from brimful.sources.listing import MORE_SUFFIXES, Listing, counted, list_folder, strings
from brimful.sources.read_files import OPEN_AHEAD, OPEN_FILE_BYTES, fingerprint
from brimful.sources.walk import NO_SAMPLE, SUFFIXES, suffix_of

NPY = (".npy", ".npz")
LOOKED_AT = 1000  # files, to see what a folder holds
SECOND = 10  # one file in so many of another suffix is worth a remark
FIRST_BYTES = 64_000_000  # of files that the shape is inferred from
UNKNOWN_SIZE = 2**62  # bytes: as large as a file may be while nothing is known of it
TAKEN = (
    *("labels", "id", "target", "weight", "regression", "classes"),
    *("shape", "dtype", "suffix"),
)
NOT_DATA = (".csv", ".tsv", ".txt", ".md", ".json", ".yaml", ".yml", ".xml", ".py", ".pdf", "without suffix")
"""Suffixes of files that a function is not meant for, unless they are all there is."""


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


class ArrayFolder(BaseFormat):
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
        self._listing, self._reader, self._inferred = listing, reader, inferred
        self.schema = Schema(inputs, inferred.target if is_targeted else None, classes)
        self.root = listing.root
        self.name = str(listing.root)
        self.identity = f"{reader.identity} {inferred} {self.schema}"
        self.findings = listing.findings
        self.nbytes = int(listing.paths.nbytes)
        given = inferred.inputs
        how = "" if isinstance(reader, NpyFiles) else f", {reader.identity}"
        others = [f"left out: {counted(listing.left_out)}"] if listing.left_out else []
        if inferred.target and not is_targeted:
            others.append("y in the files is not used: labels were given")
        self.facts = (f"{len(listing):,} {listing.suffix} files of {given.shape} {given.dtype}{how}", *others)

    def __len__(self) -> int:
        return len(self._listing)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """Paths of some files without suffix."""
        return self._listing.keys_of(self._listing.paths_of(numbers))

    def place(self, number: int) -> str:
        """The file."""
        return str(self._listing.root / self._listing.paths[number].as_py())

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Size, times and inode of some files."""
        paths = strings(self._listing.paths_of(numbers))
        prints = [fingerprint(self._listing.root, path) for path in paths]
        return np.array(prints, np.int64).reshape(len(numbers), len(FINGERPRINT))

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


def array_suffix(root: Path) -> str | None:
    """The suffix of the files of NumPy in a folder; None if it is a folder of something else.

    A thousand files are looked at, at the most.

    Raises:
        SourceError: There are files of NumPy and as many of text: either may be the samples.
    """
    counts = Counter(suffix_of(name) for _, name in islice(_files(root), LOOKED_AT))
    usual = max(NPY, key=lambda suffix: counts[suffix])
    text = sum(counts[suffix] for suffix in (*SUFFIXES, *MORE_SUFFIXES))
    if not counts[usual] or counts[usual] * SECOND <= text:
        return None
    if text * SECOND > counts[usual] and text > 1:
        raise SourceError(
            f"{root}: of the first {counts.total():,} files, {counts[usual]:,} are {usual}, {text:,} are "
            "text: either may be the samples.",
            f"Say which: suffix='{usual}', --suffix {usual}; or suffix='.csv', --suffix .csv.",
        )
    return usual


def _files(root: Path) -> Iterable[tuple[str, str]]:
    """Files below a folder that may be samples, label tables left out."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name[0] not in NO_SAMPLE and name.lower() not in FILE_NAMES:
                yield folder, name


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
    labelling = Labelling(root, options)
    with ThreadPoolExecutor(1, "brimful-scan") as pool:
        reading = pool.submit(labelling.read)
        files = list_folder(root, without=labelling.tables, suffix=suffix, progress=options.progress)
        whole = labelling.samples_of(files)
        limit = options.limit
        rows = whole.draw(limit) if limit is not None and limit < len(whole) else None
        listing = whole if rows is None else whole.take(rows)
        inferring = pool.submit(_infer, listing, reader, options)
        labels, unclear = labelling.labels(whole, reading.result())
        if labels and rows is not None:
            labels = labels.take(rows).with_findings(listing)
        inferred = inferring.result()
    listing = replace(listing, findings=(*listing.findings, *unclear, *_second(listing)))
    is_targeted = _is_targeted(inferred, labels, labelling, options)
    inputs = Field(_shape(inferred.inputs, options.shape), options.dtype or inferred.inputs.dtype)
    classes = _classes(inferred, options) if is_targeted else None
    samples = ArrayFolder(listing, reader, inferred, inputs, is_targeted=is_targeted, classes=classes)
    index = Index(samples, RowOrder(listing.hashes), None if is_targeted else labels)
    count = max(1, min(INFERRED_FROM, FIRST_BYTES // max(1, inferred.nbytes)))
    index.sampled_findings = findings_in(index, np.arange(min(count, len(index))))
    return index


def _is_targeted(
    inferred: Inferred, labels: Labels | None, labelling: Labelling, options: ScanOptions
) -> bool:
    """Whether the targets in the files are taken; not if labels were given by name.

    Raises:
        LabelError: The files have targets, and there is a label table too.
    """
    if inferred.target is None or options.labels is not None:
        return False
    if labels is not None and labelling.tables:
        raise LabelError(
            f"{labelling.tables[0]}: this is a label table, and the files have y, too.",
            "Say which: labels='FILE' for the table; or take it out of the folder.",
        )
    return True


def _classes(inferred: Inferred, options: ScanOptions) -> Classes | None:
    """The classes that were given for integers in the files."""
    if inferred.target == Field((), "int64") and options.classes and isinstance(options.classes[0], int):
        return options.classes
    options.refuse(("classes",), "targets in files that are not one integer each, counted from 0")
    return None


def _second(listing: Listing) -> tuple[Finding, ...]:
    """The finding about files of NumPy with the other suffix, if there are many of them."""
    found = []
    for other in NPY:
        count, most = listing.left_out.get(other, 0), len(listing)
        if listing.suffix in NPY and other != listing.suffix and count * SECOND >= most:
            example = f"{most:,} files are {listing.suffix}, {count:,} are {other}, which are left out"
            hint = f"Say which are the samples: suffix='{listing.suffix}', --suffix {listing.suffix}."
            found.append(Finding("second_suffix", count, (example,), is_problem=count * 2 >= most, hint=hint))
    return tuple(found)


def usual_suffix(root: Path) -> str:
    """The most frequent suffix of a folder, of files that may be data.

    Raises:
        SourceNotFoundError: There are no files.
    """
    counts = Counter(suffix_of(name) for _, name in islice(_files(root), LOOKED_AT))
    if not counts:
        raise SourceNotFoundError(f"{root}: the folder has no files.", "Check the path.")
    data = {suffix: count for suffix, count in counts.items() if suffix not in NOT_DATA} or counts
    usual, most = max(data.items(), key=lambda item: item[1])
    rivals = [suffix for suffix, count in data.items() if suffix != usual and count * 2 > most]
    if rivals:
        raise SourceError(
            f"{root}: which files are the samples? There are {counted(counts)}.",
            f"Say which: suffix='{usual}', --suffix {usual}.",
        )
    return "" if usual == "without suffix" else usual


def _infer(listing: Listing, reader: FileReader, options: ScanOptions) -> Inferred:
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


def _shape(given: Field, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is not None and Field(shape, given.dtype).size != given.size:
        raise ArgumentError(
            f"Expected a `shape` of {given.size:,} values, as the files have ({given.shape}). "
            f"Received: shape={shape}"
        )
    return shape or given.shape
