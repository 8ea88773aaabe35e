"""Loading: a window of chunks on its way into the slab, and its rows on their way out of it."""

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brimful.feed.slab import Slab
from brimful.feed.supply import Block
from brimful.order.epochs import Window
from brimful.order.view import View
from brimful.store.chunk import columns_of
from brimful.store.format import Layout
from brimful.store.narrowing import BY_NAME, RAW
from brimful.store.reader import StoreReader

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pyarrow as pa

STEPS = 4  # in which a group of batches is decoded, so that two threads can share them
LEAST_BYTES = 1 << 20  # of samples that are decoded at a time: for less, nobody is woken
MOST_BYTES = 1 << 22  # and what stays in the processor's cache, with its codes

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

    def decode(self, slab: Slab, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Decode some of the slab's rows into an array."""
        memory = slab.rows(self.row_bytes)
        if self.rule == RAW:
            np.take(memory, rows, axis=0, out=_as_rows(out), mode="clip")  # without, it would copy twice
            if sys.byteorder == "big":
                out.byteswap(inplace=True)
            return
        codes = _memory(len(rows) * self.row_bytes).reshape(len(rows), self.row_bytes)
        np.take(memory, rows, axis=0, out=codes, mode="clip")
        BY_NAME[self.rule].decode(codes.view(self.dtype).reshape(out.shape), out)


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
        self.columns = [
            _Column(np.dtype(field.dtype).newbyteorder("<"), field.nbytes, rule)
            for field, rule in zip(fields, layout.every_rule(rules), strict=True)
        ]

    def slot_bytes(self, n: int) -> int:
        """Bytes of a slot for n rows: a column may have to begin up to a row later than it could."""
        return (n + 1) * sum(self.row_bytes)

    def first_rows(self, slab: Slab, slot: int, n: int) -> list[int]:
        """Where the columns of n rows begin in a slot."""
        return slab.first_rows(slot, [n * each for each in self.row_bytes], self.row_bytes)

    def copy(self, data: memoryview, n: int, slab: Slab, slot: int) -> None:
        """Copy the data of a chunk of n rows into a slot."""
        columns = columns_of(data, n, self._layout, self._rules)
        firsts = self.first_rows(slab, slot, n)
        for values, first, row_bytes in zip(columns, firsts, self.row_bytes, strict=True):
            np.copyto(slab.rows(row_bytes)[first : first + n], _as_rows(values))


class Loading:
    """A window on its way into the slab, and out of it.

    Args:
        reader: The store.
        view: The rows that are fed.
        window: Its pieces, and the order of their rows.
        chunks: The chunk that each piece is.
        slab: Where they are, or will be.
        slots: Which slot each has.
        kinds: How each is kept.
        left: Rows that are still to be handed out.
    """

    def __init__(
        self,
        reader: StoreReader,
        view: View,
        window: Window,
        chunks: NDArray[np.int64],
        slab: Slab,
        slots: NDArray[np.int64],
        kinds: Sequence[Kind],
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
        self._slab = slab
        self._kinds = list(dict.fromkeys(kinds))
        self._kind = np.array([self._kinds.index(kind) for kind in kinds])
        places = zip(kinds, slots.tolist(), map(reader.rows_of, chunks.tolist()), strict=True)
        firsts = np.array([kind.first_rows(slab, slot, n) for kind, slot, n in places])
        self._first_rows = chunks * reader.rows_per_chunk
        self._shifts = firsts.T - self._first_rows  # from rows of the store to the slab's, for each column
        self._keys: list[pa.StringArray] = []

    @property
    def is_loaded(self) -> bool:
        """Whether all is there."""
        return all(each.done() for each in self.work)

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

    def read_into(self, start: int, stop: int, block: Block, helper: Executor | None = None) -> None:
        """Put the samples at some positions in the window into a block.

        Args:
            start: First position.
            stop: Position behind the last.
            block: Where to.
            helper: Threads that may do a part of it.
        """
        block.rows[:], piece = self.window.places(start, stop)
        rows = self._view.at(block.rows)
        places = rows + np.take(self._shifts, piece, axis=1)
        step = step_rows(len(rows), self._reader.schema.nbytes)
        steps = iter([slice(first, first + step) for first in range(0, len(rows), step)])

        def decode() -> None:
            for here in steps:  # each goes to whoever asks next
                self._decode(places[:, here], piece[here], [array[here] for array in block.samples.arrays])

        task = [decode]  # emptied below: what waits in the queue of those who read must not hold the block
        rest = helper.submit(_do, task) if helper and len(rows) > step else None
        decode()
        if rest and not rest.cancel():
            rest.result()
        task.clear()
        if self._keys:
            of_keys = zip(piece.tolist(), (rows - self._first_rows[piece]).tolist(), strict=True)
            block.keys.extend(self._keys[i][j].as_py() for i, j in of_keys)

    def _decode(
        self, places: NDArray[np.int64], piece: NDArray[np.unsignedinteger], outs: Sequence[NDArray[Any]]
    ) -> None:
        """Decode rows, given where in the slab they are and in which piece."""
        if len(self._kinds) == 1:
            self._decode_alike(self._kinds[0], places, outs)
        else:
            self._decode_mixed(self._kind[piece], places, outs)

    def _decode_alike(self, kind: Kind, places: NDArray[np.int64], outs: Sequence[NDArray[Any]]) -> None:
        """Decode rows that are kept alike, given where in the slab they are."""
        for column, rows, out in zip(kind.columns, places, outs, strict=True):
            column.decode(self._slab, rows, out)

    def _decode_mixed(
        self, kinds: NDArray[np.int64], places: NDArray[np.int64], outs: Sequence[NDArray[Any]]
    ) -> None:
        """Decode rows of which each may be kept in another way."""
        for number in np.unique(kinds).tolist():
            which = np.flatnonzero(kinds == number)
            some = [np.empty((len(which), *out.shape[1:]), out.dtype) for out in outs]
            self._decode_alike(self._kinds[number], places[:, which], some)
            for out, values in zip(outs, some, strict=True):
                out[which] = values


def step_rows(n: int, row_bytes: int) -> int:
    """How many of n rows are decoded at a time."""
    least, most = max(1, LEAST_BYTES // row_bytes), max(1, MOST_BYTES // row_bytes)
    return min(max(-(-n // STEPS), least), most)


def _do(task: list[Callable[[], None]]) -> None:
    """Do what is still to be done."""
    for work in task:
        work()


def _as_rows(array: NDArray[Any]) -> NDArray[np.uint8]:
    """An array as bytes, a row for each sample."""
    return array.reshape(len(array), -1).view(np.uint8)


def _memory(n: int) -> NDArray[np.uint8]:
    """Memory that this thread uses again and again."""
    memory: NDArray[np.uint8] = getattr(_scratch, "memory", np.empty(0, np.uint8))
    if memory.size < n:
        memory = _scratch.memory = np.empty(n, np.uint8)
    return memory[:n]
