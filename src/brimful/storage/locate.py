"""Locate: the storage that a path, an address or a ready-made storage stands for."""

import os

from brimful.storage.base import Storage
from brimful.storage.local import LocalStorage

Place = str | os.PathLike[str] | Storage
"""A path, or a storage."""


def locate(place: Place) -> Storage:
    """The storage of a place.

    Args:
        place: A path of this machine, or an object that is a storage already.
    """
    return LocalStorage(place) if isinstance(place, (str, os.PathLike)) else place
