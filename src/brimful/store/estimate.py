"""PackEstimate: what packing will take, from a few samples that are read to find out."""

import os
import random
import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brimful.errors import SourceError, WriteError
from brimful.memory import format_bytes
from brimful.prefetch import Prefetch, reading_threads
from brimful.samples import INFERRED_FROM, Samples
from brimful.sources.index import Index
from brimful.store.codecs.narrow import RAW, first_rule
from brimful.store.folder import unfinished_bytes
from brimful.store.format import Layout
from brimful.store.sort import row_bytes

SAMPLED = 512  # samples
BLOCK_ROWS = 64
MANY = 10_000  # samples: of fewer, no order is worth a second look
SLOW = 0.001  # seconds a sample, from which on a disk may be one that seeks
PAYS = 2  # the order of the disk must be so many times as fast


@dataclass(frozen=True)
class PackEstimate:
    """What packing will take.

    Attributes:
        samples: How many there are.
        decoded_bytes: What they take as delivered.
        store_bytes: What the store will take, as far as the samples that were read tell.
        seconds: How long it will take, likewise, reading files in the order of the store.
        pile_bytes: What it will take beside the store meanwhile, if files are read in the order in which they
            lie on the disk; 0 where that does not pay.
        seconds_in_disk_order: How long it will take then.
    """

    samples: int
    decoded_bytes: int
    store_bytes: int
    seconds: float
    pile_bytes: int = 0
    seconds_in_disk_order: float = 0.0

    def in_disk_order(self, free: int) -> bool:
        """Whether to read in the order of the disk: it pays, and there is room for it in some free bytes."""
        return 0 < self.pile_bytes <= free - self.store_bytes

    def refuse_if_too_large(self, path: Path, samples: int) -> None:
        """Refuse to begin where there is not enough room.

        Args:
            path: The store to make.
            samples: How many of them are to be written.

        Raises:
            WriteError: There is less room than they will take.
        """
        needed, free = self.store_bytes * samples // self.samples, free_bytes(path)
        if free < needed:
            raise WriteError(
                f"{path}: what is to be written will take about {format_bytes(needed)}, and "
                f"{format_bytes(free)} are free: {format_bytes(needed - free)} are lacking.",
                "Make room, or name a store on another disk. An old store stays until the new one is whole.",
            )


def free_bytes(path: Path) -> int:
    """Free bytes where a store is to be, with what an earlier run has written that is of no finished one."""
    folder = next(each for each in (path, *path.absolute().parents) if os.path.isdir(each))  # noqa: PTH112
    return shutil.disk_usage(folder).free + unfinished_bytes(path)


def plan(reader: Index, rows: NDArray[np.int64]) -> PackEstimate | None:
    """Find out what packing some samples will take.

    Args:
        reader: The source.
        rows: Its rows to pack.

    Returns:
        The plan; None if none of the samples that were tried can be used.
    """
    layout = Layout(reader.schema)
    some = _somewhere(rows)
    read, seconds = _timed(reader, some)
    if not read:
        return None
    inputs = map(np.concatenate, zip(*(samples.inputs for samples in read), strict=True))
    found = [first_rule(x) if x.dtype == "float32" else None for x in inputs]
    rules = [rule.name if rule else RAW for rule in found]
    keys = reader.keys(some)
    key_bytes = 4 + sum(len(key.encode()) for key in keys) / len(keys)
    store_bytes = int(len(rows) * (key_bytes + layout.row_bytes(rules)))
    n = len(rows)
    usual = PackEstimate(n, n * reader.schema.nbytes, store_bytes, seconds / len(some) * n)
    return usual if n < MANY or seconds < SLOW * len(some) else _with_disk_order(usual, reader, rows)


def _with_disk_order(usual: PackEstimate, reader: Index, rows: NDArray[np.int64]) -> PackEstimate:
    """The plan with what reading in the order of the disk takes, if that pays."""
    order = reader.disk_order(rows)
    if order is None:
        return usual
    some = rows[_somewhere(order)]
    read, seconds = _timed(reader, some)
    if not read:
        return usual
    rate = reader.fingerprints(some)[:, 0].clip(min=1).sum() / seconds
    piled = len(rows) * (seconds / len(some) + 2 * row_bytes(reader) / rate)  # written, and read back
    if usual.seconds < PAYS * piled:
        return usual
    return replace(usual, pile_bytes=len(rows) * row_bytes(reader), seconds_in_disk_order=float(piled))


def _somewhere(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Some that follow each other, each time others: what was read before is in the page cache.

    The first ones the scan has read.
    """
    last = max(0, len(rows) - SAMPLED)
    start = random.randint(min(INFERRED_FROM, last), last)  # noqa: S311 (no secret)
    return rows[start : start + SAMPLED]


def _timed(reader: Index, rows: NDArray[np.int64]) -> tuple[list[Samples], float]:
    """Read some samples as packing does, and the seconds it took."""
    blocks = [rows[at : at + BLOCK_ROWS] for at in range(0, len(rows), BLOCK_ROWS)]
    began = time.perf_counter()
    read = partial(_read, reader)
    with Prefetch(read, blocks, threads=reading_threads(), depth=len(blocks) + 1) as ahead:
        found = [samples for samples in ahead if samples]
    return found, time.perf_counter() - began


def _read(reader: Index, rows: NDArray[np.int64]) -> Samples | None:
    try:
        return reader.read(rows, targets=False)
    except SourceError:
        return None
