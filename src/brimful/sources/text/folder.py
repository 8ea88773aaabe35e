"""TextFolder: a Format: a folder of text files, one per sample."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.encodings.ragged import ENDS, RaggedEncoding
from brimful.errors import ArgumentError, SourceNotFoundError
from brimful.options import ScanOptions, check_choice, check_int
from brimful.samples import INFERRED_FROM, Samples
from brimful.schema import Field, Schema
from brimful.sources.audit import findings_in
from brimful.sources.folder_format import FolderFormat
from brimful.sources.index import Index, RowOrder
from brimful.sources.labelled_folder import label_folder
from brimful.sources.listing import Listing, counted, list_folder
from brimful.sources.read_files import OPEN_AHEAD, OPEN_FILE_BYTES, read_files
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError, TextOptions, malformed
from brimful.sources.text.doubts import doubts
from brimful.sources.text.infer import infer, usual_grid, usual_steps
from brimful.sources.text.parse import parse, parse_one
from brimful.sources.text.ragged import Lengths, RaggedText, ragged_field
from brimful.sources.text.unpack import unpacked
from brimful.sources.walk import COMPRESSED

PARSED_TOGETHER = 128  # files per native call, during which the kernel reads those opened ahead
GROUPS = 8  # into which files are divided that cannot be parsed together
TAKEN = (
    *("labels", "id", "target", "weight", "regression", "classes", "shape", "dtype"),
    *("suffix", "skip_lines", "columns", "decimal", "missing"),
    *("maxlen", "padding", "truncating", "value"),
)
"""The options that mean something for such a folder."""

RAGGED = ("padding", "truncating", "value")

MARKS = {b" ": "blanks", b"\t": "tabs", b",": "commas", b";": "semicolons"}


class TextFolder(FolderFormat):
    """A folder of text files, one per sample, numbered in row order.

    The numbers of a file are delivered in the shape and dtype of `inputs`; `mean_file_bytes` is the mean size
    of the files that the dialect was inferred from.
    """

    def __init__(self, listing: Listing, dialect: Dialect, inputs: Field, mean_file_bytes: int) -> None:
        super().__init__(listing)
        self._dialect = dialect
        self._inputs = inputs
        self._mean_file_bytes = mean_file_bytes
        self.schema = Schema(inputs)
        self.identity = f"{dialect.identity} {inputs.dtype}"  # inodes tell a folder from a copy of it
        grid = f"{dialect.rows} x {dialect.columns} numbers between {MARKS[dialect.delimiter]}"
        text = f"{mean_file_bytes * len(listing) / 1e6:,.1f} MB of text"
        others = [f"left out: {counted(listing.left_out)}"] if listing.left_out else []
        if dialect.missing not in ("raise", "skip"):
            which = "the mean of their column in the file" if dialect.missing == "mean" else dialect.missing
            others.append(f"missing values (empty cells, NA, nan, ?) are delivered as {which}")
        self.facts = (f"{len(listing):,} files of {grid}, {text}", *others)

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """By inode."""
        return np.argsort(self._listing.inodes()[numbers], kind="stable")

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples, many files in one native call."""
        x = np.empty((len(numbers), self._dialect.size), self._inputs.dtype)
        done = 0
        paths = self._listing.paths_of(numbers).to_pylist()
        groups = read_files(
            self._listing.root,
            paths,
            largest=self._dialect.largest_file,
            at_a_time=self._text_bytes(len(numbers)),
            prints=prints,
        )
        for packed in groups:
            texts = self._unpacked(paths[done : done + len(packed)], packed)
            x[done : done + len(texts)] = self._parse(paths[done : done + len(texts)], texts)
            done += len(texts)
        return Samples(x.reshape(-1, *self._inputs.shape))

    def _unpacked(self, paths: list[str], texts: FileContents) -> FileContents:
        """The texts of files that may be compressed."""
        suffix, largest, found = self._listing.suffix, self._dialect.largest_file, []
        if not suffix.endswith(COMPRESSED):
            return texts
        for path, text in zip(paths, texts.split(), strict=True):
            try:
                found.append(unpacked(text, suffix, largest))
            except TextError as error:
                raise malformed(self._listing.root / path, error, self._dialect) from error
        return FileContents.of(found)

    def working_bytes(self, n: int) -> int:
        """Four times the text while it is searched; cells and values as they are cast; files open ahead."""
        together = min(n, PARSED_TOGETHER)
        parsed = 24 * together * self._dialect.size + 2 * n * self.schema.nbytes
        return 4 * self._text_bytes(n) + parsed + min(n, OPEN_AHEAD) * OPEN_FILE_BYTES

    def _text_bytes(self, n: int) -> int:
        """Bytes of text that are parsed at a time, of n files: many small ones, or a very large one."""
        together = min(n, PARSED_TOGETHER)
        return max(together * self._mean_file_bytes * 5 // 4, self._dialect.largest_file)

    def _parse(self, paths: list[str], texts: FileContents) -> NDArray[Any]:
        """Parse files together or, where that fails, in smaller groups, down to single ones."""
        try:
            return parse(texts, self._dialect, self._inputs.dtype)
        except TextError:
            files, size = list(texts.split()), max(1, len(paths) // GROUPS)
            if len(files) == 1:
                return self._parse_one(paths[0], files[0])[np.newaxis]
            starts = range(0, len(files), size)
            groups = ((paths[at : at + size], files[at : at + size]) for at in starts)
            return np.concatenate([self._parse(some, FileContents.of(texts)) for some, texts in groups])

    def _parse_one(self, path: str, file: bytes) -> NDArray[Any]:
        """Parse a file the slow way, and name it if it is malformed."""
        try:
            return parse_one(file, self._dialect, self._inputs.dtype)
        except TextError as error:
            raise malformed(self._listing.root / path, error, self._dialect) from error


def scan_folder(root: Path, options: ScanOptions) -> Index:
    """List a folder, join its labels, and infer dialect and shape from 256 files.

    Raises:
        SourceError: There are no samples, or no labels that fit, or the samples have no common shape.
        ArgumentError: An option does not fit the folder or its label table.
    """
    _refuse_other(root)
    options.only(TAKEN, "a folder of text files")
    dtype = options.floats
    said = TextOptions(options.skip_lines, options.columns, options.decimal, options.missing)
    if options.maxlen is not None:
        return _scan_ragged(root, options, said)
    options.refuse(RAGGED, "samples of one length, without `maxlen`")
    folder = label_folder(root, options, list_folder, partial(infer, options=said))
    dialect = usual_grid(folder.listing, folder.inferred)
    unsure = doubts(folder.listing, dialect, dtype, said)
    listing = replace(folder.listing, findings=(*folder.listing.findings, *unsure))
    inputs = Field(_reshaped(dialect, options.shape), dtype)
    index = Index(
        TextFolder(listing, dialect, inputs, folder.inferred.mean_bytes),
        RowOrder(listing.hashes),
        folder.labels,
    )
    index.sampled_findings = findings_in(index, np.arange(min(INFERRED_FROM, len(index))))
    return index


def _scan_ragged(root: Path, options: ScanOptions, said: TextOptions) -> Index:
    """The index of a folder whose samples differ in length."""
    options.refuse(("shape",), "samples of unequal lengths, whose shape is that of `maxlen` steps")
    folder = label_folder(root, options, list_folder, partial(infer, options=said))
    listing, dialects = folder.listing, folder.inferred.dialects
    dialect = usual_steps(listing, dialects)
    if dialect.rows == 1:
        options.refuse(("columns",), "single lines, of which each number is a step")
    alike = [each for each in dialects.values() if each.is_steps_of(dialect)]
    lengths = Lengths(tuple(each.columns if dialect.rows == 1 else each.rows for each in alike))
    if not isinstance(options.maxlen, int):
        raise ArgumentError(
            f"Expected `maxlen` as a number. The first {len(alike):,} samples are {lengths}. "
            f"Received: maxlen={options.maxlen!r}"
        )
    ends = (options.padding or "pre", options.truncating or "pre")
    for name, end in zip(("padding", "truncating"), ends, strict=True):
        check_choice(name, end, ENDS)
    listing = replace(listing, findings=(*listing.findings, *lengths.findings(options.maxlen)))
    field = ragged_field(dialect, check_int("maxlen", options.maxlen, 1), options.floats)
    value = float(options.value or 0)
    if abs(value) > np.finfo(field.dtype).max:  # NaN is welcome, for a mask
        raise ArgumentError(f"Expected `value` as a {field.dtype}. Received: value={value:g}")
    encoding = RaggedEncoding(field, *ends, value)
    samples = RaggedText(listing, dialect, encoding, lengths, folder.inferred.mean_bytes)
    index = Index(samples, RowOrder(listing.hashes), folder.labels)
    index.sampled_findings = findings_in(index, np.arange(min(INFERRED_FROM, len(index))))
    return index


def _refuse_other(root: Path) -> None:
    """Refuse what is no folder."""
    if not os.path.exists(root):  # noqa: PTH110 (pathlib raises where a name is too long)
        raise SourceNotFoundError(f"{root}: there is no such folder.", "Check the path.")
    if not root.is_dir():
        raise SourceNotFoundError(
            f"{root}: this is a file.", "Give the folder that holds one file per sample."
        )


def _reshaped(dialect: Dialect, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is None:
        return dialect.shape
    if Field(shape, "float32").size != dialect.size:
        raise ArgumentError(
            f"Expected a `shape` of {dialect.size:,} values, as the files have "
            f"({dialect.rows} x {dialect.columns}). Received: shape={shape}"
        )
    return shape
