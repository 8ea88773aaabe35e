"""Image epochs: a pass over a folder of JPEGs by each contender, in a process of its own.

`python -m benchmarks.image_epochs CONTENDER FOLDER` prints a JSON line: the images, and the seconds from the
first request on. What a contender needs beside the folder (a store, bytes in memory) is made before.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import brimful as bf

BATCH = 64
SIDE = 224
THREADS = 2
MEMORY = "1GB"

Counts = Iterator[int]
"""The images of each batch, as they come."""


def files_of(folder: Path) -> list[str]:
    """All images, in an order of chance."""
    files = sorted(map(str, folder.rglob("*.jpg")))
    np.random.default_rng(1).shuffle(files)
    return files


def store_of(folder: Path, *, resized: bool) -> bf.Dataset:
    """The store of the folder, which is made if it is not there."""
    place = folder.with_name(f"{folder.name}-{SIDE if resized else 'whole'}.brim")
    if place.exists():
        return bf.open(place)
    return bf.pack(bf.scan(folder, image_size=(SIDE, SIDE) if resized else None), place)


def brimful(folder: Path, *, resized: bool) -> Counts:
    """Shuffled from the store."""
    for x, _ in store_of(folder, resized=resized).batches(BATCH, seed=1, memory=MEMORY):
        yield len(x)


def bare(folder: Path, *, resized: bool) -> Counts:
    """The decoder and the resizer alone, in as many threads, on bytes in memory."""
    import simplejpeg
    from PIL import Image

    contents = [Path(file).read_bytes() for file in files_of(folder)]
    side = SIDE if resized else 256
    parts = [contents[at : at + BATCH] for at in range(0, len(contents), BATCH)]

    def made(part: list[bytes]) -> NDArray[np.uint8]:
        out = np.empty((len(part), side, side, 3), np.uint8)
        for at, content in enumerate(part):
            pixels = simplejpeg.decode_jpeg(content, "RGB")
            if resized:
                pixels = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))
            out[at] = pixels
        return out

    yield 0
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(parts), 4 * THREADS):
            yield from map(len, pool.map(made, parts[first : first + 4 * THREADS]))


def tf_data(folder: Path, *, resized: bool) -> Counts:
    """tf.data, AUTOTUNE, of files in the page cache; antialiased, or accurate and not resized."""
    import tensorflow as tf

    def decoded(path: Any) -> Any:
        content = tf.io.read_file(path)
        if not resized:
            return tf.io.decode_jpeg(content, 3, dct_method="INTEGER_ACCURATE")
        pixels = tf.io.decode_jpeg(content, 3)
        return tf.cast(tf.image.resize(pixels, (SIDE, SIDE), antialias=True), tf.uint8)

    files = files_of(folder)
    data = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files)).map(decoded, tf.data.AUTOTUNE)
    for x in data.batch(BATCH).prefetch(tf.data.AUTOTUNE):
        yield len(x)


def torch_loader(folder: Path, *, resized: bool) -> Counts:
    """The torch DataLoader with two workers, and Pillow."""
    from torch.utils.data import DataLoader

    yield from map(
        len, DataLoader(Pictures(files_of(folder), resized), BATCH, shuffle=True, num_workers=THREADS)
    )


class Pictures:
    """Images by Pillow, one at a time, as torch takes them."""

    def __init__(self, files: list[str], resized: bool) -> None:
        self.files, self.resized = files, resized

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at: int) -> NDArray[np.uint8]:
        from PIL import Image

        image = Image.open(self.files[at]).convert("RGB")
        if self.resized:
            image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        return np.array(image)


CONTENDERS: dict[str, Callable[..., Counts]] = {
    "brimful": brimful,
    "bare": bare,
    "tf.data": tf_data,
    "torch DataLoader": torch_loader,
}


def main(name: str, folder: Path, resized: bool) -> None:
    """Make a pass, and tell."""
    if name == "brimful":
        store_of(folder, resized=resized)
    counts = CONTENDERS[name](folder, resized=resized)
    rows = 0
    if name == "bare":
        next(counts)  # the bytes are in memory then
    began, cpu = time.perf_counter(), time.process_time()
    for n in counts:
        rows += n
    told = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({"rows": rows, **told}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "resized")
