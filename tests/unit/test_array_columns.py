"""Columns read what is asked for, whatever the chunks, and no chunk more than once."""

import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from brimful.sources.arrays import column
from brimful.sources.arrays.column import Column, MemoryColumn


class Counted(Column):
    """An array in chunks that counts what is read of it."""

    def __init__(self, array: NDArray[Any], chunk_rows: int) -> None:
        super().__init__("a", array.shape, array.dtype)
        self.array, self.chunk_rows = array, chunk_rows
        self.parts: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A copy, as a library gives it."""
        self.parts.append((start, stop))
        return self.array[start:stop].copy()


@given(st.lists(st.integers(0, 99), max_size=60), st.integers(0, 120))
def test_any_rows_of_any_chunks(numbers: list[int], chunk_rows: int) -> None:
    """In any order, with repeats, each chunk read once and in rising order."""
    array = np.arange(300).reshape(100, 3)
    counted, at = Counted(array, chunk_rows), np.array(numbers, np.int64)
    assert np.array_equal(counted.take(at), array[at])
    starts = [start for start, _ in counted.parts]
    assert starts == sorted(set(starts))
    if chunk_rows:
        assert len(starts) == len({number // chunk_rows for number in numbers})


def test_neighbours_do_not_read_a_chunk_again() -> None:
    """Blocks of packing end inside chunks."""
    counted = Counted(np.arange(100), 10)
    for start in range(0, 100, 4):
        counted.take(np.arange(start, start + 4))
    assert len(counted.parts) == 10


def test_threads_read_a_chunk_once() -> None:
    """Those that want the same one wait for it."""
    counted = Counted(np.arange(100), 50)
    together = threading.Barrier(8)

    def work() -> None:
        together.wait()
        counted.take(np.arange(3, 9))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.parts == [(0, 50)]


def test_large_chunks_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk for the whole array takes no more memory than allowed."""
    monkeypatch.setattr(column, "MOST_SPAN", 800)
    counted = Counted(np.arange(1000), 1000)
    assert np.array_equal(counted.take(np.arange(1000)), np.arange(1000))
    assert max(stop - start for start, stop in counted.parts) == 100


@pytest.mark.parametrize("chunk_rows", [0, 500])
def test_memory_stays_inside_what_is_said(chunk_rows: int) -> None:
    """Result and blocks, counted for real."""
    array = np.zeros((4000, 1000), np.uint8)
    counted = Counted(array, chunk_rows)
    tracemalloc.start()
    counted.take(np.arange(1000))
    counted.take(np.arange(2000, 3000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= counted.held_bytes + 2 * 1000 * 1000
    assert counted.held_bytes <= 5 * 1000 * 1000


def test_of_large_chunks_one_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is let go before the next one is read."""
    monkeypatch.setattr("brimful.sources.arrays.chunk_cache.LARGE", 100_000)
    counted = Counted(np.zeros((4000, 1000), np.uint8), 500)
    tracemalloc.start()
    for start in range(0, 4000, 100):
        counted.take(np.arange(start, start + 1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted.held_bytes == 500_000
    assert peak <= counted.held_bytes + 100_000
    assert len(counted.parts) == 8


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(20,), (20, 3), (20, 3, 4)])
def test_memory_is_gathered(order: Any, shape: tuple[int, ...]) -> None:
    """In C order and native bytes, whatever it was, as memory of its own."""
    array = np.asarray(np.random.default_rng(0).integers(0, 99, shape).astype(">i4"), order=order)
    taken = MemoryColumn("a", array).take(np.array([3, 3, 19, 0]))
    assert np.array_equal(taken, array[[3, 3, 19, 0]])
    assert taken.dtype == np.int32
    assert taken.flags.c_contiguous
    taken[:] = -1
    assert (array >= 0).all()
