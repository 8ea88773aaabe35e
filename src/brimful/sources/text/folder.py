"""TextFolder: a folder of text files, one a sample, with their labels. A SourceReader."""

import contextlib
import copy
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import LabelError, MalformedFileError
from brimful.samples import Fault, Finding, Samples
from brimful.schema import Field, Schema
from brimful.sources.labels import FAULTS, FIT, Labels
from brimful.sources.listing import Listing, counted, strings
from brimful.sources.read_files import fingerprint, read_files
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError
from brimful.sources.text.parse import parse, parse_one

CLASSES_NAMED = 12
PARSED_TOGETHER = 128  # files a native call; while it runs, the kernel reads those opened ahead


class TextFolder:
    """A folder of text files, one a sample, with their labels.

    Args:
        listing: The files.
        labels: A label for each, or None.
        dialect: How the numbers lie in every file.
        shape: Shape of a sample's inputs.
        dtype: NumPy name of the float dtype to deliver.
        mean_file_bytes: Mean size of a file among those the dialect was inferred from.
        skipped: Samples that were left out because they cannot be used.
    """

    has_files = True
    split_seed = 0

    def __init__(
        self,
        listing: Listing,
        labels: Labels | None,
        dialect: Dialect,
        shape: tuple[int, ...],
        dtype: str,
        mean_file_bytes: int,
        skipped: tuple[Fault, ...] = (),
    ) -> None:
        self._listing = listing
        self._labels = labels
        self._dialect = dialect
        self.findings = (*(labels.findings if labels else ()), *listing.findings)
        self.sampled_findings: tuple[Finding, ...] = ()
        self.skipped = skipped
        self.mean_file_bytes = mean_file_bytes
        self._inputs = Field(shape, dtype)
        self.schema = Schema(self._inputs)
        if labels:
            weight = None if labels.weights is None else Field((), labels.weights.dtype.name)
            self.schema = Schema(self._inputs, labels.target, labels.classes, weight)

    @property
    def root(self) -> Path:
        """The folder."""
        return self._listing.root

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._listing.root)

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """`xxh3_64(key)` of every row, ascending."""
        return self._listing.hashes

    def row_from(self, value: int) -> int:
        """The first row whose hash is at least a value."""
        return bisect_left(self.hashes, value)

    @property
    def nbytes(self) -> int:
        """Bytes that the listing and the labels take in memory."""
        return self._listing.nbytes + (self._labels.nbytes if self._labels else 0)

    @property
    def facts(self) -> tuple[str, ...]:
        """How the files were understood."""
        dialect = self._dialect
        mark = {b" ": "blanks", b"\t": "tabs", b",": "commas", b";": "semicolons"}[dialect.delimiter]
        grid = f"{dialect.rows} x {dialect.columns} numbers between {mark}"
        lines = [
            f"{len(self):,} files of {grid}, {self.mean_file_bytes * len(self) / 1e6:,.1f} MB of text",
            f"{self._labels.how}; {_targets_named(self._labels)}" if self._labels else "no labels",
            f"{self.nbytes / len(self):.0f} bytes of memory a sample for the listing",
        ]
        if self.skipped:
            lines.append(f"{len(self.skipped):,} samples left out because they cannot be used")
        if self._listing.left_out:
            lines.append(f"left out: {counted(self._listing.left_out)}")
        return tuple(lines)

    def __len__(self) -> int:
        return len(self._listing)

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Keys of some rows."""
        return list(self._listing.take(rows).keys.to_pylist())

    def label_faults(self, rows: NDArray[np.int64]) -> dict[int, str]:
        """Kind of what is wrong with the label of some rows, by position; nothing where there are none."""
        if self._labels is None:
            return {}
        state = self._labels.state[rows]
        return {at: FAULTS[state[at] - 1] for at in np.flatnonzero(state).tolist()}

    def class_counts(self, rows: NDArray[np.int64]) -> dict[int, int] | dict[str, int] | None:
        """How many of some rows there are of each class."""
        if self._labels is None or self._labels.classes is None:
            return None
        classes = self._labels.classes
        fit = rows[self._labels.state[rows] == FIT]
        values, counts = np.unique(self._labels.values[fit], return_counts=True)
        by_value = dict(zip(values.tolist(), counts.tolist(), strict=True))
        return {
            name: by_value.get(name if isinstance(name, int) else at, 0) for at, name in enumerate(classes)
        }  # type: ignore[return-value]

    @property
    def identity(self) -> str:
        """The folder, and how its files are parsed."""
        return f"{self._listing.root.absolute()} {self._listing.root} {self._dialect} {self._inputs.dtype}"

    def fingerprints(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Size, times and inode of some files."""
        paths = strings(self._listing.paths.take(pa.array(rows)))
        return np.array([fingerprint(self._listing.root, path) for path in paths], np.int64)

    def disk_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions in rows, by inode."""
        return np.argsort(self._listing.inodes()[rows], kind="stable")

    def read(
        self,
        rows: NDArray[np.int64],
        *,
        targets: bool = True,
        prints: NDArray[np.int64] | None = None,
    ) -> Samples:
        """Read some samples, many files in one native call."""
        x = np.empty((len(rows), self._dialect.size), self._inputs.dtype)
        done = 0
        paths = self._listing.paths.take(pa.array(rows)).to_pylist()
        groups = read_files(
            self._listing.root,
            paths,
            largest=self._dialect.largest_file,
            at_a_time=self._text_bytes(len(rows)),
            prints=prints,
        )
        for texts in groups:
            x[done : done + len(texts)] = self._parse(paths[done : done + len(texts)], texts)
            done += len(texts)
        inputs = x.reshape(-1, *self._inputs.shape)
        return Samples(inputs, *self.targets(rows)) if targets else Samples(inputs)

    def with_sampled(self, findings: tuple[Finding, ...]) -> "TextFolder":
        """The same tree, with what was noticed in those files that the dialect was inferred from."""
        tree = copy.copy(self)
        tree.sampled_findings = findings
        return tree

    def without(self, faults: Sequence[Fault], rows: NDArray[np.int64]) -> "TextFolder":
        """The same tree with some files left out."""
        listing = replace(self._listing.take(rows), findings=())
        labels = self._labels and self._labels.take(rows).without_classes_left_out()
        if labels:
            labels = replace(labels, findings=_warnings(labels.findings))
        skipped = (*self.skipped, *faults)
        shape, dtype = self._inputs.shape, self._inputs.dtype
        return TextFolder(listing, labels, self._dialect, shape, dtype, self.mean_file_bytes, skipped)

    def working_bytes(self, n: int) -> int:
        """The text four times while it is searched; its cells and values while they are cast."""
        together = min(n, PARSED_TOGETHER)
        return 4 * self._text_bytes(n) + 24 * together * self._dialect.size + 2 * n * self.schema.nbytes

    def _text_bytes(self, n: int) -> int:
        """Bytes of text that are parsed at a time, of n files: many, or one that is very large."""
        together = min(n, PARSED_TOGETHER)
        return max(together * self.mean_file_bytes * 5 // 4, self._dialect.largest_file)

    def targets(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any] | None, NDArray[np.float32] | None]:
        """Target and weight of some rows."""
        labels = self._labels
        if labels is None:
            return None, None
        for at, kind in self.label_faults(rows).items():
            key = self.keys(rows[at : at + 1])[0]
            raise LabelError(f"{self.name}: {key!r}: {kind.replace('_', ' ')}.", "Correct the label table.")
        return labels.values[rows], None if labels.weights is None else labels.weights[rows]

    def _parse(self, paths: list[str], texts: FileContents) -> NDArray[Any]:
        try:
            return parse(texts, self._dialect, self._inputs.dtype)
        except TextError:
            files = texts.split()
            return np.stack([self._parse_one(path, file) for path, file in zip(paths, files, strict=True)])

    def _parse_one(self, path: str, file: bytes) -> NDArray[Any]:
        """Parse one file of many that would not be parsed together, and name it if it is the reason."""
        dtype = self._inputs.dtype
        with contextlib.suppress(TextError):
            alone: NDArray[Any] = parse(FileContents.of([file]), self._dialect, dtype)[0]
            return alone
        try:
            return parse_one(file, self._dialect, dtype)
        except TextError as error:
            raise malformed(self._listing.root / path, error, self._dialect) from error


def _warnings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if not finding.is_problem)


def _targets_named(labels: Labels) -> str:
    """The classes, or what else there is to predict, in words."""
    weighted = "" if labels.weights is None else ", with weights"
    if labels.classes is None:
        columns = labels.target.size
        return f"{columns} number{'s' * (columns > 1)} to predict{weighted}"
    few = ", ".join(map(str, labels.classes[:CLASSES_NAMED]))
    more = ", ..." if len(labels.classes) > CLASSES_NAMED else ""
    return f"{len(labels.classes):,} classes: {few}{more}{weighted}"


def malformed(path: Path, error: TextError, dialect: Dialect | None = None) -> MalformedFileError:
    """The error for a file whose text is not what it should be."""
    place = "".join(f":{at}" for at in (error.line, error.column) if at)
    expected = f" Samples here are {dialect.rows} x {dialect.columns} numbers." if dialect else ""
    return MalformedFileError(
        f"{path}{place}: {error}.{expected}", "Mend the file, or take it out of the folder.", kind=error.kind
    )
