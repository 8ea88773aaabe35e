"""MaskEncoding: the file of a mask, an image whose pixels are the numbers of classes.

The numbers are those in the file: the indices of a palette, the levels of grey. They are never mixed: a mask
is resized to the nearest pixel.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from brimful.encodings.base import UndecodableError
from brimful.encodings.containers import kind_of, refuse_cut
from brimful.encodings.image import FITS, ImageEncoding
from brimful.encodings.pixels import DEEP, pixels_of
from brimful.schema import Field

NUMBERED = ("1", "L", "P", *DEEP)
"""Pillow's modes in which a pixel is one number."""


STRETCHED = {2: 85, 4: 17}
"""What Pillow multiplies grey of so many bits by."""


@dataclass(frozen=True)
class MaskEncoding:
    """A mask.

    Attributes:
        field: Shape `(height, width)`, int64.
        fit: What becomes of another size, as for the image of which it is the mask.
    """

    field: Field
    fit: str = "stretch"
    item: pa.DataType | None = None

    @property
    def name(self) -> str:
        """Like `mask/stretch`."""
        return f"mask/{self.fit}"

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The encoding of a name like `mask/stretch`."""
        family, _, fit = name.partition("/")
        if family != "mask" or fit not in FITS or len(field.shape) != 2:
            return None
        return cls(field, fit)

    @property
    def options(self) -> dict[str, Any]:
        """None of its own: a mask is resized as its image is."""
        return {}

    def check(self, encoded: bytes) -> None:
        """Refuse what is no image by its first bytes, or cut by its last ones."""
        refuse_cut(encoded)

    def decode(self, encoded: Any, out: NDArray[Any]) -> None:
        """Decode a mask, and resize it."""
        values = numbers_in(encoded)
        placed = np.empty((*out.shape, 1), np.int32)
        field = Field(placed.shape, "int32")
        rule = ImageEncoding(replace(field), "grayscale", "nearest", self.fit)
        rule.place(Image.fromarray(values), placed)
        out[...] = placed[:, :, 0]


def numbers_in(encoded: Any) -> NDArray[np.int32]:
    """The numbers of the classes in a mask, shape `(height, width)`.

    Raises:
        UndecodableError: It is no image, or its pixels are colours.
    """
    pixels, _ = pixels_of(encoded)
    if isinstance(pixels, np.ndarray) or pixels.mode not in NUMBERED:
        kind = "RGB" if isinstance(pixels, np.ndarray) else pixels.mode
        message = f"a mask has the number of a class in each pixel, this one has colours ({kind})"
        raise UndecodableError(message, "colored_mask")
    values = np.asarray(pixels).astype(np.int32)
    return values // STRETCHED[encoded[24]] if _is_stretched(encoded) else values


def _is_stretched(encoded: Any) -> bool:
    """Whether it is a PNG of grey with 2 or 4 bits, whose numbers Pillow stretches to 0 to 255."""
    return kind_of(encoded) == "png" and encoded[25] == 0 and encoded[24] in STRETCHED
