"""Listing: the sample files of a folder, in row order, in few bytes per file."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import SourceError, SourceNotFoundError
from brimful.keys import DRAW_SEED, KEYS_PER_PIECE, hash_keys, row_order
from brimful.memory import POOL
from brimful.samples import Finding, Progress
from brimful.sources.walk import SUFFIX_BYTES, SUFFIXES, keys_of, suffix_of, walk


@dataclass(frozen=True)
class Listing:
    """The sample files of a folder.

    Attributes:
        paths: Paths below the root, `/`-separated, a pyarrow large_string array in row order.
        hashes: `xxh3_64` of every key, ascending, uint64.
        left_out: How many other files there are, by suffix.
        findings: What is named like a sample file and is none.
    """

    root: Path
    paths: pa.LargeStringArray
    hashes: NDArray[np.uint64]
    left_out: dict[str, int]
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> pa.LargeStringArray:
        """Keys of all rows."""
        return keys_of(self.paths)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return int(self.paths.nbytes + self.hashes.nbytes)

    def paths_of(self, rows: NDArray[np.int64]) -> pa.LargeStringArray:
        """Paths of some rows."""
        return pc.take(self.paths, pa.array(rows), memory_pool=POOL)

    def take(self, rows: NDArray[np.int64]) -> "Listing":
        """The listing of some rows, which must ascend."""
        return replace(self, paths=self.paths_of(rows), hashes=self.hashes[rows])

    def inodes(self) -> NDArray[np.uint64]:
        """The inode of each file, 0 if it is gone; lists the folder again, without a system call per file."""
        found = walk(self.root)
        hashes, inodes = np.concatenate(found.hashes), np.concatenate(found.inodes)
        if not len(hashes):
            return np.zeros(len(self), np.uint64)
        order = np.argsort(hashes)
        at = np.searchsorted(hashes[order], self.hashes).clip(max=len(hashes) - 1)
        return np.where(hashes[order[at]] == self.hashes, inodes[order[at]], np.uint64(0))

    def draw(self, n: int) -> NDArray[np.int64]:
        """Draw n rows by a second, independent hash of the key, ascending."""
        second = hash_keys(self.keys, DRAW_SEED)
        return np.sort(np.argsort(second, kind="stable")[:n])


def list_folder(root: Path, *, without: Sequence[Path] = (), progress: Progress | None = None) -> Listing:
    """List the sample files below a folder: those of the most frequent of the suffixes, in capitals or not.

    Files in `without`, such as label tables, are no samples, even if a link leads to them.

    Raises:
        SourceNotFoundError: The folder does not exist, or holds no sample file.
        SourceError: A name is not UTF-8, or two files have the same key.
    """
    found = walk(root, progress)
    paths, hashes = pa.chunked_array(found.paths), np.concatenate(found.hashes)
    suffixes = np.concatenate(found.suffixes)
    usual = np.argmax(np.bincount(suffixes + 1, minlength=2)[1:])
    is_sample = suffixes == usual
    left_out = found.passed_over + Counter(map(suffix_of, strings(paths.filter(~is_sample))))
    is_sample &= ~_lead_to(without, root, paths)
    if not is_sample.any():
        others = counted(left_out)
        raise SourceNotFoundError(
            f"{root}: no sample files ({', '.join(SUFFIXES)}) in this folder or below it"
            + (f"; it holds {others}." if others else "; it is empty."),
            "Give the folder that holds one text file per sample.",
        )
    listing = _in_row_order(root, paths, hashes, np.flatnonzero(is_sample))
    return replace(listing, left_out=dict(left_out), findings=found.findings(root))


def counted(left_out: Mapping[str, int]) -> str:
    """Counts by name, in words."""
    return ", ".join(f"{count:,} {what}" for what, count in left_out.items())


def strings(array: pa.LargeStringArray | pa.ChunkedArray) -> Iterator[str]:
    """The strings of an array, few of them in memory at a time."""
    for start in range(0, len(array), KEYS_PER_PIECE):
        yield from array.slice(start, KEYS_PER_PIECE).to_pylist()


def _lead_to(files: Sequence[Path], root: Path, paths: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which paths lead to one of some files."""
    lead = np.zeros(len(paths), bool)
    targets = {file.resolve() for file in files}
    for name in {file.name for file in (*files, *targets)}:
        for row in np.flatnonzero(pc.ends_with(paths, pattern=name)).tolist():
            lead[row] |= (root / paths[row].as_py()).resolve() in targets
    return lead


def _in_row_order(
    root: Path, paths: pa.ChunkedArray, hashes: NDArray[np.uint64], samples: NDArray[np.int64]
) -> Listing:
    """The listing of those paths that are samples."""
    order = samples[row_order(hashes[samples], lambda: keys_of(paths.take(pa.array(samples)).chunk(0)))]
    listing = Listing(root, pc.take(paths, pa.array(order), memory_pool=POOL).chunk(0), hashes[order], {})
    equal = np.flatnonzero(np.diff(listing.hashes) == 0)
    for row in equal.tolist():
        first, second = listing.paths.slice(row, 2).to_pylist()
        if first[:-SUFFIX_BYTES] == second[:-SUFFIX_BYTES]:
            raise SourceError(
                f"{root}: two files have the same key: {first} and {second}.",
                "Rename one of them: the key is the path without its suffix.",
            )
    return listing
