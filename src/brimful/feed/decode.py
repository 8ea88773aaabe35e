"""Kind: how the columns of chunks that are kept alike lie in a slot, and how their rows are decoded."""

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.feed.chunk_cache import ChunkCache
from brimful.store.chunk import columns_of
from brimful.store.codecs.narrow import BY_NAME, RAW
from brimful.store.format import Layout

DECODED_BYTES = 1 << 22  # of a column at a time: with their codes they stay in the processor's cache

_scratch = threading.local()


@dataclass(frozen=True)
class _Column:
    """A column of chunks that are kept alike.

    Attributes:
        dtype: Of what is kept.
        row_bytes: Bytes a row.
        rule: How it is kept.
    """

    dtype: np.dtype[Any]
    row_bytes: int
    rule: str

    def decode(self, slab: ChunkCache, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Decode some of the slab's rows into an array."""
        memory = slab.rows(self.row_bytes)
        if self.rule == RAW:
            memory.take(rows, 0, _as_rows(out), "clip")  # with another mode, it would copy twice
            if sys.byteorder == "big":
                out.byteswap(inplace=True)
            return
        step = max(1, DECODED_BYTES * len(rows) // out.nbytes)
        codes = _memory(min(step, len(rows)) * self.row_bytes).reshape(-1, self.row_bytes)
        for first in range(0, len(rows), step):
            some = out[first : first + step]
            memory.take(rows[first : first + step], 0, codes[: len(some)], "clip")
            BY_NAME[self.rule].decode(codes[: len(some)].view(self.dtype).reshape(some.shape), some)


class Kind:
    """How the columns of chunks that are kept alike lie in a slot.

    Args:
        layout: What a sample has.
        rules: How the inputs are kept.
    """

    def __init__(self, layout: Layout, rules: Sequence[str]) -> None:
        self._layout = layout
        self._rules = rules
        fields = [field for _, field in layout.columns(rules)]
        self.row_bytes = [field.nbytes for field in fields]
        self._columns = [
            _Column(np.dtype(field.dtype).newbyteorder("<"), field.nbytes, rule)
            for field, rule in zip(fields, layout.every_rule(rules), strict=True)
        ]

    def slot_bytes(self, n: int) -> int:
        """Bytes of a slot for n rows: a column may have to begin up to a row later than it could."""
        return (n + 1) * sum(self.row_bytes)

    def first_rows(self, slab: ChunkCache, slot: int, n: int) -> list[int]:
        """Where the columns of n rows begin in a slot."""
        return slab.first_rows(slot, [n * each for each in self.row_bytes], self.row_bytes)

    def copy(self, data: memoryview, n: int, slab: ChunkCache, slot: int) -> None:
        """Copy the data of a chunk of n rows into a slot."""
        columns = columns_of(data, n, self._layout, self._rules)
        firsts = self.first_rows(slab, slot, n)
        for values, first, row_bytes in zip(columns, firsts, self.row_bytes, strict=True):
            np.copyto(slab.rows(row_bytes)[first : first + n], _as_rows(values))

    def decode(self, slab: ChunkCache, places: NDArray[np.int64], outs: Sequence[NDArray[Any]]) -> None:
        """Decode some rows.

        Args:
            slab: Where they are.
            places: The slab's row of each of them, for each column, shape `(columns, n)`.
            outs: Arrays of n samples to decode into, one a column.
        """
        for column, rows, out in zip(self._columns, places, outs, strict=True):
            column.decode(slab, rows, out)


def decode_mixed(
    kinds: Sequence[Kind],
    which: NDArray[np.uint16],
    slab: ChunkCache,
    places: NDArray[np.int64],
    outs: Sequence[NDArray[Any]],
) -> None:
    """Decode rows of which each may be kept in another way.

    Args:
        kinds: All ways.
        which: The number of that in which each row is kept, shape `(n,)`.
        slab: Where they are.
        places: The slab's row of each of them, for each column, shape `(columns, n)`.
        outs: Arrays of n samples to decode into, one a column.
    """
    for number in np.unique(which).tolist():
        these = np.flatnonzero(which == number)
        some = [np.empty((len(these), *out.shape[1:]), out.dtype) for out in outs]
        kinds[number].decode(slab, places[:, these], some)
        for out, values in zip(outs, some, strict=True):
            out[these] = values


def _as_rows(array: NDArray[Any]) -> NDArray[np.uint8]:
    """An array as bytes, a row for each sample."""
    return array.reshape(len(array), -1).view(np.uint8)


def _memory(n: int) -> NDArray[np.uint8]:
    """Memory that this thread uses again and again."""
    memory: NDArray[np.uint8] = getattr(_scratch, "memory", np.empty(0, np.uint8))
    if memory.size < n:
        memory = _scratch.memory = np.empty(n, np.uint8)
    return memory[:n]
