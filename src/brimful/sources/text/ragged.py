"""RaggedText: a Format: a folder of text files, one per sample, of unequal lengths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from brimful.encodings.ragged import RaggedEncoding
from brimful.errors import SourceError
from brimful.samples import EXAMPLES, Finding, Samples
from brimful.schema import Field, Schema
from brimful.sources.folder_format import FolderFormat
from brimful.sources.listing import Listing, counted, strings
from brimful.sources.read_files import read_print
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError, malformed
from brimful.sources.text.parse import line_dialect, parse, parse_one
from brimful.sources.text.unpack import unpacked

TOGETHER = 128  # files per native call


@dataclass(frozen=True)
class Lengths:
    """The lengths of some samples."""

    of_each: tuple[int, ...]

    def __str__(self) -> str:
        least, low, middle, high, most = np.percentile(self.of_each, (0, 25, 50, 75, 100), method="nearest")
        return f"{least:,} to {most:,} long, half of them {low:,} to {high:,}, the middle one {middle:,}"

    def most_of(self, share: float) -> int:
        """The length that a share of them does not exceed."""
        return int(np.percentile(self.of_each, 100 * share, method="higher"))

    def findings(self, maxlen: int) -> tuple[Finding, ...]:
        """The warning that samples are cut, counted among these."""
        longer = [length for length in self.of_each if length > maxlen]
        if not longer:
            return ()
        examples = tuple(f"{length:,} steps, cut to {maxlen:,}" for length in longer[:EXAMPLES])
        hint = f"A maxlen of {max(longer):,} keeps all of the {len(self.of_each):,} samples looked at whole."
        return (Finding("cut_sample", len(longer), examples, is_problem=False, hint=hint),)


class RaggedText(FolderFormat):
    """A folder of text files, one per sample, numbered in row order; a line of a file is a step.

    Args:
        listing: The files.
        dialect: How they are written; its number of lines means nothing.
        encoding: How samples are delivered.
        lengths: Those of the first samples.
        mean_bytes: The mean size of their files.
    """

    def __init__(
        self, listing: Listing, dialect: Dialect, encoding: RaggedEncoding, lengths: Lengths, mean_bytes: int
    ) -> None:
        super().__init__(listing)
        self._is_line = dialect.rows == 1  # of which each number is a step
        self._dialect = replace(dialect, rows=0)
        self._encoding = encoding
        self._mean_bytes = mean_bytes
        self.schema = Schema(replace(encoding.field, encoding=encoding.name))
        step = encoding.field.nbytes // encoding.field.shape[0]
        self.encoded_bytes = int(np.mean(lengths.of_each) * step)
        self._longest = max(lengths.of_each) * step
        self.identity = f"ragged {self._dialect.identity} {encoding.name} {encoding.field}"
        others = [f"left out: {counted(listing.left_out)}"] if listing.left_out else []
        width = 1 if self._is_line else dialect.columns
        text = f"{mean_bytes * len(listing) / 1e6:,.1f} MB of text"
        end = f"delivered with {encoding.field.shape[0]:,} steps"
        how = f"{end}, padded {encoding.padding}, cut {encoding.truncating}, value {encoding.value:g}"
        self.facts = (
            f"{len(listing):,} files of {width} numbers a step, {text}",
            f"the first {len(lengths.of_each):,} are {lengths}; {how}",
            *others,
        )

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples, many files in one native call."""
        paths, texts = list(strings(self._listing.paths_of(numbers))), list[bytes]()
        for at, path in enumerate(paths):
            text, found = read_print(self._listing.root, path)
            texts.append(self._unpacked(path, text))
            if prints is not None:
                prints[at] = found
        samples = np.empty(len(paths), object)
        for first in range(0, len(paths), TOGETHER):
            here = slice(first, first + TOGETHER)
            for at, values in enumerate(self._parsed(paths[here], texts[here]), start=first):
                samples[at] = self._encoding.encode(values)
        return Samples(samples)

    def working_bytes(self, n: int) -> int:
        """The text of a group and its cells, and what is handed out."""
        text = min(n, TOGETHER) * self._mean_bytes * 6
        each = self._mean_bytes + 2 * self.encoded_bytes + self.schema.nbytes
        return n * each + text + 4 * self._longest

    def _unpacked(self, path: str, text: bytes) -> bytes:
        try:
            return unpacked(text, self._listing.suffix)
        except TextError as error:
            raise self._malformed(path, error) from error

    def _parsed(self, paths: Sequence[str], texts: Sequence[bytes]) -> list[NDArray[np.generic]]:
        """The numbers of some files: parsed as one file or, where that fails, each by itself."""
        columns, dtype = self._dialect.columns, self._encoding.field.dtype
        counts = [text.count(b"\n") + (not text.endswith(b"\n")) for text in texts]
        if not (self._is_line or self._dialect.skip) and all(
            text.count(b"\r") == text.count(b"\r\n") for text in texts
        ):
            joined = b"\n".join(text.removesuffix(b"\n") for text in texts) + b"\n"
            try:
                whole = replace(self._dialect, rows=sum(counts))
                values = parse(FileContents.of([joined]), whole, dtype).reshape(-1, columns)
            except TextError:
                pass
            else:
                ends = np.cumsum([0, *counts]).tolist()
                return [values[start:stop] for start, stop in pairwise(ends)]
        return [self._parsed_alone(*each) for each in zip(paths, texts, strict=True)]

    def _parsed_alone(self, path: str, text: bytes) -> NDArray[np.generic]:
        try:
            dialect = line_dialect(text, self._dialect) if self._is_line else self._dialect
            return parse_one(text, dialect, self._encoding.field.dtype)
        except TextError as error:
            raise self._malformed(path, error) from error

    def _malformed(self, path: str, error: TextError) -> SourceError:
        return malformed(self._listing.root / path, error)


def ragged_field(dialect: Dialect, maxlen: int, dtype: str) -> Field:
    """The field of recordings that are written in a dialect: a step is a line, or a number if it has one."""
    is_vector = dialect.columns == 1 or dialect.rows == 1
    return Field((maxlen,) if is_vector else (maxlen, dialect.columns), dtype)
