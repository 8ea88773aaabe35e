"""What a text folder says that reading takes is what it takes: really counted, of small files and large."""

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import brimful as bf
from brimful.sources.text import columns
from brimful.sources.text.folder import TextFolder

KINDS = {"even": "%.18e", "marked": "%.17g", "padded": "%26.18e"}  # the ways of parsing
OBJECTS = 150  # bytes per file: its path and the like, which matter for the tiniest files only
TIMES = 3  # what is said is at most so many times what is taken


def write(folder: Path, n: int, shape: tuple[int, int], fmt: str) -> TextFolder:
    """A folder of random numbers, and how it is read."""
    random = np.random.default_rng(0)
    for number in range(n):
        np.savetxt(folder / f"{number}.csv", random.random(shape), fmt=fmt)
    samples = bf.scan(folder)._reader.format
    assert isinstance(samples, TextFolder)
    return samples


def taken(samples: TextFolder, n: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that reading n samples takes at its peak, of NumPy, Python and Arrow together."""
    numbers = np.arange(n)
    samples.read(numbers)  # what is made once is not counted
    pool = pa.proxy_memory_pool(pa.system_memory_pool())
    monkeypatch.setattr(columns, "POOL", pool)
    tracemalloc.start()
    try:
        result = samples.read(numbers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(result.x) == n
    return peak + int(pool.max_memory())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "shape"), [(1, (28, 28)), (300, (28, 28)), (300, (2, 3)), (3, (300, 200))])
def test_reading_takes_what_it_says_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, n: int, shape: tuple[int, int]
) -> None:
    """The text is counted with the numbers, or it would be far too little; nor is it a guess far too high."""
    samples = write(tmp_path, n, shape, KINDS[kind])
    peak, said = taken(samples, n, monkeypatch), samples.working_bytes(n)
    assert peak <= said + n * OBJECTS
    assert said <= TIMES * peak
