"""Walk: the names of all files below a folder. A million of them take little longer than listing them."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import SourceError, SourceNotFoundError
from brimful.keys import hash_keys
from brimful.sources.base import EXAMPLES, Finding, Progress

SUFFIXES = (".csv", ".tsv", ".txt", ".dat")
NO_SAMPLE = ".~#"  # how the names of files begin that systems and editors leave behind
PIECE = 8_192  # files whose names are held as Python strings at a time
TOLD = 1_000  # files from one call of `progress` to the next


@dataclass
class Walk:
    """A walk through all of a folder, and what it has found.

    Links to files are followed, links to folders are not; hidden folders (`.x`) are not entered. Hidden
    files and what editors leave behind (`~$x`, `#x#`) are passed over.

    Attributes:
        root: The folder.
        paths: Paths of the files below it, `/`-separated, in no order: pyarrow large_string arrays.
        hashes: `xxh3_64` of the key that each path has if it is a sample.
        passed_over: What is no sample by its name, counted by suffix.
        not_files: Paths of what is named like a sample and is no file: pipes, links to nowhere.
    """

    root: Path
    paths: list[pa.LargeStringArray] = field(default_factory=list)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    not_files: list[str] = field(default_factory=list)

    def findings(self) -> tuple[Finding, ...]:
        """What is named like a sample and is none."""
        if not self.not_files:
            return ()
        examples = tuple(str(self.root / path) for path in sorted(self.not_files)[:EXAMPLES])
        hint = "Take them out of the folder: they are folders, pipes or links that lead to no file."
        return (Finding("not_a_file", len(self.not_files), examples, is_problem=True, hint=hint),)

    def go(self, progress: Progress | None = None) -> Self:
        """Visit all folders. What is done here for each file must cost little.

        In one thread: the system gives the names one by one, and threads would wait for one another's
        Python at each.

        Args:
            progress: Called with the number of files found so far, every few thousand.

        Raises:
            SourceNotFoundError: A folder cannot be listed.
            SourceError: The name of what may be a sample is not UTF-8.
        """
        piece: list[str] = []
        count = 0
        for prefix, names in self._visit():
            shown = [name for name in names if name[0] not in NO_SAMPLE]
            if len(shown) < len(names):
                self.passed_over.update(kind_of(name) for name in names if name[0] in NO_SAMPLE)
            piece += map(prefix.__add__, shown)
            if len(piece) >= PIECE:
                self._keep(piece)
                piece = []
            count += len(shown)
            if progress and (count - len(shown)) // TOLD < count // TOLD:
                progress(count)
        self._keep(piece)
        return self

    def _visit(self) -> Iterator[tuple[str, list[str]]]:
        """The path of each folder, with a `/` behind it, and the names of its files, some at a time."""
        folders = [""]
        while folders:
            folder = folders.pop()
            prefix = f"{folder}/" if folder else ""
            inner: list[str] = []
            empty = True
            try:
                with os.scandir(self.root / folder) as entries:
                    while few := list(islice(entries, TOLD)):
                        names = _files(few)
                        if len(names) < len(few):
                            self._note_others(few, prefix, inner)
                        empty &= not names
                        yield prefix, names
            except OSError as error:
                raise unlistable(self.root / folder, error) from error
            if empty and not inner and sample_suffix(folder):
                self.not_files.append(folder)  # but a folder of samples may be called data.csv
            folders += inner

    def _note_others(self, entries: list["os.DirEntry[str]"], prefix: str, folders: list[str]) -> None:
        """Note the folders, which are to be visited, and count all else that is no file."""
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name.startswith("."):
                    self.passed_over["hidden folders"] += 1
                else:
                    folders.append(prefix + entry.name)
            elif not _is_file(entry):
                if sample_suffix(entry.name):
                    self.not_files.append(prefix + entry.name)
                else:
                    self.passed_over["links to folders or nowhere, pipes or devices"] += 1

    def _keep(self, paths: list[str]) -> None:
        try:
            packed = pa.array(paths, pa.large_string())
        except UnicodeEncodeError:
            packed = pa.array(self._utf8(paths), pa.large_string())
        self.paths.append(packed)
        self.hashes.append(hash_keys(keys_of(packed)))

    def _utf8(self, paths: list[str]) -> Iterator[str]:
        """The paths that are UTF-8; the others are counted, if they are no samples."""
        for path in paths:
            try:
                path.encode()
            except UnicodeEncodeError:
                if sample_suffix(path):
                    raise SourceError(
                        f"{self.root}: the name of a file is not UTF-8: {path!r}.", "Rename the file."
                    ) from None
                self.passed_over[kind_of(path)] += 1
            else:
                yield path


def keys_of(paths: pa.LargeStringArray) -> pa.LargeStringArray:
    """Keys of sample files: the path without its suffix, all of which are of one length."""
    return pc.utf8_slice_codeunits(paths, 0, -len(SUFFIXES[0]))


def unlistable(folder: Path, error: OSError) -> SourceNotFoundError:
    """The error for a folder that the system will not let us look into."""
    return SourceNotFoundError(
        f"{folder}: the folder cannot be listed: {error.strerror or error}.",
        "Check the path and the permissions.",
    )


def sample_suffix(path: str) -> str:
    """The suffix of what may be a sample by its name; empty for all else."""
    name = path.rpartition("/")[2]
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in SUFFIXES and name[0] not in NO_SAMPLE else ""


def kind_of(path: str) -> str:
    """What a file is called that is no sample."""
    suffix = PurePosixPath(path).suffix.lower()
    return suffix if _is_utf8(suffix) and suffix else "without suffix"


def _files(entries: list["os.DirEntry[str]"]) -> list[str]:
    """Names of files, and of links that lead to files."""
    try:
        return [entry.name for entry in entries if entry.is_file()]
    except OSError:  # a link to itself is among them
        return [entry.name for entry in entries if _is_file(entry)]


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
