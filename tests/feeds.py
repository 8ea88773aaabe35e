"""Feeds of a reader and a view, as `batches` makes them."""

from typing import Any

from brimful.feed.feed import Feed
from brimful.feed.rows import RowLoader
from brimful.feed.windows import WindowLoader
from brimful.options import FeedOptions
from brimful.order.view import View
from brimful.samples import Reader
from brimful.store.reader import StoreReader


def make_feed(reader: Reader, view: View, batch_size: int, **options: Any) -> Feed:
    """A feed of some rows: of a store by windows, of all else row by row."""
    wanted = FeedOptions.of(batch_size, **options)
    if isinstance(reader, StoreReader):
        return Feed(WindowLoader(reader, view, wanted))
    return Feed(RowLoader(reader, view, wanted))
