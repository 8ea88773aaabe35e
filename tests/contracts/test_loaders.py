"""The contract of loaders, for each of them."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import brimful as bf
from brimful.feed.loader import Loader
from brimful.feed.rows import RowLoader
from brimful.feed.windows import WindowLoader
from brimful.options import FeedOptions
from brimful.order.view import View
from brimful.store.reader import StoreReader
from brimful.testing.loader import LoaderContract
from tests.faults.stores import pack_layout

SAMPLES = [(np.full((2, 3), at / 7, np.float32), at % 5) for at in range(50)]


@cache
def store() -> StoreReader:
    """A store of chunks of three samples."""
    path = Path(mkdtemp()) / "x.brim"
    pack_layout(bf.scan(SAMPLES), path, chunk_bytes=100, shard_bytes=300)
    return StoreReader(path)


class TestRowLoader(LoaderContract):
    """Row by row, of an object."""

    def make_loader(self, options: FeedOptions) -> Loader:
        """All rows."""
        return RowLoader(bf.scan(SAMPLES)._reader, View(range(50)), options)


class TestWindowLoader(LoaderContract):
    """A store that is held as a whole."""

    def make_loader(self, options: FeedOptions) -> Loader:
        """A range of rows."""
        return WindowLoader(store(), View(range(3, 47)), options)


class TestSmallWindows(LoaderContract):
    """A store of which a few chunks are held at a time, and rows that do not follow each other."""

    def make_loader(self, options: FeedOptions) -> Loader:
        """Every other row."""
        view = View(np.arange(0, 50, 2))
        loader = WindowLoader(store(), view, options)
        loader.set_window(4)
        return loader
