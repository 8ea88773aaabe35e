"""Locate: a path or a storage -> the storage."""

import os

from brimful.storage.base import Storage
from brimful.storage.local import LocalStorage

Place = str | os.PathLike[str] | Storage
"""A path, or a storage."""


def locate(place: Place) -> Storage:
    """The storage of a place: a folder of this machine, or the storage itself."""
    return LocalStorage(place) if isinstance(place, (str, os.PathLike)) else place
