"""FileContents: the content of many files, one behind another."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FileContents:
    """The content of some files.

    Attributes:
        joined: Their bytes, uint8. Those that come from `read_files` are overwritten by the next group.
        lengths: How many bytes each has, int64.
    """

    joined: NDArray[np.uint8]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, files: Sequence[bytes]) -> "FileContents":
        """Those of files that are there one by one."""
        lengths = np.fromiter(map(len, files), np.int64)
        return cls(np.frombuffer(b"".join(files), np.uint8), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each ends in `joined`."""
        return np.cumsum(self.lengths)

    def split(self) -> list[bytes]:
        """Each by itself, copied."""
        return [self.joined[start:end].tobytes() for start, end in pairwise([0, *self.ends.tolist()])]
