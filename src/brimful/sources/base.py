"""Reader: random access to the samples of a source, by row. What every kind of source provides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Schema

INFERRED_FROM = 256  # samples, the first in row order: a uniform draw

Progress = Callable[[int], None]
"""Called with the number of samples found so far."""


class Samples(NamedTuple):
    """Some samples: `x` of shape `(n, *inputs.shape)`, `y` of shape `(n, *target.shape)` or None."""

    x: NDArray[Any]
    y: NDArray[Any] | None


@dataclass(frozen=True)
class Finding:
    """Something about a source that its user should know.

    Attributes:
        kind: What it is, one of the words that `brimful scan --json` uses.
        count: How many samples, or lines of the label table.
        examples: The first few.
        is_problem: Whether training on the source as it is would be wrong.
        hint: What to do about it.
    """

    kind: str
    count: int
    examples: tuple[str, ...]
    is_problem: bool
    hint: str = ""

    def __str__(self) -> str:
        few = self.examples[:3]
        more = ", ..." if self.count > len(few) else ""
        return f"{self.count:,} x {self.kind.replace('_', ' ')}: {', '.join(few)}{more}"


class Reader(Protocol):
    """Random access to the samples of a source.

    Rows are in ascending order of (`xxh3_64(key)`, key bytes), whatever order the files were listed
    in: the same files give the same rows on every machine, and a split by key is a range of rows.

    A reader is deterministic (the same row gives the same arrays, or an error), safe to use from
    several threads at once, and never writes to what it reads.
    """

    @property
    def name(self) -> str:
        """What a person calls this source."""

    @property
    def schema(self) -> Schema:
        """What every sample has."""

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """`xxh3_64(key)` of every row, ascending, shape `(len(self),)`."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed when the source was scanned."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided when the source was scanned, a line each, for a person to check."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory that this reader itself holds."""

    def __len__(self) -> int: ...

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Keys of some rows."""

    def read(self, rows: NDArray[np.int64]) -> Samples:
        """Read some samples, in the order given, as freshly owned arrays.

        Raises:
            SourceError: One of them cannot be read, or is not what the schema says.
        """

    def working_bytes(self, n: int) -> int:
        """Bytes of memory that reading n rows takes at the most, the result included."""
