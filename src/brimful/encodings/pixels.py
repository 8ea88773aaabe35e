"""Pixels: the bytes of an image file -> its pixels, upright, with what the file says of their meaning.

JPEG is decoded by simplejpeg (libjpeg-turbo, the accurate DCT), all else by Pillow. A file is what its first
bytes say, whatever its name. The EXIF orientation is applied to every format. What would be changed on
the way is refused: a file that is cut, several frames, more than 8 bits where Pillow would drop them, sizes
beyond MOST_PIXELS.
"""

import io
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffTags import TAGS_V2

from brimful.encodings.base import UndecodableError
from brimful.encodings.containers import refuse_cut, scan_start
from brimful.errors import DependencyError

MOST_PIXELS = 2**27
"""Of an image: 134 million; a decoder would take 400 MB for it."""

LYING = 4  # the last orientation in which the width stays the width
REDUCTIONS = (8, 4, 2)
MARGIN = 3
"""A JPEG is decoded at a half, a quarter or an eighth if it still is so many times as large as asked for."""

BITS, PHOTOMETRIC, SAMPLE_FORMAT, *PLACES = (
    next(tag for tag, info in TAGS_V2.items() if info.name == name)
    for name in (
        *("BitsPerSample", "PhotometricInterpretation", "SampleFormat"),
        *("StripOffsets", "StripByteCounts", "TileOffsets", "TileByteCounts"),
    )
)
WHITE_IS_ZERO, UNSIGNED = 0, 1
DEEP = ("I;16", "I;16B", "I;16L", "I")
"""Pillow's modes for one channel of 16 bits."""

Pixels = Image.Image | NDArray[np.uint8]
"""RGB of shape `(height, width, 3)` for a JPEG in colour, else an image of Pillow's in its own mode."""


_load_whole = FunctionType(
    ImageFile.ImageFile.load.__code__, {**vars(ImageFile), "LOAD_TRUNCATED_IMAGES": False}, "load"
)
"""Pillow's `load`, which fills what is missing with grey if anybody in this process has told it to.

This one never does, and it leaves that switch, which belongs to the user's program, as it is.
"""


@cache
def jpeg() -> Any:
    """The library that decodes JPEG.

    Raises:
        DependencyError: It is not installed.
    """
    try:
        import simplejpeg
    except ImportError as error:
        raise DependencyError(
            "Images need simplejpeg, which is not installed.", "pip install 'brimful[images]'"
        ) from error
    return simplejpeg


def pixels_of(data: Any, *, least: tuple[int, int] = (0, 0)) -> tuple[Pixels, int]:
    """The pixels of an image file, upright, and how many times they are reduced in height and in width.

    Args:
        data: The file.
        least: Height and width; a JPEG at least MARGIN times as large in both may be decoded at 1/2, 1/4 or
            1/8 of its size, if that is a whole number of pixels, not below MARGIN times these. (0, 0): never.

    Raises:
        UndecodableError: The file is no image, is cut, or would not be read as it is.
    """
    kind = refuse_cut(data)
    try:
        if kind == "jpeg" and (found := _jpeg(data, least)) is not None:
            return found
        return _opened(data, kind), 1
    except (UndecodableError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise UndecodableError("the image is too large", "too_large") from error
    except Exception as error:  # damaged bytes raise whatever their decoder meets first
        said = "it is damaged" if isinstance(error, UnidentifiedImageError) else str(error) or repr(error)
        is_cut = "truncated" in said.casefold() or "premature" in said.casefold()
        raise UndecodableError(
            f"the image cannot be decoded: {said.rstrip('.')}", "truncated" if is_cut else "malformed"
        ) from error


def _jpeg(data: Any, least: tuple[int, int]) -> tuple[Pixels, int] | None:
    """A JPEG in colour or grey, and its reduction; None for one of four channels."""
    height, width, colors, _ = jpeg().decode_jpeg_header(data)
    _refuse_large(width, height)
    if colors not in ("RGB", "YCbCr", "Gray"):
        return None
    turn = _orientation(data)
    by = _reduction((height, width), least[::-1] if turn > LYING else least)
    size = {"min_height": height // by, "min_width": width // by} if by > 1 else {}
    if colors == "Gray":
        grey = jpeg().decode_jpeg(data, "GRAY", **size)
        return Image.fromarray(_upright(grey, turn)[:, :, 0]), by
    return _upright(jpeg().decode_jpeg(data, "RGB", **size), turn), by


def _reduction(size: tuple[int, int], least: tuple[int, int]) -> int:
    """How many times a size may be reduced, so that it stays MARGIN times as large as `least`."""
    if not all(least):
        return 1
    pairs = tuple(zip(size, least, strict=True))
    fit = (by for by in REDUCTIONS if all(n % by == 0 and n >= MARGIN * by * low for n, low in pairs))
    return next(fit, 1)


def _orientation(data: Any) -> int:
    """The EXIF orientation of a JPEG, from 1 to 8."""
    header = bytes(data[: scan_start(data)])
    if b"Exif\0\0" not in header and b"rientation" not in header:  # it may stand in XMP
        return 1
    turn = Image.open(io.BytesIO(data), formats=["JPEG"]).getexif().get(ExifTags.Base.Orientation, 1)
    return turn if turn in range(1, 9) else 1


def _upright(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Pixels of an EXIF orientation, turned as they are to be seen."""
    if turn == 1:
        return pixels
    if turn > LYING:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _opened(data: Any, kind: str) -> Image.Image:
    """An image by Pillow, upright, in its own mode."""
    if kind == "jpeg":  # of four channels; that nothing is missing in it is for this decoder to say
        jpeg().decode_jpeg(data, "CMYK")
    image: Any = Image.open(io.BytesIO(data), formats=[kind.upper()])
    _refuse_large(*image.size)
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise UndecodableError(f"the file has {frames} frames or pages", "several_frames")
    if kind == "png" and data[24] == 16 and data[25] != 0:
        raise UndecodableError("it has 16 bits for each of several channels", "deep_color")
    if kind == "tiff":
        _refuse_tiff(image)
    if kind == "webp" or getattr(image, "use_load_libtiff", False):
        image.load()  # these decoders leave nothing out
    else:
        _load_whole(image)
    if kind != "tiff" and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)  # Pillow has turned a TIFF
    return image  # type: ignore[no-any-return]


def _refuse_large(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise UndecodableError(f"the image has {width:,} x {height:,} pixels", "too_large")


def _refuse_tiff(image: Any) -> None:
    """Refuse a TIFF whose numbers Pillow would change."""
    tags = image.tag_v2
    bits, formats = set(tags.get(BITS, (1,))), set(tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
    if formats != {UNSIGNED} or max(bits) > 16:
        raise UndecodableError("its numbers are signed, floats, or of more than 16 bits", "deep_color")
    if max(bits) > 8 and (len(image.getbands()) > 1 or image.mode not in DEEP):
        raise UndecodableError("it has more than 8 bits for each of several channels", "deep_color")
    if max(bits) > 8 and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        raise UndecodableError("it has 16 bits, and white is 0", "deep_color")
    if any(not all(np.atleast_1d(tags[tag])) for tag in PLACES if tag in tags):
        raise UndecodableError("parts of it were left out when it was written", "sparse")
