"""Pixels: what an image file becomes, compared with Pillow and with what was written."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from brimful.encodings.base import UndecodableError
from brimful.encodings.containers import kind_of, refuse_cut
from brimful.encodings.image import CHANNELS, ImageEncoding
from brimful.encodings.pixels import MOST_PIXELS, pixels_of
from brimful.schema import Field
from tests import photos
from tests.photos import encoded, opened, photo, pixels, png, tiff, turned

SIZE = (37, 53)
PHOTOS = load_sample_images().images

TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}
"""What each orientation of EXIF means for the pixels as they are stored."""


def decoded(
    data: bytes, color_mode: str = "rgb", dtype: str = "uint8", size: tuple[int, int] = SIZE, **rule: str
) -> NDArray[Any]:
    """An image as it is delivered; of the size that it has, unless a rule is given."""
    field = Field((*size, CHANNELS[color_mode]), dtype)
    encoding = ImageEncoding(field, color_mode, **{"fit": "exact", **rule})
    out = np.full(field.shape, 77, dtype)
    encoding.decode(data, out)
    return out


def fault(data: bytes, *arguments: Any, **rule: Any) -> str:
    """The kind of fault of bytes that are refused."""
    with pytest.raises(UndecodableError) as caught:
        decoded(data, *arguments, **rule)
    return caught.value.kind


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": 0},
        {"subsampling": 1},
        {"subsampling": 2},
        {"progressive": True},
        {"restart_marker_rows": 1},
        {"quality": 30, "optimize": True},
        {"keep_rgb": True},
    ],
)
def test_jpeg_is_pillows_bit_for_bit(options: dict[str, Any], at: int) -> None:
    """Of real photographs, with every way of keeping colours, and of odd sizes."""
    for image in (PHOTOS[at], PHOTOS[at][:231, :317]):
        data = encoded(image, "jpeg", **options)
        assert np.array_equal(decoded(data, size=image.shape[:2]), np.asarray(opened(data).convert("RGB")))


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale", "rgba"])
def test_jpegs_of_other_channels_are_pillows(color_mode: str) -> None:
    """Grey, and four channels of ink."""
    grey, ink = (
        encoded(pixels(channels=1), "jpeg"),
        encoded(Image.fromarray(pixels(channels=4), "CMYK"), "jpeg"),
    )
    for data in (grey, ink):
        image = opened(data)
        if color_mode == "grayscale" and image.mode != "L":
            image = image.convert("RGB")
        wanted = np.asarray(image.convert({"grayscale": "L"}.get(color_mode, color_mode.upper())))
        assert np.array_equal(decoded(data, color_mode).squeeze(), wanted)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp", "gif", "tiff"])
def test_each_format_is_what_pillow_reads(kind: str) -> None:
    """In colour, in grey by way of colour, and with an alpha that hides all; lossless ones as written."""
    data = photo(kind)
    assert refuse_cut(data) == kind_of(data) == kind
    rgb = opened(data).convert("RGB")
    assert np.array_equal(decoded(data), np.asarray(rgb))
    assert np.array_equal(decoded(data, "grayscale")[:, :, 0], np.asarray(rgb.convert("L")))
    assert np.array_equal(decoded(data, "rgba")[:, :, :3], np.asarray(rgb))
    assert (decoded(data, "rgba")[:, :, 3] == 255).all()
    if kind in ("png", "bmp", "tiff"):
        assert np.array_equal(decoded(data), pixels())


RULES: tuple[dict[str, Any], ...] = ({}, {"size": (20, 20), "fit": "stretch"})


def test_floats_have_the_values_of_the_integers() -> None:
    """Whatever is done to the image."""
    for data in (photo("png"), photo("jpeg")):
        for rule in RULES:
            whole = decoded(data, **rule)
            for dtype in ("float16", "float32", "float64"):
                assert np.array_equal(decoded(data, dtype=dtype, **rule), whole.astype(dtype))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_the_orientation_is_applied_to_every_format(kind: str, orientation: int, color_mode: str) -> None:
    """As Pillow does it, and as the numbers are defined."""
    channels = CHANNELS[color_mode]
    options: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    data = encoded(pixels(channels=channels), kind, exif=turned(orientation), **options)
    size = SIZE if orientation < 5 else SIZE[::-1]
    found = decoded(data, color_mode, size=size)
    image = ImageOps.exif_transpose(opened(data)).convert("RGB" if channels == 3 else "L")
    assert np.array_equal(found.squeeze(), np.asarray(image))
    if kind != "jpeg":
        assert np.array_equal(found.squeeze(), TURNS[orientation](pixels(channels=channels)))


def test_an_orientation_in_xmp_counts_too() -> None:
    """As it does for Pillow."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    data = encoded(pixels(), "jpeg", xmp=xmp)
    wanted = np.asarray(ImageOps.exif_transpose(opened(data)))
    assert wanted.shape[:2] == SIZE[::-1]
    assert np.array_equal(decoded(data, size=SIZE[::-1]), wanted)


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_orientation_that_means_nothing_is_none(orientation: int) -> None:
    """The pixels stay as they are."""
    for kind in ("jpeg", "png"):
        data = encoded(pixels(), kind, exif=turned(orientation))
        assert np.array_equal(decoded(data), np.asarray(opened(data)))


def test_grey_comes_from_the_colours() -> None:
    """Not from the Y plane of a JPEG, which differs."""
    data = encoded(PHOTOS[0], "jpeg")
    grey = decoded(data, "grayscale", size=PHOTOS[0].shape[:2])[:, :, 0]
    assert np.array_equal(grey, np.asarray(opened(data).convert("RGB").convert("L")))
    plane = Image.open(io.BytesIO(data))
    plane.draft("L", plane.size)
    assert not np.array_equal(grey, np.asarray(plane))


def palette(**options: Any) -> bytes:
    """A PNG with a palette."""
    image = Image.fromarray(pixels()).quantize(16)
    return encoded(image, "png", **options)


def test_palettes_are_their_colours() -> None:
    """With a colour that is transparent only where pixels have it."""
    data = palette()
    assert opened(data).mode == "P"
    assert np.array_equal(decoded(data), np.asarray(opened(data).convert("RGB")))
    used = np.asarray(opened(data))
    transparent = palette(transparency=int(used[0, 0]))
    assert fault(transparent) == fault(transparent, "grayscale") == "transparent"
    alpha = decoded(transparent, "rgba")[:, :, 3]
    assert np.array_equal(alpha == 0, used == used[0, 0])
    unused = palette(transparency=15) if 15 not in used else encoded(opened(data), "png", transparency=200)
    assert np.array_equal(decoded(unused), decoded(data))


def test_one_bit_is_black_and_white() -> None:
    """0 and 255, not 0 and 1."""
    bits = pixels(channels=1) > 128
    for kind in ("png", "tiff", "bmp"):
        data = encoded(Image.fromarray(bits), kind)
        assert opened(data).mode == "1"
        for color_mode in ("grayscale", "rgb"):
            assert np.array_equal(decoded(data, color_mode)[:, :, 0], bits * np.uint8(255))


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_alpha_is_dropped_only_where_it_hides_nothing(kind: str) -> None:
    """All else is for the user to decide."""
    rgba = pixels(channels=4)
    rgba[:, :, 3] = 255
    options: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    opaque = encoded(rgba, kind, **options)
    assert np.array_equal(decoded(opaque), rgba[:, :, :3])
    assert np.array_equal(decoded(opaque, "rgba"), rgba)
    assert np.array_equal(
        decoded(opaque, "grayscale")[:, :, 0], np.asarray(Image.fromarray(rgba[:, :, :3]).convert("L"))
    )
    rgba[3, 4, 3] = 254
    sheer = encoded(rgba, kind, **options)
    assert fault(sheer) == fault(sheer, "grayscale") == "transparent"
    assert np.array_equal(decoded(sheer, "rgba"), rgba)


def test_grey_with_alpha() -> None:
    """Kept with color_mode="rgba", and grey if it hides nothing."""
    both = np.dstack([pixels(channels=1), np.full(SIZE, 255, np.uint8)])
    opaque = encoded(Image.fromarray(both, "LA"), "png")
    assert np.array_equal(decoded(opaque, "grayscale")[:, :, 0], both[:, :, 0])
    both[0, 0, 1] = 0
    assert fault(encoded(Image.fromarray(both, "LA"), "png"), "grayscale") == "transparent"


def test_a_colour_may_stand_for_transparency() -> None:
    """In images without alpha, of 8 and of 16 bits."""
    rgb, grey, deep = pixels(), pixels(channels=1), np.full(SIZE, 500, np.uint16)
    colour = tuple(rgb[0, 0].tolist())
    keyed = encoded(rgb, "png", transparency=colour)
    assert fault(keyed) == fault(encoded(grey, "png", transparency=int(grey[0, 0])), "grayscale")
    assert fault(keyed) == "transparent"
    assert np.array_equal(decoded(keyed, "rgba")[:, :, 3] == 0, (rgb == colour).all(axis=2))
    data = png(deep)
    at = data.index(b"IDAT") - 4
    clear = data[:at] + photos.png_chunk(b"tRNS", b"\x01\xf4") + data[at:]
    assert fault(clear, "grayscale", "uint16") == "transparent"


def test_16_bits_of_grey_are_delivered_as_they_are() -> None:
    """Whatever order their bytes have; and never in 8 bits."""
    deep = np.random.default_rng(0).integers(0, 65536, SIZE).astype(np.uint16)
    deep[0, :2] = 0, 65535
    pillows = encoded(Image.fromarray(deep), "png")
    for data in (pillows, png(deep), tiff(deep, "<", black=1), tiff(deep, ">", black=1)):
        assert np.array_equal(decoded(data, "grayscale", "uint16")[:, :, 0], deep)
        for color_mode in ("grayscale", "rgb", "rgba"):
            assert fault(data, color_mode) == "deep_color"
    assert fault(photo("png"), "grayscale", "uint16") == "deep_color"
    assert fault(encoded(pixels(channels=1), "jpeg"), "grayscale", "uint16") == "deep_color"


def test_16_bits_are_resized_the_same_for_both_byte_orders() -> None:
    """Pillow itself mixes up the bytes of one of them."""
    deep = (np.mgrid[0:1:37j, 0:1:53j][0] * 60_000).astype(np.uint16)
    small, other = (
        decoded(data, "grayscale", "uint16", (9, 11), fit="stretch")
        for data in (tiff(deep, "<", black=1), tiff(deep, ">", black=1))
    )
    assert np.array_equal(small, other)
    wanted = np.asarray(Image.fromarray(deep.astype(np.float32)).resize((11, 9), Image.Resampling.BILINEAR))
    assert np.abs(small[:, :, 0] - wanted).max() <= 0.5


@pytest.mark.parametrize(
    "data",
    [
        png(np.full((*SIZE, 3), 40_000, np.uint16)),
        png(np.full((*SIZE, 4), 40_000, np.uint16)),
        tiff(np.full((*SIZE, 3), 40_000, np.uint16)),
        tiff(np.full((*SIZE, 3), 40_000, np.uint16), planar=True),
        tiff(np.full((*SIZE, 3), 40_000, np.uint16), ">", planar=True),
        tiff(np.full(SIZE, 40_000, np.uint16), black=0),
        tiff(np.full(SIZE, -3, np.int16), black=1),
        tiff(np.full(SIZE, -3, np.int8), black=1),
        tiff(np.full(SIZE, 4_000_000_000, np.uint32), black=1),
        tiff(np.full(SIZE, 0.5, np.float32), black=1),
        tiff(np.full(SIZE, 0.5, np.float64), black=1),
    ],
)
@pytest.mark.parametrize(("color_mode", "dtype"), [("rgb", "uint8"), ("grayscale", "uint16")])
def test_numbers_that_would_be_changed_are_refused(data: bytes, color_mode: str, dtype: str) -> None:
    """16 bits in colour, signed, floats, 32 bits."""
    assert fault(data, color_mode, dtype) in ("deep_color", "malformed")


def test_planes_of_8_bits_are_channels() -> None:
    """Other than those of 16 bits."""
    assert np.array_equal(decoded(tiff(pixels(), planar=True)), pixels())
    inverted = tiff(255 - pixels(channels=1), black=0)
    assert np.array_equal(decoded(inverted, "grayscale")[:, :, 0], pixels(channels=1))


def test_a_tiff_with_parts_left_out_is_refused() -> None:
    """What would be read in their place is its header."""
    assert fault(tiff(pixels(channels=1), black=1, offset=0), "grayscale") == "sparse"


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_several_frames_are_refused(kind: str) -> None:
    """With their number; one frame is an image."""
    frames = [Image.fromarray(pixels(channels=3, seed=seed)) for seed in range(3)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert fault(data) == "several_frames"
    with pytest.raises(UndecodableError, match="3 frames or pages"):
        decoded(data)
    one = encoded(frames[0], kind, save_all=True)
    assert np.array_equal(decoded(one), np.asarray(opened(one).convert("RGB")))


def bombs() -> dict[str, bytes]:
    """Small files that claim to be huge."""
    jpeg = bytearray(photo("jpeg"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = b"\x90\x00" * 2
    gif = bytearray(photo("gif"))
    gif[6:10] = b"\xff" * 4
    bmp = bytearray(photo("bmp"))
    bmp[18:26] = (50_000).to_bytes(4, "little") * 2
    return {
        "jpeg": bytes(jpeg),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
        "png": png(pixels(), size=(50_000, 50_000)),
        "wide": png(pixels(), size=(1, 2**31 - 1)),
        "just": png(pixels(), size=(MOST_PIXELS // 1000 + 1, 1000)),
    }


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("name", bombs())
def test_absurd_sizes_are_refused_before_anything_is_decoded(name: str) -> None:
    """By their header."""
    assert fault(bombs()[name]) == "too_large"


@pytest.mark.parametrize("name", ["text", "pdf", "heic"])
def test_what_is_no_image_is_said_to_be_none(name: str) -> None:
    """By its first bytes."""
    heads = {"text": b"id,label\n1,2\n", "pdf": b"%PDF-1.7\n", "heic": b"\0\0\0 ftypheic"}
    assert fault(heads[name] * 20) == "no_image"
    assert fault(b"") == "empty"
    with pytest.raises(UndecodableError, match="zeros"):
        decoded(bytes(5000))


def test_bytes_are_read_from_wherever_they_are() -> None:
    """A part of an array, as a store gives them."""
    for kind in photos.FORMATS:
        data = photo(kind)
        memory = np.frombuffer(b"xx" + data + b"yy", np.uint8)
        view = memory[2 : 2 + len(data)].data
        assert np.array_equal(np.asarray(pixels_of(view)[0]), np.asarray(pixels_of(data)[0]))
        assert refuse_cut(view) == kind
