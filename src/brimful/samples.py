"""Samples, and the types around them that all layers share: Fault, Finding, Progress, Reader."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Schema, flatten
from brimful.sides import Sides

INFERRED_FROM = 256  # samples, the first in row order, which are a uniform draw
EXAMPLES = 10  # of each kind of finding
FINGERPRINT = ("size", "mtime_ns", "ctime_ns", "inode")
"""What shows whether a sample has changed: its size in the source, the times and the inode of its file."""

Progress = Callable[[int], None]
"""Called with the number of samples found so far."""


class Fault(NamedTuple):
    """A sample that cannot be used: its key, the kind of fault, and a message with the place."""

    key: str
    kind: str
    message: str


class Samples(NamedTuple):
    """Some samples, as they are delivered in a batch.

    `x` of shape `(n, *inputs.shape)`, `y` of shape `(n, *target.shape)` or None, weights `w` of shape
    `(n,)` or None. Several inputs or targets are a dict of arrays by name.
    """

    x: Any
    y: Any = None
    w: NDArray[Any] | None = None

    @property
    def inputs(self) -> tuple[NDArray[Any], ...]:
        """The arrays of the inputs."""
        return flatten(self.x)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All arrays, in the order of the schema's fields."""
        return (*flatten(self.x), *flatten(self.y), *flatten(self.w))

    @property
    def batch(self) -> tuple[Any, ...]:
        """The tuple of x, y, w without those that are None."""
        return tuple(part for part in self if part is not None)

    @property
    def ranges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the greatest input value of each sample, shape `(n,)`; NaN if all are NaN."""
        flat = [values.reshape(len(values), -1) for values in self.inputs]
        low = np.min([values.min(axis=1) for values in flat], axis=0)
        high = np.max([values.max(axis=1) for values in flat], axis=0)
        if np.isnan(low).any():
            low = np.fmin.reduce([np.fmin.reduce(values, axis=1) for values in flat])
            high = np.fmax.reduce([np.fmax.reduce(values, axis=1) for values in flat])
        return low.astype(np.float64), high.astype(np.float64)


@dataclass(frozen=True)
class Finding:
    """Something about a source that its user should know.

    Attributes:
        kind: The kind of finding, one of the words in the output of `brimful scan --json`.
        count: Number of samples, or of lines of the label table.
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
    """Random access to samples by row.

    Rows are in ascending order of (`xxh3_64(key, split_seed)`, key bytes), whatever order the samples were
    found in: the same samples give the same rows on every machine, and a split by key is a range of rows.

    A reader is deterministic (the same row gives the same arrays, or an error), safe to use from
    several threads at once, and never writes to what it reads.
    """

    @property
    def name(self) -> str:
        """The name shown to users."""

    @property
    def schema(self) -> Schema:
        """What every sample has."""

    @property
    def split_seed(self) -> int:
        """Seed of the hash that orders the rows."""

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """`xxh3_64(key, split_seed)` of every row, ascending, shape `(len(self),)`."""

    def row_from(self, value: int) -> int:
        """The first row whose hash is at least a value of 0 to 2**64, or `len(self)`."""

    @property
    def sides(self) -> Sides | None:
        """The side of each row in the split that the user has made in the label table; None without one."""

    @property
    def skipped(self) -> tuple[Fault, ...]:
        """Samples that were left out because they cannot be used."""

    def __len__(self) -> int: ...

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Keys of some rows."""

    def read(self, rows: NDArray[np.int64]) -> Samples:
        """Read some samples, in the order given, as freshly owned arrays.

        Raises:
            BrimfulError: A sample cannot be read, or does not fit the schema.
        """

    def working_bytes(self, n: int) -> int:
        """Most bytes of memory that reading n rows takes, the result included."""
