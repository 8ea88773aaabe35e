"""CsvTree: a folder of text files, one a sample, with their labels. A Reader."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import LabelError, MalformedFileError
from brimful.schema import Field, Schema
from brimful.sources.base import Finding, Samples
from brimful.sources.files import read_files
from brimful.sources.labels import NO_LABEL, Labels
from brimful.sources.layout import Layout, TextError
from brimful.sources.listing import Listing, counted
from brimful.sources.text import parse, parse_one

CLASSES_NAMED = 12
PARSED_TOGETHER = 128  # files a native call; while it runs, the kernel reads those opened ahead


class CsvTree:
    """A folder of text files, one a sample, with their labels.

    Args:
        listing: The files.
        labels: A label for each, or None.
        layout: How the numbers lie in every file.
        shape: Shape of a sample's inputs.
        dtype: NumPy name of the float dtype to deliver.
        findings: What was noticed while the layout was inferred.
        mean_file_bytes: Mean size of a file among those the layout was inferred from.
    """

    def __init__(
        self,
        listing: Listing,
        labels: Labels | None,
        layout: Layout,
        shape: tuple[int, ...],
        dtype: str,
        findings: tuple[Finding, ...],
        mean_file_bytes: int,
    ) -> None:
        self._listing = listing
        self._labels = labels
        self._layout = layout
        self._target_values = labels.values() if labels else None
        self.findings = (*(labels.findings if labels else ()), *findings)
        self.mean_file_bytes = mean_file_bytes
        target = Field((), "int64") if labels else None
        self.schema = Schema(Field(shape, dtype), target, labels.classes if labels else None)

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._listing.root)

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """`xxh3_64(key)` of every row, ascending."""
        return self._listing.hashes

    @property
    def nbytes(self) -> int:
        """Bytes that the listing and the labels take in memory."""
        return self._listing.nbytes + (self._labels.codes.nbytes if self._labels else 0)

    @property
    def facts(self) -> tuple[str, ...]:
        """How the files were understood."""
        layout = self._layout
        mark = {b" ": "blanks", b"\t": "tabs", b",": "commas", b";": "semicolons"}[layout.delimiter]
        grid = f"{layout.rows} x {layout.columns} numbers between {mark}"
        lines = [
            f"{len(self):,} files of {grid}, {self.mean_file_bytes * len(self) / 1e6:,.1f} MB of text",
            f"{self._labels.how}; {_named(self._labels.classes)}" if self._labels else "no labels",
            f"{self.nbytes / len(self):.0f} bytes of memory a sample for the listing",
        ]
        if self._listing.left_out:
            lines.append(f"left out: {counted(self._listing.left_out)}")
        return tuple(lines)

    def __len__(self) -> int:
        return len(self._listing)

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Keys of some rows."""
        return list(self._listing.take(rows).keys.to_pylist())

    def read(self, rows: NDArray[np.int64]) -> Samples:
        """Read some samples, many files in one native call."""
        x = np.empty((len(rows), self._layout.size), self.schema.inputs.dtype)
        done = 0
        paths = self._listing.paths.take(pa.array(rows)).to_pylist()
        groups = read_files(
            self._listing.root,
            paths,
            largest=self._layout.largest_file,
            at_a_time=self._text_bytes(len(rows)),
        )
        for files in groups:
            x[done : done + len(files)] = self._parse(paths[done : done + len(files)], files)
            done += len(files)
        return Samples(x.reshape(-1, *self.schema.inputs.shape), self._targets(rows))

    def working_bytes(self, n: int) -> int:
        """The text four times while it is searched; its cells and values while they are cast."""
        together = min(n, PARSED_TOGETHER)
        return 4 * self._text_bytes(n) + 24 * together * self._layout.size + 2 * n * self.schema.nbytes

    def _text_bytes(self, n: int) -> int:
        """Bytes of text that are parsed at a time, of n files: many, or one that is very large."""
        together = min(n, PARSED_TOGETHER)
        return max(together * self.mean_file_bytes * 5 // 4, self._layout.largest_file)

    def _targets(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        if self._labels is None or self._target_values is None:
            return None
        codes = self._labels.codes[rows]
        if (codes == NO_LABEL).any():
            key = self.keys(rows[codes == NO_LABEL][:1])[0]
            raise LabelError(f"{self.name}: {key!r} has no label.", "Add it to the label table.")
        return self._target_values[codes]

    def _parse(self, paths: list[str], files: list[bytes]) -> NDArray[Any]:
        try:
            return parse(files, self._layout, self.schema.inputs.dtype)
        except TextError:
            return np.stack([self._parse_one(path, file) for path, file in zip(paths, files, strict=True)])

    def _parse_one(self, path: str, file: bytes) -> NDArray[Any]:
        """Parse one file of many that would not be parsed together, and name it if it is the reason."""
        try:
            return parse_one(file, self._layout, self.schema.inputs.dtype)
        except TextError as error:
            raise malformed(self._listing.root / path, error, self._layout) from error


def _named(classes: Sequence[int] | Sequence[str]) -> str:
    """The classes, in words."""
    few = ", ".join(map(str, classes[:CLASSES_NAMED]))
    return f"{len(classes):,} classes: {few}{', ...' if len(classes) > CLASSES_NAMED else ''}"


def malformed(path: Path, error: TextError, layout: Layout | None = None) -> MalformedFileError:
    """The error for a file whose text is not what it should be."""
    place = "".join(f":{at}" for at in (error.line, error.column) if at)
    expected = f" Samples here are {layout.rows} x {layout.columns} numbers." if layout else ""
    return MalformedFileError(
        f"{path}{place}: {error}.{expected}", "Mend the file, or take it out of the folder.", kind=error.kind
    )
