"""Loading: a window of chunks on its way into the slab, and where its rows lie there."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from brimful.feed.chunk_cache import ChunkCache
from brimful.feed.decode import Kind
from brimful.order.epochs import Window
from brimful.order.view import View
from brimful.store.reader import StoreReader

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pyarrow as pa


class Places(NamedTuple):
    """Where some rows lie, in the order in which they are delivered.

    Attributes:
        rows: Which rows of the view they are, int64, shape `(n,)`.
        slab: The slab's row of each, for each column, int64, shape `(columns, n)`.
        kinds: The number of the kind in which each is kept, shape `(n,)`; None where there is one only.
        keys: Their keys, empty where nobody asked.
    """

    rows: NDArray[np.int64]
    slab: NDArray[np.int64]
    kinds: NDArray[np.uint16] | None
    keys: list[str]


def place_bytes(columns: int) -> int:
    """Bytes that the place of a row takes until it is decoded, and its number with the batch."""
    return 8 * (2 + columns) + 2


class Loading:
    """A window on its way into the slab.

    Args:
        reader: The store.
        view: The rows that are fed.
        window: Its pieces, and the order of their rows.
        chunks: The chunk that each piece is.
        slab: Where they are, or will be.
        slots: Which slot each has.
        kinds: All ways in which chunks are kept.
        kind_of: The number of the one in which each of its chunks is.
        left: Rows that are still to be handed out.
    """

    def __init__(
        self,
        reader: StoreReader,
        view: View,
        window: Window,
        chunks: NDArray[np.int64],
        slab: ChunkCache,
        slots: NDArray[np.int64],
        kinds: Sequence[Kind],
        kind_of: NDArray[np.uint16],
        left: int,
    ) -> None:
        self.window = window
        self.slots = slots
        self.left = left
        self.work: list[Future[Any]] = []
        self.ordering: Future[None] | None = None
        self._reader = reader
        self._view = view
        self._chunks = chunks
        self._kind_of = kind_of if len(kinds) > 1 else None
        places = zip(kind_of.tolist(), slots.tolist(), map(reader.rows_of, chunks.tolist()), strict=True)
        firsts = np.array([kinds[kind].first_rows(slab, slot, n) for kind, slot, n in places])
        self._first_rows = chunks * reader.rows_per_chunk
        self._to_slab = firsts.T - self._first_rows  # add to a row of the store: the slab's, for each column
        self._keys: list[pa.StringArray] = []

    @property
    def is_loaded(self) -> bool:
        """Whether all is there."""
        return all(each.done() for each in self.work)

    def is_ready(self, stop: int) -> bool:
        """Whether all is there, and the order of its rows up to a position."""
        is_ordered = not self.ordering or self.ordering.done() or self.window.is_ready(stop)
        return is_ordered and self.is_loaded

    def wait(self, stop: int) -> None:
        """Wait until all is there, and the order of its rows up to a position.

        Raises what kept it from being so.
        """
        for each in self.work:
            each.result()
        if self.ordering and not self.window.is_ready(stop):
            self.ordering.result()

    def load_keys(self) -> None:
        """Read the keys of its chunks."""
        self._keys = [self._reader.chunk_keys(chunk) for chunk in self._chunks.tolist()]

    def places(self, start: int, stop: int) -> Places:
        """Where the rows at some positions in the window lie, once all is there."""
        at, piece = self.window.drawn(start, stop)
        if isinstance(self._view.rows, range):  # the quick way: all are so far behind those of the window
            found = self._shifts.take(piece, axis=1)
            found += at
            rows, slab = found[0], found[1:]
        else:
            rows = at + self.window.shifts.take(piece)
            slab = self._view.at(rows) + self._to_slab.take(piece, axis=1)
        kinds = None if self._kind_of is None else self._kind_of.take(piece)
        return Places(rows, slab, kinds, self._keys_of(rows, piece))

    @cached_property
    def _shifts(self) -> NDArray[np.int64]:
        """What to add to the number of a row in the window: to get that in the view, and each column's."""
        rows = self.window.shifts
        return np.vstack((rows, self._view.at(rows) + self._to_slab))

    def _keys_of(self, rows: NDArray[np.int64], piece: NDArray[np.unsignedinteger]) -> list[str]:
        if not self._keys:
            return []
        within = self._view.at(rows) - self._first_rows[piece]
        return [self._keys[i][j].as_py() for i, j in zip(piece.tolist(), within.tolist(), strict=True)]
