"""Doubts: what the first files show of numbers that may mean something else than they seem to."""

import contextlib
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ReadError
from brimful.samples import Finding
from brimful.sources.listing import Listing
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError, TextOptions
from brimful.sources.text.parse import parse
from brimful.sources.text.unpack import unpacked

FILES = 32  # that are looked at, at the most
TEXT_BYTES = 4_000_000  # of them, at the most, but for the first one
FEWEST = 3  # numbers that rise, at the least
LOST = 4  # one different number in so many becomes equal to another one: that is worth a remark
PAIR = re.compile(rb"\s*[+-]?[0-9]+,[0-9]+\s*")
BLANKS = re.compile(rb"[0-9],[0-9]+, +[+-]?[0-9]+,[0-9]")


def doubts(listing: Listing, dialect: Dialect, dtype: str, options: TextOptions) -> tuple[Finding, ...]:
    """What is doubtful about the numbers of a folder."""
    texts = list(_texts(listing))
    grids = []
    for text in texts:
        with contextlib.suppress(TextError):
            values = parse(FileContents.of([text]), dialect, "float64")
            grids.append(values.reshape(dialect.rows, dialect.columns))
    if not grids:
        return ()
    found = [*_headings(np.stack(grids), len(listing), options), *_lost(grids, dtype, len(listing))]
    if options.decimal is None and dialect.delimiter == b",":
        found += _decimals(texts, len(listing))
    return tuple(found)


def _texts(listing: Listing) -> Iterator[bytes]:
    total = 0
    for path in listing.paths[:FILES].to_pylist():
        with contextlib.suppress(ReadError, TextError, OSError):
            text = unpacked((listing.root / path).read_bytes(), listing.suffix)
            total += len(text)
            yield text
        if total > TEXT_BYTES:
            return


def _headings(grids: NDArray[np.float64], count: int, options: TextOptions) -> Iterator[Finding]:
    """The warnings that the first line, or column, is the same in all files, and rises or falls evenly."""
    if len(grids) < 2:
        return
    for kind, vectors, hint in (
        ("same_first_line", grids[:, 0, :], "skip_lines=1, --skip-lines 1"),
        ("same_first_column", grids[:, :, 0], "columns='2-', --columns 2-"),
    ):
        is_said = options.skip_lines is not None if kind == "same_first_line" else bool(options.columns)
        is_alone = min(grids.shape[1:]) < 2
        steps = np.diff(vectors[0])
        rises = vectors.shape[1] >= FEWEST and ((steps > 0).all() or (steps < 0).all())
        if rises and not is_said and not is_alone and (vectors == vectors[0]).all():
            few = ", ".join(f"{value:g}" for value in vectors[0][:4])
            yield Finding(
                kind,
                count,
                (f"{few}, ... in every file: is it a heading, not data?",),
                is_problem=False,
                hint=f"Leave it out if it is no data: {hint}.",
            )


def _lost(grids: list[NDArray[np.float64]], dtype: str, count: int) -> Iterator[Finding]:
    """The warning that different numbers, such as times and ids, become equal."""
    numbers = np.concatenate(grids)
    with np.errstate(over="ignore"):
        cast = numbers.astype(dtype)
    for column in range(numbers.shape[1]):
        values, first = np.unique(numbers[:, column], return_index=True)
        fewer = len(np.unique(cast[:, column]))
        if len(values) >= FEWEST and fewer * LOST <= len(values) * (LOST - 1):
            equal = np.flatnonzero(np.diff(cast[first, column]) == 0)
            pair = " and ".join(f"{value:.15g}" for value in values[equal[0] : equal[0] + 2])
            yield Finding(
                "lost_digits",
                count,
                (f"{pair} (column {column + 1}) are one number as {dtype}",),
                is_problem=False,
                hint="Keep the digits: dtype='float64', --dtype float64; or leave the column out: --columns.",
            )
            return


def _decimals(texts: list[bytes], count: int) -> Iterator[Finding]:
    """The problem that commas may be decimal commas."""
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    pairs = all(PAIR.fullmatch(line) for line in lines)
    ends = {line.strip().partition(b",")[2] for line in lines} if pairs else set()
    is_even = len({len(end) for end in ends}) == 1 and len(next(iter(ends), b"")) > 1
    if (pairs and (is_even or any(end.startswith(b"0") and len(end) > 1 for end in ends))) or any(
        map(BLANKS.search, lines)
    ):
        first = lines[0].strip()[:40].decode(errors="replace")
        yield Finding(
            "doubtful_decimal",
            count,
            (f"{first!r}: are the commas decimal commas, or do they separate values?",),
            is_problem=True,
            hint="Say which mark is the decimal one: decimal=',' or decimal='.', --decimal , or --decimal .",
        )
