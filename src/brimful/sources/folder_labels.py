"""Folder labels: the name of a folder is the label of the files in it, if it is clear which folder's.

A level of folders may have names that are labels. It may also have one name only, stand for the sides of a
split (train, test), for where files are kept (shard-01, 2024-03-05), or for parts of each sample (images,
masks). If that leaves one level, its names are the labels. If it leaves several, nobody but the user knows.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import LabelError
from brimful.samples import EXAMPLES, Finding
from brimful.schema import Classes
from brimful.sides import are_folds, are_sides
from brimful.sources.labels import FAULTS, FIT, MISSING, Labels, finished, of_rows
from brimful.sources.listing import Listing
from brimful.sources.walk import split_paths
from brimful.sources.words import Words, is_blank

FOLDERS_SEEN = 10_000  # folders whose names are looked at
STRAYS = 10  # at most one file in so many lies outside of the folders of the classes
ALIKE = 20  # folders, at most, whose file names are compared
FEWEST = 4  # files of a folder, at the least, whose names are compared
KEPT = re.compile(
    r"(shard|part|chunk|batch|data_batch|block|bucket|disk|volume|archive|dump|export)s?[-_ ]?[0-9]+"
    r"|(19|20)[0-9]{2}([-_.]?(0[1-9]|1[0-2])([-_.]?(0[1-9]|[12][0-9]|3[01]))?)?",
    re.IGNORECASE,
)
DAY = re.compile(r"[0-3]?[0-9]")  # or month
HEX = re.compile(r"[0-9a-f]{2,3}", re.IGNORECASE)
FANNED_OUT = 16  # folders with names of hexadecimal digits, at the least
PARTS = re.compile(
    r"images?|imgs?|masks?|labels?|targets?|annotations?|inputs?|outputs?|data|[xy]", re.IGNORECASE
)


@dataclass(frozen=True)
class Meaning:
    """What the folders of a listing mean.

    Attributes:
        level: The level whose names are the labels, from 1; None if there is none.
        findings: What is doubtful about it.
    """

    level: int | None = None
    findings: tuple[Finding, ...] = ()


def from_folders(
    listing: Listing,
    level: int = -1,
    classes: Classes | None = None,
    folders: pa.DictionaryArray | None = None,
) -> Labels:
    """Label every sample with the name of a folder on its path.

    Args:
        listing: The files.
        level: Which folder: from 1 for the outermost below the root, or from -1 for that of the file itself.
        classes: The labels that may occur, if they are known.
        folders: The folder of each file, if `folders_of` has found it before.

    Raises:
        LabelError: Two folders spell the same class in different ways.
    """
    encoded = folders_of(listing) if folders is None else folders
    names = pa.array([_name(folder, level) for folder in encoded.dictionary.to_pylist()], pa.large_string())
    values, found = Words.of(names).classes()
    if len(found) < len(pc.unique(names)) - ("" in names.to_pylist()):
        raise LabelError(
            f"{listing.root}: two folders spell the same class in different ways, like 1 and 01.",
            "Give the folders of a class the same name, or names that are no integers.",
        )
    at = encoded.indices.to_numpy()
    state = np.where(is_blank(names)[at], MISSING, FIT).astype(np.uint8)
    hint = "Move them into the folder of their class; or is one of them the label table? --labels FILE."
    missing = of_rows(FAULTS[0], np.flatnonzero(state), listing, hint)
    which = "its folder" if level == -1 else f"folder {level} of its path"
    how = f"the label of a file is the name of {which}"
    labels = Labels(values[at], state, found, None, how, tuple(missing))
    return finished(labels, listing, classes, "the folders")


def meaning_of(listing: Listing, encoded: pa.DictionaryArray, classes: Classes | None = None) -> Meaning:
    """Find out what the folders of a listing mean, by their names, or by those of the classes, if known."""
    folders = encoded.dictionary.to_pylist()
    counts = np.bincount(encoded.indices.to_numpy(), minlength=len(folders))
    outside = int(counts[folders.index("")]) if "" in folders else 0
    paths = [folder.split("/") for folder in folders[:FOLDERS_SEEN] if folder]
    depths = {len(path) for path in paths}
    levels = [[path[at] for path in paths] for at in range(min(depths, default=0))]
    known = set(map(str, classes or ()))
    if classes and (fitting := [at for at, names in enumerate(levels, start=1) if known >= set(names)]):
        return Meaning(fitting[-1])
    if len(paths) < 2:
        return Meaning()
    named = [at for at, names in enumerate(levels, start=1) if not _is_no_label(names, levels[: at - 1])]
    if outside * STRAYS > len(listing):
        return Meaning(
            None, _doubt(listing, outside, _outside(levels, outside, len(listing))) if named else ()
        )
    if not named:
        return Meaning(None, _doubt(listing, len(listing), [_kept(levels)]) if _is_doubtful(levels) else ())
    if len(depths) > 1 or len(named) > 1:
        return Meaning(None, (_question(listing, levels, named, len(depths) > 1),))
    return Meaning(named[0], _alike(listing, counts, levels[named[0] - 1]))


def folders_of(listing: Listing) -> pa.DictionaryArray:
    """The folder of each file, empty at the root."""
    return pc.fill_null(pc.struct_field(split_paths(listing.paths), "folder"), "").dictionary_encode()


def _name(folder: str, level: int) -> str:
    """The name at a level of a path; empty if it is not so deep."""
    names = folder.split("/")
    at = level - 1 if level > 0 else level
    return names[at] if -len(names) <= at < len(names) else ""


def _is_no_label(names: Sequence[str], outer: Sequence[Sequence[str]]) -> bool:
    """Whether the names of a level are something else than labels, given the levels outside of it."""
    is_of_date = bool(outer) and all(map(KEPT.fullmatch, outer[-1])) and all(map(DAY.fullmatch, names))
    return len(set(names)) < 2 or is_of_date or bool(_what(names))


def _what(names: Iterable[str]) -> str:
    """What the names of a level stand for, in words, if they are no labels; empty if they may be."""
    distinct = {name.casefold() for name in names}
    if are_sides(distinct):
        return "the sides of a split"
    if are_folds(distinct):
        return "the parts of a cross-validation"
    is_fan = len(distinct) >= FANNED_OUT and any(not name.isdecimal() for name in distinct)
    if all(map(KEPT.fullmatch, distinct)) or (is_fan and all(map(HEX.fullmatch, distinct))):
        return "where files are kept"
    if all(map(PARTS.fullmatch, distinct)):
        return "parts of each sample"
    return ""


def _is_doubtful(levels: Sequence[Sequence[str]]) -> bool:
    return any(len(set(names)) > 1 for names in levels)


def _listed(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    return ", ".join(distinct[:5]) + (", ..." if len(distinct) > 5 else "")


def _kept(levels: Sequence[Sequence[str]]) -> str:
    """The remark on folders that are no labels."""
    at, names = next((at, names) for at, names in enumerate(levels, start=1) if len(set(names)) > 1)
    return f"{_listed(names)} seem to be {_what(names)}, not labels; as labels: labels='folders:{at}'"


def _outside(levels: Sequence[Sequence[str]], outside: int, count: int) -> list[str]:
    few = _listed(levels[0])
    return [f"{outside:,} of {count:,} files lie outside of {few}: these names are not taken for labels"]


def _doubt(listing: Listing, count: int, examples: Sequence[str]) -> tuple[Finding, ...]:
    hint = f"Give the labels of {listing.root} another way: --labels FILE, or --labels folders:1."
    return (Finding("folders_without_labels", count, tuple(examples), is_problem=False, hint=hint),)


def _question(
    listing: Listing, levels: Sequence[Sequence[str]], named: Sequence[int], is_uneven: bool
) -> Finding:
    """The question which level has the labels."""
    examples = tuple(
        f"labels='folders:{at}' is {len(set(levels[at - 1])):,} labels: {_listed(levels[at - 1])}"
        for at in named[:EXAMPLES]
    )
    if is_uneven:
        examples = (*examples, "some files lie in a folder deeper than others")
    ways = " or ".join(f"--labels folders:{at}" for at in named[:EXAMPLES] or (1, 2))
    hint = f"Say which folder has the label: {ways}."
    return Finding("doubtful_label", len(listing), examples, is_problem=True, hint=hint)


def _alike(listing: Listing, counts: NDArray[np.int64], names: Sequence[str]) -> tuple[Finding, ...]:
    """The warning that all folders hold files of the same names, as parts of one sample do."""
    sizes = Counter(counts[counts > 0].tolist())
    size = next(iter(sizes))
    if len(sizes) > 1 or not 2 <= len(counts) <= ALIKE or size < FEWEST or len(set(names)) < len(counts):
        return ()
    stems = pc.struct_field(split_paths(listing.paths), "name")
    if pc.count_distinct(stems).as_py() != size:
        return ()
    example = f"every folder ({_listed(names)}) holds the same {size:,} names: are they parts of one sample?"
    hint = "If the folders are labels, say so: labels='folders', --labels folders."
    return (Finding("same_names", len(listing), (example,), is_problem=False, hint=hint),)
