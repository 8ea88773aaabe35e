"""Texts: the content of many files, one behind another."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Texts:
    """The content of some files.

    Attributes:
        joined: Their bytes, uint8.
        lengths: How many bytes each has, int64.
    """

    joined: NDArray[np.uint8]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, files: Sequence[bytes]) -> "Texts":
        """Those of files that are there one by one."""
        return cls(np.frombuffer(b"".join(files), np.uint8), np.array([len(file) for file in files]))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each ends in `joined`."""
        return np.cumsum(self.lengths)

    def split(self) -> list[bytes]:
        """Each by itself, copied."""
        return [self.joined[start:end].tobytes() for start, end in pairwise([0, *self.ends.tolist()])]
