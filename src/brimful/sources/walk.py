"""Walk: finds all files below a folder; a million take little longer than the system needs to list them."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import SourceError, SourceNotFoundError
from brimful.keys import hash_keys
from brimful.memory import POOL
from brimful.samples import EXAMPLES, Finding, Progress
from brimful.sources._getdents import FILE, FOLDER, OTHER, read_entries

SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".asc", ".tab", ".prn", ".xyz", ".lvm")
COMPRESSED = (".gz",)
NO_SAMPLE = ".~#"  # first characters of files that systems and editors leave behind
THREADS = 2  # one works while another one waits for the system; more contend for the GIL
PROGRESS_SECONDS = 0.1  # between two calls of `progress`
TOGETHER = 32  # folders per task, so that many small ones share the cost of a native call


NOT_A_FILE = "Take them out of the folder: they are folders, pipes or links that lead to no file."
LINKED = "Links to folders are not followed: what they hold is left out. Put the folder itself in its place."


@dataclass
class Found:
    """The files and folders that a walk has found.

    Attributes:
        paths: Paths of the files below the root, `/`-separated, in no order: pyarrow large_string arrays.
        hashes: `xxh3_64` of the key that each path has if it is a sample.
        inodes: The inode of each.
        suffixes: Which of the suffixes looked for each path has, in capitals or not, -1 for none of them.
        passed_over: Files that are no samples by their name, counted by suffix.
        not_files: Paths named like a sample that are no files: pipes, links to nowhere, empty folders.
        linked: Links to folders, which are not followed.
        folders: Paths of folders that are still to be visited.
    """

    paths: list[pa.LargeStringArray] = field(default_factory=list)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
    inodes: list[NDArray[np.uint64]] = field(default_factory=list)
    suffixes: list[NDArray[np.int8]] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    not_files: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)

    def findings(self, root: Path) -> tuple[Finding, ...]:
        """The findings about what is named like a sample and is none, and about links to folders."""
        return tuple(
            Finding(
                kind,
                len(paths),
                tuple(str(root / path) for path in sorted(paths)[:EXAMPLES]),
                is_problem=kind == "not_a_file",
                hint=hint,
            )
            for kind, paths, hint in (
                ("not_a_file", self.not_files, NOT_A_FILE),
                ("linked_folder", self.linked, LINKED),
            )
            if paths
        )

    def add(self, other: "Found") -> None:
        """Add what was found elsewhere."""
        for name, more in vars(other).items():
            vars(self)[name] += more


def walk(root: Path, progress: Progress | None = None, suffixes: Sequence[str] = SUFFIXES) -> Found:
    """Find all files below a folder; those that may be samples have one of some suffixes of one length.

    Links to files are followed, links to folders are not; hidden folders (`.x`) are not entered. Hidden
    files and files that editors leave behind (`~$x`, `#x#`) are passed over.

    Raises:
        SourceNotFoundError: A folder cannot be listed.
        SourceError: The name of a possible sample is not UTF-8.
    """
    found = Found(folders=[b""])
    endings = Suffixes(suffixes)
    endings.keep(root, found, pa.array([], pa.large_binary()), np.empty(0, np.uint64))  # for an empty folder
    counts: list[int] = []
    with ThreadPoolExecutor(THREADS, "brimful-walk") as pool:
        while folders := found.folders:
            found.folders = []
            batches = (folders[at : at + TOGETHER] for at in range(0, len(folders), TOGETHER))
            for visit in [pool.submit(_visit, root, batch, counts, endings) for batch in batches]:
                while progress and not wait([visit], PROGRESS_SECONDS).done:
                    progress(sum(counts))  # while a folder of millions is listed
                found.add(visit.result())
            if progress:
                progress(sum(counts))
    return found


def _visit(root: Path, folders: Sequence[bytes], counts: list[int], endings: "Suffixes") -> Found:
    """Find what some folders hold, and count the files meanwhile. Called in threads."""
    found = Found()
    top = os.fsencode(root) + b"/"
    prefixes = pa.array([folder + b"/" if folder else b"" for folder in folders], pa.large_binary())
    nothing = pa.scalar(b"", pa.large_binary())
    is_empty = np.ones(len(folders), bool)  # of files, and of folders to visit
    try:
        for names, initials, types, of, inodes in read_entries([top + folder for folder in folders]):
            before = pc.take(prefixes, pa.array(of), memory_pool=POOL)
            paths = pc.binary_join_element_wise(before, names, nothing, memory_pool=POOL)
            _resolve_types(top, paths, types)
            is_file, is_hidden = types == FILE, initials == ord(".")
            is_no_sample = np.isin(initials, list(NO_SAMPLE.encode()))
            to_visit = (types == FOLDER) & ~is_hidden
            is_kept = is_file & ~is_no_sample
            endings.keep(root, found, paths if is_kept.all() else paths.filter(is_kept), inodes[is_kept])
            found.passed_over.update(map(suffix_of, _decoded(names.filter(is_file & is_no_sample))))
            found.passed_over["hidden folders"] += int(((types == FOLDER) & is_hidden).sum())
            found.folders += paths.filter(to_visit).to_pylist()
            _note_others(top, found, paths.filter(types == OTHER), endings)
            counts.append(int(is_kept.sum()))
            is_empty[of[is_file | to_visit]] = False
    except OSError as error:
        raise SourceNotFoundError(
            f"{os.fsdecode(error.filename)}: the folder cannot be listed: {error.strerror or error}.",
            "Check the path and the permissions.",
        ) from error
    empty = (os.fsdecode(folders[at]) for at in np.flatnonzero(is_empty).tolist())
    found.not_files += filter(endings.are_of, empty)  # but a folder of samples may be called data.csv
    return found


def _resolve_types(top: bytes, paths: pa.LargeBinaryArray, types: NDArray[np.uint8]) -> None:
    """Find the types that folders do not show: where links lead, pipes, devices."""
    for at in np.flatnonzero(types == OTHER).tolist():
        path = top + paths[at].as_py()
        if os.path.isfile(path):  # noqa: PTH113 (the name may not be UTF-8)
            types[at] = FILE
        elif os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            types[at] = FOLDER


class Suffixes:
    """The suffixes of the files that may be samples, all of one length."""

    def __init__(self, suffixes: Sequence[str]) -> None:
        self._suffixes = suffixes
        self._array = pa.array(suffixes, pa.large_binary())
        self._stop = -len(suffixes[0]) or None  # where the key ends

    def keep(self, root: Path, found: Found, paths: pa.LargeBinaryArray, inodes: NDArray[np.uint64]) -> None:
        """Keep the paths of files that may be samples."""
        try:
            packed = pc.cast(paths, pa.large_string(), memory_pool=POOL)
        except pa.ArrowInvalid:
            is_text = np.array([self._is_text(root, found, path) for path in _decoded(paths)])
            paths, inodes = paths.filter(is_text), inodes[is_text]
            packed = paths.cast(pa.large_string())
        found.inodes.append(inodes)
        found.paths.append(packed)
        found.hashes.append(hash_keys(_sliced(paths, 0, self._stop)))
        found.suffixes.append(self._numbers(paths, packed))

    def are_of(self, path: str) -> bool:
        """Whether a path may be a sample by its name."""
        name = path.rpartition("/")[2]
        return (
            name[:1] not in NO_SAMPLE
            and name.lower().endswith(tuple(self._suffixes))
            and self._stop is not None
        )

    def _numbers(self, paths: pa.LargeBinaryArray, packed: pa.LargeStringArray) -> NDArray[np.int8]:
        """Which of the suffixes each path has; no suffix at all means that there is no dot in the name."""
        if self._stop is None:
            has_suffix = pc.match_substring_regex(packed, r"\.[^/]*$")
            return np.where(has_suffix.to_numpy(zero_copy_only=False), -1, 0).astype(np.int8)
        numbers = pc.index_in(_sliced(paths, self._stop), value_set=self._array, memory_pool=POOL)
        if numbers.null_count:
            endings = pc.utf8_lower(pc.utf8_slice_codeunits(packed, self._stop))
            numbers = pc.index_in(endings.cast(pa.large_binary()), value_set=self._array)
        return pc.fill_null(numbers, -1).to_numpy().astype(np.int8)  # type: ignore[no-any-return]

    def _is_text(self, root: Path, found: Found, path: str) -> bool:
        """Whether a path is UTF-8; others are counted if they are no samples."""
        if is_utf8(path):
            return True
        if self.are_of(path):
            raise SourceError(f"{root}: the name of a file is not UTF-8: {path!r}.", "Rename the file.")
        found.passed_over[suffix_of(path)] += 1
        return False


def _note_others(top: bytes, found: Found, paths: pa.LargeBinaryArray, endings: Suffixes) -> None:
    """Note paths of what is neither file nor folder."""
    for path in _decoded(paths):
        if endings.are_of(path):
            found.not_files.append(path)
        elif os.path.isdir(os.fsdecode(top) + path):  # noqa: PTH112 (the name may not be UTF-8)
            found.linked.append(path)
        else:
            found.passed_over["links to nowhere, pipes or devices"] += 1


def _decoded(paths: pa.LargeBinaryArray) -> Iterator[str]:
    return map(os.fsdecode, paths.to_pylist())


def keys_of(paths: pa.LargeStringArray, suffix: str) -> pa.LargeStringArray:
    """Keys of sample files: paths without their suffix, which is as long as the one given."""
    return _sliced(paths.cast(pa.large_binary()), 0, -len(suffix) or None).cast(pa.large_string())


def split_paths(paths: pa.LargeStringArray) -> pa.StructArray:
    """Folder and name of each path; the folder is empty at the root."""
    return pc.extract_regex(paths, pattern=r"(?s)^(?:(?P<folder>.*)/)?(?P<name>[^/]*)$", memory_pool=POOL)


def _sliced(strings: pa.LargeBinaryArray, start: int, stop: int | None = None) -> pa.LargeBinaryArray:
    if not start and stop is None:
        return strings
    return pc.binary_slice(strings, start, stop, memory_pool=POOL)


def suffix_of(path: str) -> str:
    """The suffix by which a file that is no sample is counted; with the one before, if it is compressed."""
    name = PurePosixPath(path.lower())
    suffix = "".join(name.suffixes[-2:]) if name.suffix in COMPRESSED else name.suffix
    return suffix if is_utf8(suffix) and suffix else "without suffix"


def is_utf8(text: str) -> bool:
    """Whether a name of the file system can be encoded in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
