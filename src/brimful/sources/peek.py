"""Peek: the names of the first files of a folder, to see what it holds without listing all of it."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from brimful.sources.walk import NO_SAMPLE

SEEN = 1000  # files, and entries of one folder


def first_names(root: Path, *, below: bool = True) -> Iterator[str]:
    """The names of the first files of a folder and of those below it, but for what systems leave behind."""
    return islice(_names(root, below), SEEN)


def _names(root: Path, below: bool) -> Iterator[str]:
    folders = [os.fspath(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in islice(entries, SEEN):
                    if entry.is_dir(follow_symlinks=False):
                        if below and not entry.name.startswith("."):
                            folders.append(entry.path)
                    elif entry.name[0] not in NO_SAMPLE:
                        yield entry.name
        except OSError:  # a folder that cannot be listed is an error when it is walked
            continue
