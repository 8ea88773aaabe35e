"""Format: what a source can be read from, and all that a new format has to implement."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.samples import Finding, Samples
from brimful.schema import Schema


@runtime_checkable
class Format(Protocol):
    """Random access to samples, numbered from 0 to `len(self) - 1` in an order of the format's own.

    A format knows nothing of rows, label tables, splits and batches, which belong to `Index`. It is

    - deterministic: the same number is the same sample, with the same arrays or the same error;
    - thread-safe: several threads read at once;
    - read-only: what it reads stays as it is.

    `BaseFormat` implements all but `name`, `schema`, `identity`, `__len__`, `keys` and `read`.
    """

    @property
    def name(self) -> str:
        """The name shown to users, usually the folder."""

    @property
    def schema(self) -> Schema:
        """What every sample has: inputs, and target and weight if samples carry their own."""

    @property
    def identity(self) -> str:
        """What is read, and how it is parsed: unchanged samples of an equal identity are not read again."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided, one line per fact, for the user to check; the first line says what was found."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed while the samples were listed, counted in full."""

    @property
    def root(self) -> Path | None:
        """The folder of the data, in which no store may be made; None for data outside the file system."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory that names and locations of the samples take."""

    def __len__(self) -> int: ...

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """Keys of some samples: unique, and the same on every machine and at every scan."""

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples, in the order given, as freshly owned arrays.

        Values of fields that have an encoding are given in it, as an array of `bytes`, shape `(n,)`.

        Args:
            numbers: The numbers of the samples.
            prints: Where to write the fingerprints of the samples as they are read; not given if
                `fingerprints` returns None.

        Raises:
            SourceError: A sample cannot be read, or does not fit the schema; the message names its place.
        """

    def place(self, number: int) -> str:
        """Where a sample is, for a person: a file, and what else is needed to find it there."""

    @property
    def encoded_bytes(self) -> int:
        """Mean bytes of the encoded values of a sample, among the first in row order; 0 without any."""

    def working_bytes(self, n: int) -> int:
        """Most bytes of memory that reading n samples takes, the result included."""

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """What shows, without reading them, whether samples have changed.

        One per sample, even if many samples share a file: the bytes that the sample takes in it, then the
        times and the inode of the file.

        Returns:
            Shape `(len(numbers), len(FINGERPRINT))`, -1 for a sample that is gone; None, whatever the
            numbers, if nothing shows whether a sample has changed.
        """

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Positions in `numbers`, in the order in which reading is cheap: by inode, offset or row group.

        None if no order is known to be cheaper than another.
        """


class BaseFormat:
    """Defaults: no folder, no findings, no fingerprints and no natural order.

    Attributes:
        is_sequential: Whether samples are cheap to read only in their natural order: all that read many of
            them do so in that order.
    """

    name: str
    schema: Schema
    identity: str
    facts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    root: Path | None = None
    nbytes: int = 0
    encoded_bytes: int = 0
    is_sequential: bool = False

    def place(self: Format, number: int) -> str:
        """The name of the format and the key."""
        return f"{self.name}: {self.keys(np.array([number]))[0].as_py()!r}"

    def working_bytes(self, n: int) -> int:
        """The arrays handed out, and those that they are made of."""
        return 2 * (n + 1) * self.schema.nbytes

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """None: nothing shows whether a sample has changed."""
        return None

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """None: no order is known to be cheaper."""
        return None
