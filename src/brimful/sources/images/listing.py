"""Image listing: the image files of a folder, whichever suffixes they have."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brimful.errors import SourceError, SourceNotFoundError
from brimful.keys import hash_keys
from brimful.samples import EXAMPLES, Finding, Progress
from brimful.sources.images.companions import texts_beside
from brimful.sources.listing import ANY, Listing, counted, in_row_order, strings, tables_among
from brimful.sources.peek import first_names
from brimful.sources.walk import SUFFIXES, suffix_of, walk

IMAGES = (".jpg", ".png", ".bmp", ".gif", ".tif", ".jpeg", ".webp", ".tiff")
"""The suffixes of images that are read, in capitals or not."""

UNREAD = (".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg", ".psd", ".dng", ".cr2", ".nef", ".dcm", ".ico")
"""The suffixes of images that are not read."""


def holds_images(root: Path) -> bool:
    """Whether a folder holds images rather than text, judging by the names of its first files.

    There may be a text file for each image, and a few more: what is to be predicted of it.
    """
    counts = Counter(map(suffix_of, first_names(root)))
    images = sum(counts[suffix] for suffix in IMAGES)
    notes = counts[".txt"]
    return images > sum(counts[suffix] for suffix in SUFFIXES) - notes and images * 2 > notes


def list_images(
    root: Path,
    *,
    without: Sequence[Path] = (),
    suffix: str | None = None,
    progress: Progress | None = None,
) -> Listing:
    """List the image files below a folder, of one suffix or of all that are read.

    Raises:
        SourceNotFoundError: The folder does not exist, or holds no image.
        SourceError: A name is not UTF-8, or two files have the same key.
    """
    suffixes = IMAGES if suffix is None else (suffix.lower(),)
    found = walk(root, progress, [each for each in IMAGES if len(each) == 4])
    paths = pa.chunked_array(found.paths)
    pattern = "(?i)(" + "|".join(each.replace(".", r"\.") for each in suffixes) + ")$"
    is_image = pc.match_substring_regex(paths, pattern).to_numpy()
    others = paths.filter(pa.array(~is_image))
    suffixes_left = Counter(map(suffix_of, strings(others)))
    left_out = _said_to_be_hidden(found.passed_over) + suffixes_left
    if not is_image.any():
        raise SourceNotFoundError(
            f"{root}: no images ({', '.join(suffixes)}) in this folder or below it"
            + (f"; it holds {counted(left_out)}." if left_out else "; it is empty."),
            "Give the folder that holds one image per sample.",
        )
    listing = Listing(root, pa.array([], pa.large_string()), np.empty(0, np.uint64), ANY, dict(left_out))
    hashes = hash_keys(listing.keys_of(pa.concat_arrays(paths.chunks)))
    try:
        ordered = in_row_order(root, paths, hashes, np.flatnonzero(is_image), ANY)
    except SourceError as error:
        hint = f"{error.hint} Or say which suffix the samples have: suffix='.jpg', --suffix .jpg."
        raise SourceError(error.message, hint) from error
    beside = tables_among(others, without)
    listing = replace(listing, paths=ordered.paths, hashes=ordered.hashes, beside=beside)
    texts = texts_beside(listing, others) if suffix is None else ()
    findings = (*found.findings(root), *_unread(root, suffixes_left, others), *texts)
    return replace(listing, findings=findings)


def _said_to_be_hidden(passed_over: Counter[str]) -> Counter[str]:
    """Counts by suffix of files whose names begin with a dot, ~ or #, so that this is seen."""
    return Counter({f"hidden {what}" if what[0] == "." else what: n for what, n in passed_over.items()})


def _unread(root: Path, left_out: Counter[str], others: pa.ChunkedArray) -> Iterator[Finding]:
    """The problem that there are images of kinds that are not read."""
    kinds = {suffix: left_out[suffix] for suffix in UNREAD if left_out[suffix]}
    if kinds:
        few = (path for path in strings(others) if suffix_of(path) in kinds)
        examples = tuple(str(root / path) for path in islice(few, EXAMPLES))
        hint = (
            f"{', '.join(kinds)} are not read. Convert them, or say which images are the samples: "
            "suffix='.jpg', --suffix .jpg."
        )
        yield Finding("unread_image", sum(kinds.values()), examples, is_problem=True, hint=hint)
