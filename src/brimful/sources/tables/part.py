"""Part: a file of rows, as all kinds of such files offer them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.samples import Finding, Progress
from brimful.sources.tables.column import Column


@dataclass(frozen=True)
class Survey:
    """What is known of a file once all its rows were seen.

    Attributes:
        columns: Each column that may be an input, by name.
        texts: The cells of the columns that were asked for, as text: large_string, null where there is none.
        starts: The first row of each unit, and behind them the number of rows; int64 of shape `(units + 1,)`.
        facts: What was decided, one line per fact.
        findings: What is doubtful.
    """

    columns: dict[str, Column]
    texts: dict[str, pa.ChunkedArray]
    starts: NDArray[np.int64]
    facts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


class Part(Protocol):
    """A file of rows, which are read a unit at a time: some rows that follow each other."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def names(self) -> tuple[str, ...]:
        """The headings of its columns, which are distinct."""

    @property
    def identity(self) -> str:
        """How it is read."""

    @property
    def unit_bytes(self) -> int:
        """Bytes of memory that a unit takes while it is read, besides what is made of it."""

    def survey(self, texts: Collection[str], unanalysed: Collection[str], progress: Progress) -> Survey:
        """Look at all rows.

        Args:
            texts: The columns whose cells are wanted as text.
            unanalysed: Those that cannot be inputs.
            progress: Called with the number of rows seen.

        Raises:
            SourceError: The file cannot be read, or is no table.
        """

    def read(self, unit: int, names: Sequence[str]) -> list[pa.Array]:
        """Some columns of a unit: numbers, words, lists. Several threads may read at once.

        Raises:
            SourceError: The unit cannot be read.
        """

    def release(self) -> None:
        """Give back the memory and the files that are held for reading on."""

    def places(self, unit: int, rows: NDArray[np.int64]) -> list[str]:
        """Where some rows of a unit are, counted from its first: the file, and the line or the row."""
