"""Companions: files beside images that may be samples, or not: masks, labels, texts."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from brimful.samples import EXAMPLES, Finding
from brimful.sources.listing import ANY_SUFFIX, Listing
from brimful.sources.walk import SUFFIXES

MASKS = "masks?|segmentations?|segs?|annotations?|trimaps?|mattes?|gt|ground[-_ ]?truths?|labels?"
IMAGES = "images?|imgs?|photos?|inputs?|jpegimages"
NAMED = rf"(?i)^(.+)[-_. ](?:{MASKS})(?:[-_ ]?[0-9]+)?$"
BELOW_MASKS, BELOW_IMAGES = rf"(?i)(^|/)(?:{MASKS})/", rf"(?i)(^|/)(?:{IMAGES})/"
SHARE = 4  # one image in so many is a mask, or it is chance

LABELS = (".txt", ".xml", ".json", ".csv")
"""The suffixes of files that may hold what is to be predicted of the image of the same name."""


def masks_among(listing: Listing) -> Iterator[Finding]:
    """The problem that images seem to be masks of others: named like them, or like them in another folder."""
    keys = listing.keys
    named = keys.filter(pc.match_substring_regex(keys, NAMED))
    is_mask = pc.is_in(pc.replace_substring_regex(named, NAMED, r"\1"), value_set=keys)
    is_below = pc.match_substring_regex(keys, BELOW_MASKS)
    below = keys.filter(is_below)
    if len(below):
        others = pc.replace_substring_regex(keys.filter(pc.invert(is_below)), BELOW_IMAGES, r"\1")
        is_other = pc.is_in(pc.replace_substring_regex(below, BELOW_MASKS, r"\1"), value_set=others)
        named, is_mask = pa.concat_arrays([named, below]), pa.concat_arrays([is_mask, is_other])
    masks = pc.unique(named.filter(is_mask)).to_pylist()
    if masks and len(masks) * SHARE >= len(listing):
        hint = (
            "Masks are no samples. Scan the folder of the images alone, or move the masks out of it; if each "
            "of these is a sample, name the labels: labels='folders', or a table."
        )
        few = tuple(str(listing.root / mask) for mask in masks[:EXAMPLES])
        yield Finding("mask_of_another", len(masks), few, is_problem=True, hint=hint)


def texts_beside(listing: Listing, others: pa.ChunkedArray) -> Iterator[Finding]:
    """The warning that many texts are left out: named like images, whose labels they may hold, or not."""
    for suffix in LABELS:
        beside = others.filter(pc.ends_with(others, suffix, ignore_case=True)) if len(others) else others
        keys = pc.replace_substring_regex(beside, ANY_SUFFIX, "")
        count = pc.sum(pc.is_in(keys, value_set=listing.keys)).as_py() or 0
        if count * 2 > len(listing):
            example = f"{count:,} of {len(listing):,} images have a {suffix} file of the same name"
            hint = (
                f"If these hold the labels: labels='files:*{suffix}', for one label in each. "
                f"If they are the samples: suffix={suffix!r}. If neither: labels=False."
            )
            yield Finding("label_files", count, (example,), is_problem=False, hint=hint)
        elif (left := len(beside) - count) * 2 > len(listing) and suffix in SUFFIXES:
            example = f"{len(listing):,} files are images, {left:,} are {suffix}, which are left out"
            hint = f"If these are the samples: suffix={suffix!r}, --suffix {suffix}."
            yield Finding("second_suffix", left, (example,), is_problem=False, hint=hint)
