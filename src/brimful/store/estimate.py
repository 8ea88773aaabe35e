"""PackEstimate: what packing will take, from a few samples that are read to find out."""

import random
import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from brimful.errors import SourceError, WriteError
from brimful.memory import format_bytes
from brimful.prefetch import Prefetch, reading_threads
from brimful.samples import INFERRED_FROM, Samples
from brimful.sources.index import Index
from brimful.storage.base import Storage
from brimful.storage.locate import Place, locate
from brimful.store.journal import unfinished_bytes
from brimful.store.layout import Layout
from brimful.store.sort import row_bytes
from brimful.store.writer import first_codec

SAMPLED = 512  # samples
BLOCK_ROWS = 64
PIECES, LONG_RUN, LONG_RUN_BYTES = 4, 2_048, 4 * 2**20  # of a sequential source that are looked at
MANY = 10_000  # samples: with fewer, the order of the disk is not tried
SLOW = 0.001  # seconds per sample: a faster disk is not one that seeks
PAYS = 2  # the order of the disk must be at least so many times as fast


@dataclass(frozen=True)
class PackEstimate:
    """What packing will take.

    Attributes:
        samples: Number of samples.
        decoded_bytes: What they take as delivered.
        store_bytes: What the store will take, judging by the samples that were read.
        seconds: How long it will take, likewise, reading files in the order of the store.
        pile_bytes: What temporary files will take if files are read in the order of the disk; 0 where that
            does not pay.
        seconds_in_disk_order: How long it will take in that order.
    """

    samples: int
    decoded_bytes: int
    store_bytes: int
    seconds: float
    pile_bytes: int = 0
    seconds_in_disk_order: float = 0.0

    def in_disk_order(self, free: int | None) -> bool:
        """Whether to read in the order of the disk: it pays, and the free bytes suffice for it."""
        return self.pile_bytes > 0 and (free is None or self.pile_bytes <= free - self.store_bytes)

    def refuse_if_too_large(self, storage: Storage, samples: int) -> None:
        """Raise WriteError if a storage has less room than so many samples will take."""
        needed, free = self.store_bytes * samples // self.samples, free_bytes(storage)
        if free is not None and free < needed:
            raise WriteError(
                f"{storage.name}: packing will write about {format_bytes(needed)}, and "
                f"{format_bytes(free)} are free: {format_bytes(needed - free)} are lacking.",
                "Make room, or name a store on another disk. An old store stays until a new one is complete.",
            )


def free_bytes(place: Place) -> int | None:
    """Free bytes for a store, including what earlier attempts to pack it have left unfinished."""
    storage = locate(place)
    free = storage.free_bytes()
    return None if free is None else free + unfinished_bytes(storage)


def estimate(source: Index, rows: NDArray[np.int64]) -> PackEstimate | None:
    """Estimate what packing some rows will take; None if none of the samples that were tried can be used."""
    layout, n = Layout(source.schema), len(rows)
    order = source.disk_order(rows) if source.is_sequential else None
    some = _somewhere(rows) if order is None else rows[_spread(order, source.schema.nbytes)]
    read, seconds = _timed(source, some)
    if not read:
        return None
    inputs = map(np.concatenate, zip(*(samples.inputs for samples in read), strict=True))
    codecs = list(map(first_codec, source.schema.input_fields, inputs))
    keys = source.keys(some)
    key_bytes = 4 + sum(len(key.encode()) for key in keys) / len(keys)
    store_bytes = int(n * (key_bytes + layout.row_bytes(codecs)))
    usual = PackEstimate(n, n * source.schema.nbytes, store_bytes, seconds / len(some) * n)
    if order is not None:  # any other order would read a part of the source for each sample
        return replace(usual, pile_bytes=n * row_bytes(source), seconds_in_disk_order=usual.seconds)
    return usual if n < MANY or seconds < SLOW * len(some) else _with_disk_order(usual, source, rows)


def _with_disk_order(usual: PackEstimate, source: Index, rows: NDArray[np.int64]) -> PackEstimate:
    """The estimate, with the order of the disk if that pays."""
    order = source.disk_order(rows)
    if order is None:
        return usual
    some = rows[_somewhere(order)]
    read, seconds = _timed(source, some)
    if not read:
        return usual
    rate = source.fingerprints(some)[:, 0].clip(min=1).sum() / seconds
    piled = len(rows) * (seconds / len(some) + 2 * row_bytes(source) / rate)  # written, and read back
    if usual.seconds < PAYS * piled:
        return usual
    return replace(usual, pile_bytes=len(rows) * row_bytes(source), seconds_in_disk_order=float(piled))


def _somewhere(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Some consecutive rows, at random: the first, and those of earlier calls, are in the page cache."""
    last = max(0, len(rows) - SAMPLED)
    start = random.Random().randint(min(INFERRED_FROM, last), last)  # noqa: S311 (no secret)
    return rows[start : start + SAMPLED]


def _spread(order: NDArray[np.int64], nbytes: int) -> NDArray[np.int64]:
    """A few runs of an order, from its beginning on: long ones, for neighbours are read together."""
    size = max(SAMPLED // PIECES, min(LONG_RUN, LONG_RUN_BYTES // nbytes))
    if len(order) <= PIECES * size:
        return order
    starts = np.linspace(0, len(order) - size, PIECES).astype(np.int64)
    return np.concatenate([order[start : start + size] for start in starts.tolist()])


def _timed(source: Index, rows: NDArray[np.int64]) -> tuple[list[Samples], float]:
    """Some samples, read as packing does, and the seconds it took."""
    blocks = [rows[at : at + BLOCK_ROWS] for at in range(0, len(rows), BLOCK_ROWS)]
    began = time.perf_counter()
    read = partial(_read, source)
    with Prefetch(read, blocks, threads=reading_threads(), depth=len(blocks) + 1) as ahead:
        found = [samples for samples in ahead if samples]
    return found, time.perf_counter() - began


def _read(source: Index, rows: NDArray[np.int64]) -> Samples | None:
    try:
        return source.read(rows, targets=False)
    except SourceError:
        return None
