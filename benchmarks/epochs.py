"""Epochs: one pass over a store, or what holds the same samples, in a process of its own.

`python -m benchmarks.epochs CONTENDER STORE MEMORY` prints a JSON line: rows, bytes and seconds of the pass,
the seconds to its first batch, CPU seconds, and the peak of resident memory.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from mmap import mmap
from pathlib import Path

import brimful as bf
from brimful.cli.train import peak_rss_bytes
from brimful.feed.budget import READERS
from brimful.store.reader import StoreReader

BATCH_SIZE = 512
PIECE = 16 << 20  # bytes that are read at a time where nothing is asked but reading
IN_FLIGHT = 4
TF_BUFFER = 20_000

RowCounts = Iterator[int]
"""The rows of each batch, as they come."""


def brimful(store: Path, memory: str) -> RowCounts:
    """A shuffled epoch."""
    for x, _ in bf.open(store).batches(BATCH_SIZE, seed=1, memory=memory):
        yield len(x)


def front_to_back(store: Path, _: str) -> RowCounts:
    """The same chunks in the order they lie in, by the same engine, as many at a time; not decoded."""
    reader = StoreReader(store).chunks
    chunks = iter(range(reader.chunks))

    def read(memory: mmap) -> int:
        rows = 0
        for chunk in chunks:
            reader.read_data(chunk, memoryview(memory), cached=False)
            rows += reader.rows_of(chunk)
        return rows

    with ThreadPoolExecutor(READERS) as pool:
        yield from pool.map(read, [mmap(-1, reader.io_bytes) for _ in range(READERS)])


def merely_direct(store: Path, _: str) -> RowCounts:
    """The bytes of the files, past the page cache, four reads of 16 MiB at a time; nothing else."""
    memories = [mmap(-1, PIECE) for _ in range(IN_FLIGHT)]
    for path in sorted(store.glob("shard-*")):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
        places = iter(range(0, path.stat().st_size, PIECE))

        def read(memory: mmap, descriptor: int = descriptor, places: Iterator[int] = places) -> None:
            for at in places:
                os.preadv(descriptor, [memory], at)

        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            list(pool.map(read, memories))
        os.close(descriptor)
    yield len(StoreReader(store))


def merely_buffered(store: Path, _: str) -> RowCounts:
    """The bytes of the files through the page cache, one stream; nothing else."""
    memory = mmap(-1, PIECE)
    for path in sorted(store.glob("shard-*")):
        with path.open("rb", buffering=0) as file:
            while file.readinto(memory):
                pass
    yield len(StoreReader(store))


def tf_data(store: Path, _: str) -> RowCounts:
    """tf.data from TFRecord: a shuffle buffer of 20,000 records, batches decoded in parallel."""
    import tensorflow as tf

    def decode(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        words = tf.io.decode_raw(records, tf.float32)  # the last two are the target
        return words[:, :-2], tf.bitcast(words[:, -2:], tf.int64)

    data = tf.data.TFRecordDataset(str(store.with_suffix(".tfrecord")), buffer_size=PIECE)
    data = data.shuffle(TF_BUFFER).batch(BATCH_SIZE).map(decode, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    for x, _y in data:
        yield len(x)


CONTENDERS: dict[str, Callable[[Path, str], RowCounts]] = {
    "brimful": brimful,
    "front to back": front_to_back,
    "merely reading, direct": merely_direct,
    "merely reading, buffered": merely_buffered,
    "tf.data": tf_data,
}


def main(name: str, store: Path, memory: str) -> None:
    """Make a pass, and tell."""
    began, cpu = time.perf_counter(), time.process_time()
    first = None
    rows = 0
    for at, n in enumerate(CONTENDERS[name](store, memory)):
        rows += n
        first = time.perf_counter() - began if at == 0 else first
    seconds = time.perf_counter() - began
    told = {
        "rows": rows,
        "bytes": sum(path.stat().st_size for path in store.glob("shard-*")),
        "seconds": seconds,
        "first": first,
        "cpu_seconds": time.process_time() - cpu,
        "rss": peak_rss_bytes(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
