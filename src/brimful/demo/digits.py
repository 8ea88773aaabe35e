"""Digits: images for the demo, 28 x 28 pixels from 0 to 255, each with its label and the stem of its file.

The embedded images are scikit-learn's 1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak: Optical
Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998), enlarged and varied. MNIST is read
from a file that the user has.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from brimful.errors import DependencyError, SourceError

SIDE = 28
PIXELS = SIDE * SIDE
SEED = 0
GROUP = r"digit\d+"  # the part of the stem that the variations of one digit share
IDX_NAMES = {
    "train-images-idx3-ubyte": "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Images:
    """Images with labels and stems.

    Attributes:
        pixels: Shape (n, 28, 28), uint8.
        labels: Shape (n,), integers of 0 to 9.
        stems: Names of the files without suffix.
        group: Regular expression for the part of a stem that related images share; None without such.
        origin: Where they come from, in a sentence.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    stems: list[str]
    group: str | None
    origin: str

    def __len__(self) -> int:
        return len(self.pixels)


def embedded(n: int) -> Images:
    """Make n images out of scikit-learn's digits: the digits enlarged, then variations of them.

    A variation is turned by up to 12 degrees, scaled by up to 10 %, and shifted by up to 2 pixels.
    The stem names the digit it comes from.
    """
    try:
        from scipy.ndimage import affine_transform
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DependencyError(
            "The embedded data come with scikit-learn, which is not installed.",
            "pip install 'brimful[demo]', or give a file of MNIST with --mnist.",
        ) from error
    small, classes = load_digits(return_X_y=True)
    small = small.reshape(-1, 8, 8)
    random = np.random.RandomState(SEED)  # its stream is frozen: the same images with every NumPy
    pixels = np.empty((n, SIDE, SIDE), np.uint8)
    stems = []
    for at in range(n):
        variation, digit = divmod(at, len(small))
        angle, scale, *shift = random.uniform(-1, 1, 4) * (variation > 0)
        matrix, offset = _placing(np.deg2rad(12 * angle), 1 + 0.1 * scale, 2 * np.array(shift))
        image = affine_transform(small[digit], matrix, offset, (SIDE, SIDE), order=3)
        pixels[at] = np.clip(image * (255 / 16), 0, 255).round()
        stems.append(f"digit{digit:04d}-{variation:02d}")
    origin = (
        f"scikit-learn's {len(small):,} handwritten digits of 8 x 8 pixels, enlarged to {SIDE} x {SIDE}"
        + (f" and varied by small shifts, turns and scalings to {n:,} images" if n > len(small) else "")
        + ". They are not MNIST, and their figures cannot be compared with those of MNIST."
    )
    return Images(pixels, np.resize(classes, n).astype(np.int64), stems, GROUP, origin)


def mnist(path: Path, n: int) -> Images:
    """Read MNIST: `mnist.npz`, Kaggle's `train.csv`, or idx files, gzipped or not; draw at most n images.

    For idx, the path is the file with the images, or the folder of all files.
    """
    try:
        pixels, labels = _read_mnist(path)
        pixels, labels = pixels.reshape(-1, SIDE, SIDE).astype(np.uint8), labels.astype(np.int64)
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise SourceError(
            f"{path}: this cannot be read as MNIST: {error}.",
            "Give mnist.npz, Kaggle's train.csv (label, pixel0 ...) or the idx files, gzipped or not.",
        ) from error
    if len(pixels) > n:
        drawn = np.random.RandomState(SEED).permutation(len(pixels))[:n]
        pixels, labels = pixels[drawn], labels[drawn]
    stems = [f"{number:05d}" for number in range(1, len(pixels) + 1)]
    return Images(pixels, labels, stems, None, f"MNIST, {len(pixels):,} images from {path.name}.")


def _placing(angle: float, scale: float, shift: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The affine map from pixels of the large image to those of the small one: 3 to 1, about the centres."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn / (3 * scale)
    return matrix, 3.5 - matrix @ ((SIDE - 1) / 2 + shift)


def _read_mnist(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            sides = ("train", "test")
            return (
                np.concatenate([arrays[f"x_{side}"] for side in sides]),
                np.concatenate([arrays[f"y_{side}"] for side in sides]),
            )
    if path.is_dir() or "idx" in path.name:
        return _read_idx_pairs(path)
    with pa.input_stream(str(path), compression="detect") as stream:
        table = pyarrow.csv.read_csv(stream)
    if table.num_columns != PIXELS + 1 or table.column_names[0] != "label":
        raise ValueError(f"expected the columns label, pixel0 to pixel{PIXELS - 1}")
    values = np.stack([column.to_numpy() for column in table.columns], axis=1)
    return values[:, 1:], values[:, 0]


def _read_idx_pairs(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    folder = path if path.is_dir() else path.parent
    pairs = []
    for images, labels in IDX_NAMES.items():
        for ending in ("", ".gz"):
            if (folder / (images + ending)).is_file() and (path.is_dir() or path.name == images + ending):
                pairs.append((_read_idx(folder / (images + ending)), _read_idx(folder / (labels + ending))))
                break
    if not pairs:
        raise ValueError(f"expected files named {', '.join(IDX_NAMES)}")
    return np.concatenate([images for images, _ in pairs]), np.concatenate([labels for _, labels in pairs])


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an idx file of bytes: 0, 0, 8, the number of axes, their lengths big-endian, the values."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        data = file.read()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path.name} is not an idx file of bytes")
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape.tolist())
