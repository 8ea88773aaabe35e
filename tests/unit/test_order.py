"""The order of an epoch: golden values that must never change, and what follows from them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brimful.errors import ArgumentError
from brimful.order.epochs import ROWS, Order, _dtype, beginning, permutation, stable_argsort

GOLDEN = {
    (0, 0): [7, 6, 4, 5, 3, 9, 1, 0, 2, 8],
    (0, 1): [2, 1, 4, 7, 6, 0, 8, 9, 3, 5],
    (1, 0): [3, 1, 7, 9, 4, 5, 0, 2, 8, 6],
}
GOLDEN_LATE = [354, 99, 406, 560, 753, 917, 122, 350]
GOLDEN_WINDOWS = [10, 9, 13, 8, 14, 11, 12, 7, 1, 2, 0, 5, 4, 6, 3]


def test_golden_orders() -> None:
    """These sequences are promised for all time, on every machine."""
    assert Order(10, seed=0).rows(0, 0, 10).tolist() == GOLDEN[0, 0]
    assert Order(10, seed=0).rows(1, 0, 10).tolist() == GOLDEN[0, 1]
    assert Order(10, seed=1).rows(0, 0, 10).tolist() == GOLDEN[1, 0]
    assert Order(1000, seed=7).rows(3, 500, 508).tolist() == GOLDEN_LATE


def test_golden_windows() -> None:
    """So are those of pieces of any size, two of them mixed at a time."""
    bounds = np.array([0, 3, 7, 8, 12, 15])
    assert Order(15, seed=5, bounds=bounds, window=2).rows(1, 0, 15).tolist() == GOLDEN_WINDOWS
    assert Order(10).rows(0, 0, 10).tolist() == GOLDEN[0, 0]


def test_seed_and_epoch_are_not_interchangeable() -> None:
    """Seed 1 epoch 2 is not seed 2 epoch 1."""
    assert Order(100, seed=1).rows(2, 0, 100).tolist() != Order(100, seed=2).rows(1, 0, 100).tolist()


def test_unshuffled_is_row_order_in_every_epoch() -> None:
    """Without shuffle, rows come in ascending order."""
    order = Order(7, seed=3, shuffle=False)
    assert order.rows(0, 0, 7).tolist() == order.rows(5, 0, 7).tolist() == list(range(7))


def test_permutations_are_uniform() -> None:
    """Over 4,800 epochs each of the 24 orders of 4 rows comes about 200 times (chi-squared, 23 degrees)."""
    order = Order(4, seed=0)
    counts: dict[tuple[int, ...], int] = {}
    for epoch in range(4800):
        row = tuple(order.rows(epoch, 0, 4).tolist())
        counts[row] = counts.get(row, 0) + 1
    assert len(counts) == 24
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 49.7  # p = 0.001


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40) | st.integers(2**64 - 9, 2**64 - 1)))
def test_sorting_is_stable_and_by_all_bits(values: list[int]) -> None:
    """Also of numbers that are equal, or differ in the bits only that their places are written over."""
    draws = np.array(values, np.uint64)
    assert stable_argsort(draws).tolist() == np.argsort(draws, kind="stable").tolist()


@given(st.integers(1, 5000), st.integers(0, 2**32 - 1))
def test_the_beginning_is_that_of_the_whole(n: int, seed: int) -> None:
    """The same numbers, made sooner."""
    first = beginning(n, seed, 0, 2, 0)
    assert first.tolist() == permutation(n, seed, 0, 2, 0)[: len(first)].tolist()


def test_the_beginning_is_a_small_part() -> None:
    """One in sixteen, or so."""
    assert len(beginning(160_000, 0, 0, 1, 0)) == pytest.approx(10_000, rel=0.03)


def test_a_window_that_has_begun_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before all of its order is made, and after."""
    monkeypatch.setattr("brimful.order.epochs.MANY", 1)
    bounds = np.array([0, 100, 350, 360, 1000])
    wanted = Order(1000, seed=3, bounds=bounds).rows(2, 0, 1000)
    window = Order(1000, seed=3, bounds=bounds).epoch(2).window(0)
    window.begin()
    begun = len(window._beginning)
    assert window.is_ready(20)
    assert window.is_ready(begun)
    assert not window.is_ready(begun + 1)
    assert window.rows(5, begun).tolist() == wanted[5:begun].tolist()
    assert "permutation" not in vars(window)  # the order of all has not been made for these few
    assert not window.is_prepared
    window.prepare()
    assert window.is_ready(1000)
    assert window.rows(0, 1000).tolist() == wanted.tolist()


@pytest.mark.parametrize(("shuffle", "n"), [(True, 99), (False, 100)])
def test_an_order_that_is_made_in_no_time_is_made_at_once(
    shuffle: bool, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of few rows, and of rows as they lie."""
    monkeypatch.setattr("brimful.order.epochs.MANY", 100)
    window = Order(n, shuffle=shuffle).epoch(0).window(0)
    window.begin()
    assert window.is_prepared


@pytest.mark.parametrize(("n", "dtype"), [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_as_many_bits_as_there_are_pieces(n: int, dtype: type) -> None:
    """Two bytes a row while they do, and each row is found in its own."""
    order = Order(n, seed=1, bounds=np.arange(n + 1))
    assert order.epoch(0).window(0)._piece_of.dtype == dtype
    assert np.array_equal(np.sort(order.rows(0, 0, n)), np.arange(n))


@pytest.mark.parametrize(("n", "dtype"), [(2**32, np.uint32), (2**32 + 1, np.uint64)])
def test_as_many_bits_as_there_are_rows(n: int, dtype: type) -> None:
    """Four bytes a row while they do."""
    assert _dtype(n) is dtype


def test_the_window_looked_at_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch after batch, its permutation is drawn once."""
    drawn = []

    def noted(n: int, *words: int) -> object:
        drawn.append(words)
        return permutation(n, *words)

    order = Order(40, bounds=np.arange(0, 41, 10), window=2)
    monkeypatch.setattr("brimful.order.epochs.permutation", noted)
    for start in range(0, 40, 5):
        order.rows(3, start, start + 5)
    assert [words for words in drawn if words[2] == ROWS] == [(0, 3, ROWS, 0), (0, 3, ROWS, 1)]


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_must_fit_32_bits(seed: int) -> None:
    """A seed that could collide with another one is refused."""
    with pytest.raises(ArgumentError, match="seed"):
        Order(4, seed=seed)
    assert Order(4, seed=2**32 - 1).seed == 2**32 - 1


def test_order_of_many_rows_is_light() -> None:
    """An epoch's order takes 4 bytes per row once it is made."""
    order = Order(1_000_000, seed=0)
    permutation = order.epoch(0).window(0).permutation
    assert permutation is not None
    assert permutation.dtype == np.uint32


@pytest.mark.parametrize("position", [0, 123_456_789, 10**9 - 1])
def test_order_of_a_billion_rows_is_light(position: int) -> None:
    """Under 100 MB at any position, in chunks of 5,000 rows of which 200 are mixed at a time."""
    tracemalloc.start()
    try:
        order = Order(10**9, seed=1, bounds=np.arange(0, 10**9 + 1, 5_000), window=200)
        (row,) = order.rows(7, position, position + 1).tolist()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0 <= row < 10**9
    assert peak < 100e6
