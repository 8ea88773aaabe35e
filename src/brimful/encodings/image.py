"""ImageEncoding: the file of an image, decoded to one size, number of channels and dtype.

Resizing is antialiased (Pillow's resize, whose filter grows with the reduction): `keras.utils` and
`tf.image.resize` by default are not, and differ by up to 26 of 255 where an image is halved. Values are
rounded to whole numbers after resizing, in every dtype.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from brimful.encodings.base import UndecodableError
from brimful.encodings.pixels import DEEP, pixels_of, refuse_cut
from brimful.schema import Field

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "area": Image.Resampling.BOX,
    "lanczos3": Image.Resampling.LANCZOS,
}
CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}
FITS = ("stretch", "crop", "pad", "exact")
CLEAR = 255  # alpha of a pixel that hides what is behind it

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class ImageEncoding:
    """An image file.

    Attributes:
        field: Shape `(height, width, channels)`, dtype uint8, uint16 or a float with the same values.
        color_mode: "rgb", "rgba" or "grayscale", as in Keras.
        interpolation: A name of FILTERS.
        fit: What becomes of another size: "stretch", "crop" or "pad". Or "exact": it is refused.
    """

    field: Field
    color_mode: str = "rgb"
    interpolation: str = "bilinear"
    fit: str = "stretch"
    item: pa.DataType | None = None

    @property
    def name(self) -> str:
        """Like `image/rgb/bilinear/stretch`."""
        return f"image/{self.color_mode}/{self.interpolation}/{self.fit}"

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """The encoding of a name like `image/rgb/bilinear/stretch`."""
        family, *rule = name.split("/")
        if family != "image" or len(rule) != 3:
            return None
        color_mode, interpolation, fit = rule
        is_known = color_mode in CHANNELS and interpolation in FILTERS and fit in FITS
        if not is_known or len(field.shape) != 3 or field.shape[2] != CHANNELS[color_mode]:
            return None
        return cls(field, color_mode, interpolation, fit)

    def check(self, encoded: bytes) -> None:
        """Refuse what is no image by its first bytes, or cut by its last ones."""
        refuse_cut(encoded)

    def decode(self, encoded: Any, out: NDArray[Any]) -> None:
        """Decode an image, convert its channels, and resize it."""
        height, width, _ = self.field.shape
        is_reduced = self.interpolation != "nearest" and self.fit == "stretch"
        pixels = pixels_of(encoded, least=(height, width) if is_reduced else (0, 0))
        if isinstance(pixels, np.ndarray) and self.color_mode == "rgb":
            if pixels.shape == out.shape:
                out[...] = pixels
                return
        elif self.field.dtype == "uint16":
            self._deep(pixels, out)
            return
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        self._place(self._converted(image), out)

    def _converted(self, image: Image.Image) -> Image.Image:
        """An image of 8 bits with the channels that are wanted."""
        if image.mode in DEEP:
            hint = "dtype='uint16' and color_mode='grayscale' deliver it"
            raise UndecodableError(f"it has 16 bits for a pixel; {hint}", "deep_color")
        if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"):
            raise UndecodableError(f"its pixels are of mode {image.mode!r}", "deep_color")
        mode = MODES[self.color_mode]
        if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
            image = image.convert("RGBA")
            if mode != "RGBA" and image.getchannel("A").getextrema() != (CLEAR, CLEAR):
                message = "it has transparent pixels, which color_mode='rgba' keeps"
                raise UndecodableError(message, "transparent")
        if image.mode != mode and mode == "L" and image.mode not in ("L", "1"):
            image = image.convert("RGB")
        return image if image.mode == mode else image.convert(mode)

    def _deep(self, pixels: Any, out: NDArray[Any]) -> None:
        """An image of one channel of 16 bits, resized as floats."""
        if not isinstance(pixels, Image.Image) or pixels.mode not in DEEP:
            raise UndecodableError("it has 8 bits for a pixel, others have 16", "deep_color")
        values = np.asarray(pixels).astype(np.float32)
        low = np.empty(out.shape, np.float32)
        self._place(Image.fromarray(values), low)
        out[...] = np.rint(low).clip(0, np.iinfo(np.uint16).max)

    def _place(self, image: Image.Image, out: NDArray[Any]) -> None:
        """Resize an image into its place."""
        height, width, channels = out.shape
        inner: Box = (0, 0, width, height)
        box: Box = (0, 0, *image.size)
        if self.fit == "exact" and image.size != (width, height):
            message = f"it has {image.size[1]} x {image.size[0]} pixels, others have {height} x {width}"
            raise UndecodableError(message, "wrong_shape")
        if self.fit == "crop":
            box = _centred(image.size, (width, height))
        elif self.fit == "pad":
            inner = _centred((width, height), image.size)
            out[...] = 0
        size = inner[2] - inner[0], inner[3] - inner[1]
        if size != (box[2] - box[0], box[3] - box[1]):
            image = image.resize(size, FILTERS[self.interpolation], box)
        elif box != (0, 0, *image.size):
            image = image.crop(box)
        values = np.asarray(image).reshape(size[1], size[0], channels)
        out[inner[1] : inner[3], inner[0] : inner[2]] = values


def _centred(outer: tuple[int, int], ratio: tuple[int, int]) -> Box:
    """The largest box of an aspect ratio in the middle of another one; all are (width, height)."""
    width = min(outer[0], max(1, outer[1] * ratio[0] // ratio[1]))
    height = min(outer[1], max(1, outer[0] * ratio[1] // ratio[0]))
    left, top = (outer[0] - width) // 2, (outer[1] - height) // 2
    return left, top, left + width, top + height
