"""Source: raw data as the user has it, and the function that scans it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brimful.collection import Collection
from brimful.encodings.registry import encoding_of
from brimful.errors import ArgumentError, SourceError
from brimful.feed.rows import RowLoader
from brimful.options import (
    DTYPES,
    FeedOptions,
    PackOptions,
    ScanOptions,
    check_choice,
    check_classes,
    check_columns,
    check_int,
    check_missing,
    check_names,
    check_shape,
)
from brimful.samples import Fault, Finding, Progress
from brimful.schema import Field
from brimful.sources.audit import Audit, audit, glance
from brimful.sources.base import Format
from brimful.sources.detect import index_of
from brimful.sources.index import Index
from brimful.sources.objects import RandomAccess
from brimful.storage.locate import Place, locate
from brimful.store.changes import is_current, numbered_as
from brimful.store.estimate import PackEstimate, estimate
from brimful.store.pack import Packed, pack

"""The options that say how images are delivered."""


def scan(
    path: str | os.PathLike[str] | Format | RandomAccess | Mapping[str, Any],
    *,
    labels: Any = None,
    suffix: str | None = None,
    skip_lines: int | None = None,
    columns: str | Sequence[int] | None = None,
    decimal: str | None = None,
    missing: Literal["raise", "skip", "0", "mean", "nan"] | int = "raise",
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    on_bad: str = "raise",
    limit: int | None = None,
    id: str | int | None = None,  # noqa: A002 (what the column is called)
    target: str | int | Sequence[str | int] | None = None,
    weight: str | int | None = None,
    regression: bool = False,
    classes: Sequence[str | int] | None = None,
    like: Collection | None = None,
    rows: bool | None = None,
    inputs: str | Sequence[str] | None = None,
    fill: float | None = None,
    x: str | Sequence[str] | None = None,
    y: str | Sequence[str] | None = None,
    read: Callable[[str], Any] | None = None,
    image_size: Sequence[int] | None = None,
    color_mode: Literal["rgb", "rgba", "grayscale"] | None = None,
    interpolation: Literal["bilinear", "nearest", "bicubic", "area", "lanczos3"] | None = None,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    maxlen: int | Literal["batch"] | None = None,
    padding: Literal["pre", "post"] | None = None,
    truncating: Literal["pre", "post"] | None = None,
    value: float | None = None,
    progress: Progress | None = None,
) -> "Source":
    """Scan raw data: list its samples, join their labels by key, infer their schema.

    Nothing is written, and only 256 files of a folder are read. Of a table every row is looked at.

    Args:
        path: A folder with one text file per sample; a CSV, Parquet or Arrow file, or a folder of Parquet or
            Arrow files, with one row per sample; any object with `len` and `[i] -> (x, y)`; or a
            format of your own (`brimful.sources.base.Format`).
        labels: The label table: a file, or a table of pandas, Polars or Arrow. Or `"folders"`: the label of
            a file is the name of its folder, `"folders:1"`: of the outermost folder; or `"name:REGEX"`: what
            a regular expression finds in the file's name; or `"files:PATTERN"`: what the files hold that are
            named like the samples, such as `"files:../labels/*.txt"`. Or a dict of keys to labels, or a
            function of the key. `False` for no labels. By default `target.csv`, `labels.csv` or the like in
            the folder; without such a table, the folders' names if it is clear which.
        suffix: The suffix of the samples, like `".data"`. By default the most frequent of the usual ones.
        skip_lines: Lines at the beginning of each file to leave out. By default those that begin with `#`
            or `%`, if all files have as many.
        columns: Columns of each file to keep, counted from 1, like `"2-4,6"`, `"2-"` or `[2, 3]`.
        decimal: The decimal mark of the files, `"."` or `","`.
        missing: What becomes of missing values: empty cells, and words like NA, nan, null and `?`.
            `"raise"`: they are an error. `"skip"`: every sample is read now, and those that lack a value are
            left out and listed in `skipped`. Or they are delivered as `"0"`, as `"nan"`, or as `"mean"`, the
            mean of their column in the same file.
        shape: Shape to give to each sample, like `(28, 28, 1)`. By default that of the files.
        dtype: The dtype of `x`. By default that of the data where they have one (arrays, images), and
            "float32" where they are text; "float16" and "float64" are the others for text.
        on_bad: `"raise"`: a bad sample is an error when it is read. `"skip"`: every sample is read
            now, and those that cannot be used are left out and listed in `skipped`.
        limit: Draw this many samples for a first try, always the same ones.
        id: Column of the table that names the samples. Columns are named by the table's header, or
            counted from 1. By default the one called id, file or the like, or the first.
        target: Column to predict, or several, which must be numbers. By default the one called label,
            target or the like, or the only one left.
        weight: Column of sample weights; by default the one called sample_weight, or weight if its mean is
            about 1.
        regression: Whether targets are regression values, delivered as float32. By default targets written
            with fractions, and several columns, are; integers are classes.
        classes: The labels, in the order of their numbers. By default those that occur: another folder, in
            which one is missing, would number them otherwise.
        like: Other samples, of which classes, shape and dtype are taken, and how images are resized:
            `scan("test/", like=train)`.
        rows: Whether each row of the files is a sample, in a folder of CSV files. In a single table, and in
            Parquet and Arrow files, it is.
        inputs: Columns of a table to train on. By default all that are not used otherwise.
        fill: What stands in a table for a number that is missing; words that are missing become a word of
            their own. By default that is an error.
        x: Names of the arrays in a file that are inputs. By default the one called x, images, data or
            the like.
        y: Names of the arrays in a file that are targets.
        read: Reads a file that brimful does not know: a function of the path that returns an array.
        image_size: Height and width to which images are resized. By default all must have the same size.
        color_mode: "rgb", "rgba" or "grayscale": the channels that images are delivered with.
        interpolation: How images are resized: "bilinear", "nearest", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: Whether images of another aspect ratio are cropped, not stretched.
        pad_to_aspect_ratio: Whether images of another aspect ratio are padded, not stretched.
        maxlen: The length to which samples of unequal lengths are padded or cut, or "batch": to the longest
            of each batch.
        padding: Where samples are padded, "pre" or "post".
        truncating: Where longer samples are cut, "pre" or "post".
        value: What samples are padded with.
        progress: Called with the number of files listed so far; of samples read, with `on_bad="skip"`.

    Returns:
        The source.

    Raises:
        SourceError: There are no samples, or no labels that fit, or the samples have no common shape.
        ArgumentError: An argument is wrong.
    """
    if like is not None:
        if classes is not None or shape is not None:
            raise ArgumentError("Expected `like` alone, or `classes` and `shape`. Received: both")
        inputs = inputs or like.input_columns
    targets = () if target is None else (target,) if isinstance(target, (str, int)) else target
    options = ScanOptions(
        labels=labels,
        suffix=suffix,
        skip_lines=None if skip_lines is None else check_int("skip_lines", skip_lines, 0),
        columns=check_columns(columns),
        decimal=None if decimal is None else check_choice("decimal", decimal, (".", ",")),
        missing=check_missing(missing),
        shape=None if shape is None else check_shape("shape", shape),
        dtype=None if dtype is None else check_choice("dtype", dtype, DTYPES),
        limit=None if limit is None else check_int("limit", limit, 1),
        id=None if id is None else str(id),
        target=tuple(map(str, targets)),
        weight=None if weight is None else str(weight),
        regression=regression,
        classes=None if classes is None else check_classes(classes),
        rows=rows,
        inputs=check_names("inputs", inputs),
        fill=None if fill is None else float(fill),
        x=check_names("x", x),
        y=check_names("y", y),
        read=read,
        image_size=None if image_size is None else check_shape("image_size", image_size),
        color_mode=color_mode,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        maxlen=maxlen,
        padding=padding,
        truncating=truncating,
        value=value,
        like_inputs=None if like is None else like.schema.inputs,
        progress=progress,
    )
    options = options if like is None else _as_of(like, options)
    check_choice("on_bad", on_bad, ("raise", "skip"))
    source = Source(index_of(path, options))
    if on_bad == "skip":
        return usable(source, progress)
    return usable(source, progress, kinds=("missing_value",)) if missing == "skip" else source


def _as_of(like: Collection, options: ScanOptions) -> ScanOptions:
    """The options with classes, shape and dtype of other samples, and how their images are resized.

    No shape is taken of several inputs, and no dtype if theirs differ.

    Raises:
        ArgumentError: One of these was given, too.
    """
    inputs, classes = like.schema.inputs, like.schema.classes
    dtypes = {field.dtype for field in like.schema.input_fields if field.vocabulary is None}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if not isinstance(inputs, Field):
        return replace(options, classes=classes, dtype=dtype)
    if inputs.encoding is None:
        return replace(options, classes=classes, dtype=dtype, shape=inputs.shape or None)
    taken = encoding_of(inputs).options
    options.refuse(list(taken), "samples that are to be `like` others")
    return replace(options, classes=classes, dtype=dtype, **taken)


def usable(
    source: "Source", progress: Progress | None = None, kinds: Sequence[str] | None = None
) -> "Source":
    """A whole source without the samples that cannot be used, as with `on_bad="skip"`; reads every sample.

    Of given kinds, only the samples with such a fault are left out.

    Raises:
        SourceError: All samples are bad.
    """
    found = source.audit(progress=progress).faults
    faults = [fault for fault in found if kinds is None or fault.kind in kinds]
    bad = {fault.key for fault in faults}
    good = np.fromiter((key not in bad for key in source.keys), bool, len(source))
    if not good.any():
        raise SourceError(
            f"{source!r}: all of them are bad; the first: {faults[0].message}",
            "`brimful scan` shows what is wrong with them.",
        )
    rows = np.flatnonzero(good)
    is_clean = kinds is None
    return Source(source._reader.without(faults, rows, is_clean=is_clean))  # noqa: SLF001 (of this module)


class Source(Collection):
    """Raw data as the user has it, or a part of it; never written to. Made by `brimful.scan`."""

    _reader: Index
    _estimated: PackEstimate | None = None

    @property
    def facts(self) -> tuple[str, ...]:
        """What the scan decided, one line per fact, for the user to check."""
        return self._reader.facts

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the scan noticed: problems and warnings."""
        return glance(self._reader, self._rows()).findings

    @property
    def skipped(self) -> tuple[Fault, ...]:
        """The samples that `on_bad="skip"` has left out: key, kind, message."""
        return self._reader.skipped

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The columns of a table that the inputs are made of, in order; none for other samples."""
        return tuple(getattr(self._reader.format, "input_columns", ()))

    @property
    def left_out(self) -> int:
        """How many samples `on_bad="skip"` has left out."""
        return len(self.skipped)

    def audit(self, *, quick: bool = False, cached: bool = True, progress: Progress | None = None) -> Audit:
        """Read every sample, and report all that is wrong: missing and orphaned labels, malformed samples.

        Args:
            quick: Whether to read no more than the scan has read.
            cached: Whether to skip files that, by size, times and inode, have not changed since an earlier
                audit. What it saw of them is kept in the user's cache folder.
            progress: Called with the number of samples read so far.

        Returns:
            The findings, for `print` to show. Findings about labels and other files are those of the whole
            source, even if this is a part.
        """
        rows = self._rows()
        if quick:
            return glance(self._reader, rows)
        return audit(self._reader, rows, progress, cached=cached, estimate=self._estimate)

    def plan(self) -> PackEstimate | None:
        """Estimate what packing will take from a few samples; None if none of them can be used."""
        if self._estimated is None:
            self._estimated = estimate(self._reader, self._rows())
        return self._estimated

    def decoded(self) -> "Source":
        """The same samples, to be packed as they are delivered: images as pixels, recordings as padded.

        Such a store is larger, and its batches take no time to decode. A source without encoded values is
        handed back as it is.
        """
        return Source(self._reader.decoded(), self._view) if self.schema.is_encoded else self

    def is_packed_in(self, path: Place) -> bool:
        """Whether `path` is a store of exactly these samples, by size, times and inode of their files."""
        return is_current(numbered_as(self._reader, path), self._rows(), locate(path))

    def pack_into(self, path: Place, options: PackOptions = PackOptions()) -> Packed:  # noqa: B008 (frozen)
        """Pack the source, as `brimful.pack` does, and report what was done.

        The classes of a store that is brought up to date keep their numbers; new ones come after them.
        """
        index = self._reader if options.overwrite else numbered_as(self._reader, path)
        if glance(self._reader, self._rows()).problems:
            raise self.audit(progress=options.progress).refusal()
        return pack(index, self._rows(), path, options, self.plan())

    def known_counts(self) -> dict[Any, int]:
        """How many samples are of each class, if that is known without reading them; empty if not."""
        return dict(self._reader.class_counts(self._rows()) or {})

    def _loader(self, options: FeedOptions) -> RowLoader:
        known = glance(self._reader, self._rows())
        if known.problems:
            raise known.refusal()
        return RowLoader(self._reader, self._view, options)

    def _estimate(self) -> dict[str, float]:
        """Bytes and seconds of packing per sample."""
        whole, n = self.plan(), len(self)
        if whole is None:
            return {}
        return {
            "bytes": whole.store_bytes / n,
            "seconds": (whole.seconds_in_disk_order or whole.seconds) / n,
        }

    def _rows(self) -> NDArray[np.int64]:
        return self._view.at(np.arange(len(self)))

    def _class_counts(self, batch_size: int, memory: str | float) -> dict[Any, int]:
        counts = self._reader.class_counts(self._rows())
        return super()._class_counts(batch_size, memory) if counts is None else dict(counts)
