"""ExternalSort: samples read in the order of the disk, and kept in piles until their turn in the store comes.

On a disk that seeks, reading millions of small files in the order of the store takes two seeks each. So they
are read in the order of their inodes, as many as there is memory for, sorted into the order of the store, and
written as a pile; the next ones make the next pile. Then the store is made from what each pile has for the
samples that are next: an external merge sort (Knuth: The Art of Computer Programming 3, 5.4).

What fits in the memory of one pile is put in its places there, and no pile is written. A pile is an Arrow IPC
file `pile-<n>.arrow` with a record batch for each segment, a fixed number of samples of the store: position,
fingerprint, and the inputs as bytes, and in the batch's metadata their checksum. It gets its name once it is
complete. When packing that was stopped goes on, it uses the piles that are there, except for files that have
changed since.
"""

import contextlib
import io
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64

from brimful.errors import DamagedStoreError
from brimful.keys import KEYS_PER_PIECE
from brimful.prefetch import Prefetch
from brimful.samples import FINGERPRINT, Progress, Samples
from brimful.schema import Field
from brimful.sources.index import Index
from brimful.sources.read_files import NO_PRINT, is_settled
from brimful.storage.base import Storage, StoredFile
from brimful.store.format import PILE, PILE_NAME
from brimful.store.writer import take

SHARE = 8  # a segment is one part in so many of the memory
PILE_SEGMENTS = 2  # a pile is as large as so many segments; a third one is sorted, and written
SEGMENTS_HELD = 2  # while the store is made; the batch of a pile is read beside them
HELD_SEGMENTS = 3  # so it is that many at the most


class PiledSamples(NamedTuple):
    """Some samples in a pile.

    Attributes:
        at: Their positions in the store, shape `(n,)`.
        prints: The fingerprints of their files when they were read, shape `(n, 4)`.
        inputs: Their inputs; and targets and weights, if samples carry these.
    """

    at: NDArray[np.int64]
    prints: NDArray[np.int64]
    inputs: list[NDArray[Any]]

    @property
    def digest(self) -> str:
        """A checksum of positions, fingerprints and inputs."""
        digest = xxh3_64()
        for array in (self.at, self.prints, *self.inputs):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()

    def take(self, which: NDArray[np.intp] | slice) -> "PiledSamples":
        """A part of these samples."""
        return PiledSamples(self.at[which], self.prints[which], [x[which] for x in self.inputs])

    def put(self, which: slice | NDArray[np.intp], others: "PiledSamples") -> None:
        """Replace a part of these samples."""
        for mine, its in zip((*self[:2], *self.inputs), (*others[:2], *others.inputs), strict=True):
            mine[which] = its


class ExternalSort:
    """Samples of a source in piles.

    Args:
        storage: The store that is being made.
        source: The source.
        rows: Rows of the source, in the order of the store.
        identity: What is packed, and how; piles of another identity are removed.
        memory: What may be held in memory, in bytes; see `held_bytes`.
        began: `time.time()` when packing began.
    """

    def __init__(
        self,
        storage: Storage,
        source: Index,
        rows: NDArray[np.int64],
        *,
        identity: str,
        memory: int,
        began: float,
    ) -> None:
        self._storage = storage
        self._source = source
        self._rows = rows
        self._identity = identity
        self._began = began
        self._size = max(1, memory // SHARE // row_bytes(source))  # samples per segment
        self._most = max(1, memory // HELD_SEGMENTS // row_bytes(source))  # of earlier piles, too
        self._piles: dict[str, list[int]] = {}  # by file, the segment of each of its batches
        self._earlier: set[str] = set()  # those of an earlier attempt
        self._is_taken_over = np.zeros(len(rows), bool)  # in earlier piles, of unchanged files
        self._following = 0  # the number of the next pile
        self._lock = threading.Lock()
        self._segments: OrderedDict[int, PiledSamples] = OrderedDict()

    def fill(
        self, order: NDArray[np.int64], *, threads: int, depth: int, block_rows: int, progress: Progress
    ) -> None:
        """Pile up the samples at some positions, in this order, except for those in earlier piles.

        Threads read `block_rows` samples at a time; `depth` of these blocks may be in memory.
        """
        self._take_over()
        left = order[~self._is_taken_over[order]]
        blocks = (left[start : start + block_rows] for start in range(0, len(left), block_rows))
        with Prefetch(self._read, blocks, threads=threads, depth=depth) as ahead:
            if not self._earlier and len(self._rows) <= PILE_SEGMENTS * self._size:
                self._hold(ahead, progress)
            else:
                self._pile_up(ahead, len(order) - len(left), progress)

    def _hold(self, blocks: Iterable[PiledSamples], progress: Progress) -> None:
        """Put samples that all fit in the memory of a pile in their places, without a pile."""
        whole, done = self._empty(len(self._rows)), 0
        for block in blocks:
            whole.put(block.at, block)
            done += len(block.at)
            progress(done)
        for number, start in enumerate(range(0, len(self._rows), self._size)):
            self._segments[number] = whole.take(slice(start, start + self._size))

    def _pile_up(self, blocks: Iterable[PiledSamples], done: int, progress: Progress) -> None:
        """Write samples in piles, each of as many as there is memory for; `done` of them are there."""
        pile, filled = self._empty(PILE_SEGMENTS * self._size), 0
        for block in blocks:
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
        """The samples at some positions, ascending, with targets if they carry these.

        What is in no pile is read from the source.

        The fingerprints of their files when they were read are written to `prints`.
        """
        found = self._empty(len(at))
        for number in np.unique(at // self._size).tolist():
            here = np.flatnonzero(at // self._size == number)
            found.put(here, self._segment(number).take(at[here] - number * self._size))
        missing = np.flatnonzero(found.at != at)
        if len(missing):
            found.put(missing, self._read(at[missing]))
        prints[:] = found.prints
        lacking = [None] * (len(self._source.schema.fields) - len(found.inputs))
        x, y, w = self._source.schema.structured((*found.inputs, *lacking))
        return Samples(x, y, w) if self._source.has_own_targets else Samples(x)

    def _empty(self, n: int) -> PiledSamples:
        """Memory for n samples; -1 is the position of each until it is filled."""
        inputs = [np.empty((n, *field.shape), field.dtype) for field in _fields(self._source)]
        return PiledSamples(np.full(n, -1), np.full((n, len(FINGERPRINT)), NO_PRINT), inputs)

    def _read(self, at: NDArray[np.int64]) -> PiledSamples:
        """Read samples from the source. Done in threads."""
        prints = np.full((len(at), len(FINGERPRINT)), NO_PRINT)
        own = self._source.has_own_targets
        samples = self._source.read(self._rows[at], targets=own, prints=prints)
        return PiledSamples(at, prints, list(samples.arrays))

    def _write(self, pile: PiledSamples) -> None:
        """Write a pile, in the order of the store."""
        order = np.argsort(pile.at)
        segments = pile.at[order] // self._size
        name, self._following = PILE.format(self._following), self._following + 1
        numbers: list[int] = []
        sink = io.BytesIO()
        with self._storage.write(name) as file:
            with pa.ipc.new_file(pa.PythonFile(sink, "w"), self._schema) as writer:
                for number in np.unique(segments).tolist():
                    some = pile.take(order[slice(*np.searchsorted(segments, (number, number + 1)))])
                    metadata = {"segment": str(number), "checksum": some.digest, "began": repr(self._began)}
                    writer.write_batch(self._to_arrow(some), custom_metadata=metadata)
                    file.write(take(sink))
                    numbers.append(number)
            file.write(take(sink))
            file.commit(name)
        self._piles[name] = numbers

    def _segment(self, number: int) -> PiledSamples:
        """The samples of a segment that are in piles; the position of others is -1."""
        with self._lock:
            if number in self._segments:
                self._segments.move_to_end(number)
                return self._segments[number]
            while len(self._segments) >= SEGMENTS_HELD:
                self._segments.popitem(last=False)
            start = number * self._size
            segment = self._empty(min(self._size, len(self._rows) - start))
            for file, numbers in self._piles.items():
                if number in numbers:
                    with contextlib.suppress(DamagedStoreError):
                        _, _, some = next(self._batches(file, numbers.index(number)))
                        if file in self._earlier:
                            some = some.take(np.flatnonzero(self._is_taken_over[some.at]))
                        segment.put(some.at - start, some)
            self._segments[number] = segment
            return segment

    def _take_over(self) -> None:
        """Find the samples of unchanged files in earlier piles; remove the piles that are of no use."""
        files = sorted(filter(PILE_NAME.fullmatch, self._storage.list()))
        self._size = next(filter(None, map(self._size_of, files)), self._size)
        for file in files:
            self._following = int(file.removesuffix(".arrow").split("-")[1]) + 1
            numbers, positions, prints, settled = [], [], [], []
            try:
                for number, began, some in self._batches(file):
                    numbers.append(number)
                    positions.append(some.at)
                    prints.append(some.prints)
                    settled.append(is_settled(some.prints, began))
            except DamagedStoreError:
                self._storage.remove(file)
                continue
            self._piles[file] = numbers
            self._earlier.add(file)
            at = np.concatenate(positions)
            self._is_taken_over[at] = np.concatenate(settled) & self._unchanged(at, np.concatenate(prints))

    def _size_of(self, file: str) -> int | None:
        """Samples per segment of an earlier pile, made with any memory; None if it cannot be used."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            metadata = pa.ipc.open_file(self._opened(file)).schema.metadata
            size = int(metadata[b"segment_rows"])
            if 0 < size <= self._most and metadata[b"identity"].decode() == self._identity:
                return size
        return None

    def _opened(self, file: str) -> pa.PythonFile:
        return pa.PythonFile(StoredFile(self._storage, file), "r")

    def _unchanged(self, at: NDArray[np.int64], prints: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which files still have some fingerprints; asked in the order of the disk."""
        same = np.zeros(len(at), bool)
        order = np.argsort(prints[:, FINGERPRINT.index("inode")])
        for start in range(0, len(order), KEYS_PER_PIECE):
            some = order[start : start + KEYS_PER_PIECE]
            same[some] = (self._source.fingerprints(self._rows[at[some]]) == prints[some]).all(axis=1)
        return same

    @property
    def _schema(self) -> pa.Schema:
        fields = _fields(self._source)
        names = ["at", *FINGERPRINT, *(f"x{number}" for number in range(len(fields)))]
        types = [*[pa.int64()] * (1 + len(FINGERPRINT)), *(pa.binary(field.nbytes) for field in fields)]
        metadata = {"identity": self._identity, "segment_rows": str(self._size)}
        return pa.schema(list(zip(names, types, strict=True)), metadata)

    def _to_arrow(self, some: PiledSamples) -> pa.RecordBatch:
        integers = [pa.array(values) for values in (some.at, *some.prints.T)]
        schema, n = self._schema, len(some.at)
        inputs = [
            pa.Array.from_buffers(field.type, n, [None, pa.py_buffer(np.ascontiguousarray(x))])
            for field, x in zip(list(schema)[len(integers) :], some.inputs, strict=True)
        ]
        return pa.RecordBatch.from_arrays([*integers, *inputs], schema=schema)

    def _batches(self, file: str, only: int | None = None) -> Iterator[tuple[int, float, PiledSamples]]:
        """The batches of a pile, or one of them: its segment, when its packing began, and its samples.

        Raises:
            DamagedStoreError: The pile is damaged, or of another identity.
        """
        try:
            pile = pa.ipc.open_file(self._opened(file))
            if not pile.schema.equals(self._schema, check_metadata=True):
                raise DamagedStoreError(f"{self._storage.name}/{file}: this is a pile of other samples.")
            for index in range(pile.num_record_batches) if only is None else [only]:
                batch, metadata = pile.get_batch_with_custom_metadata(index)
                some = self._from_arrow(batch.columns)
                number = int(metadata["segment"])
                if some.digest != metadata["checksum"].decode() or (some.at // self._size != number).any():
                    raise DamagedStoreError(f"{self._storage.name}/{file}: a pile is damaged.")
                yield number, float(metadata["began"]), some
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise DamagedStoreError(f"{self._storage.name}/{file}: a pile is damaged.") from error

    def _from_arrow(self, columns: Sequence[pa.Array]) -> PiledSamples:
        at, *prints = (column.to_numpy() for column in columns[: 1 + len(FINGERPRINT)])
        rest, fields = columns[1 + len(FINGERPRINT) :], _fields(self._source)
        inputs = [
            np.frombuffer(column.buffers()[1], field.dtype, len(at) * field.size).reshape(-1, *field.shape)
            for column, field in zip(rest, fields, strict=True)
        ]
        return PiledSamples(at, np.stack(prints, axis=1), inputs)


def _fields(source: Index) -> tuple[Field, ...]:
    """What is kept of a sample: the inputs, and whatever else is read with them."""
    return source.schema.fields if source.has_own_targets else source.schema.input_fields


def row_bytes(source: Index) -> int:
    """Bytes of a sample in a pile."""
    return 8 * (1 + len(FINGERPRINT)) + sum(field.nbytes for field in _fields(source))


def held_bytes(memory: int) -> int:
    """Bytes of a memory budget that piles need; the rest is for reading and for making the store."""
    return memory // SHARE * HELD_SEGMENTS
