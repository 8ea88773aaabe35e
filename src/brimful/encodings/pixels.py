"""Pixels: the bytes of an image file -> its pixels, upright, with what the file says of their meaning.

JPEG is decoded by simplejpeg (libjpeg-turbo, the accurate DCT), all else by Pillow. A file is what its first
bytes say, whatever its name. The EXIF orientation is applied to every format. What would be changed on
the way is refused: a file that is cut, several frames, more than 8 bits where Pillow would drop them, sizes
beyond MOST_PIXELS.
"""

import io
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.TiffTags import TAGS_V2

from brimful.encodings.base import UndecodableError
from brimful.errors import DependencyError

MOST_PIXELS = 2**27
"""Of an image: 134 million; a decoder would take 400 MB for it."""

LYING = 4  # the last orientation in which the width stays the width
EXIF_BYTES = 2**17  # of a JPEG, among which its orientation is found
JPEG, PNG, GIF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8"
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BITS, PHOTOMETRIC, SAMPLE_FORMAT = (
    next(tag for tag, info in TAGS_V2.items() if info.name == name)
    for name in ("BitsPerSample", "PhotometricInterpretation", "SampleFormat")
)
WHITE_IS_ZERO, UNSIGNED = 0, 1
DEEP = ("I;16", "I;16B", "I;16L", "I")
"""Pillow's modes for one channel of 16 bits."""


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


def kind_of(data: Any) -> str:
    """The format of an image file by its first bytes, or "" if it is none that is known."""
    head = bytes(data[:16])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    known = ((JPEG, "jpeg"), (PNG, "png"), (GIF, "gif"), (b"BM", "bmp"), *((each, "tiff") for each in TIFFS))
    return next((kind for magic, kind in known if head.startswith(magic)), "")


def refuse_cut(data: Any) -> str:
    """The format of an image file that has its end, as far as its last bytes and its sizes tell.

    Raises:
        UndecodableError: It is no image, or it is cut.
    """
    if not len(data):
        raise UndecodableError("the file is empty", "empty")
    kind, size = kind_of(data), len(data)
    if not kind:
        raise UndecodableError("this is no image that is read here, by its first bytes", "no_image")
    tail = bytes(data[-64:]).rstrip(b"\0")
    is_whole: Any = {
        "jpeg": lambda: b"\xff\xd9" in bytes(data[-(2**16) :]),
        "png": lambda: b"IEND\xaeB`\x82" in bytes(data[-(2**12) :]),
        "gif": lambda: tail.endswith(b";"),
        "webp": lambda: int.from_bytes(data[4:8], "little") + 8 <= size + 1,
        "bmp": lambda: True,  # many writers leave its size out
        "tiff": lambda: True,
    }[kind]
    if not is_whole():
        raise UndecodableError("the file is cut: its end is missing", "truncated")
    return kind


def pixels_of(data: Any, *, least: tuple[int, int] = (0, 0)) -> "Image.Image | NDArray[np.uint8]":
    """The pixels of an image file, upright.

    Args:
        data: The file.
        least: Height and width; a JPEG at least twice as large in both may be decoded at 1/2, 1/4 or 1/8 of
            its size, not below twice these.

    Returns:
        RGB of shape `(height, width, 3)` for a JPEG in colour, else an image of Pillow's in its own mode.

    Raises:
        UndecodableError: The file is no image, is cut, or would not be read as it is.
    """
    kind = refuse_cut(data)
    try:
        if kind == "jpeg" and (pixels := _jpeg(data, least)) is not None:
            return pixels
        return _opened(data, kind)
    except (OSError, ValueError, SyntaxError, IndexError, TypeError, KeyError, OverflowError) as error:
        if isinstance(error, UndecodableError):
            raise
        said = "it is damaged" if isinstance(error, UnidentifiedImageError) else str(error)
        is_cut = "truncated" in said.casefold() or "premature" in said.casefold()
        kind_of_fault = "truncated" if is_cut else "malformed"
        raise UndecodableError(f"the image cannot be decoded: {said}", kind_of_fault) from error
    except Image.DecompressionBombError as error:
        raise UndecodableError("the image is too large", "too_large") from error


def _jpeg(data: Any, least: tuple[int, int]) -> "Image.Image | NDArray[np.uint8] | None":
    """A JPEG in colour or grey; None for one of four channels."""
    height, width, colors, _ = jpeg().decode_jpeg_header(data)
    _refuse_large(width, height)
    if colors not in ("RGB", "YCbCr", "Gray"):
        return None
    turn = _orientation(data)
    low = least[::-1] if turn > LYING else least
    scale = {"min_height": 2 * low[0], "min_width": 2 * low[1]} if low[0] else {}
    if colors == "Gray":
        grey = jpeg().decode_jpeg(data, "GRAY", **scale)
        return Image.fromarray(_upright(grey, turn)[:, :, 0])
    return _upright(jpeg().decode_jpeg(data, "RGB", **scale), turn)


def _orientation(data: Any) -> int:
    """The EXIF orientation of a JPEG, from 1 to 8."""
    if b"Exif\0\0" not in bytes(data[:EXIF_BYTES]):
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
    if kind == "jpeg":  # Pillow may be told by anybody in this process to fill what is missing with grey
        jpeg().decode_jpeg(data, "CMYK")
    image: Any = Image.open(io.BytesIO(data), formats=[kind.upper()])
    _refuse_large(*image.size)
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise UndecodableError(f"the file has {frames} frames or pages", "several_frames")
    if kind == "png" and data[24] == 16 and data[25] != 0:
        raise UndecodableError("it has 16 bits for each of several channels", "deep_color")
    if kind == "tiff":
        _refuse_tiff(image)
        image.load()
        return image  # type: ignore[no-any-return]  # Pillow has turned it
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
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
