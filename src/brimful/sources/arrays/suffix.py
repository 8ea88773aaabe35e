"""Suffix: which files of a folder hold an array each, by their suffixes."""

from collections import Counter
from pathlib import Path

from brimful.errors import SourceError, SourceNotFoundError
from brimful.samples import Finding
from brimful.sources.label_table import FILE_NAMES
from brimful.sources.listing import MORE_SUFFIXES, Listing, counted
from brimful.sources.peek import first_names
from brimful.sources.walk import SUFFIXES, suffix_of

NPY = (".npy", ".npz")
SECOND = 10  # one file in so many of another suffix is worth a remark
NOT_DATA = (".csv", ".tsv", ".txt", ".md", ".json", ".yaml", ".yml", ".xml", ".py", ".pdf", "without suffix")
"""Suffixes of files that a function is not meant for, unless they are all there is."""


def array_suffix(root: Path) -> str | None:
    """The suffix of the files of NumPy in a folder; None if it is a folder of something else.

    A thousand files are looked at, at the most.

    Raises:
        SourceError: There are files of NumPy and as many of text: either may be the samples.
    """
    counts = _counts(root)
    usual = max(NPY, key=lambda suffix: counts[suffix])
    text = sum(counts[suffix] for suffix in (*SUFFIXES, *MORE_SUFFIXES))
    if not counts[usual] or counts[usual] * SECOND <= text:
        return None
    if text * SECOND > counts[usual] and text > 1:
        raise SourceError(
            f"{root}: of the first {counts.total():,} files, {counts[usual]:,} are {usual}, {text:,} are "
            "text: either may be the samples.",
            f"Say which: suffix='{usual}', --suffix {usual}; or suffix='.csv', --suffix .csv.",
        )
    return usual


def _counts(root: Path) -> Counter[str]:
    """The suffixes of the first files of a folder that may be samples; label tables are none."""
    return Counter(suffix_of(name) for name in first_names(root) if name.lower() not in FILE_NAMES)


def usual_suffix(root: Path) -> str:
    """The most frequent suffix of a folder, of files that may be data.

    Raises:
        SourceNotFoundError: There are no files.
    """
    counts = _counts(root)
    if not counts:
        raise SourceNotFoundError(f"{root}: the folder has no files.", "Check the path.")
    data = {suffix: count for suffix, count in counts.items() if suffix not in NOT_DATA} or counts
    usual, most = max(data.items(), key=lambda item: item[1])
    rivals = [suffix for suffix, count in data.items() if suffix != usual and count * 2 > most]
    if rivals:
        raise SourceError(
            f"{root}: which files are the samples? There are {counted(counts)}.",
            f"Say which: suffix='{usual}', --suffix {usual}.",
        )
    return "" if usual == "without suffix" else usual


def second_suffix(listing: Listing) -> tuple[Finding, ...]:
    """The finding about files of NumPy with the other suffix, if there are many of them."""
    found = []
    for other in NPY:
        count, most = listing.left_out.get(other, 0), len(listing)
        if listing.suffix in NPY and other != listing.suffix and count * SECOND >= most:
            example = f"{most:,} files are {listing.suffix}, {count:,} are {other}, which are left out"
            hint = f"Say which are the samples: suffix='{listing.suffix}', --suffix {listing.suffix}."
            found.append(Finding("second_suffix", count, (example,), is_problem=count * 2 >= most, hint=hint))
    return tuple(found)
