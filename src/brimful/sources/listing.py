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
from brimful.sources.walk import SUFFIXES, Found, keys_of, split_paths, suffix_of, walk

MORE_SUFFIXES = (".csv.gz", ".txt.gz", ".tsv.gz", ".dat.gz", ".asc.gz", ".data", ".text")
TABLES = (".csv", ".tsv", ".txt", ".tab")
ANY = ".*"  # of several suffixes
ANY_SUFFIX = r"\.[^./]*$"
FEW = 1000  # files that are no samples
SECOND = 10  # at least one file in so many has the second most frequent suffix: that is worth a remark


@dataclass(frozen=True)
class Listing:
    """The sample files of a folder.

    Attributes:
        paths: Paths below the root, `/`-separated, a pyarrow large_string array in row order.
        suffix: The suffix of all paths, in small letters; ANY if they have several.
        hashes: `xxh3_64` of every key, ascending, uint64.
        left_out: How many other files there are, by suffix.
        findings: What is named like a sample file and is none.
        beside: Names of the files in the folder itself that are no samples, but may be tables by suffix,
            if they are few.
    """

    root: Path
    paths: pa.LargeStringArray
    hashes: NDArray[np.uint64]
    suffix: str
    left_out: dict[str, int]
    findings: tuple[Finding, ...] = ()
    beside: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def end_with(self, letters: bytes) -> NDArray[np.bool_]:
        """Which keys end with one of some letters of ASCII; all may, if there are several suffixes."""
        if self.suffix == ANY:
            return np.ones(len(self), bool)
        _, offsets, content = self.paths.buffers()
        ends = np.frombuffer(offsets, np.int64)[self.paths.offset :][1 : len(self) + 1]
        is_one = np.zeros(256, bool)
        is_one[list(letters)] = True
        at = np.maximum(ends - len(self.suffix) - 1, 0)
        found: NDArray[np.bool_] = is_one[np.frombuffer(content, np.uint8)[at]]
        return found

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.root)

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """The paths of some files."""
        return [str(self.root / path) for path in self.paths_of(rows).to_pylist()]

    @property
    def has_folders(self) -> bool:
        """Whether any of the files lies in a folder below the root."""
        content = np.frombuffer(self.paths.buffers()[2] or b"", np.uint8)
        return bool((content == ord("/")).any())

    @property
    def keys(self) -> pa.LargeStringArray:
        """Keys of all rows."""
        return self.keys_of(self.paths)

    @property
    def stems(self) -> pa.LargeStringArray:
        """The names of all files without folder and suffix."""
        return self.keys_of(pc.struct_field(split_paths(self.paths), "name"))

    def keys_of(self, paths: pa.LargeStringArray) -> pa.LargeStringArray:
        """Paths or names of sample files without their suffix."""
        if self.suffix == ANY:
            return pc.replace_substring_regex(paths, pattern=ANY_SUFFIX, replacement="", memory_pool=POOL)
        return keys_of(paths, self.suffix)

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
        found = walk(self.root, suffixes=(self.suffix,))
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


def list_folder(
    root: Path,
    *,
    without: Sequence[Path] = (),
    suffix: str | None = None,
    progress: Progress | None = None,
) -> Listing:
    """List the sample files below a folder: those of the most frequent of the suffixes, in capitals or not.

    Files in `without`, such as label tables, are no samples, even if a link leads to them.

    Args:
        root: The folder.
        without: Files that are no samples.
        suffix: The suffix of the samples; by default the most frequent of SUFFIXES, or else of MORE_SUFFIXES.
        progress: Called with the number of files found so far.

    Raises:
        SourceNotFoundError: The folder does not exist, or holds no sample file.
        SourceError: A name is not UTF-8, or two files have the same key.
    """
    suffixes = SUFFIXES if suffix is None else (suffix.lower(),)
    found = walk(root, progress, suffixes)
    listing = _listed(root, found, without, suffixes, is_asked=suffix is not None)
    if listing is None and suffix is None:
        others = Counter(map(suffix_of, strings(pa.chunked_array(found.paths))))
        usual = max(MORE_SUFFIXES, key=lambda each: others[each])
        if others[usual]:
            listing = _listed(root, walk(root, progress, (usual,)), without, (usual,), is_asked=True)
    if listing is not None:
        return listing
    others = found.passed_over + Counter(map(suffix_of, strings(pa.chunked_array(found.paths))))
    links = f"; {len(found.linked):,} links to folders were not followed" if found.linked else ""
    usual = max(others, key=lambda name: (name.startswith("."), others[name]), default=".data")
    other = usual if usual.startswith(".") else ".data"
    raise SourceNotFoundError(
        f"{root}: no sample files ({', '.join(suffixes)}) in this folder or below it"
        + (f"; it holds {counted(others)}{links}." if others else f"{links}." if links else "; it is empty."),
        "Give the folder that holds one text file per sample; name its suffix if it is another one: "
        f"suffix={other!r}, --suffix {other}.",
    )


def _listed(
    root: Path, found: Found, without: Sequence[Path], suffixes: Sequence[str], *, is_asked: bool
) -> Listing | None:
    """The files that were found with the most frequent suffix; None if there are none."""
    paths, hashes = pa.chunked_array(found.paths), np.concatenate(found.hashes)
    numbers = np.concatenate(found.suffixes)
    is_table = _lead_to(without, root, paths)
    counts = np.bincount(numbers[~is_table] + 1, minlength=1 + len(suffixes))[1:]
    usual = int(np.argmax(counts))
    is_sample = (numbers == usual) & ~is_table
    if not is_sample.any():
        return None
    others = paths.filter(numbers != usual)
    left_out = found.passed_over + Counter(map(suffix_of, strings(others)))
    listing = in_row_order(root, paths, hashes, np.flatnonzero(is_sample), suffixes[usual])
    doubts = () if is_asked else _doubts(dict(zip(suffixes, counts.tolist(), strict=True)))
    findings = (*found.findings(root), *doubts)
    return replace(listing, left_out=dict(left_out), findings=findings, beside=tables_among(others, without))


def tables_among(others: pa.ChunkedArray, without: Sequence[Path]) -> tuple[str, ...]:
    """Those of the files that are no samples which may be tables, if there are few."""
    known = {file.name for file in without}
    few = strings(others) if len(others) <= FEW else ()
    return tuple(name for name in few if "/" not in name and suffix_of(name) in TABLES and name not in known)


def _doubts(counts: dict[str, int]) -> tuple[Finding, ...]:
    """The finding about files of a second suffix, if there are many of them."""
    (usual, most), (second, count) = Counter(counts).most_common(2)
    if count * SECOND < most:
        return ()
    is_problem = count * 2 >= most
    example = f"{most:,} files are {usual}, {count:,} are {second}, which are left out"
    hint = f"Say which are the samples: suffix='{usual}', --suffix {usual}."
    return (Finding("second_suffix", count, (example,), is_problem=is_problem, hint=hint),)


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


def in_row_order(
    root: Path,
    paths: pa.ChunkedArray,
    hashes: NDArray[np.uint64],
    samples: NDArray[np.int64],
    suffix: str,
) -> Listing:
    """The listing of those paths that are samples."""
    listing = Listing(root, pa.array([], pa.large_string()), hashes[:0], suffix, {})
    order = samples[
        row_order(hashes[samples], lambda: listing.keys_of(paths.take(pa.array(samples)).chunk(0)))
    ]
    taken = pc.take(paths, pa.array(order), memory_pool=POOL).chunk(0)
    listing = Listing(root, taken, hashes[order], suffix, {})
    equal = np.flatnonzero(np.diff(listing.hashes) == 0)
    for row in equal.tolist():
        first, second = listing.paths.slice(row, 2).to_pylist()
        one, other = listing.keys_of(listing.paths.slice(row, 2)).to_pylist()
        if one == other:
            raise SourceError(
                f"{root}: two files have the same key: {first} and {second}.",
                "Rename one of them: the key is the path without its suffix.",
            )
    return listing
