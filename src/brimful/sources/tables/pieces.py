"""Pieces: the batches of a file that can only be read from a beginning on, cut into pieces of equal rows."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

import pyarrow as pa

from brimful.prefetch import reading_threads

Batches = Callable[[int, tuple[str, ...]], Iterator[pa.RecordBatch]]
"""Gives the batches of a group of rows, some columns of them."""


class Pieces:
    """Gives any piece of any group; those that follow each other without reading any of them twice.

    The last few pieces are kept, for several threads that read on do not ask in order.

    Args:
        batches: Gives the batches of a group from its beginning.
        rows: The rows of each piece; the last of a group has what is left.
    """

    def __init__(self, batches: Batches, rows: int) -> None:
        self._batches = batches
        self._rows = rows
        self._lock = threading.Lock()
        self._at: tuple[int, tuple[str, ...]] = (-1, ())
        self._following = 0
        self._iterator: Iterator[pa.RecordBatch] = iter(())
        self._kept: OrderedDict[tuple[int, int], pa.RecordBatch] = OrderedDict()
        self.most = 2 * reading_threads() + 1

    def release(self) -> None:
        """Forget all pieces, and where reading goes on."""
        with self._lock:
            self._kept.clear()
            self._at, self._iterator = (-1, ()), iter(())

    def read(self, group: int, number: int, names: tuple[str, ...]) -> pa.RecordBatch:
        """A piece of a group, counted from its first."""
        with self._lock:
            if self._at[1] != names:
                self._kept.clear()
            if (group, number) in self._kept:
                return self._kept[group, number]
            if self._at != (group, names) or number < self._following:
                self._at, self._following = (group, names), 0
                self._iterator = cut(self._batches(group, names), self._rows)
            while True:
                piece = next(self._iterator, None)
                if piece is None:
                    self._at = (-1, ())
                    raise pa.ArrowInvalid("there are fewer rows than its footer says")
                self._kept[group, self._following] = piece
                self._following += 1
                while len(self._kept) > self.most:
                    self._kept.popitem(last=False)
                if self._following > number:
                    return piece


def cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of a number of rows; the last one has what is left."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < len(batch):
            taken = min(rows - count, len(batch) - start)
            held.append(batch.slice(start, taken))
            count, start = count + taken, start + taken
            if count == rows:
                yield _joined(held)
                held, count = [], 0
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    return pa.RecordBatch.from_arrays([column.chunk(0) for column in table.columns], schema=table.schema)
