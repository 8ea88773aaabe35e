"""ImageFolder: a Format: a folder of image files, one per sample."""

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from brimful.encodings.image import ImageEncoding
from brimful.samples import Samples
from brimful.schema import Schema
from brimful.sources.folder_format import FolderFormat
from brimful.sources.images.first_images import FirstImages
from brimful.sources.listing import Listing, counted, strings
from brimful.sources.read_files import read_print

DECODING = 16  # bytes of memory per pixel that decoding an image takes at the most; seen with WebP


class ImageFolder(FolderFormat):
    """A folder of image files, numbered in row order; a sample is given as the file's bytes.

    Args:
        listing: The files.
        encoding: How they are decoded.
        first: What the first of them are like.
    """

    def __init__(self, listing: Listing, encoding: ImageEncoding, first: FirstImages) -> None:
        super().__init__(listing)
        self.encoded_bytes, self._most_pixels = first.mean_bytes, first.most_pixels
        field = replace(encoding.field, encoding=encoding.name)
        self.schema = Schema(field)
        self.identity = f"{encoding.name} {field.shape} {field.dtype}"
        self.findings = (*listing.findings, *first.findings)
        suffixes = Counter(path.rpartition(".")[2].lower() for path in strings(listing.paths))
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common())
        size = f"{self.encoded_bytes * len(listing) / 1e6:,.1f} MB of files"
        others = [f"left out: {counted(listing.left_out)}"] if listing.left_out else []
        height, width, channels = field.shape
        how = {"exact": "as they are"}.get(encoding.fit, f"{encoding.fit}, {encoding.interpolation}")
        self.facts = (
            f"{len(listing):,} images ({kinds}), {size}",
            f"delivered as {height} x {width} x {channels} {field.dtype}, {encoding.color_mode}, {how}",
            *first.facts,
            *others,
        )

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """The bytes of some files."""
        files = np.empty(len(numbers), object)
        for at, path in enumerate(strings(self._listing.paths_of(numbers))):
            files[at], found = read_print(self._listing.root, path)
            if prints is not None:
                prints[at] = found
        return Samples(files)

    def working_bytes(self, n: int) -> int:
        """The files, the pixels as delivered, and one image that is being decoded."""
        pixels = DECODING * self._most_pixels
        return 2 * n * self.encoded_bytes + (n + 1) * self.schema.nbytes + pixels
