"""Scan of images: a folder -> its index, with labels or masks."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from brimful.encodings.pixels import jpeg
from brimful.options import ScanOptions
from brimful.sources.audit import findings_in
from brimful.sources.images.companions import masks_among
from brimful.sources.images.first_images import FirstImages
from brimful.sources.images.folder import ImageFolder
from brimful.sources.images.listing import list_images
from brimful.sources.images.masks import MaskedImages
from brimful.sources.images.rule import OPTIONS, rule_of
from brimful.sources.index import Index, RowOrder
from brimful.sources.labelled_folder import label_folder

LABELS = ("labels", "id", "target", "weight", "regression", "classes")
TAKEN = (*LABELS, "suffix", "y", *OPTIONS)
"""The options that mean something for such a folder."""

TRIED = 64  # images that are decoded when a folder is scanned


def scan_images(root: Path, options: ScanOptions) -> Index:
    """List a folder, join its labels, and find the size of its images if none is asked for.

    Raises:
        SourceError: There are no images, or no labels that fit, or the images have no common size.
        ArgumentError: An option does not fit the folder or its label table.
    """
    options.only(TAKEN, "a folder of images")
    if options.y:
        options.refuse(LABELS, "images whose targets are masks")
        options = replace(options, labels=False)
    jpeg()  # says what is missing before any long work
    folder = label_folder(root, options, list_images, FirstImages.of)
    first, is_labelled = folder.inferred, folder.labels is not None or options.labels is not None
    kept = (each for each in folder.listing.findings if not (is_labelled and each.kind == "label_files"))
    are_classes = isinstance(options.labels, str) and options.labels.startswith("folders")
    masks = () if are_classes else masks_among(folder.listing)
    listing = replace(folder.listing, findings=(*kept, *masks))
    rule = rule_of(options, first, str(root))
    if options.y:
        masked = MaskedImages(listing, rule, first, Path(options.y[0]))
        index = Index(masked, RowOrder(listing.hashes))
    else:
        index = Index(ImageFolder(listing, rule, first), RowOrder(listing.hashes), folder.labels)
    index.sampled_findings = findings_in(index, np.arange(min(TRIED, len(index))))
    return index
