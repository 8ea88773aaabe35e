"""SourceReader: random access to the samples of a source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brimful.samples import Fault, Finding, Reader, Samples


class SourceReader(Reader, Protocol):
    """Random access to the samples of a source, some of which may not be what they should."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed about labels and files when the source was scanned, counted in full."""

    @property
    def sampled_findings(self) -> tuple[Finding, ...]:
        """What was noticed in those samples that the schema was inferred from."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided when the source was scanned, a line each, for a person to check."""

    def label_faults(self, rows: NDArray[np.int64]) -> dict[int, str]:
        """Kinds of what is wrong with the labels of some rows, by position in them."""

    def class_counts(self, rows: NDArray[np.int64]) -> dict[int, int] | dict[str, int] | None:
        """How many of some rows there are of each class; None where classes are not known."""

    @property
    def identity(self) -> str:
        """What this source is and how it is read: a file looked at under the same one need not be again."""

    @property
    def has_files(self) -> bool:
        """Whether a sample is a file, and what it says of a sample can be known without reading it."""

    @property
    def root(self) -> Path | None:
        """The folder in which the files are."""

    def fingerprints(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """What tells whether the files of some rows have changed, shape `(len(rows), len(FINGERPRINT))`.

        -1 where there is no file.
        """

    def disk_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Positions in rows, in the order in which their files lie on the disk, as far as that can be told.

        None where nothing tells.
        """

    def read(
        self,
        rows: NDArray[np.int64],
        *,
        targets: bool = True,
        prints: NDArray[np.int64] | None = None,
    ) -> Samples:
        """Read some samples, in the order given, as freshly owned arrays.

        Args:
            rows: Which.
            targets: Whether labels are wanted; without, it is no error if one is missing.
            prints: Where to write the fingerprints of the files as they are read, as `fingerprints` has
                them.

        Raises:
            SourceError: One of them cannot be read, or is not what the schema says.
        """

    def targets(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any] | None, NDArray[np.float32] | None]:
        """Target and weight of some rows, where there are files.

        Raises:
            LabelError: One of them has none.
        """

    def without(self, faults: Sequence[Fault], rows: NDArray[np.int64]) -> "SourceReader":
        """The same source without some samples that cannot be used: only the given rows, ascending."""
