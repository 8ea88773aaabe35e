"""Targets: the labels and weights in arrays, one for each sample, as those of a label table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import ArgumentError, LabelError
from brimful.keys import HashedKeys
from brimful.options import ScanOptions
from brimful.samples import EXAMPLES, Finding
from brimful.sources.arrays.column import Column
from brimful.sources.arrays.dtypes import NUMERIC, TEXT
from brimful.sources.index import RowOrder
from brimful.sources.label_join import join_lines
from brimful.sources.label_table import LabelTable
from brimful.sources.labels import Labels
from brimful.sources.objects import decimals

PADDING = "\0 \t\r\n"  # around text of a fixed length


@dataclass(frozen=True)
class Places:
    """Samples by their indices, which are all of them or some that were drawn."""

    name: str
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """The array and the index of some samples."""
        return [f"{self.name}[{number}]" for number in self.numbers[rows].tolist()]


def labels_in(y: Column, w: Column | None, order: RowOrder, options: ScanOptions) -> Labels:
    """The labels in an array of one axis, in row order; classes, or floats for regression.

    Raises:
        LabelError: The array holds text that is not UTF-8, or what cannot be labels.
    """
    values = y.read(0, len(y))
    is_float = y.given.kind == "f"
    cells, found = _cells(values, y.name, as_classes=is_float and options.classes is not None)
    if is_float and not options.regression and options.classes is None:
        found += _whole(values, y.name)
    numbers = np.arange(len(y))
    keys = decimals(numbers)
    weights = None if w is None else _cells(w.read(0, len(w)), w.name)[0]
    table = LabelTable(y.name, HashedKeys.of(keys), {"y": cells}, weights, 0, (), findings=found)
    regression = options.regression or (is_float and options.classes is None)
    how = f"{y.name} has the label of each sample, by index"
    whole = join_lines(
        table, numbers, Places(y.name, numbers), how, regression=regression, classes=options.classes
    )
    drawn = order.at(np.arange(len(order)))
    labels = whole.take(drawn)
    return labels if len(drawn) == len(y) else labels.with_findings(Places(y.name, drawn))


def is_label(column: Column) -> bool:
    """Whether an array can hold a label for each sample: it has one axis, of numbers or text."""
    return len(column.shape) == 1 and column.given.kind in (*NUMERIC, *TEXT, "O")


def check_weights(column: Column) -> Column:
    """Refuse weights that are no numbers, one for each sample.

    Raises:
        ArgumentError: They are none.
    """
    if len(column.shape) != 1 or column.given.kind not in NUMERIC:
        raise ArgumentError(
            f"Expected {column.name} to hold a weight for each sample. Found shape {column.shape}, "
            f"{column.given}."
        )
    return column


def _cells(
    values: NDArray[Any], name: str, *, as_classes: bool = False
) -> tuple[pa.LargeStringArray, tuple[Finding, ...]]:
    """Labels as the cells of a label table; whole floats as integers if they are classes."""
    if values.dtype.kind == "f":
        values = values.astype(np.float64)
        if as_classes and np.isfinite(values).all() and (values == np.floor(values)).all():
            values = values.astype(np.int64)
    elif values.dtype.kind == "b":
        values = values.astype(np.uint8)
    if values.dtype.kind in NUMERIC:
        native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        cells = pa.array(native).cast(pa.large_string())
        if native.dtype.kind == "f":  # NaN says that there is none
            cells = pc.if_else(pa.array(np.isnan(native)), "", cells)
        return cells, ()
    words = [_text(word, name, at) for at, word in enumerate(values.tolist())]
    return pa.array([word.strip(PADDING) for word in words], pa.large_string()), ()


def _text(word: Any, name: str, at: int) -> str:
    if isinstance(word, bytes):
        try:
            return word.decode()
        except UnicodeDecodeError as error:
            raise LabelError(
                f"{name}[{at}]: the label {word!r:.80} is not UTF-8.", "Write the labels as UTF-8."
            ) from error
    if not isinstance(word, str):
        raise LabelError(
            f"{name}[{at}]: expected text or a number as label. Found {type(word).__name__}.",
            "Objects are never unpickled. Write the labels as integers, floats or text.",
        )
    return word


def _whole(values: NDArray[Any], name: str) -> tuple[Finding, ...]:
    """The warning that floats which may be classes are delivered as regression values."""
    finite = values[np.isfinite(values)]
    if not finite.size or (finite != np.floor(finite)).any():
        return ()
    distinct = np.unique(finite)
    if len(distinct) > len(values) // 2:
        return ()
    few = ", ".join(f"{value:g}" for value in distinct[:EXAMPLES].tolist())
    example = f"{name}: floats without fractions, {few}"
    hint = (
        "Floats are delivered as regression values. If they are classes, name them: classes=[0, 1], "
        "--classes 0,1; if they are values, say so: regression=True, --regression."
    )
    return (Finding("float_target", len(values), (example,), is_problem=False, hint=hint),)
