"""ExternalSort: samples read in the order of the disk, kept in piles until it is their turn in the store.

On a disk that seeks, reading millions of small files in the order of the store takes two seeks each. So they
are read in the order of their inodes, as many as there is memory for, sorted into the order of the store, and
written as a pile; the next ones make the next pile. Then the store is made of what each pile has for the
samples that are next: an external merge sort (Knuth: The Art of Computer Programming 3, 5.4).

A pile is an Arrow IPC file `pile-<n>.arrow` with a record batch for each segment, which is so many samples of
the store: position, fingerprint, and the inputs as bytes, and in the batch's metadata their checksum. It gets
its name once it is whole, and a run that goes on takes over what earlier ones have piled up, but for files
that have changed since.
"""

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64

from brimful.errors import DamagedStoreError
from brimful.keys import PIECE
from brimful.prefetch import Prefetch
from brimful.samples import FINGERPRINT, Progress, Samples
from brimful.sources.index import Index
from brimful.sources.read_files import NO_PRINT, is_settled
from brimful.storage.local import PartialFile, Sink, remove
from brimful.store.format import PARTIAL, PILE, PILE_NAME
from brimful.store.reader import opened

SHARE = 8  # a segment is one part in so many of the memory
PILE_SEGMENTS = 2  # a pile is as large as so many segments; a third one is sorted, and written
SEGMENTS_HELD = 2  # while the store is made; the batch of a pile is read beside them
HELD_SEGMENTS = 3  # so it is that many at the most


class Columns(NamedTuple):
    """Some samples in a pile.

    Attributes:
        at: Their positions in the store, int64, shape `(n,)`.
        prints: The fingerprints of their files as they were read, int64, shape `(n, 4)`.
        inputs: Their inputs.
    """

    at: NDArray[np.int64]
    prints: NDArray[np.int64]
    inputs: list[NDArray[Any]]

    @property
    def digest(self) -> str:
        """A checksum of it all."""
        digest = xxh3_64()
        for array in (self.at, self.prints, *self.inputs):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()

    def take(self, which: NDArray[np.intp] | slice) -> "Columns":
        """Some of them."""
        return Columns(self.at[which], self.prints[which], [x[which] for x in self.inputs])

    def put(self, which: slice | NDArray[np.intp], others: "Columns") -> None:
        """Put others in the place of some."""
        for mine, its in zip((*self[:2], *self.inputs), (*others[:2], *others.inputs), strict=True):
            mine[which] = its


class _Pile(NamedTuple):
    """A pile: where it is, the segment that each of its batches is of, whether an earlier run made it."""

    path: Path
    segments: list[int]
    is_earlier: bool = False


class ExternalSort:
    """Samples of a source in piles.

    Args:
        folder: The store that is being made.
        reader: The source.
        rows: Rows of the source, in the order of the store.
        identity: What is being packed, and how; piles of another run are removed.
        memory: What may be held in memory, in bytes; see `held_bytes`.
        began: `time.time()` when this run of packing began.
    """

    def __init__(
        self,
        folder: Path,
        reader: Index,
        rows: NDArray[np.int64],
        *,
        identity: str,
        memory: int,
        began: float,
    ) -> None:
        self._folder = folder
        self._reader = reader
        self._rows = rows
        self._identity = identity
        self._began = began
        self._size = max(1, memory // SHARE // row_bytes(reader))  # samples a segment
        self._most = max(1, memory // HELD_SEGMENTS // row_bytes(reader))  # which earlier runs may have made
        self._piles: list[_Pile] = []
        self._is_taken_over = np.zeros(len(rows), bool)  # in piles of earlier runs, of unchanged files
        self._following = 0  # the number of the next pile
        self._lock = threading.Lock()
        self._segments: OrderedDict[int, Columns] = OrderedDict()

    def fill(
        self, order: NDArray[np.int64], *, threads: int, depth: int, block_rows: int, progress: Progress
    ) -> None:
        """Pile up samples, but for those that earlier runs have.

        Args:
            order: Positions in the store, in the order in which to read.
            threads: How many read.
            depth: Blocks that may be in memory.
            block_rows: Samples that a thread reads at a time.
            progress: Called with the number of samples that are piled up.
        """
        self._take_over()
        left = order[~self._is_taken_over[order]]
        done, filled = len(order) - len(left), 0
        pile = self._empty(PILE_SEGMENTS * self._size)
        blocks = (left[start : start + block_rows] for start in range(0, len(left), block_rows))
        with Prefetch(self._read, blocks, threads=threads, depth=depth) as ahead:
            for block in ahead:
                used = 0
                while used < len(block.at):
                    n = min(len(block.at) - used, len(pile.at) - filled)
                    pile.put(slice(filled, filled + n), block.take(slice(used, used + n)))
                    used, filled = used + n, filled + n
                    if filled == len(pile.at):
                        self._write(pile)
                        filled = 0
                done += len(block.at)
                progress(done)
        if filled:
            self._write(pile.take(slice(filled)))

    def read(self, at: NDArray[np.int64], prints: NDArray[np.int64]) -> Samples:
        """The inputs of samples at some positions in the store; what is in no pile is read from the source.

        Args:
            at: Positions, ascending.
            prints: Where to write the fingerprints of their files, as they were when they were read.
        """
        found = self._empty(len(at))
        for number in np.unique(at // self._size).tolist():
            here = np.flatnonzero(at // self._size == number)
            found.put(here, self._segment(number).take(at[here] - number * self._size))
        missing = np.flatnonzero(found.at != at)
        if len(missing):
            found.put(missing, self._read(at[missing]))
        prints[:] = found.prints
        x, _, _ = self._reader.schema.structured((*found.inputs, *[None] * len(self._reader.schema.fields)))
        return Samples(x)

    def _empty(self, n: int) -> Columns:
        """Room for n samples, of which none is there."""
        inputs = [np.empty((n, *field.shape), field.dtype) for field in self._reader.schema.input_fields]
        return Columns(np.full(n, -1), np.full((n, len(FINGERPRINT)), NO_PRINT), inputs)

    def _read(self, at: NDArray[np.int64]) -> Columns:
        """Read samples from the source. Done in threads."""
        prints = np.full((len(at), len(FINGERPRINT)), NO_PRINT)
        samples = self._reader.read(self._rows[at], targets=False, prints=prints)
        return Columns(at, prints, list(samples.inputs))

    def _write(self, pile: Columns) -> None:
        """Write a pile, in the order of the store."""
        order = np.argsort(pile.at)
        segments = pile.at[order] // self._size
        path, self._following = self._folder / PILE.format(self._following), self._following + 1
        numbers: list[int] = []
        sink = Sink()
        with PartialFile(path.with_name(path.name + PARTIAL)) as file:
            with pa.ipc.new_file(pa.PythonFile(sink, "w"), self._schema) as writer:
                for number in np.unique(segments).tolist():
                    some = pile.take(order[slice(*np.searchsorted(segments, (number, number + 1)))])
                    said = {"segment": str(number), "checksum": some.digest, "began": repr(self._began)}
                    writer.write_batch(self._to_arrow(some), custom_metadata=said)
                    file.write(memoryview(sink.take()))
                    numbers.append(number)
            file.write(memoryview(sink.take()))
            file.commit(path.name)
        self._piles.append(_Pile(path, numbers))

    def _segment(self, number: int) -> Columns:
        """What the piles have for a segment; -1 as position where there is nothing."""
        with self._lock:
            if number in self._segments:
                self._segments.move_to_end(number)
                return self._segments[number]
            while len(self._segments) >= SEGMENTS_HELD:
                self._segments.popitem(last=False)
            start = number * self._size
            segment = self._empty(min(self._size, len(self._rows) - start))
            for pile in self._piles:
                if number in pile.segments:
                    with contextlib.suppress(DamagedStoreError):
                        _, _, some = next(self._batches(pile.path, pile.segments.index(number)))
                        if pile.is_earlier:
                            some = some.take(np.flatnonzero(self._is_taken_over[some.at]))
                        segment.put(some.at - start, some)
            self._segments[number] = segment
            return segment

    def _take_over(self) -> None:
        """Find what earlier runs have piled up, of files that are as they were; other piles are removed."""
        paths = sorted(path for path in self._folder.iterdir() if PILE_NAME.fullmatch(path.name))
        self._size = next(filter(None, map(self._size_of, paths)), self._size)
        for path in paths:
            self._following = int(path.stem.split("-")[1]) + 1
            numbers, positions, prints, settled = [], [], [], []
            try:
                for number, began, some in self._batches(path):
                    numbers.append(number)
                    positions.append(some.at)
                    prints.append(some.prints)
                    settled.append(is_settled(some.prints, began))
            except DamagedStoreError:
                remove(path)
                continue
            self._piles.append(_Pile(path, numbers, is_earlier=True))
            at = np.concatenate(positions)
            as_they_were = self._as_they_were(at, np.concatenate(prints))
            self._is_taken_over[at] = np.concatenate(settled) & as_they_were

    def _size_of(self, path: Path) -> int | None:
        """Samples a segment of an earlier run's pile, which may have had other memory; None if of no use."""
        try:
            with opened(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
                said = pa.ipc.open_file(file).schema.metadata
            size = int(said[b"segment_rows"])
            return size if 0 < size <= self._most and said[b"identity"].decode() == self._identity else None
        except (DamagedStoreError, OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return None

    def _as_they_were(self, at: NDArray[np.int64], prints: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which files have the fingerprints that they had; asked in the order of the disk."""
        same = np.zeros(len(at), bool)
        order = np.argsort(prints[:, FINGERPRINT.index("inode")])
        for start in range(0, len(order), PIECE):
            some = order[start : start + PIECE]
            same[some] = (self._reader.fingerprints(self._rows[at[some]]) == prints[some]).all(axis=1)
        return same

    @property
    def _schema(self) -> pa.Schema:
        fields = self._reader.schema.input_fields
        names = ["at", *FINGERPRINT, *(f"x{number}" for number in range(len(fields)))]
        types = [*[pa.int64()] * (1 + len(FINGERPRINT)), *(pa.binary(field.nbytes) for field in fields)]
        said = {"identity": self._identity, "segment_rows": str(self._size)}
        return pa.schema(list(zip(names, types, strict=True)), said)

    def _to_arrow(self, some: Columns) -> pa.RecordBatch:
        integers = [pa.array(values) for values in (some.at, *some.prints.T)]
        schema, n = self._schema, len(some.at)
        inputs = [
            pa.Array.from_buffers(field.type, n, [None, pa.py_buffer(np.ascontiguousarray(x))])
            for field, x in zip(list(schema)[len(integers) :], some.inputs, strict=True)
        ]
        return pa.RecordBatch.from_arrays([*integers, *inputs], schema=schema)

    def _batches(self, path: Path, only: int | None = None) -> Iterator[tuple[int, float, Columns]]:
        """The batches of a pile, or one of them: segment, when the run began, samples.

        Raises:
            DamagedStoreError: It is damaged, or of another run.
        """
        try:
            with opened(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
                pile = pa.ipc.open_file(file)
                if not pile.schema.equals(self._schema, check_metadata=True):
                    raise DamagedStoreError(f"{path}: this is a pile of another run.")
                for index in range(pile.num_record_batches) if only is None else [only]:
                    batch, said = pile.get_batch_with_custom_metadata(index)
                    some = self._from_arrow(batch.columns)
                    number = int(said["segment"])
                    if some.digest != said["checksum"].decode() or (some.at // self._size != number).any():
                        raise DamagedStoreError(f"{path}: a pile is damaged.")
                    yield number, float(said["began"]), some
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise DamagedStoreError(f"{path}: a pile is damaged.") from error

    def _from_arrow(self, columns: Sequence[pa.Array]) -> Columns:
        at, *prints = (column.to_numpy() for column in columns[: 1 + len(FINGERPRINT)])
        inputs = [
            np.frombuffer(column.buffers()[1], field.dtype, len(at) * field.size).reshape(-1, *field.shape)
            for column, field in zip(
                columns[1 + len(FINGERPRINT) :], self._reader.schema.input_fields, strict=True
            )
        ]
        return Columns(at, np.stack(prints, axis=1), inputs)


def row_bytes(reader: Index) -> int:
    """Bytes that a sample takes in a pile."""
    return 8 * (1 + len(FINGERPRINT)) + sum(field.nbytes for field in reader.schema.input_fields)


def held_bytes(memory: int) -> int:
    """Bytes of a budget of memory that piles need; the rest is for reading and for making the store."""
    return memory // SHARE * HELD_SEGMENTS
