"""Format: what a source can be read from. All that a new kind of source has to write."""

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

    A format knows nothing of rows, label tables, splits and batches: that is `Index`'s part. It is

    - deterministic: the same number is the same sample, with the same arrays or the same error;
    - thread-safe: several threads read at once;
    - never a writer: what it reads stays as it is.

    `BaseFormat` answers all but `name`, `schema`, `identity`, `__len__`, `keys` and `read`.
    """

    @property
    def name(self) -> str:
        """What a person calls it: the folder, as a rule."""

    @property
    def schema(self) -> Schema:
        """What every sample has: inputs; also target and weight, where samples carry their own."""

    @property
    def identity(self) -> str:
        """What it is, and how it is parsed: what was seen under the same identity need not be read again."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided, a line each, for a person to check; the first line says what there is."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed while samples were looked for, counted in full."""

    @property
    def root(self) -> Path | None:
        """The folder in which it lies, in which no store may be made; None where there is none."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory that names and places of the samples take."""

    def __len__(self) -> int: ...

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """Keys of some samples: unique, the same on every machine, and still the same tomorrow."""

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples, in the order given, as freshly owned arrays.

        Args:
            numbers: Which.
            prints: Where to write the fingerprints of the samples as they are read; not given where
                `fingerprints` gives None.

        Raises:
            SourceError: One of them cannot be read, or is not what the schema says; with the place of it.
        """

    def working_bytes(self, n: int) -> int:
        """Bytes of memory that reading n samples takes at the most, the result included."""

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """What shows whether samples have changed, without reading them.

        One for each, also where many samples lie in one file: the bytes that the sample takes where it
        lies, then times and inode of its file.

        Returns:
            Shape `(len(numbers), len(FINGERPRINT))`, -1 for what is gone; None, whatever the numbers, if
            nothing shows whether a sample has changed.
        """

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Positions in `numbers`, in the order in which reading is cheap: by inode, offset or row group.

        None where no order is known to be cheaper than another.
        """


class BaseFormat:
    """The answers of a format that has nothing special to say: no files, no findings, no order of its own."""

    name: str
    schema: Schema
    identity: str
    facts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    root: Path | None = None
    nbytes: int = 0

    def working_bytes(self, n: int) -> int:
        """The arrays handed out, and those that they are made of."""
        return 2 * (n + 1) * self.schema.nbytes

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Nothing shows whether a sample has changed."""
        return None

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """No order is known to be cheaper."""
        return None
