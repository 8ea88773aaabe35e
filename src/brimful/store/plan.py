"""Plan: what packing will take, from a few samples that are read to find out."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brimful.errors import SourceError, WriteError
from brimful.sizes import readable
from brimful.sources.base import INFERRED_FROM, Samples, SourceReader, reading_threads
from brimful.store.format import Layout
from brimful.store.narrowing import RAW, first_rule

SAMPLED = 512  # samples: the scan has not read them, so that a cold disk shows
BLOCK_ROWS = 64


@dataclass(frozen=True)
class Plan:
    """What packing will take.

    Attributes:
        samples: How many there are.
        decoded_bytes: What they take as delivered.
        store_bytes: What the store will take, as far as the samples that were read tell.
        seconds: How long it will take, likewise.
    """

    samples: int
    decoded_bytes: int
    store_bytes: int
    seconds: float

    def refuse_if_too_large(self, path: Path) -> int:
        """Refuse to begin where there is not enough room.

        Args:
            path: The store to make.

        Returns:
            Free bytes there.

        Raises:
            WriteError: There is less than the store will take.
        """
        folder = next(each for each in (path, *path.absolute().parents) if os.path.isdir(each))  # noqa: PTH112
        free = shutil.disk_usage(folder).free
        if free < self.store_bytes:
            raise WriteError(
                f"{path}: the store will take about {readable(self.store_bytes)}, and {readable(free)} are "
                f"free: {readable(self.store_bytes - free)} are lacking.",
                "Make room, or name a store on another disk. An old store stays until the new one is whole.",
            )
        return free


def plan(reader: SourceReader, rows: NDArray[np.int64]) -> Plan | None:
    """Find out what packing some samples will take.

    Args:
        reader: The source.
        rows: Its rows to pack.

    Returns:
        The plan; None if none of the samples that were tried can be used.
    """
    layout = Layout(reader.schema)
    start = INFERRED_FROM if len(rows) >= INFERRED_FROM + SAMPLED else 0
    some = rows[start : start + SAMPLED]
    blocks = [some[at : at + BLOCK_ROWS] for at in range(0, len(some), BLOCK_ROWS)]
    began = time.perf_counter()
    with ThreadPoolExecutor(reading_threads(), "brimful-plan") as pool:
        read = [samples for samples in pool.map(lambda block: _read(reader, block), blocks) if samples]
    seconds = time.perf_counter() - began
    if not read:
        return None
    inputs = map(np.concatenate, zip(*(samples.inputs for samples in read), strict=True))
    found = [first_rule(x) if x.dtype == "float32" else None for x in inputs]
    rules = [rule.name if rule else RAW for rule in found]
    keys = reader.keys(some)
    key_bytes = 4 + sum(len(key.encode()) for key in keys) / len(keys)
    row_bytes = key_bytes + layout.row_bytes(rules)
    n = len(rows)
    return Plan(n, n * reader.schema.nbytes, int(n * row_bytes), seconds / len(some) * n)


def _read(reader: SourceReader, rows: NDArray[np.int64]) -> Samples | None:
    try:
        return reader.read(rows, targets=False)
    except SourceError:
        return None
