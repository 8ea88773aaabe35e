"""Permissions: what may not be read is named, and never taken for what is not there."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import brimful as bf
from tests.trees import Tree, write_tree

NOBODY = 65534
SAMPLES = 30


@contextmanager
def without_rights() -> Iterator[None]:
    """Not as root, who may read everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree in a folder that everybody can look into, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="brimful-test-"))
    folder.chmod(0o755)
    tree = write_tree(folder / "data", np.ones((SAMPLES, 2, 3)), np.arange(SAMPLES) % 3)
    bf.scan(tree.path).audit()  # everything imported, while all may be read
    yield tree
    (tree.path / "train").chmod(0o755)
    shutil.rmtree(folder)


def test_a_file_without_permission_is_unreadable(tree: Tree) -> None:
    """It is counted and named; all others are read; a cache that cannot be written is no obstacle."""
    tree.file("train/00003").chmod(0)
    with without_rights():
        audit = bf.scan(tree.path).audit()
        usable = bf.scan(tree.path, on_bad="skip")
    (finding,) = audit.problems
    assert (finding.kind, finding.count) == ("unreadable", 1)
    assert re.search(r"00003\.csv: the file cannot be read: Permission denied", finding.examples[0])
    assert len(usable) == SAMPLES - 1


@pytest.mark.parametrize("mode", [0, 0o444])
def test_a_folder_without_permission_is_named(tree: Tree, mode: int) -> None:
    """What lies in it cannot be known: an error, and never fewer samples."""
    (tree.path / "train").chmod(mode)
    with without_rights(), pytest.raises(bf.SourceError, match=r"train.*(cannot be listed|cannot be read)"):
        bf.scan(tree.path)
