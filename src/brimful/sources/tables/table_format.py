"""TableFormat: a Format: the rows of a table, which are cheap to read one after the other."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_128_hexdigest

from brimful.errors import MalformedFileError
from brimful.prefetch import reading_threads
from brimful.samples import FINGERPRINT, Finding, Samples
from brimful.schema import Field, Fields, Schema, flatten
from brimful.sources.base import BaseFormat
from brimful.sources.read_files import fingerprint
from brimful.sources.tables.column import Column
from brimful.sources.tables.table import Table
from brimful.sources.tables.values import Delivery, Faults, codes, lists, numbers, vectors

HINTS = {
    "missing_value": "Say what stands for it (fill=0, --fill 0), or leave such rows out (on_bad='skip').",
    "unknown_category": "It is not among the words of the samples that this was scanned like.",
}


@dataclass(frozen=True)
class Inputs:
    """Which columns are delivered, and how.

    Attributes:
        fields: What is delivered.
        columns: For each of the fields, in order, the columns that it is made of.
        how: How numbers are delivered.
    """

    fields: Fields
    columns: tuple[tuple[Column, ...], ...]
    how: Delivery

    @property
    def names(self) -> list[str]:
        """The columns, in the order in which they are read."""
        return [column.name for some in self.columns for column in some]

    @property
    def identity(self) -> str:
        """A checksum of all that decides what is delivered."""
        kinds = [
            [(column.name, column.kind, column.shape, column.is_flag) for column in some]
            for some in self.columns
        ]
        return xxh3_128_hexdigest(repr((self.fields, kinds, self.how)).encode(errors="surrogateescape"))


@dataclass
class _Decoded:
    """A unit as it is delivered, and the first fault of each row that has one."""

    arrays: list[NDArray[Any]] = field(default_factory=list)
    faults: dict[int, MalformedFileError] = field(default_factory=dict)


class TableFormat(BaseFormat):
    """The rows of a table, numbered in its order.

    A unit of rows is read and decoded at a time, and the last few units are kept: reading rows in the order
    of the table reads each byte once; in any other order, a unit for each row.
    """

    is_sequential = True

    def __init__(self, table: Table, inputs: Inputs, ids: pa.LargeStringArray | None) -> None:
        self._table = table
        self._inputs = inputs
        self._ids = ids
        self.schema = Schema(inputs.fields)
        self.root: Path | None = table.path
        self.name = str(table.path)
        self.identity = f"{table.identity} {inputs.identity}"
        self.nbytes = table.nbytes + (0 if ids is None else int(ids.nbytes))
        self.facts: tuple[str, ...] = ()
        self.findings: tuple[Finding, ...] = ()
        self.input_columns = tuple(inputs.names)
        self._prints = np.array([_print(part.path) for part in table.parts], np.int64)
        self._decoded = _Latest(self._decode, 2 * reading_threads())

    def __len__(self) -> int:
        return len(self._table)

    @property
    def has_ids(self) -> bool:
        """Whether keys are ids, not numbers."""
        return self._ids is not None

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """The ids of some rows, or their numbers in decimal."""
        return self._table.keys(numbers) if self._ids is None else self._ids.take(pa.array(numbers))

    def places(self, numbers: NDArray[np.int64]) -> list[str]:
        """Where some rows are."""
        return self._table.places(numbers)

    def place(self, number: int) -> str:
        """Where a row is."""
        return self.places(np.array([number]))[0]

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The share of its file, and the times and the inode of that."""
        now = np.full((len(self._table.parts), len(FINGERPRINT)), -1)
        for at in np.unique(self._table.part_at(numbers)).tolist():
            now[at] = _print(self._table.parts[at].path)
        return self._shared(now, numbers)

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """By their place in the table."""
        return np.argsort(numbers, kind="stable")

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some rows: the units in which they are."""
        fields = flatten(self._inputs.fields)
        arrays = [np.empty((len(numbers), *each.shape), each.dtype) for each in fields]
        units = self._table.unit_at(numbers)
        for unit in dict.fromkeys(units.tolist()):
            here = np.flatnonzero(units == unit)
            rows = numbers[here] - self._table.starts[unit]
            decoded = self._decoded.get(unit)
            if decoded.faults:
                for row in rows.tolist():
                    if row in decoded.faults:
                        raise _again(decoded.faults[row])
            for array, values in zip(arrays, decoded.arrays, strict=True):
                array[here] = values[rows]
        if prints is not None:
            prints[:] = self._shared(self._prints, numbers)
        x, _, _ = self.schema.structured(arrays)
        return Samples(x)

    def working_bytes(self, n: int) -> int:
        """The rows twice, a unit while it is decoded, and one that is kept."""
        rows = int(np.diff(self._table.starts).max(initial=1))
        return 2 * (n + 1) * self.schema.nbytes + self._table.unit_bytes + 2 * rows * self.schema.nbytes

    def _shared(self, prints: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The fingerprints of rows, given those of their files."""
        rows = np.diff(self._table.firsts)
        shares = prints.copy().reshape(-1, len(FINGERPRINT))
        shares[:, 0] = np.where(prints[:, 0] < 0, -1, prints[:, 0] // rows.clip(min=1))
        return shares[self._table.part_at(numbers)]

    def _decode(self, unit: int) -> _Decoded:
        """Read and decode a unit."""
        how = Delivery(self._inputs.how.dtype, self._inputs.how.fill, self._table.decimal(unit))
        cells = iter(self._table.read(unit, self._inputs.names))
        rows = int(self._table.starts[unit + 1] - self._table.starts[unit])
        decoded, faults = _Decoded(), []
        for each, columns in zip(flatten(self._inputs.fields), self._inputs.columns, strict=True):
            if (
                len(columns) > 1
                or columns[0].kind == "number"
                or (columns[0].is_flag and not each.vocabulary)
            ):
                values = np.empty((rows, len(columns)), each.dtype)
                for at, column in enumerate(columns):
                    values[:, at], found = numbers(column, next(cells), how)
                    faults += found
            else:
                values, found = _column(columns[0], next(cells), each, how)
                faults += found
            if len(values) != rows:
                raise MalformedFileError(
                    f"{self.name}: a unit has {len(values)} rows, not {rows}. Scan it again."
                )
            decoded.arrays.append(values.reshape(rows, *each.shape))
        if faults:
            decoded.faults = self._errors(unit, faults)
        return decoded

    def _errors(self, unit: int, faults: Faults) -> dict[int, MalformedFileError]:
        """The error of each row that has a fault, with its place."""
        first = {fault.row: fault for fault in reversed(faults)}
        places = self._table.places(np.array([*first]) + self._table.starts[unit])
        return {
            row: MalformedFileError(f"{place}: {fault.what}.", HINTS.get(fault.kind, ""), fault.kind)
            for (row, fault), place in zip(first.items(), places, strict=True)
        }


def _column(column: Column, cells: pa.Array, each: Field, how: Delivery) -> tuple[NDArray[Any], Faults]:
    """A column that is an input of its own."""
    if each.vocabulary is not None:
        return codes(column, cells, each.vocabulary)
    return (vectors if column.kind == "vector" else lists)(column, cells, how)


def _again(error: MalformedFileError) -> MalformedFileError:
    """The same error, without what another raise has noted in it."""
    return MalformedFileError(error.message, error.hint, error.kind)


def _print(path: Path) -> tuple[int, ...]:
    return fingerprint(path.parent, path.name)


class _Latest:
    """The last few results of a function of a unit; several threads that want the same one make it once."""

    def __init__(self, make: Callable[[int], _Decoded], most: int) -> None:
        self._make = make
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, _Decoded] = OrderedDict()
        self._making: dict[int, threading.Lock] = {}

    def get(self, unit: int) -> _Decoded:
        """The result for a unit."""
        with self._lock:
            if unit in self._kept:
                self._kept.move_to_end(unit)
                return self._kept[unit]
            making = self._making.setdefault(unit, threading.Lock())
        with making:
            with self._lock:
                if unit in self._kept:
                    return self._kept[unit]
            try:
                made = self._make(unit)
                with self._lock:
                    self._kept[unit] = made
                    while len(self._kept) > self._most:
                        self._kept.popitem(last=False)
                return made
            finally:
                with self._lock:
                    self._making.pop(unit, None)
