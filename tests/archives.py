"""Archives: tar shards as WebDataset writes them, in small, and what is in them."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def npy(array: NDArray[Any]) -> bytes:
    """An array as the bytes of a file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def sample(number: int) -> dict[str, bytes]:
    """The members of a sample: an image, an array, a label, and what is known of it."""
    pixels = np.full((8, 6, 3), number, np.uint8)
    pixels[number % 8, number % 6] = 255
    about = {"label": number % 3, "name": "abc"[number % 3]}
    array = np.arange(4, dtype=np.float32) + number
    return {
        "png": png(pixels),
        "npy": npy(array),
        "cls": str(number % 3).encode(),
        "json": json.dumps(about).encode(),
    }


def write_tar(path: Path, members: Mapping[str, bytes] | list[tuple[str, bytes]]) -> Path:
    """Write an archive of some members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_shards(folder: Path, samples: int = 60, per_shard: int = 20) -> Path:
    """Write shards of numbered samples."""
    for first in range(0, samples, per_shard):
        members = {
            f"{number:06d}.{name}": content
            for number in range(first, min(samples, first + per_shard))
            for name, content in sample(number).items()
        }
        write_tar(folder / f"train-{first // per_shard:06d}.tar", members)
    return folder
