"""The memory promise, counted for real: what a feed allocates and maps at its peak, against `memory`."""

import gc
import mmap
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pytest

import brimful as bf
from brimful.memory import memory_limit, parse_bytes
from brimful.options import PackOptions
from brimful.store.chunk_reader import ChunkReader
from brimful.store.pack import pack
from tests.trees import write_tree

THREADS = (1, 3, 8)
N, SHAPE = 1_500, (40, 60)


class CountedMap(mmap.mmap):
    """Mapped memory that knows how much of it there is, and how much there was at most."""

    now = peak = 0
    length: int

    def __new__(cls, fileno: int, length: int, **options: Any) -> Self:
        """Map, and count."""
        self = super().__new__(cls, fileno, length, **options)
        self.length = length
        CountedMap.now += length
        CountedMap.peak = max(CountedMap.peak, CountedMap.now)
        return self

    def __del__(self) -> None:
        """Count off."""
        CountedMap.now -= self.length


class Peak:
    """What was held at most, in bytes: by Python and NumPy, by Arrow, and mapped."""

    nbytes = 0


@contextmanager
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peak]:
    """Count what is allocated and mapped until the context is left."""
    pool = pa.proxy_memory_pool(pa.system_memory_pool())
    monkeypatch.setattr("brimful.sources.text.columns.POOL", pool)
    monkeypatch.setattr("brimful.feed.chunk_cache.mmap.mmap", CountedMap)
    monkeypatch.setattr("brimful.feed.prefetcher.mmap", CountedMap)
    gc.collect()
    CountedMap.now = CountedMap.peak = 0
    peak = Peak()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    try:
        yield peak
        _, most = tracemalloc.get_traced_memory()
        peak.nbytes = most - before + (pool.max_memory() or 0) + CountedMap.peak
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of text files, of numbers with all their digits."""
    random = np.random.default_rng(0)
    x = random.random((N, *SHAPE))
    x[N // 2 :] = random.integers(0, 256, x[N // 2 :].shape) / 255  # some shards are narrow, others are not
    return write_tree(tmp_path_factory.mktemp("raw") / "data", x, random.integers(0, 9, N)).path


@pytest.fixture(scope="module")
def store(tree: Path) -> Path:
    """Its store, in chunks of which several windows fit into a few megabytes."""
    source = bf.scan(tree)
    chunk = 40 * source.schema.nbytes
    options = PackOptions(chunk_bytes=chunk, shard_bytes=8 * chunk)
    pack(source._reader, np.arange(N), tree.with_name("data.brim"), options)
    return tree.with_name("data.brim")


@pytest.fixture
def set_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many threads work, whatever the machine has."""

    def set_to(threads: int) -> None:
        for name in ("prefetch.reading_threads", "feed.budget.busy_threads", "prefetch.busy_threads"):
            monkeypatch.setattr(f"brimful.{name}", lambda: threads)

    return set_to


def slowly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but one call in seven takes long."""
    calls = count()

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.02 * (next(calls) % 7 == 0))
        return function(*arguments, **options)

    return slow


def transform(batch: tuple[Any, ...], _: np.random.Generator) -> tuple[Any, ...]:
    """Something that makes a batch anew."""
    return batch[0] * 2, batch[1]


def in_every_way(test: Callable[..., None]) -> Callable[..., None]:
    """With few and many threads, a quick and a slow source, batches as they are and made anew."""
    for mark in (
        pytest.mark.parametrize("options", [{}, {"transform": transform}], ids=["plain", "anew"]),
        pytest.mark.parametrize("is_slow", [False, True], ids=["quick", "slow"]),
        pytest.mark.parametrize("threads", THREADS),
    ):
        test = mark(test)
    return test


@in_every_way
def test_a_feed_from_raw_files_keeps_its_memory(
    tree: Path,
    threads: int,
    is_slow: bool,
    options: dict[str, Any],
    set_threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At its peak it holds no more than it was given, whichever part is slow."""
    set_threads(threads)
    for memory in ("16MB", "40MB"):
        source = bf.scan(tree)
        batches = source.batches(64, memory=memory, **options)
        if is_slow:
            monkeypatch.setattr(batches.feed.reader, "read", slowly(batches.feed.reader.read))
        with measured(monkeypatch) as peak:
            samples = sum(len(x) for x, *_ in batches)
        assert samples >= N
        assert parse_bytes(memory) / 20 < peak.nbytes <= parse_bytes(memory)


@in_every_way
def test_a_feed_from_a_store_keeps_its_memory(
    store: Path,
    threads: int,
    is_slow: bool,
    options: dict[str, Any],
    set_threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By windows and as a whole: what is mapped, read into, decoded and handed out, two epochs long."""
    set_threads(threads)
    if is_slow:
        monkeypatch.setattr(ChunkReader, "read_data", slowly(ChunkReader.read_data))
    for memory in ("6MB", "12MB"):
        batches = bf.open(store).batches(10, memory=memory, **options)
        with measured(monkeypatch) as peak:
            samples = sum(len(x) for _ in range(2) for x, *_ in batches)
        assert samples >= 2 * N
        assert parse_bytes(memory) / 4 < peak.nbytes <= parse_bytes(memory)


def test_the_limit_of_a_control_group_counts(tmp_path: Path) -> None:
    """Of the group and of its parents, of either version; what is no number is no limit."""
    machine = memory_limit(tmp_path)
    assert machine == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") > 10**8
    groups, mount = tmp_path / "proc/self/cgroup", tmp_path / "sys/fs/cgroup"
    groups.parent.mkdir(parents=True)
    (mount / "outer/inner").mkdir(parents=True)
    (mount / "outer/inner/memory.max").write_text("max\n")
    groups.write_text("0::/outer/inner\n")
    assert memory_limit(tmp_path) == machine
    (mount / "outer/memory.max").write_text("2000000\n")
    assert memory_limit(tmp_path) == 2_000_000
    (mount / "outer/inner/memory.max").write_text("1000000\n")
    assert memory_limit(tmp_path) == 1_000_000
    (mount / "memory/older").mkdir(parents=True)
    (mount / "memory/older/memory.limit_in_bytes").write_text("500000\n")
    groups.write_text("4:cpu:/\n3:memory:/older\n")
    assert memory_limit(tmp_path) == 500_000
    groups.write_text("4:cpu,memory:/older\n")
    assert memory_limit(tmp_path) == 500_000
    groups.write_text("4:cpu:/older\n5:name=a:b:/older\n")
    assert memory_limit(tmp_path) == machine
    (mount.parent / "memory.max").write_text("1\n")  # that of no group
    groups.write_text("0::/outer\n")
    assert memory_limit(tmp_path) == 2_000_000
    (mount / "outer/memory.max").unlink()
    (mount / "memory.max").write_text("3000000\n")
    assert memory_limit(tmp_path) == 3_000_000
