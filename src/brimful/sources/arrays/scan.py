"""Scan: the index of arrays: which of them are what, whether they fit together, and what labels they hold."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError
from brimful.options import ScanOptions
from brimful.samples import INFERRED_FROM, Finding
from brimful.schema import flatten, map_structure
from brimful.sources.arrays.array_format import ArrayFormat, Columns, Parts
from brimful.sources.arrays.column import Column
from brimful.sources.arrays.dtypes import refuse_dtype
from brimful.sources.arrays.hdf5 import Hdf5Column
from brimful.sources.arrays.opened import Opened, open_object, open_path
from brimful.sources.arrays.reshaped import ReshapedColumn
from brimful.sources.arrays.targets import check_weights, is_label, labels_in
from brimful.sources.arrays.zarr_store import ZarrColumn
from brimful.sources.audit import findings_in
from brimful.sources.index import Index, RowOrder
from brimful.sources.objects import decimals

FIRST_BYTES = 64_000_000  # of samples that are looked at
TAKEN = ("shape", "dtype", "regression", "classes", "fill")
"""The options that mean something for arrays."""


def scan_arrays(thing: Any, options: ScanOptions) -> Index:
    """The index of a file of arrays, a Zarr folder, a dict of arrays, or an array.

    Raises:
        SourceError: The arrays are damaged, or have no samples.
        ArgumentError: They do not fit together, or it is not clear which of them are what.
    """
    if isinstance(thing, (str, os.PathLike)):
        options.only((*TAKEN, "x", "y", "weight", "labels"), "a file of arrays")
        if options.labels not in (None, False, "none"):
            raise ArgumentError(
                "Expected no `labels` for a file of arrays, but y, the name of an array in it. "
                f"Received: labels={options.labels!r}"
            )
        opened = open_path(Path(thing), options)
    else:
        options.only(TAKEN, "arrays, which are inputs, targets and weights by the keys x, y, w")
        opened = open_object(thing)
    return _index(_squeezed(_checked(opened)), options)


def _checked(opened: Opened) -> Opened:
    """Refuse arrays that hold no samples, or differ in their number."""
    for column in opened.columns:
        if not column.shape:
            raise ArgumentError(f"{column.name}: expected samples along the first axis. Found one value.")
        if 0 in column.shape:
            raise MalformedFileError(
                f"{column.name}: there are no samples: the shape is {column.shape}.",
                "Check what it was made from.",
                kind="empty",
            )
    first = opened.columns[0]
    for column in flatten(opened.inputs):
        refuse_dtype(column.name, column.given)
    for column in opened.columns[1:]:
        if len(column) != len(first):
            raise ArgumentError(
                f"{first.name} has {len(first):,} samples, {column.name} has {len(column):,}: the shapes are "
                f"{first.shape} and {column.shape}.",
                _transposing(first, column),
            )
    return opened


def _transposing(one: Column, other: Column) -> str:
    """How to bring the samples of one of two arrays to the first axis."""
    for column, wanted in ((one, len(other)), (other, len(one))):
        if wanted in column.sample_shape:
            axis = 1 + column.sample_shape.index(wanted)
            return (
                f"Axis {axis} of {column.name} is {wanted:,} long. If that is the axis of its samples, bring "
                f"it to the front: np.moveaxis(array, {axis}, 0) in Python, or write it so (the samples come "
                "last in MATLAB, whose axes are in reverse)."
            )
    return "Both need a row for each sample, in the same order."


def _squeezed(opened: Opened) -> Opened:
    """Targets and weights of shape (n, 1) as (n,), which is what losses expect."""
    facts = []

    def squeeze(column: Column) -> Column:
        if len(column.shape) != 2 or column.shape[1] != 1:
            return column
        facts.append(f"{column.name} has the shape {column.shape}, delivered as {len(column):,} numbers")
        return ReshapedColumn(column, squeezed=True)

    y, w = map_structure(opened.targets, squeeze), map_structure(opened.weights, squeeze)
    return replace(opened, targets=y, weights=w, facts=(*opened.facts, *facts))


def _index(opened: Opened, options: ScanOptions) -> Index:
    """The index: labels are joined by the index, other targets are read with the inputs."""
    y, w = opened.targets, opened.weights
    if w is not None:
        check_weights(w)
    has_labels = isinstance(y, Column) and is_label(y)
    if y is not None and not has_labels:
        for column in flatten(y):
            refuse_dtype(column.name, column.given)
        options.refuse(("classes",), "targets that are not one number or word for each sample")
    missing = _missing(opened, options)
    samples = _format(opened, options, missing, own=None if has_labels else y)
    order = RowOrder.of(len(samples), decimals, options.limit)
    labels = labels_in(y, w, order, options) if isinstance(y, Column) and has_labels else None
    index = Index(samples, order, labels)
    seen = findings_in(index, _first_rows(index, order, opened.columns))
    others = tuple(each for each in seen if each.kind != "missing_chunk")
    found = () if options.fill is not None else _missing_findings(missing, samples, is_problem=True)
    index.sampled_findings = (*others, *found)  # an audit counts the samples themselves
    return index


def _format(
    opened: Opened, options: ScanOptions, missing: dict[str, NDArray[np.bool_]], own: Columns | None
) -> ArrayFormat:
    """The format, with the targets that samples carry."""
    weights = opened.weights if own is not None else None
    parts = Parts(opened.name, opened.inputs, own, weights, opened.files, opened.root, opened.facts, missing)
    if options.fill is not None:
        parts = replace(parts, missing={})
    regression = options.regression and own is not None
    samples = ArrayFormat(parts, shape=options.shape, dtype=options.dtype, regression=regression)
    samples.findings = (*opened.findings, *_missing_of_zarr(opened))
    if options.fill is not None:
        samples.findings += _missing_findings(missing, samples, is_problem=False)
    return samples


def _first_rows(index: Index, order: RowOrder, columns: tuple[Column, ...]) -> NDArray[np.int64]:
    """The rows of the first samples of the arrays, which lie in few chunks."""
    numbers = order.at(np.arange(len(order)))
    size = max(1, min(INFERRED_FROM, FIRST_BYTES // max(1, index.format.schema.nbytes)))
    rows = np.argsort(numbers, kind="stable")[:size]
    chunk = max(size, *(column.chunk_rows for column in columns))
    return np.sort(rows[numbers[rows] < numbers[rows[0]] + chunk])


def _missing(opened: Opened, options: ScanOptions) -> dict[str, NDArray[np.bool_]]:
    """Which samples lie in chunks that were never written, by the name of the array.

    Raises:
        MalformedFileError: They are chunks of labels.
        ArgumentError: `fill` is another value than such a file gives for them.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    labels = {column.name for column in flatten(opened.targets) if is_label(column)}
    for column in opened.columns:
        stored = column.column if isinstance(column, ReshapedColumn) else column
        if not isinstance(stored, Hdf5Column) or stored.missing is None:
            continue
        if options.fill is not None and float(stored.fill or 0) != options.fill:
            raise ArgumentError(
                f"{column.name}: HDF5 gives {stored.fill} for chunks that were never written. "
                f"Received: fill={options.fill:g}"
            )
        if options.fill is None and column.name in labels:
            raise MalformedFileError(
                f"{column.name}: {int(stored.missing.sum()):,} labels lie in chunks that were never written.",
                "Write them, or take them for the fill value of the file: fill=0, --fill 0.",
                kind="missing_chunk",
            )
        found[column.name] = stored.missing[: len(column)]
    return found


def _missing_of_zarr(opened: Opened) -> Iterator[Finding]:
    """The warnings that chunks of a Zarr array are not there, which may be right."""
    for column in opened.columns:
        stored = column.column if isinstance(column, ReshapedColumn) else column
        if isinstance(stored, ZarrColumn) and (missing := stored.missing_chunks()):
            whole = stored.all_chunks
            example = f"{column.name}: {missing:,} of {whole:,} chunks are not there, and are {stored.fill}"
            hint = (
                "Zarr does not write chunks that hold nothing else. If these values cannot be all of a "
                "chunk, a file was lost: copy the folder again."
            )
            yield Finding("missing_chunk", missing, (example,), is_problem=False, hint=hint)


def _missing_findings(
    missing: dict[str, NDArray[np.bool_]], samples: ArrayFormat, *, is_problem: bool
) -> tuple[Finding, ...]:
    """The finding about samples in chunks that were never written."""
    if not missing:
        return ()
    count = int(np.logical_or.reduce(list(missing.values())).sum())
    examples = tuple(
        f"{name}: {int(where.sum()):,} of {len(samples):,} samples lie in chunks that were never written, "
        f"the first is {int(np.argmax(where))}"
        for name, where in missing.items()
    )
    hint = (
        "Write them, or leave them out (on_bad='skip', --on-bad skip); or, if they are all of one value that "
        "was not worth writing, say so: fill=0, --fill 0."
    )
    if not is_problem:
        hint = "They are delivered as the value that `fill` says."
    return (Finding("missing_chunk", count, examples, is_problem=is_problem, hint=hint),)
