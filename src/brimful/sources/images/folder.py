"""ImageFolder: a Format: a folder of image files, one per sample."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.encodings.image import CHANNELS, ImageEncoding
from brimful.encodings.pixels import jpeg
from brimful.errors import ArgumentError
from brimful.options import COLOR_MODES, INTERPOLATIONS, ScanOptions, check_choice
from brimful.samples import FINGERPRINT, Samples
from brimful.schema import Field, Schema
from brimful.sources.audit import findings_in
from brimful.sources.base import BaseFormat
from brimful.sources.images.companions import masks_among
from brimful.sources.images.first_images import FirstImages
from brimful.sources.images.listing import list_images
from brimful.sources.index import Index, RowOrder
from brimful.sources.labelling import Labelling
from brimful.sources.listing import Listing, counted, strings
from brimful.sources.read_files import fingerprint, read_print

TAKEN = (
    *("labels", "id", "target", "weight", "regression", "classes", "suffix", "dtype", "shape"),
    *("image_size", "color_mode", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio"),
)
"""The options that mean something for such a folder."""

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
DECODING = 16  # bytes of memory per pixel that decoding an image takes at the most; seen with WebP
TRIED = 64  # images that are decoded when a folder is scanned


class ImageFolder(BaseFormat):
    """A folder of image files, numbered in row order; a sample is given as the file's bytes.

    Args:
        listing: The files.
        encoding: How they are decoded.
        first: What the first of them are like.
    """

    def __init__(self, listing: Listing, encoding: ImageEncoding, first: FirstImages) -> None:
        self._listing = listing
        self.encoded_bytes, self._most_pixels = first.mean_bytes, first.most_pixels
        field = replace(encoding.field, encoding=encoding.name)
        self.schema = Schema(field)
        self.root = listing.root
        self.name = str(listing.root)
        self.identity = f"{encoding.name} {field.shape} {field.dtype}"
        self.findings = (*listing.findings, *first.findings)
        self.nbytes = int(listing.paths.nbytes)
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

    def __len__(self) -> int:
        return len(self._listing)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """Paths of some files without suffix."""
        return self._listing.keys_of(self._listing.paths_of(numbers))

    def place(self, number: int) -> str:
        """The path of a file."""
        return self._listing.places(np.array([number]))[0]

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Size, times and inode of some files."""
        paths = strings(self._listing.paths_of(numbers))
        prints = [fingerprint(self._listing.root, path) for path in paths]
        return np.array(prints, np.int64).reshape(len(numbers), len(FINGERPRINT))

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


def scan_images(root: Path, options: ScanOptions) -> Index:
    """List a folder, join its labels, and find the size of its images if none is asked for.

    Raises:
        SourceError: There are no images, or no labels that fit, or the images have no common size.
        ArgumentError: An option does not fit the folder or its label table.
    """
    options.only(TAKEN, "a folder of images")
    jpeg()  # says what is missing before any long work
    labelling = Labelling(root, options)
    with ThreadPoolExecutor(1, "brimful-scan") as pool:
        reading = pool.submit(labelling.read)
        files = list_images(root, without=labelling.tables, suffix=options.suffix, progress=options.progress)
        whole = labelling.samples_of(files)
        limit = options.limit
        rows = whole.draw(limit) if limit is not None and limit < len(whole) else None
        listing = whole if rows is None else whole.take(rows)
        labels, unclear = labelling.labels(whole, reading.result())
    if labels and rows is not None:
        labels = labels.take(rows).with_findings(listing)
    is_labelled = labels is not None or options.labels is not None
    kept = (each for each in listing.findings if not (is_labelled and each.kind == "label_files"))
    are_classes = isinstance(options.labels, str) and options.labels.startswith("folders")
    masks = () if are_classes else masks_among(whole)
    listing = replace(listing, findings=(*kept, *unclear, *masks))
    first = FirstImages.of(listing)
    images = ImageFolder(listing, _encoding(listing, options, first), first)
    index = Index(images, RowOrder(listing.hashes), labels)
    index.sampled_findings = findings_in(index, np.arange(min(TRIED, len(index))))
    return index


def _encoding(listing: Listing, options: ScanOptions, first: FirstImages) -> ImageEncoding:
    """How the images are decoded, as the options say."""
    dtype = check_choice("dtype", options.dtype or "uint8", DTYPES)
    mode = _color_mode(options)
    if dtype == "uint16" and mode != "grayscale":
        raise ArgumentError(
            "Expected color_mode='grayscale' with dtype='uint16'.", "Images in colour have 8 bits."
        )
    if options.crop_to_aspect_ratio and options.pad_to_aspect_ratio:
        raise ArgumentError(
            "Expected one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio`. Received: both"
        )
    interpolation = check_choice("interpolation", options.interpolation or "bilinear", INTERPOLATIONS)
    fit = "crop" if options.crop_to_aspect_ratio else "pad" if options.pad_to_aspect_ratio else "stretch"
    size = options.image_size
    if size is not None and len(size) != 2:
        raise ArgumentError(f"Expected `image_size` as (height, width). Received: {size}")
    if size is None:
        if fit != "stretch" or options.interpolation:
            raise ArgumentError("Expected `image_size` with an option that says how images are resized.")
        size, fit = (options.shape or first.common(listing))[:2], "exact"
    elif options.shape is not None:
        raise ArgumentError("Expected one of `shape` and `image_size`. Received: both")
    return ImageEncoding(Field((*size, CHANNELS[mode]), dtype), mode, interpolation, fit)


def _color_mode(options: ScanOptions) -> str:
    """The channels that are wanted: those that are named, or as many as a given shape has."""
    mode = check_choice("color_mode", options.color_mode or "rgb", COLOR_MODES)
    shape = options.shape
    if shape is None:
        return mode
    mode = next((each for each, n in CHANNELS.items() if n == shape[-1]), mode)
    if len(shape) != 3 or CHANNELS[mode] != shape[2] or options.color_mode not in (None, mode):
        raise ArgumentError(
            "Expected `shape` of images as (height, width, channels), with 1, 3 or 4 channels that fit "
            f"`color_mode`. Received: shape={shape}, color_mode={options.color_mode!r}"
        )
    return mode
