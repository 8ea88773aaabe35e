"""Detect: which format a path or an object is, each format asked in turn."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brimful.errors import ArgumentError
from brimful.options import ScanOptions
from brimful.sources.base import BaseFormat, Format
from brimful.sources.index import Index
from brimful.sources.objects import RandomAccess, scan_object
from brimful.sources.text.folder import scan_folder

Recognises = Callable[[Any], bool]
"""Whether a thing, a path as a rule, is of some format. It looks, and reads little."""

Scan = Callable[[Any, ScanOptions], Index]
"""Makes the index of such a thing, as the options ask for."""


def index_of(thing: Any, options: ScanOptions) -> Index:
    """The index of whatever a user may scan.

    Args:
        thing: A path, a Format, or an object of some format.
        options: What the user asks for.

    Raises:
        ArgumentError: It is of no format that is known here, or an option means nothing for its format.
        SourceError: There are no samples in it, or they cannot be used.
    """
    for recognises, scan in _formats:
        if recognises(thing):
            return scan(thing, options)
    raise ArgumentError(
        f"Expected a folder, or an object with `len` and `[i] -> (x, y)`. Received: {type(thing).__name__}"
    )


def register(recognises: Recognises, scan: Scan) -> Callable[[], None]:
    """Have a format asked before all others.

    Args:
        recognises: Whether a thing is of it.
        scan: Makes the index.

    Returns:
        What takes it out again.
    """
    _formats.insert(0, (recognises, scan))
    return lambda: _formats.remove((recognises, scan))


def scan_format(samples: Format, options: ScanOptions) -> Index:
    """The index of a format that a user has made, which gives its own labels and shapes."""
    names = ("labels", "shape", "dtype", "id", "target", "weight", "regression")
    options.refuse(names, f"{samples.name}, which has its own schema")
    return Index.of(samples, options.limit)


def _is_path(thing: Any) -> bool:
    return isinstance(thing, (str, os.PathLike))


_formats: list[tuple[Recognises, Scan]] = [
    (lambda thing: isinstance(thing, (Format, BaseFormat)), scan_format),
    (_is_path, lambda path, options: scan_folder(Path(path), options)),
    (lambda thing: isinstance(thing, RandomAccess), scan_object),
]
