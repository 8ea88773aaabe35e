"""Shapes: photographs for the demo that nobody took: a circle, a square or a triangle, drawn on a background.

data/circle/000000.jpg ...    folder per class; sizes differ, as those of photographs do
"""

import math
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from brimful.samples import Progress

CLASSES = ("circle", "square", "triangle")
CORNERS = {"circle": 48, "square": 4, "triangle": 3}
SIDES = 48, 96  # pixels of a side, the least and the most
SIZE = 32, 32  # to which the demo has them resized
SEED = 0
TURN = 0.3  # radians to either side
DARK, LIGHT = 110, 150  # the levels of shapes are below, those of backgrounds above


def write_shapes(folder: Path, n: int, progress: Progress) -> None:
    """Write n images; the folder, which must not exist, appears only when it is complete."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in CLASSES:
        (partial / name).mkdir(parents=True)
    random = np.random.default_rng(SEED)
    for number in range(n):
        name = CLASSES[number % len(CLASSES)]
        drawn(name, random).save(partial / name / f"{number:06d}.jpg", quality=90)
        if number % 100 == 0:
            progress(number)
    partial.rename(folder)


def drawn(name: str, random: np.random.Generator) -> Image.Image:
    """A dark shape, anywhere, on a background that goes from one light colour to another."""
    width, height = (int(side) for side in random.integers(*SIDES, size=2))
    image = Image.fromarray(_background(width, height, random))
    radius = min(width, height) * random.uniform(0.2, 0.4)
    x, y = random.uniform(radius, width - radius), random.uniform(radius, height - radius)
    turn = random.uniform(-TURN, TURN)
    angles = [turn + 2 * math.pi * at / CORNERS[name] for at in range(CORNERS[name])]
    corners = [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]
    red, green, blue = (int(level) for level in random.integers(0, DARK, 3))
    ImageDraw.Draw(image).polygon(corners, fill=(red, green, blue))
    return image


def _background(width: int, height: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Two colours, one running into the other, with a little noise."""
    left, right = random.integers(LIGHT, 256, (2, 3))
    share = np.linspace(0, 1, width)[np.newaxis, :, np.newaxis]
    pixels = left * (1 - share) + right * share + random.normal(0, 6, (height, width, 3))
    return np.asarray(pixels.clip(0, 255), np.uint8)
