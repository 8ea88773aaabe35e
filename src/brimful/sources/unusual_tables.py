"""Unusual tables: label tables beside the samples that have another name than those looked for."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import BrimfulError
from brimful.keys import HashedKeys
from brimful.samples import Finding
from brimful.sources.id_match import match_ids
from brimful.sources.label_table import read_ids
from brimful.sources.listing import Listing
from brimful.sources.words import NUMBER, matches

MOST = 10  # files that are looked at
MOST_IDS = 1000  # of each
LARGEST = 64_000_000  # bytes of one
STRAYS = 10  # at most one file in so many lies beside the folders of the others


@dataclass(frozen=True)
class UnusualTables:
    """Label tables of unusual names.

    Attributes:
        root: The folder in which they are.
        names: Their names.
        rows: The rows of those that are counted among the samples.
    """

    root: Path
    names: tuple[str, ...]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, listing: Listing) -> "UnusualTables":
        """Those files beside the samples, or among them, whose ids name at least half of the samples."""
        outside, samples = _outside(listing), listing
        among = listing.paths_of(outside).to_pylist()
        names = [*listing.beside[:MOST], *among]
        if names and outside.size:
            samples = listing.take(np.setdiff1d(np.arange(len(listing)), outside))
        found = tuple(
            name for name in names if _is_table(listing.root / name, samples, may_be_sample=name in among)
        )
        rows = [row for row, name in zip(outside.tolist(), among, strict=True) if name in found]
        return cls(listing.root, found, np.array(rows, np.int64))

    def findings(self, *, is_problem: bool) -> tuple[Finding, ...]:
        """The finding about them, if there are any."""
        if not self.names:
            return ()
        examples = tuple(f"the ids in {self.root / name} name the samples" for name in self.names)
        hint = (
            f"Is it the label table? labels={str(self.root / self.names[0])!r}, "
            f"--labels {self.root / self.names[0]}. If there are no labels: labels=False, --labels none."
        )
        return (Finding("unusual_table", len(self.names), examples, is_problem=is_problem, hint=hint),)


def _outside(listing: Listing) -> NDArray[np.int64]:
    """The rows of the few files that lie beside the folders in which all others are."""
    if not listing.has_folders:
        return np.empty(0, np.int64)
    is_outside = pc.equal(pc.find_substring(listing.paths, "/"), -1).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_outside)
    return rows if len(rows) <= MOST and len(rows) * STRAYS <= len(listing) else rows[:0]


def _is_table(path: Path, samples: Listing, *, may_be_sample: bool) -> bool:
    """Whether a file is a table whose ids name samples, at least half as many as there are.

    One that may be a sample, for it holds nothing but numbers, is none.
    """
    try:
        if not len(samples) or path.stat().st_size > LARGEST:
            return False
        table = read_ids(path)
        is_number = (matches(cells, NUMBER).all() for cells in table.targets.values())
        if may_be_sample and table.first_line == 1 and all(is_number):
            return False
        if len(table.ids.keys) * 2 < len(samples):
            return False
        some = replace(table, ids=HashedKeys.of(table.ids.keys[:MOST_IDS]))
        _, rows, _ = match_ids(some, samples)
    except (BrimfulError, OSError):
        return False
    return int(np.count_nonzero(rows >= 0)) * 2 >= len(some.ids.keys)
