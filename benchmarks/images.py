"""Images: a folder of JPEGs, packed, and fed shuffled, beside the bare decoder and other loaders."""

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import brimful as bf
from benchmarks.image_epochs import SIDE, THREADS, files_of
from benchmarks.table import Table, median, ratios, say
from benchmarks.trees import WORKDIR

TEXT = """
{n:,} JPEGs of 256 x 256, {size:.0f} MB, crops at many scales of the two photographs in scikit-learn, in
batches of 64, each contender in a process of its own that does nothing else with them; everything in the page
cache, {threads} threads or workers. Bare: simplejpeg and Pillow's antialiased bilinear resize on bytes in
memory. tf.data: `decode_jpeg`, `resize(antialias=True)`, AUTOTUNE; whole: `dct_method="INTEGER_ACCURATE"`.
torch: DataLoader with two workers and Pillow, the same resize.
"""
PACKING = """
The same files, packed as they are into a new store, beside merely reading them in as many threads.
"""


def photos(n: int) -> Path:
    """A folder of JPEGs made of real photographs."""
    from sklearn.datasets import load_sample_images

    folder = WORKDIR / f"photos-{n}"
    if folder.exists():
        return folder
    say(f"writing {folder}")
    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    random = np.random.default_rng(0)
    for number in range(n):
        picture, side = pictures[number % 2], int(random.integers(80, 427))
        left, top = (int(random.integers(0, most - side + 1)) for most in picture.size)
        crop = picture.crop((left, top, left + side, top + side)).resize((256, 256), Image.Resampling.BICUBIC)
        path = folder / ("china", "flower")[number % 2] / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop.save(path, quality=int(random.integers(70, 96)))
    return folder


def feeding(n: int, rounds: int) -> Table:
    """Images a second to a loop that does nothing else."""
    folder = photos(n)
    size = sum(path.stat().st_size for path in folder.rglob("*.jpg")) / 1e6
    columns = ("", "images/s", "brimful is x times as fast (each round)")
    table = Table("Images", TEXT.format(n=n, size=size, threads=THREADS), columns)
    for kind, names in (
        ("resized", ("brimful", "bare", "tf.data", "torch DataLoader")),
        ("whole", ("brimful", "bare", "tf.data", "torch DataLoader")),
    ):
        rates: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(rounds):
            for name in names:
                told = _pass(name, folder, kind)
                rates[name].append(told["rows"] / told["seconds"])
                say(f"  round {turn + 1}: {kind}: {name}: {rates[name][-1]:,.0f} images/s")
        what = f"to {SIDE} x {SIDE}" if kind == "resized" else "whole"
        for name, each in rates.items():
            against = "" if name == "brimful" else ratios(rates["brimful"], each)
            table.rows.append((f"{name}, {what}", f"{median(each)}", against))
    return table


def packing(n: int, rounds: int) -> Table:
    """Files a second."""
    folder = photos(n)
    columns = ("", "files/s", "of merely reading (each round)")
    table = Table("Images, packing", PACKING, columns)
    rates: dict[str, list[float]] = {"merely reading": [], "brimful.pack": []}
    place = folder.with_name(f"{folder.name}-packed.brim")
    for _ in range(rounds):
        began = time.perf_counter()
        files = files_of(folder)
        with ThreadPoolExecutor(THREADS) as pool:
            parts = [files[at::THREADS] for at in range(THREADS)]
            list(pool.map(lambda part: sum(len(Path(file).read_bytes()) for file in part), parts))
        rates["merely reading"].append(n / (time.perf_counter() - began))
        shutil.rmtree(place, ignore_errors=True)
        source = bf.scan(folder, image_size=(SIDE, SIDE))
        began = time.perf_counter()
        bf.pack(source, place)
        rates["brimful.pack"].append(n / (time.perf_counter() - began))
    for name, each in rates.items():
        against = "" if name == "merely reading" else ratios(each, rates["merely reading"])
        table.rows.append((name, f"{median(each)}", against))
    return table


def _pass(name: str, folder: Path, kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.image_epochs", name, str(folder), kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]
