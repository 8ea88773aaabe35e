"""Photos: small images in the formats that people have, and folders of them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FORMATS = ("jpeg", "png", "webp", "bmp", "gif", "tiff")
ORIENTATION = 0x0112  # the tag of EXIF


def pixels(size: tuple[int, int] = (37, 53), channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """A gradient with some noise, of shape `(height, width, channels)`, or `(height, width)` for one."""
    height, width = size
    random = np.random.default_rng(seed)
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = [down, right, (down + right) / 2, np.ones_like(down)][:channels]
    noise = random.normal(0, 6, (height, width, channels))
    values = (np.stack(planes, -1) * 200 + 25 + seed % 20 + noise).clip(0, 255).astype(np.uint8)
    return values[:, :, 0] if channels == 1 else values


def encoded(image: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
    """The file of an image."""
    file = io.BytesIO()
    whole = image if isinstance(image, Image.Image) else Image.fromarray(image)
    whole.save(file, kind, **options)
    return file.getvalue()


def photo(kind: str = "jpeg", size: tuple[int, int] = (37, 53), seed: int = 0, **options: Any) -> bytes:
    """The file of an image in colour; in shades of grey for GIF, which has a palette."""
    if kind == "gif":
        return encoded(pixels(size, 1, seed), kind, **options)
    if kind == "jpeg":
        options = {"quality": 92, **options}
    return encoded(pixels(size, 3, seed), kind, **options)


def turned(orientation: int) -> Image.Exif:
    """EXIF with an orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def opened(data: bytes) -> Image.Image:
    """An image as Pillow reads it."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def write(root: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def album(
    root: Path, *folders: str, count: int = 4, size: tuple[int, int] = (20, 24), suffix: str = ".jpg"
) -> Path:
    """Some JPEGs in each folder, all different, of names that are unique."""
    for number, folder in enumerate(folders):
        for at in range(count):
            name = f"{number}{at:03d}{suffix}"
            write(root / folder, {name: photo(size=size, seed=100 * number + at)})
    return root


def png(values: NDArray[Any], *, size: tuple[int, int] | None = None) -> bytes:
    """A PNG of 8 or 16 bits, as Pillow writes none; a size may be claimed that it does not have."""
    height, width = size or values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 8 * values.itemsize, color, 0, 0, 0)
    big = values.astype(values.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*each) for each in chunks)


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def tiff(
    values: NDArray[Any],
    order: Literal["<", ">"] = "<",
    *,
    planar: bool = False,
    black: int = 0,
    offset: int | None = None,
) -> bytes:
    """An uncompressed TIFF of any dtype and byte order, as Pillow writes few.

    Args:
        values: Of shape `(height, width)` or `(height, width, channels)`.
        order: "<" or ">".
        planar: Whether channels come one after the other.
        black: 1 if black is 0, or 0 if white is.
        offset: Where the pixels are said to be, if not where they are.
    """
    height, width, *rest = values.shape
    channels = rest[0] if rest else 1
    planes = np.moveaxis(values, -1, 0) if planar else values
    content = planes.astype(values.dtype.newbyteorder(order)).tobytes()
    signs = {"u": 1, "i": 2, "f": 3}
    bits = (8 * values.itemsize,) * channels
    at, size = 8, len(content) // channels
    starts = tuple(at + size * n for n in range(channels)) if planar else (at,)
    sizes = (size,) * channels if planar else (len(content),)
    tags = [
        *((256, 4, (width,)), (257, 4, (height,)), (258, 3, bits), (259, 3, (1,))),
        *((262, 3, (2 if channels > 2 else black,)), (273, 4, starts if offset is None else (offset,))),
        *((277, 3, (channels,)), (278, 4, (height,)), (279, 4, sizes), (284, 3, (2 if planar else 1,))),
        (339, 3, (signs[values.dtype.kind],) * channels),
    ]
    ifd_at = at + len(content)
    extra_at, extra, entries = ifd_at + 2 + 12 * len(tags) + 4, b"", b""
    for tag, kind, numbers in tags:
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            packed, extra = struct.pack(f"{order}I", extra_at + len(extra)), extra + packed
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, ifd_at)
    return head + content + struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4 + extra
