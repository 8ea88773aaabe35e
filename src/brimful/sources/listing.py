"""Listing: the sample files of a folder, in row order, in few bytes a file."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import SourceError, SourceNotFoundError
from brimful.keys import DRAW_SEED, hash_keys
from brimful.sources.base import EXAMPLES, Finding, Progress

SUFFIXES = (".csv", ".tsv", ".txt", ".dat")
NO_SAMPLE = (".", "~", "#")  # how the names of files begin that systems and editors leave behind
PIECE = 8_192  # files a piece: what is held as Python strings at a time


@dataclass(frozen=True)
class Listing:
    """The sample files of a folder.

    Attributes:
        root: The folder.
        paths: Paths below it, `/`-separated, a pyarrow large_string array in row order.
        hashes: `xxh3_64` of every key, ascending, uint64.
        left_out: How many other files lie about, by suffix.
        findings: What has the name of a sample file, and is none.
        drawn: How many were drawn from it, 0 if it is whole.
    """

    root: Path
    paths: pa.LargeStringArray
    hashes: NDArray[np.uint64]
    left_out: dict[str, int]
    findings: tuple[Finding, ...] = ()
    drawn: int = 0

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

    def take(self, rows: NDArray[np.int64]) -> "Listing":
        """The listing of some rows, which must ascend."""
        return replace(self, paths=self.paths.take(pa.array(rows)), hashes=self.hashes[rows])

    def draw(self, n: int) -> NDArray[np.int64]:
        """Draw n rows by a second, independent hash of the key, ascending."""
        second = hash_keys(strings(self.keys), DRAW_SEED)
        return np.sort(np.argsort(second, kind="stable")[:n])


def keys_of(paths: pa.LargeStringArray) -> pa.LargeStringArray:
    """Keys of sample files: the path without its suffix."""
    return pc.replace_substring_regex(paths, pattern=r"\.[^./]*$", replacement="")


def list_folder(root: Path, *, without: Sequence[Path] = (), progress: Progress | None = None) -> Listing:
    """List the sample files below a folder.

    They are the files of one suffix, the one that most of the files named `.csv`, `.tsv`, `.txt` or
    `.dat` have, in capitals or not. Hidden files (`.x`), hidden folders and what editors leave behind
    (`~$x`, `#x#`) are passed over. Links to files are followed, links to folders are not.

    Args:
        root: The folder.
        without: Files that are no samples, wherever they lie: label tables.
        progress: Called with the number of files found so far, every few thousand.

    Raises:
        SourceNotFoundError: There is no such folder, or no sample file in it.
        SourceError: A name is not UTF-8, or two files have the same key.
    """
    walk = _Walk(root)
    found = walk.pieces(without, progress)
    if not found:
        others = counted(walk.left_out)
        raise SourceNotFoundError(
            f"{root}: no sample files ({', '.join(SUFFIXES)}) in this folder or below it"
            + (f"; what lies there: {others}." if others else "; it is empty."),
            "Give the folder that holds one text file a sample.",
        )
    suffix = max(SUFFIXES, key=lambda known: sum(map(len, found[known])) if known in found else 0)
    for other in found.keys() - {suffix}:
        walk.left_out[other] += sum(map(len, found[other]))
    listing = _in_row_order(root, found[suffix])
    return replace(listing, left_out=dict(walk.left_out), findings=walk.findings())


def counted(left_out: Mapping[str, int]) -> str:
    """What was left out, in words."""
    return ", ".join(f"{count:,} {what}" for what, count in left_out.items())


@dataclass
class _Walk:
    """A walk through all of a folder.

    Attributes:
        root: The folder.
        left_out: What is no sample by its name, counted by suffix.
        not_files: Paths of what is named like a sample and is no file: pipes, links to nowhere.
    """

    root: Path
    left_out: Counter[str] = field(default_factory=Counter)
    not_files: list[str] = field(default_factory=list)

    def pieces(
        self, without: Sequence[Path], progress: Progress | None
    ) -> dict[str, list[pa.LargeStringArray]]:
        """Collect the paths by suffix, a piece at a time. Nothing here may cost much: it is done per file."""
        found: dict[str, list[pa.LargeStringArray]] = {suffix: [] for suffix in SUFFIXES}
        piece: dict[str, list[str]] = {suffix: [] for suffix in SUFFIXES}
        tables = {path.resolve() for path in without}
        names = {path.name for path in (*without, *tables)}
        count = 0
        for prefix, name in self._files():
            suffix = "." + name.rpartition(".")[2]
            if suffix not in piece:
                suffix = suffix.lower()
            if suffix not in piece or name.startswith(NO_SAMPLE):
                self.left_out[PurePosixPath(name).suffix.lower() or "without suffix"] += 1
            elif name not in names or (self.root / prefix / name).resolve() not in tables:
                paths = piece[suffix]
                paths.append(prefix + name)
                if len(paths) == PIECE:
                    found[suffix].append(_packed(self.root, paths))
                    paths.clear()
                count += 1
                if progress and count % 1000 == 0:
                    progress(count)
        for suffix, paths in piece.items():
            if paths:
                found[suffix].append(_packed(self.root, paths))
        return {suffix: pieces for suffix, pieces in found.items() if pieces}

    def findings(self) -> tuple[Finding, ...]:
        """What is named like a sample and is none."""
        if not self.not_files:
            return ()
        examples = tuple(str(self.root / path) for path in self.not_files[:EXAMPLES])
        hint = "Take them out of the folder: they are folders, pipes or links that lead to no file."
        return (Finding("not_a_file", len(self.not_files), examples, is_problem=True, hint=hint),)

    def _files(self) -> Iterator[tuple[str, str]]:
        """Every file below root: the path of its folder, with a `/` behind it, and its name."""
        folders = [""]
        while folders:
            folder = folders.pop()
            prefix = f"{folder}/" if folder else ""
            empty = True
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        if entry.is_file(follow_symlinks=False) or self._is_file(entry, prefix, folders):
                            empty = False
                            yield prefix, entry.name
            except OSError as error:
                raise unlistable(self.root / folder, error) from error
            if empty and _sample_suffix(folder) and not any(each.startswith(prefix) for each in folders):
                self.not_files.append(folder)  # but a folder of samples may be called data.csv

    def _is_file(self, entry: "os.DirEntry[str]", prefix: str, folders: list[str]) -> bool:
        """Whether what is no plain file leads to one; a folder is noted to be visited, the rest counted."""
        if entry.is_dir(follow_symlinks=False):
            if entry.name.startswith("."):
                self.left_out["hidden folders"] += 1
            else:
                folders.append(prefix + entry.name)
            return False
        try:
            if entry.is_file():
                return True
        except OSError:  # a link to itself
            pass
        if _sample_suffix(entry.name):
            self.not_files.append(prefix + entry.name)
        else:
            self.left_out["links to folders or nowhere, pipes or devices"] += 1
        return False


def unlistable(folder: Path, error: OSError) -> SourceNotFoundError:
    """The error for a folder that the system will not let us look into."""
    return SourceNotFoundError(
        f"{folder}: the folder cannot be listed: {error.strerror or error}.",
        "Check the path and the permissions.",
    )


def _sample_suffix(path: str) -> str:
    """The suffix of what may be a sample by its name; empty for all else."""
    name = path.rpartition("/")[2]
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in SUFFIXES and not name.startswith(NO_SAMPLE) else ""


def _packed(root: Path, paths: list[str]) -> pa.LargeStringArray:
    try:
        return pa.array(paths, pa.large_string())
    except UnicodeEncodeError as error:
        raise SourceError(
            f"{root}: the name of a file is not UTF-8: {error.object!r}.", "Rename the file."
        ) from error


def strings(array: pa.LargeStringArray) -> Iterator[str]:
    """The strings of an array, few at a time in memory."""
    for start in range(0, len(array), PIECE):
        yield from array.slice(start, PIECE).to_pylist()


def _in_row_order(root: Path, pieces: list[pa.LargeStringArray]) -> Listing:
    paths = pa.concat_arrays(pieces)
    keys = keys_of(paths)
    hashes = hash_keys(strings(keys))
    order = np.argsort(hashes, kind="stable")
    if (hashes[order][1:] == hashes[order][:-1]).any():  # rare, or two files of one key
        table = pa.table({"hash": hashes, "key": keys})
        sorted_by = [("hash", "ascending"), ("key", "ascending")]
        order = pc.sort_indices(table, sort_keys=sorted_by).to_numpy()
    listing = Listing(root, paths.take(pa.array(order)), hashes[order], {})
    equal = np.flatnonzero(listing.hashes[1:] == listing.hashes[:-1])
    for row in equal.tolist():
        first, second = listing.paths.slice(row, 2).to_pylist()
        if keys_of(pa.array([first]))[0] == keys_of(pa.array([second]))[0]:
            raise SourceError(
                f"{root}: two files have the same key: {first} and {second}.",
                "Rename one of them: the key is the path without its suffix.",
            )
    return listing
