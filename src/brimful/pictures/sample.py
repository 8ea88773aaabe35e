"""Sample: a sample as an image, or as a small plot of its values."""

import base64
import io
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from brimful.pictures.charts import sparkline

SIDE = 96  # pixels of an image in the report
LEAST = 6  # pixels a side of what counts as an image
LONGEST = 4  # times the shorter side of an image; what is longer is a series
DEPTHS = ((), (1,), (3,))


def picture(x: NDArray[Any]) -> Markup:
    """A sample as HTML: an image if its shape is `(H, W)`, `(H, W, 1)` or `(H, W, 3)`; else a plot."""
    sides = x.shape[:2]
    is_flat = x.ndim in (2, 3) and min(sides) >= LEAST and max(sides) <= LONGEST * min(sides)
    if not is_flat or x.shape[2:] not in DEPTHS:
        return sparkline(x.reshape(len(x), -1).T if x.ndim > 1 else x.reshape(1, -1))
    image = Image.fromarray(_as_bytes(x[..., 0] if x.shape[2:] == (1,) else x))
    image.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    encoded = base64.b64encode(content.getvalue()).decode()
    return Markup('<img alt="" src="data:image/png;base64,{}">').format(encoded)


def _as_bytes(x: NDArray[Any]) -> NDArray[np.uint8]:
    """Values as 0 to 255: from 0 to 1 or 255 if they are in there, else from the least to the most."""
    if x.dtype == np.uint8:
        return x
    values = np.nan_to_num(x.astype(np.float64))
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and 1 < high <= 255:
        low, high = 0.0, 255.0
    return np.round((values - low) / (high - low or 1.0) * 255).astype(np.uint8)
