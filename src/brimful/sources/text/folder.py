"""TextFolder: a Format: a folder of text files, one per sample."""

import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError, ReadError, SourceError, SourceNotFoundError
from brimful.options import ScanOptions
from brimful.samples import FINGERPRINT, INFERRED_FROM, Samples
from brimful.schema import Field, Schema
from brimful.sources.audit import findings_in
from brimful.sources.base import BaseFormat
from brimful.sources.index import Index, RowOrder
from brimful.sources.labelling import Labelling
from brimful.sources.listing import Listing, counted, list_folder, strings
from brimful.sources.read_files import OPEN_AHEAD, OPEN_FILE_BYTES, fingerprint, read_file, read_files
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError, TextOptions
from brimful.sources.text.doubts import doubts
from brimful.sources.text.parse import detect, parse, parse_one
from brimful.sources.text.unpack import unpacked
from brimful.sources.walk import COMPRESSED
from brimful.sources.words import MISSING_WORDS

PARSED_TOGETHER = 128  # files per native call, during which the kernel reads those opened ahead
GROUPS = 8  # into which files are divided that cannot be parsed together
HEAD_BYTES = 4096  # of a file, to compare with those of others
QUOTED = re.compile(rb'(?m)(^|[,;\t]) *"[^"\n]*" *([,;\t\r]|$)')
TAKEN = (
    *("labels", "id", "target", "weight", "regression", "classes", "shape", "dtype"),
    *("suffix", "skip_lines", "columns", "decimal", "missing"),
)
"""The options that mean something for such a folder."""

MARKS = {b" ": "blanks", b"\t": "tabs", b",": "commas", b";": "semicolons"}


class TextFolder(BaseFormat):
    """A folder of text files, one per sample, numbered in row order.

    The numbers of a file are delivered in the shape and dtype of `inputs`; `mean_file_bytes` is the mean size
    of the files that the dialect was inferred from.
    """

    def __init__(self, listing: Listing, dialect: Dialect, inputs: Field, mean_file_bytes: int) -> None:
        self._listing = listing
        self._dialect = dialect
        self._inputs = inputs
        self._mean_file_bytes = mean_file_bytes
        self.schema = Schema(inputs)
        self.root = root = listing.root
        self.name = str(root)
        self.identity = f"{dialect.identity} {inputs.dtype}"  # inodes tell a folder from a copy of it
        self.findings = listing.findings
        self.nbytes = int(listing.paths.nbytes)  # the hashes are those of the index
        grid = f"{dialect.rows} x {dialect.columns} numbers between {MARKS[dialect.delimiter]}"
        text = f"{mean_file_bytes * len(listing) / 1e6:,.1f} MB of text"
        others = [f"left out: {counted(listing.left_out)}"] if listing.left_out else []
        if dialect.missing not in ("raise", "skip"):
            which = "the mean of their column in the file" if dialect.missing == "mean" else dialect.missing
            others.append(f"missing values (empty cells, NA, nan, ?) are delivered as {which}")
        self.facts = (f"{len(listing):,} files of {grid}, {text}", *others)

    def __len__(self) -> int:
        return len(self._listing)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """Paths of some files without suffix."""
        return self._listing.keys_of(self._listing.paths_of(numbers))

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Size, times and inode of some files."""
        paths = strings(self._listing.paths_of(numbers))
        prints = [fingerprint(self._listing.root, path) for path in paths]
        return np.array(prints, np.int64).reshape(len(numbers), len(FINGERPRINT))

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
    labelling = Labelling(root, options)
    said = TextOptions(options.skip_lines, options.columns, options.decimal, options.missing)
    with ThreadPoolExecutor(1, "brimful-scan") as pool:
        reading = pool.submit(labelling.read)
        files = list_folder(root, without=labelling.tables, suffix=options.suffix, progress=options.progress)
        whole = labelling.samples_of(files)
        limit = options.limit
        rows = whole.draw(limit) if limit is not None and limit < len(whole) else None
        listing = whole if rows is None else whole.take(rows)
        inferring = pool.submit(_infer, listing, said)
        labels, unclear = labelling.labels(whole, reading.result())
        if labels and rows is not None:
            labels = labels.take(rows).with_findings(listing)
        dialect, mean_bytes = inferring.result()
    unsure = doubts(listing, dialect, dtype, said)
    listing = replace(listing, findings=(*listing.findings, *unclear, *unsure))
    inputs = Field(_reshaped(dialect, options.shape), dtype)
    index = Index(TextFolder(listing, dialect, inputs, mean_bytes), RowOrder(listing.hashes), labels)
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


def _infer(listing: Listing, options: TextOptions) -> tuple[Dialect, int]:
    """The dialect of most of the first files, and their mean size."""
    dialects: dict[str, Dialect] = {}
    sizes, heads = [], []
    first_error: SourceError | None = None
    for path in listing.paths[:INFERRED_FROM].to_pylist():
        full = listing.root / path
        try:
            file = unpacked(read_file(full), listing.suffix)
            heads.append(file[:HEAD_BYTES])
            dialects[path] = detect(file, options)
            sizes.append(len(file))
        except TextError as error:
            first_error = first_error or malformed(full, error)
        except ReadError as error:
            first_error = first_error or error
    if options.missing != "raise" and len({dialect.trailing for dialect in dialects.values()}) > 1:
        return _infer(listing, replace(options, trailing=False))  # what is missing there is a value
    if first_error and not dialects:
        raise _of_all(listing.root, heads, options) or _none_of(listing.root, len(heads), first_error)
    usual = _usual(listing, dialects)
    quoted = usual.quoted or any(map(QUOTED.search, heads))
    return replace(usual, quoted=quoted), max(1, sum(sizes) // len(sizes))


def _none_of(root: Path, count: int, error: SourceError) -> SourceError:
    """The error for files none of which can be read, given that of the first."""
    if count < 2:
        return error
    return MalformedFileError(
        f"{root}: none of the {count:,} files that were looked at can be read. The first: {error.message}",
        "What all files have that is no data can be left out: --skip-lines for first lines, --columns for "
        "others; --decimal says the decimal mark, --missing what stands for missing values.",
        kind=error.kind,
    )


def _of_all(root: Path, heads: list[bytes], options: TextOptions) -> MalformedFileError | None:
    """The error for files that all begin with the same lines which are no numbers; None if they do not."""
    if len(heads) < 2 or options.skip_lines is not None:
        return None
    lines = [head.splitlines() for head in heads]
    common = 0
    while all(len(each) > common and each[common] == lines[0][common] for each in lines):
        common += 1
    words = [at for at in range(common) if _has_words(lines[0][at])]
    if not words:
        return None
    first = lines[0][words[-1]][:60].decode(errors="replace")
    skip = words[-1] + 1
    return MalformedFileError(
        f"{root}: all {len(heads):,} files that were looked at begin with the same "
        f"{'line' if skip == 1 else f'{skip} lines'} of words: {first!r}.",
        f"Leave them out: skip_lines={skip}, --skip-lines {skip}; and columns that are no numbers: "
        "columns='2-4', --columns 2-4.",
    )


def _has_words(line: bytes) -> bool:
    """Whether there are words in a line, others than those for missing values."""
    cells = re.split(r"[,;\t ]+", line.decode(errors="replace").replace('"', "").casefold())
    return any(re.search("[a-z]{2}", cell) and cell not in MISSING_WORDS for cell in cells)


def _usual(listing: Listing, by_path: dict[str, Dialect]) -> Dialect:
    """The most frequent dialect of the shape that most files have."""
    dialects = list(by_path.values())
    grids = Counter((dialect.rows, dialect.columns) for dialect in dialects)
    grid, count = grids.most_common(1)[0]
    if count * 2 <= len(dialects):
        shapes = ", ".join(f"{n} of {rows} x {columns}" for (rows, columns), n in grids.most_common(10))
        raise MalformedFileError(
            f"{listing.root}: the files have no shape in common: {shapes}.",
            _label_folder(listing, by_path) or "Every sample must have the same shape.",
            kind="wrong_shape",
        )
    usual = Counter(dialect for dialect in dialects if (dialect.rows, dialect.columns) == grid)
    return usual.most_common(1)[0][0]


def _label_folder(listing: Listing, dialects: dict[str, Dialect]) -> str:
    """What to do if the files of one folder hold one number each, as labels do; empty if none does."""
    sizes: dict[str, set[int]] = {}
    for path, dialect in dialects.items():
        sizes.setdefault(path.rpartition("/")[0], set()).add(dialect.size)
    labels = [folder for folder, found in sizes.items() if found == {1}]
    others = [folder for folder, found in sizes.items() if 1 not in found]
    if len(labels) != 1 or not others or not labels[0]:
        return ""
    samples = listing.root / others[0]
    up = "../" * (1 + others[0].count("/")) if others[0] else ""
    pattern = f"files:{up}{labels[0]}/*{listing.suffix}"
    return (
        f"If {labels[0]} holds the label of each sample, scan the samples alone: {samples}, with "
        f"labels={pattern!r}, --labels {pattern!r}."
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


def malformed(path: Path, error: TextError, dialect: Dialect | None = None) -> MalformedFileError:
    """The error for a file whose text is malformed, with its line and column."""
    place = "".join(f":{at}" for at in (error.line, error.column) if at)
    expected = f" Samples here are {dialect.rows} x {dialect.columns} numbers." if dialect else ""
    return MalformedFileError(
        f"{path}{place}: {error}.{expected}",
        "Repair the file, or take it out of the folder.",
        kind=error.kind,
    )
