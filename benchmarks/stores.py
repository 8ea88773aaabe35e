"""Stores: what the feed is measured on, made once and kept in `.bench`."""

from pathlib import Path

import numpy as np

import brimful as bf
from benchmarks.table import say
from benchmarks.trees import WORKDIR
from brimful.store.format import MANIFEST
from brimful.store.reader import StoreReader

PIXELS = 784
DRAWN = 50_000  # samples that are drawn; further ones are these, shifted by some places


class Rows:
    """Samples by index, made as they are asked for.

    Args:
        n: How many.
        size: Values of a sample.
        narrow: Whether they are k/255, which a store keeps in a byte each; else they are uniform float32.
    """

    def __init__(self, n: int, size: int, *, narrow: bool) -> None:
        random = np.random.default_rng(0)
        drawn = min(n, DRAWN)
        codes = random.integers(0, 256, (drawn, 2 * size)).astype(np.float32) / np.float32(255)
        self._x = codes if narrow else random.random((drawn, 2 * size), np.float32)
        self._n, self._size = n, size

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, at: int) -> tuple[np.ndarray, int]:
        shift = at // DRAWN % self._size
        return self._x[at % DRAWN, shift : shift + self._size], at % 10


def story_store(tree: Path) -> Path:
    """The story's files, packed."""
    path = tree.with_suffix(".brim")
    bf.scan(tree).pack_into(path)
    return path


def store_of(n: int, size: int = PIXELS, *, narrow: bool) -> Path:
    """A store of n samples."""
    path = WORKDIR / f"{'narrow' if narrow else 'float32'}-{n}x{size}.brim"
    if not (path / MANIFEST).exists():
        say(f"packing {path.name}")
        bf.pack(bf.scan(Rows(n, size, narrow=narrow)), path)
    return path


def records_of(store: Path) -> Path:
    """A TFRecord file with the samples of a store in its order: the bytes of values and target."""
    import tensorflow as tf

    path = store.with_suffix(".tfrecord")
    if not path.exists():
        say(f"writing {path.name}")
        reader = StoreReader(store)
        partial = path.with_suffix(".partial")
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for start in range(0, len(reader), 4096):
                samples = reader.read(np.arange(start, min(start + 4096, len(reader))))
                x, y = samples.arrays
                for values, target in zip(x, y, strict=True):
                    writer.write(values.tobytes() + target.tobytes())
        partial.rename(path)
    return path
