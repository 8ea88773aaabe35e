"""FolderFormat: what every Format of a folder with a file per sample has in common."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.samples import FINGERPRINT
from brimful.sources.base import BaseFormat
from brimful.sources.listing import Listing, strings
from brimful.sources.read_files import fingerprint


class FolderFormat(BaseFormat):
    """A folder with a file per sample, numbered in row order."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.root = listing.root
        self.name = str(listing.root)
        self.findings = listing.findings
        self.nbytes = int(listing.paths.nbytes)  # the hashes are those of the index

    def __len__(self) -> int:
        return len(self._listing)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """Paths of some files without suffix."""
        return self._listing.keys_of(self._listing.paths_of(numbers))

    def place(self, number: int) -> str:
        """The path of a file."""
        return self._listing.places(np.array([number]))[0]

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Size, times and inode of some files."""
        paths = strings(self._listing.paths_of(numbers))
        prints = [fingerprint(self._listing.root, path) for path in paths]
        return np.array(prints, np.int64).reshape(len(numbers), len(FINGERPRINT))
