"""Detect: finds the format of a path or an object by asking each format in turn."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brimful.errors import ArgumentError
from brimful.options import ScanOptions
from brimful.sources.base import BaseFormat, Format
from brimful.sources.images.folder import scan_images
from brimful.sources.images.listing import IMAGES, holds_images
from brimful.sources.index import Index
from brimful.sources.look_alikes import refuse_look_alike
from brimful.sources.objects import RandomAccess, scan_object
from brimful.sources.text.folder import scan_folder

Recognises = Callable[[Any], bool]
"""Whether a thing, usually a path, is of some format; reads little of it."""

Scan = Callable[[Any, ScanOptions], Index]
"""Makes the index of such a thing."""


def index_of(thing: Any, options: ScanOptions) -> Index:
    """The index of whatever a user may scan: a path, a Format, or an object of some format.

    Raises:
        ArgumentError: The format is not known here, or an option means nothing for it.
        SourceError: There are no samples, or they cannot be used.
    """
    refuse_look_alike(thing)
    for recognises, scan in _formats:
        if recognises(thing):
            return scan(thing, options)
    raise ArgumentError(
        f"Expected a folder, or an object with `len` and `[i] -> (x, y)`. Received: {type(thing).__name__}"
    )


def register(recognises: Recognises, scan: Scan) -> Callable[[], None]:
    """Register a format, to be asked before all others; returns the function that removes it again."""
    _formats.insert(0, (recognises, scan))
    return lambda: _formats.remove((recognises, scan))


def scan_path(path: Path, options: ScanOptions) -> Index:
    """The index of a folder: of images if an option or the names of its files say so, else of text."""
    suffix = (options.suffix or "").lower()
    is_asked = options.image_size or options.color_mode or suffix in IMAGES
    is_folder = os.path.isdir(path)  # noqa: PTH112 (a path that is too long is none)
    if is_folder and (is_asked or (not suffix and holds_images(path))):
        return scan_images(path, options)
    return scan_folder(path, options)


def scan_format(samples: Format, options: ScanOptions) -> Index:
    """The index of a user's own format, which gives its own labels and shapes."""
    options.only((), f"{samples.name}, which has its own schema")
    return Index.of(samples, options.limit)


_formats: list[tuple[Recognises, Scan]] = [
    (lambda thing: isinstance(thing, (Format, BaseFormat)), scan_format),
    (
        lambda thing: isinstance(thing, (str, os.PathLike)),
        lambda path, options: scan_path(Path(path), options),
    ),
    (lambda thing: isinstance(thing, RandomAccess), scan_object),
]
