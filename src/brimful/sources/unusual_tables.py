"""Unusual tables: label tables beside the samples that have another name than those looked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import BrimfulError
from brimful.options import ScanOptions
from brimful.samples import Finding
from brimful.sources.label_join import join_table
from brimful.sources.label_table import read_table
from brimful.sources.labels import MISSING
from brimful.sources.listing import Listing

MOST = 10  # files that are looked at
LARGEST = 64_000_000  # bytes of one
STRAYS = 10  # at most one file in so many lies beside the folders of the others


def find_unusual_tables(listing: Listing) -> list[str]:
    """The names of files beside the samples, or among them, whose ids name at least half of the samples."""
    names = [*listing.beside, *(listing.paths[row].as_py() for row in _outside(listing).tolist())]
    samples = listing.take(np.flatnonzero(~np.isin(np.arange(len(listing)), _outside(listing))))
    return [name for name in names[:MOST] if _names_samples(listing.root / name, samples)]


def rows_of(names: Sequence[str], listing: Listing) -> NDArray[np.int64]:
    """The rows of those files that are counted among the samples."""
    outside = _outside(listing)
    return np.array([row for row in outside.tolist() if listing.paths[row].as_py() in names], np.int64)


def finding_of(names: Sequence[str], root: Path, *, is_problem: bool) -> tuple[Finding, ...]:
    """The finding about such tables, if there are any."""
    if not names:
        return ()
    examples = tuple(f"the ids in {root / name} name the samples" for name in names)
    hint = (
        f"Is it the label table? labels={str(root / names[0])!r}, --labels {root / names[0]}. "
        "If there are no labels: labels=False, --labels none."
    )
    return (Finding("unusual_table", len(names), examples, is_problem=is_problem, hint=hint),)


def _outside(listing: Listing) -> NDArray[np.int64]:
    """The rows of the few files that lie beside the folders in which all others are."""
    if not listing.has_folders:
        return np.empty(0, np.int64)
    is_outside = pc.equal(pc.find_substring(listing.paths, "/"), -1).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_outside)
    return rows if len(rows) <= MOST and len(rows) * STRAYS <= len(listing) else rows[:0]


def _names_samples(path: Path, samples: Listing) -> bool:
    """Whether a file is a table whose ids name at least half of the samples."""
    try:
        if not len(samples) or path.stat().st_size > LARGEST:
            return False
        table = read_table(path, ScanOptions(regression=True))
        labels = join_table(table, samples, regression=True)
    except (BrimfulError, OSError):
        return False
    return int(np.count_nonzero(labels.state != MISSING)) * 2 >= len(samples)
