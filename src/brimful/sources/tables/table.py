"""Table: the rows of one or several files, numbered from 0, and what their columns hold."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.samples import Finding, Progress
from brimful.sources.tables.column import Column, united
from brimful.sources.tables.files import TableFiles
from brimful.sources.tables.part import Part, Survey
from brimful.sources.tables.roles import Roles

MANY_UNITS = 8
FILES_IN_USE = 3
FACTS = 5  # of files


class Table:
    """The rows of a table, which was looked at from the first to the last.

    Attributes:
        columns: What each column holds that may be an input.
        texts: The cells of the columns that have another role, as text.
        starts: The first row of each unit, and the number of rows behind them.
    """

    def __init__(self, path: Path, files: TableFiles, roles: Roles, progress: Progress | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._in_use: OrderedDict[int, None] = OrderedDict()
        self._files = files
        self.parts: tuple[Part, ...] = files.parts
        surveys = list(self._survey(roles, progress))
        self.columns = {
            name: united(
                (each.path.name, its.columns[name]) for each, its in zip(files.parts, surveys, strict=True)
            )
            for name in (*files.parts[0].names, *files.folders[0])
            if name not in roles.unanalysed
        }
        chunks = {name: [each.texts[name].chunks for each in surveys] for name in roles.texts}
        self.texts = {
            name: pa.chunked_array(chain.from_iterable(each), pa.large_string())
            for name, each in chunks.items()
        }
        self.facts: tuple[str, ...] = tuple(dict.fromkeys(f for each in surveys for f in each.facts))[:FACTS]
        self.findings: tuple[Finding, ...] = tuple(f for each in surveys for f in each.findings)
        self.firsts = np.cumsum([0, *(int(each.starts[-1]) for each in surveys)])  # of each file
        starts = [each.starts[:-1] + first for each, first in zip(surveys, self.firsts[:-1], strict=True)]
        self.starts: NDArray[np.int64] = np.concatenate([*starts, self.firsts[-1:]])
        counts = [len(each) for each in starts]
        self._part_of = np.repeat(np.arange(len(counts)), counts)
        self._unit_of = np.concatenate([np.arange(count) for count in counts])

    def _survey(self, roles: Roles, progress: Progress | None) -> Iterator[Survey]:
        """Look at all rows, a file after the other."""
        done = 0
        for part, given in zip(self.parts, self._files.folders, strict=True):
            before = done
            texts, unanalysed = (
                [n for n in names if n not in given] for names in (roles.texts, roles.unanalysed)
            )
            survey = part.survey(texts, unanalysed, lambda rows: progress and progress(before + rows))  # noqa: B023
            part.release()
            done += int(survey.starts[-1])
            yield _with_folders(survey, given, roles)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def identity(self) -> str:
        """How the files are read."""
        return "; ".join(dict.fromkeys(part.identity for part in self.parts))

    def unit_at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The unit in which each of some rows is."""
        return np.searchsorted(self.starts, rows, "right") - 1

    def part_at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The file in which each of some rows is."""
        return np.searchsorted(self.firsts, rows, "right") - 1

    def decimal(self, unit: int) -> str:
        """The decimal mark of a unit, where it is text."""
        return getattr(self.parts[self._part_of[unit]], "decimal", ".")

    def read(self, unit: int, names: Sequence[str]) -> list[pa.Array]:
        """Some columns of a unit."""
        number = int(self._part_of[unit])
        self._use(number)
        part, given = self.parts[number], self._files.folders[number]
        rows = int(self.starts[unit + 1] - self.starts[unit])
        own = [name for name in names if name not in given]
        cells = dict(zip(own, part.read(int(self._unit_of[unit]), own) if own else [], strict=True))
        return [
            cells[name] if name in cells else pa.repeat(pa.scalar(given[name], pa.large_string()), rows)
            for name in names
        ]

    def _use(self, number: int) -> None:
        """Note that a file is read; the one that has not been for longest gives back what it holds."""
        with self._lock:
            self._in_use[number] = None
            self._in_use.move_to_end(number)
            oldest = self._in_use.popitem(last=False)[0] if len(self._in_use) > FILES_IN_USE else None
        if oldest is not None:
            self.parts[oldest].release()

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """Where some rows are: the file and the line."""
        units = self.unit_at(rows)
        found = [""] * len(rows)
        for unit in np.unique(units).tolist():
            here = np.flatnonzero(units == unit)
            part, local = self.parts[self._part_of[unit]], int(self._unit_of[unit])
            for at, place in zip(
                here.tolist(), part.places(local, rows[here] - self.starts[unit]), strict=True
            ):
                found[at] = place
        return found

    def keys(self, rows: NDArray[np.int64]) -> pa.LargeStringArray:
        """The numbers of some rows in decimal; with several files, in its file, behind the name of that."""
        if len(self.parts) == 1 and not self._files.prefixes[0]:
            return pa.array(rows).cast(pa.large_string())
        part = self.part_at(rows)
        prefixes = pa.array(self._files.prefixes, pa.large_string()).take(pa.array(part))
        numbers = pa.array(rows - self.firsts[part]).cast(pa.large_string())
        return pc.binary_join_element_wise(prefixes, numbers, pa.scalar("", pa.large_string()))

    @property
    def is_large(self) -> bool:
        """Whether it has many units, so that reading rows in any other order than its own is slow."""
        return len(self.starts) > MANY_UNITS

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the places of the units take."""
        return self.starts.nbytes + self._part_of.nbytes + self._unit_of.nbytes

    @property
    def unit_bytes(self) -> int:
        """Most bytes that a unit takes while it is read."""
        return max(part.unit_bytes for part in self.parts)


def _with_folders(survey: Survey, given: dict[str, str], roles: Roles) -> Survey:
    """The survey with the columns that folders' names give."""
    if not given:
        return survey
    rows = int(survey.starts[-1])
    columns, texts = dict(survey.columns), dict(survey.texts)
    for name, value in given.items():
        if name not in roles.unanalysed:
            words = Counter({value: rows} if value else {})
            columns[name] = Column(name, "text", "words", words=words, missing=0 if value else rows)
        if name in roles.texts:
            texts[name] = pa.chunked_array([pa.repeat(pa.scalar(value, pa.large_string()), rows)])
    return Survey(columns, texts, survey.starts, survey.facts, survey.findings)
