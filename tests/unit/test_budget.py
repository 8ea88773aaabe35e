"""Budgets: into what memory is divided, in figures worked out by hand, and the least that an error names."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import brimful as bf
from brimful.feed.budget import ChunkSizes, WindowBudget, divide_rows, divide_windows
from brimful.memory import format_bytes
from brimful.schema import Field, Schema

SIZES = ChunkSizes(io_bytes=8_192, slot_bytes=6_000, piece_bytes=6_500, pieces=100)


class RowBudget(NamedTuple):
    """How a feed from raw data divides its memory."""

    threads: int
    blocks: int
    block_rows: int
    ahead: int = 0


class FakeReader:
    """Samples of 80 bytes; reading n of them takes 500 bytes, and 1,000 for each."""

    schema = Schema(Field((20,), "float32"))

    def working_bytes(self, n: int) -> int:
        """What reading takes."""
        return 500 + 1_000 * n


WIDER = Schema(Field((20,), "float32"), Field((5,), "float32"))  # 100 bytes: 20 more than are read


def rows_of(
    memory: int,
    *,
    schema: Schema = WIDER,
    batch: int = 32,
    n: int = 10_000,
    plain: bool = True,
    slow: bool = False,
) -> RowBudget:
    """How a feed from the reader divides its memory."""
    reader: Any = FakeReader()
    budget, ahead = divide_rows(memory, reader, schema, (batch, n), is_plain=plain, is_slow=slow)
    return RowBudget(budget.threads, budget.depth, budget.block_rows, ahead)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that says how many threads there may be."""

    def set_to(number: int) -> None:
        for name in ("prefetch.reading_threads", "feed.budget.busy_threads"):
            monkeypatch.setattr(f"brimful.{name}", lambda: number)

    return set_to


def least(divide: Callable[[int], object]) -> int:
    """The least memory that is not refused."""
    low, high = 0, 2**40
    while low < high:
        middle = (low + high) // 2
        try:
            divide(middle)
        except bf.MemoryBudgetError:
            low = middle + 1
        else:
            high = middle
    return low


@pytest.mark.parametrize(
    ("memory", "options", "expected"),
    [
        # 2 batches of 3,200 bytes; 9 blocks of 110,400 bytes at the most; 128 rows would take 131,060
        (10**6, {}, RowBudget(4, 9, 64)),
        # 128 rows take 131,060 bytes: 9 such blocks, with 2 batches, are 1,185,940 bytes, and not one less
        (1_185_940, {}, RowBudget(4, 9, 128)),
        (1_185_939, {}, RowBudget(4, 9, 64)),
        # a third batch where another is made of what was read
        (1_189_140, {"plain": False}, RowBudget(4, 9, 128)),
        (1_189_139, {"plain": False}, RowBudget(4, 9, 64)),
        # 8 batches where they are postprocessed ahead, if these are no more than half of the memory
        (1_205_140, {"slow": True}, RowBudget(4, 9, 128, 3)),
        (1_205_139, {"slow": True}, RowBudget(4, 9, 64, 3)),
        (51_200, {"slow": True}, RowBudget(4, 9, 2, 3)),
        (51_199, {"slow": True}, RowBudget(4, 9, 4, 0)),
        # a block of one row takes 1,520 bytes: with less than 9 of them, there are fewer threads
        (6_400 + 9 * 1_520, {}, RowBudget(4, 9, 1)),
        (6_399 + 9 * 1_520, {}, RowBudget(3, 7, 1)),
        (6_399 + 7 * 1_520, {}, RowBudget(2, 5, 1)),
        (6_399 + 5 * 1_520, {}, RowBudget(1, 3, 1)),
        # no more rows at a time than are useful, or than there are; and no larger batch
        (10**9, {}, RowBudget(4, 9, 512)),
        (10**9, {"n": 100}, RowBudget(4, 9, 100)),
        (2 * 1_000 + 9 * 10_700, {"n": 10}, RowBudget(4, 9, 10)),
        (1_999 + 9 * 10_700, {"n": 10}, RowBudget(4, 9, 5)),
    ],
)
def test_what_a_feed_from_raw_files_gets(
    memory: int, options: dict[str, Any], expected: RowBudget, threads: Callable[[int], None]
) -> None:
    """All threads first, then as many rows at a time as there is room for."""
    threads(4)
    assert rows_of(memory, **options) == expected


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("schema", [WIDER, FakeReader.schema], ids=["wider", "as read"])
def test_the_least_for_raw_files_is_named(plain: bool, schema: Schema) -> None:
    """With less it is an error, which names it; nothing is worth a thread with so little."""

    def divide(memory: int) -> RowBudget:
        return rows_of(memory, schema=schema, plain=plain, slow=True)

    enough = least(divide)
    assert divide(enough) == RowBudget(1, 3, 1)
    assert enough == (2 if plain else 3) * 32 * schema.nbytes + 3 * (1_500 + schema.nbytes - 80)
    with pytest.raises(
        bf.MemoryBudgetError, match=f"'1B' is too small .* 32 samples of {schema.nbytes} "
    ) as caught:
        divide(1)
    assert f"memory='{format_bytes(enough)}', or a smaller batch_size" in caught.value.hint


@pytest.mark.parametrize(
    ("memory", "window", "slots", "readers"),
    [
        # 13/16 are 81,250; an eighth, 12,500, is read into; in 68,750 are 10 chunks, 5 a window;
        # their orders take 5,000 of it, and what is left has 10 slots
        (100_000, 5, 10, 1),
        # 137,924 for 21 chunks; the orders of 20 take 10,000, and what is left has 21 slots
        (200_000, 10, 21, 3),
        # windows of 7 chunks need 14 * 6,500 bytes: 107,546 less 16,545
        (132_364, 7, 14, 2),
        (132_363, 6, 14, 2),
        # all of it needs 650,000 bytes: 674,576 less 3 chunks of 8,192 that are read into
        (830_248, 100, 100, 3),
        (830_247, 49, 100, 3),
        (10**9, 100, 100, 3),
    ],
)
@pytest.mark.parametrize("number", [1, 7])
@pytest.mark.parametrize("batch", [1, 600])
@pytest.mark.parametrize("plain", [True, False])
def test_golden_windows(
    memory: int,
    window: int,
    slots: int,
    readers: int,
    number: int,
    batch: int,
    plain: bool,
    threads: Callable[[int], None],
) -> None:
    """How many chunks are mixed depends on memory and chunks only, for all time: the order depends on it."""
    threads(number)
    budget = divide_windows(memory, SIZES, batch, is_plain=plain)
    assert (budget.window, budget.slots, budget.readers) == (window, slots, readers)


@pytest.mark.parametrize(
    ("memory", "batch", "plain", "expected"),
    [
        # 3/16 are 18,750, less a thirty-second, 3,125: 8 groups, one made by each of 4 threads, of 2 batches
        (100_000, 600, True, (4, 2, 16)),
        # besides, what was decoded of 5 groups: 13 groups of one batch
        (100_000, 600, False, (4, 2, 26)),
        (76_800, 1_500, True, (4, 1, 8)),
        (76_700, 1_500, True, (3, 1, 7)),
        (76_800, 1_500, False, (1, 1, 7)),
        # 10 MiB have 17 batches of 600,000 bytes
        (10**9, 600_000, True, (4, 17, 136)),
        (10**9, 600_000, False, (4, 17, 221)),
        (10**10, 20 * 2**20, True, (4, 1, 8)),
        # 3/16 less 256 KiB of overhead are as much as 8 batches of 10,000,000
        ((80_000_000 + 2**18) * 16 // 3 + 1, 10**7, True, (4, 1, 8)),
        ((80_000_000 + 2**18) * 16 // 3 - 1, 10**7, True, (3, 1, 7)),
    ],
)
def test_what_batches_from_a_store_get(
    memory: int, batch: int, plain: bool, expected: tuple[int, int, int], threads: Callable[[int], None]
) -> None:
    """First groups are made smaller, then there are fewer threads."""
    threads(4)
    budget = divide_windows(memory, SIZES, batch, is_plain=plain)
    assert (budget.threads, budget.group, budget.batches) == expected
    assert (budget.depth, budget.groups) == (budget.threads + 3, budget.threads + 4)


def test_one_thread_makes_one_batch_at_a_time_where_two_have_no_room(threads: Callable[[int], None]) -> None:
    """5 groups of 2 batches of 1,200 bytes take 12,000; three sixteenths less a thirty-second may be less."""
    threads(1)
    for memory, group in ((76_800, 2), (76_790, 1)):
        budget = divide_windows(memory, SIZES, 1_200, is_plain=True)
        assert (budget.threads, budget.group, budget.batches) == (1, group, 5 * group)


@given(
    memory=st.integers(1, 10**7),
    io=st.integers(1, 10**5),
    slot=st.integers(1, 10**5),
    more=st.integers(0, 10**4),
    pieces=st.integers(1, 300),
    window=st.integers(1, 300),
)
def test_the_memory_for_a_window_is_the_least(
    memory: int, io: int, slot: int, more: int, pieces: int, window: int
) -> None:
    """With it, windows are of so many chunks, or of all; with a byte less they are smaller."""
    budget = WindowBudget(memory, ChunkSizes(io, slot, slot + more, pieces), 1, 1, is_plain=True)
    enough = budget.memory_for(window)
    assert replace(budget, memory=enough).window >= min(window, pieces)
    assert replace(budget, memory=enough - 1).window < min(window, pieces)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("batch", [1, 100, 3_000, 10**5, 10**7])
def test_the_least_for_a_store_is_named(batch: int, plain: bool, threads: Callable[[int], None]) -> None:
    """A window of one chunk, and one batch at a time in one thread; what would help is said."""
    threads(4)

    def divide(memory: int) -> WindowBudget:
        return divide_windows(memory, SIZES, batch, is_plain=plain)

    enough = least(divide)
    budget = divide(enough)
    for_batches = (5 if plain else 7) * batch
    share = [memory * 3 // 16 - min(2**18, memory // 32) for memory in (enough, enough - 64)]
    assert budget.window >= 1
    assert for_batches <= share[0]
    if batch < 1_000:
        assert enough == 26_083  # 13/16 of it are 21,192: one is read into 8,192, 2 chunks take 13,000
    else:
        assert (budget.threads, budget.group) == (1, 1)
        assert share[1] < for_batches
    with pytest.raises(bf.MemoryBudgetError, match="too small for chunks of 6,000 bytes") as caught:
        divide(1)
    hint = f"Give at least memory='{format_bytes(enough)}'"
    assert caught.value.hint == hint + (".", ", or a smaller batch_size.")[batch > 1_000]
