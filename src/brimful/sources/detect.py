"""Detect: finds the format of a path or an object by asking each format in turn."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brimful.errors import ArgumentError
from brimful.options import ScanOptions
from brimful.sources.archives.members import holds_archives
from brimful.sources.archives.tar_format import scan_archives
from brimful.sources.arrays.folder import is_array_folder, scan_array_folder
from brimful.sources.arrays.recognise import is_arrays
from brimful.sources.arrays.scan import scan_arrays
from brimful.sources.base import BaseFormat, Format
from brimful.sources.images.listing import IMAGES, holds_images
from brimful.sources.images.scan import scan_images
from brimful.sources.index import Index
from brimful.sources.look_alikes import refuse_look_alike
from brimful.sources.objects import RandomAccess, scan_object
from brimful.sources.tables.scan import is_table, scan_table
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
    """The index of a path that is no table: of text files unless it, or an option, shows something else."""
    scan = next((scan for is_asked, scan in _of_paths if is_asked(path, options)), scan_folder)
    return scan(path, options)


def scan_format(samples: Format, options: ScanOptions) -> Index:
    """The index of a user's own format, which gives its own labels and shapes."""
    options.only((), f"{samples.name}, which has its own schema")
    return Index.of(samples, options.limit)


def _are_images(path: Path, options: ScanOptions) -> bool:
    suffix = (options.suffix or "").lower()
    is_said = options.image_size or options.color_mode or suffix in IMAGES
    is_folder = os.path.isdir(path)  # noqa: PTH112 (pathlib raises where a name is too long)
    return is_folder and (bool(is_said) or (not suffix and holds_images(path)))


_of_paths: list[tuple[Callable[[Path, ScanOptions], bool], Scan]] = [
    (lambda path, _: holds_archives(path), scan_archives),
    (lambda path, options: bool(options.rows) and path.is_dir(), scan_table),
    (is_array_folder, scan_array_folder),
    (_are_images, scan_images),
]

_formats: list[tuple[Recognises, Scan]] = [
    (lambda thing: isinstance(thing, (Format, BaseFormat)), scan_format),
    (is_arrays, scan_arrays),
    (is_table, lambda path, options: scan_table(Path(path), options)),
    (
        lambda thing: isinstance(thing, (str, os.PathLike)),
        lambda path, options: scan_path(Path(path), options),
    ),
    (lambda thing: isinstance(thing, RandomAccess), scan_object),
]
