"""Infer: what the first files of a folder show: how they are written, and what shape they have."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from brimful.errors import MalformedFileError, ReadError, SourceError
from brimful.samples import INFERRED_FROM
from brimful.sources.listing import Listing
from brimful.sources.read_files import read_file
from brimful.sources.text.dialect import Dialect, TextError, TextOptions, malformed
from brimful.sources.text.parse import detect
from brimful.sources.text.ragged import Lengths
from brimful.sources.text.unpack import unpacked
from brimful.sources.words import MISSING_WORDS

HEAD_BYTES = 4096  # of a file, to compare with those of others
QUOTED = re.compile(rb'(?m)(^|[,;\t]) *"[^"\n]*" *([,;\t\r]|$)')


class Inferred(NamedTuple):
    """What the first files of a folder show.

    Attributes:
        dialects: The dialect of each that can be read, by path.
        mean_bytes: Their mean size.
        are_quoted: Whether values stand in quotes in any of them.
    """

    dialects: dict[str, Dialect]
    mean_bytes: int
    are_quoted: bool


def infer(listing: Listing, options: TextOptions) -> Inferred:
    """The dialects of the first files, and their mean size."""
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
        return infer(listing, replace(options, trailing=False))  # what is missing there is a value
    if first_error and not dialects:
        raise _of_all(listing.root, heads, options) or _none_of(listing.root, len(heads), first_error)
    are_quoted = any(map(QUOTED.search, heads))
    return Inferred(dialects, max(1, sum(sizes) // len(sizes)), are_quoted)


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


def usual_steps(listing: Listing, by_path: dict[str, Dialect]) -> Dialect:
    """The most frequent dialect of files whose lines, or whose single lines, are of many lengths.

    Raises:
        MalformedFileError: Most lines have no number of columns in common.
    """
    dialects = list(by_path.values())
    if all(dialect.rows == 1 for dialect in dialects):
        return dialects[0]
    widths = Counter(dialect.columns for dialect in dialects)
    width, count = widths.most_common(1)[0]
    if count * 2 <= len(dialects):
        few = ", ".join(f"{n} of {columns}" for columns, n in widths.most_common(10))
        raise MalformedFileError(
            f"{listing.root}: the files have no number of columns in common: {few}.",
            "Every line of every sample must have as many numbers.",
            kind="wrong_shape",
        )
    usual = Counter(replace(dialect, rows=0) for dialect in dialects if dialect.columns == width)
    return usual.most_common(1)[0][0]


def usual_grid(listing: Listing, inferred: Inferred) -> Dialect:
    """The most frequent dialect of the shape that most files have."""
    by_path = inferred.dialects
    dialects = list(by_path.values())
    grids = Counter((dialect.rows, dialect.columns) for dialect in dialects)
    grid, count = grids.most_common(1)[0]
    if count * 2 <= len(dialects):
        shapes = ", ".join(f"{n} of {rows} x {columns}" for (rows, columns), n in grids.most_common(10))
        raise MalformedFileError(
            f"{listing.root}: the files have no shape in common: {shapes}.",
            _label_folder(listing, by_path) or _unequal(dialects) or "Every sample must have the same shape.",
            kind="wrong_shape",
        )
    usual = Counter(dialect for dialect in dialects if (dialect.rows, dialect.columns) == grid)
    dialect = usual.most_common(1)[0][0]
    return replace(dialect, quoted=dialect.quoted or inferred.are_quoted)


def _unequal(dialects: list[Dialect]) -> str:
    """What to do about samples that differ in length alone; empty if they differ otherwise."""
    is_line = all(dialect.rows == 1 for dialect in dialects)
    if not is_line and len({dialect.columns for dialect in dialects}) > 1:
        return ""
    lengths = Lengths(tuple(dialect.columns if is_line else dialect.rows for dialect in dialects))
    some, most = lengths.most_of(0.95), lengths.most_of(1)
    return (
        f"They differ in length alone: they are {lengths}. Say to which length they are padded or cut: "
        f"maxlen={some}, --maxlen {some} keeps 95 % of them whole, {most} all."
    )


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
