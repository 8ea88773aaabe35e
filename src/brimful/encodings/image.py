"""ImageEncoding: the file of an image, decoded to one size, number of channels and dtype.

Resizing is antialiased (Pillow's resize, whose filter grows with the reduction). Keras and TensorFlow by
default do not antialias, and photos differ by 2 to 11 of 255 in the mean (docs/images.md). Values are
rounded to whole numbers after resizing, in every dtype. A large JPEG is decoded at a fraction of its size
first, where that changes less than one of 255 in the mean (see REDUCED).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from brimful.encodings.base import UndecodableError
from brimful.encodings.containers import refuse_cut
from brimful.encodings.pixels import DEEP, MOST_PIXELS, pixels_of
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
REDUCED = ("bilinear", "bicubic", "lanczos3")
"""Filters before which a JPEG may be decoded at a fraction of its size; the others look at single pixels."""

CLEAR = 255  # alpha of a pixel that hides what is behind it
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


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

    @property
    def options(self) -> dict[str, Any]:
        """Size or shape, channels, and how images are resized."""
        if self.fit == "exact":
            return {"shape": self.field.shape, "color_mode": self.color_mode}
        return {
            "image_size": self.field.shape[:2],
            "color_mode": self.color_mode,
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.fit == "crop",
            "pad_to_aspect_ratio": self.fit == "pad",
        }

    def check(self, encoded: bytes) -> None:
        """Refuse what is no image by its first bytes, or cut by its last ones."""
        refuse_cut(encoded)

    def decode(self, encoded: Any, out: NDArray[Any]) -> None:
        """Decode an image, convert its channels, and resize it."""
        height, width, _ = self.field.shape
        is_reduced = self.interpolation in REDUCED and self.fit in ("stretch", "crop")
        pixels, reduction = pixels_of(encoded, least=(height, width) if is_reduced else (0, 0))
        if isinstance(pixels, np.ndarray) and pixels.shape == out.shape and self.field.dtype != "uint16":
            out[...] = pixels  # by far the most frequent case of images that need no resizing
        elif self.field.dtype == "uint16":
            self._deep(pixels, out)
        else:
            image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
            self.place(self._converted(image), out, reduction)

    def _converted(self, image: Image.Image) -> Image.Image:
        """An image of 8 bits with the channels that are wanted."""
        if image.mode in DEEP:
            hint = "dtype='uint16' and color_mode='grayscale' deliver it"
            raise UndecodableError(f"it has 16 bits for a pixel; {hint}", "deep_color")
        if image.mode not in EIGHT_BITS:
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
        if "transparency" in pixels.info:
            raise UndecodableError("it has transparent pixels of 16 bits", "transparent")
        values = np.asarray(pixels).astype(np.float32)
        low = np.empty(out.shape, np.float32)
        self.place(Image.fromarray(values), low)
        out[...] = np.rint(low).clip(0, np.iinfo(np.uint16).max)

    def place(self, image: Image.Image, out: NDArray[Any], reduction: int = 1) -> None:
        """Bring an image, which is reduced so many times already, to its size."""
        height, width, channels = out.shape
        whole = image.width * reduction, image.height * reduction
        if self.fit == "exact" and whole != (width, height):
            message = f"it has {whole[1]} x {whole[0]} pixels, others have {height} x {width}"
            raise UndecodableError(message, "wrong_shape")
        box = 0, 0, *whole
        if self.fit == "crop":
            box = _cropped(whole, (width, height))
        elif self.fit == "pad":
            image = _padded(image, (width, height))
            box = 0, 0, *image.size
        if (width, height) != (box[2] - box[0], box[3] - box[1]):
            part = box[0] / reduction, box[1] / reduction, box[2] / reduction, box[3] / reduction
            image = image.resize((width, height), FILTERS[self.interpolation], part)
        elif (width, height) != image.size:
            image = image.crop(box)
        out[...] = np.asarray(image).reshape(height, width, channels)


def _cropped(size: tuple[int, int], ratio: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest box of an aspect ratio in the middle of an image, as Keras has it: (width, height)."""
    width = max(min(size[0], size[1] * ratio[0] // ratio[1]), 1)
    height = max(min(size[1], size[0] * ratio[1] // ratio[0]), 1)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def _padded(image: Image.Image, ratio: tuple[int, int]) -> Image.Image:
    """An image in the middle of zeros of an aspect ratio, as Keras has it: equally many on both sides."""
    width = max(image.width, image.height * ratio[0] // ratio[1])
    height = max(image.height, image.width * ratio[1] // ratio[0])
    left, top = (width - image.width) // 2, (height - image.height) // 2
    if (image.width + 2 * left) * (image.height + 2 * top) > MOST_PIXELS:
        raise UndecodableError(f"its {image.height} x {image.width} pixels would be padded far", "too_large")
    padded = Image.new(image.mode, (image.width + 2 * left, image.height + 2 * top))
    padded.paste(image, (left, top))
    return padded
