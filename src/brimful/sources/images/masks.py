"""MaskedImages: a Format: a folder of images, and another one with the mask of each."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.encodings.base import UndecodableError
from brimful.encodings.image import ImageEncoding
from brimful.encodings.mask import MaskEncoding, numbers_in
from brimful.errors import LabelError, SourceError, SourceNotFoundError
from brimful.samples import EXAMPLES, Finding, Samples
from brimful.schema import Field, Schema
from brimful.sources.images.first_images import FirstImages
from brimful.sources.images.folder import ImageFolder
from brimful.sources.images.listing import list_images
from brimful.sources.listing import Listing
from brimful.sources.read_files import NO_PRINT, fingerprint, read_print

LOOKED_AT = 64  # masks, for the numbers in them
MOST_NUMBERS = 64  # in those masks; more are not numbers of classes
AFFIX = r"(?i)[-_. ](masks?|segmentations?|segs?|annotations?|trimaps?|gt|labels?)(_?[0-9]+)?$"
"""What names of masks may have behind those of their images."""


class MaskedImages(ImageFolder):
    """Images with masks, which are the target: int64 of shape `(height, width)`.

    Args:
        listing: The images.
        encoding: How they are decoded; masks are resized alike, to the nearest pixel.
        first: What the first of them are like.
        folder: The folder of the masks, which are found by the names of the images.
    """

    def __init__(self, listing: Listing, encoding: ImageEncoding, first: FirstImages, folder: Path) -> None:
        super().__init__(listing, encoding, first)
        if not folder.is_dir():
            raise SourceNotFoundError(f"{folder}: there is no such folder of masks.", "Check the path.")
        self._masks = list_images(folder)
        self._folder = folder
        self._of_row, how = _paired(listing, self._masks)
        mask = MaskEncoding(Field(encoding.field.shape[:2], "int64"), encoding.fit)
        self.schema = Schema(self.schema.inputs, replace(mask.field, encoding=mask.name))
        self.identity += f" masks {folder.resolve()}"
        sizes = [fingerprint(folder, path)[0] for path in self._masks.paths[:LOOKED_AT].to_pylist()]
        self.encoded_bytes += max(1, sum(sizes) // len(sizes))
        numbers, unlike = self._look()
        shown = ", ".join(map(str, numbers[:20])) + (", ..." if len(numbers) > 20 else "")
        self.facts = (*self.facts, f"masks in {folder}, {how}; numbers in the first: {shown}")
        self.findings = (*self.findings, *self._unpaired(), *_doubts(numbers, unlike, str(folder)))

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """The bytes of some images and of their masks."""
        images = super().read(numbers, prints)
        masks = np.empty(len(numbers), object)
        for at, number in enumerate(numbers.tolist()):
            masks[at], found = read_print(self._folder, self._mask_of(number))
            if prints is not None:
                prints[at] = _both(prints[at], np.array(found))
        return Samples(images.x, masks)

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sizes and the later times of both files."""
        prints = super().fingerprints(numbers)
        for at, number in enumerate(numbers.tolist()):
            if self._of_row[number] >= 0:
                prints[at] = _both(prints[at], np.array(fingerprint(self._folder, self._mask_of(number))))
        return prints

    def _mask_of(self, number: int) -> str:
        """The path of the mask of an image below the folder of masks."""
        row = int(self._of_row[number])
        if row < 0:
            raise LabelError(
                f"{self.place(number)}: there is no mask of this name in {self._folder}.",
                "Add it, or leave such images out (on_bad='skip', --on-bad skip).",
            )
        return str(self._masks.paths[row].as_py())

    def _unpaired(self) -> Sequence[Finding]:
        """The warning that masks are of no image."""
        others = np.setdiff1d(np.arange(len(self._masks)), self._of_row)
        if not others.size:
            return ()
        examples = tuple(self._masks.places(others[:EXAMPLES]))
        return (Finding("orphan_label", others.size, examples, is_problem=False, hint="They are not used."),)

    def _look(self) -> tuple[list[int], list[str]]:
        """The numbers in the first masks, and the pairs among them whose sizes differ."""
        found: set[int] = set()
        unlike = []
        for number in np.flatnonzero(self._of_row >= 0)[:LOOKED_AT].tolist():
            try:
                mask, _ = read_print(self._folder, self._mask_of(number))
                values = numbers_in(mask)
            except (SourceError, UndecodableError):  # for the audit to name
                continue
            found.update(np.unique(values).tolist())
            image = FirstImages(1)
            path = Path(self.place(number))
            with path.open("rb") as file:
                image.look(file, str(path))
            if image.sizes and values.shape not in image.sizes:
                (size,) = image.sizes
                unlike.append(
                    f"{path} is {size[0]} x {size[1]}, its mask {values.shape[0]} x {values.shape[1]}"
                )
        return sorted(found), unlike


def _paired(listing: Listing, masks: Listing) -> tuple[NDArray[np.int64], str]:
    """The row of the mask of each image, -1 where there is none, and by what they are paired.

    Raises:
        LabelError: Two masks are of one image, or none is of any.
    """
    for how, keys, images in (
        ("by path", masks.keys, listing.keys),
        ("by stem", masks.stems, listing.stems),
        ("by stem and affix", pc.replace_substring_regex(masks.stems, AFFIX, ""), listing.stems),
    ):
        at = pc.index_in(images, value_set=keys)
        rows: NDArray[np.int64] = pc.fill_null(at, -1).to_numpy().astype(np.int64)
        if (rows >= 0).sum() * 2 > len(rows):
            _refuse_ambiguous(keys, images, masks)
            return rows, how
    raise LabelError(
        f"{masks.root}: the masks are not named like the images of {listing.root}: "
        f"{masks.paths[0].as_py()!r}, {listing.paths[0].as_py()!r}.",
        "A mask has the name of its image, or that and _mask.",
    )


def _refuse_ambiguous(keys: pa.LargeStringArray, images: pa.LargeStringArray, masks: Listing) -> None:
    """Refuse names that several masks, or several images, have."""
    for names, what in ((keys, "masks"), (images, "images")):
        if pc.count_distinct(names).as_py() < len(names):
            counts = pc.value_counts(names)
            twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))[0].as_py()
            raise LabelError(
                f"{masks.root}: several {what} are named {twice!r}, and it is not clear which mask is whose.",
                "Give the masks the paths of their images.",
            )


def _both(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fingerprint of two files: their bytes, the later times, both inodes."""
    if (one == NO_PRINT).any() or (other == NO_PRINT).any():
        return np.full(len(one), NO_PRINT)
    size, changed, state, inode = np.maximum(one, other)
    return np.array([one[0] + other[0], changed, state, one[3] ^ other[3]]) if size >= 0 and inode else one


def _doubts(numbers: Sequence[int], unlike: Sequence[str], name: str) -> Sequence[Finding]:
    """What is doubtful about the numbers in masks."""
    found = []
    if len(numbers) > MOST_NUMBERS:
        hint = "Masks saved as JPEG, or resized like images, look like this. Make them again as PNG."
        example = f"{name}: {len(numbers):,} different numbers in the first masks"
        found.append(Finding("lossy_mask", len(numbers), (example,), is_problem=True, hint=hint))
    elif list(numbers) == [0, 255]:
        hint = "For two classes, divide them by 255: transform=lambda batch, _: (batch[0], batch[1] // 255)."
        example = f"{name}: the first masks hold 0 and 255 alone"
        found.append(Finding("binary_mask", 2, (example,), is_problem=False, hint=hint))
    if unlike:
        hint = "An image and its mask must show the same: also after the EXIF orientation of the image."
        found.append(
            Finding("unlike_mask", len(unlike), tuple(unlike[:EXAMPLES]), is_problem=True, hint=hint)
        )
    return found
