"""FileContents: the content of many files, joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FileContents:
    """The joined bytes of some files, and the length of each in bytes.

    The bytes of a group from `read_files` are overwritten by the next group.
    """

    joined: NDArray[np.uint8]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, files: Sequence[bytes]) -> "FileContents":
        """Join the contents of single files."""
        lengths = np.fromiter(map(len, files), np.int64)
        return cls(np.frombuffer(b"".join(files), np.uint8), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each file ends in `joined`."""
        return np.cumsum(self.lengths)

    def split(self) -> list[bytes]:
        """The content of each file, copied."""
        return [self.joined[start:end].tobytes() for start, end in pairwise([0, *self.ends.tolist()])]
