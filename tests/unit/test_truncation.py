"""Truncation: an image of which a part is missing is refused, whatever Pillow was told to do with such."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from brimful.encodings.base import UndecodableError
from brimful.encodings.containers import refuse_cut, scan_start
from brimful.encodings.image import ImageEncoding
from brimful.schema import Field
from tests.photos import encoded, photo, pixels, turned

SIZE = (37, 53)
FILES = {
    **{kind: photo(kind) for kind in ("jpeg", "png", "webp", "bmp", "gif", "tiff")},
    "progressive": photo("jpeg", progressive=True),
    "restarted": photo("jpeg", restart_marker_rows=1),
    "grey": encoded(pixels(channels=1), "jpeg"),
    "ink": encoded(Image.fromarray(pixels(channels=4), "CMYK"), "jpeg"),
    "lossless": photo("webp", lossless=True),
    "lzw": photo("tiff", compression="tiff_lzw"),
    "deflate": photo("tiff", compression="tiff_adobe_deflate"),
    "packbits": photo("tiff", compression="packbits"),
    "jpeg in tiff": photo("tiff", compression="jpeg"),
}
CUTS = (0.02, 0.1, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 0.9, 0.97, 0.99)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about cut headers of a TIFF


@pytest.fixture(params=[False, True], autouse=True)
def _told_to_fill(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whether somebody in this process has told Pillow to fill what is missing."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)
    yield
    assert request.param == ImageFile.LOAD_TRUNCATED_IMAGES


def decoded(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a file."""
    field = Field((*SIZE, 3), "uint8")
    out = np.zeros(field.shape, np.uint8)
    ImageEncoding(field, fit="exact").decode(data, out)
    return out


def cuts(name: str) -> list[int]:
    """Where a file is cut."""
    size = len(FILES[name])
    return sorted({*(int(size * part) for part in CUTS), *range(size - 12, size)})


@pytest.mark.parametrize("name", FILES)
def test_wherever_a_file_is_cut_it_is_refused(name: str) -> None:
    """Unless all that is missing is a byte to fill up, and every pixel is there."""
    data = FILES[name]
    whole = decoded(data)
    for cut in cuts(name):
        try:
            found = decoded(data[:cut])
        except UndecodableError as error:
            assert error.kind in ("truncated", "malformed", "no_image", "empty")  # noqa: PT017
        else:
            assert name == "bmp"
            assert cut >= len(data) - 3
            assert np.array_equal(found, whole)


@pytest.mark.parametrize("name", FILES)
def test_a_copy_that_ends_in_zeros_is_refused(name: str) -> None:
    """As a copy has it that was broken off, by its kind of fault or by wrong checksums; BMP has none."""
    data = FILES[name]
    half = data[: len(data) // 2].ljust(len(data), b"\0")
    if name in ("bmp", "tiff"):
        return  # raw pixels: zeros are black
    with pytest.raises(UndecodableError):
        decoded(half)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("bmp", "grey", "progressive")])
def test_without_its_middle_a_file_is_refused(name: str) -> None:
    """Though its end is there, and packing does not see it."""
    data = FILES[name]
    start = scan_start(data) + 20 if data[:2] == b"\xff\xd8" else len(data) // 4
    middle = start + (len(data) - start) // 8
    with pytest.raises(UndecodableError):
        decoded(data[:middle] + data[-20:])


def test_what_is_seen_before_packing() -> None:
    """The cut itself, of all formats that say where they end; of a PNG every changed bit."""
    for name in ("jpeg", "progressive", "grey", "ink", "png", "gif", "webp", "lossless"):
        data = FILES[name]
        assert refuse_cut(data)
        for cut in cuts(name)[:-2]:
            if name != "gif" or data[cut - 1] != ord(";"):  # with which a GIF ends
                with pytest.raises(UndecodableError):
                    refuse_cut(data[:cut])
    flipped = bytearray(FILES["png"])
    flipped[len(flipped) // 2] ^= 4
    with pytest.raises(UndecodableError, match="checksum"):
        refuse_cut(bytes(flipped))


def test_a_small_picture_in_the_header_is_no_end() -> None:
    """Of a JPEG: its end is not that of the whole."""
    exif = turned(1)
    exif.get_ifd(0x8769)[0x927C] = photo("jpeg", (8, 8))  # as makers of cameras keep it
    data = photo("jpeg", exif=exif)
    assert data.index(b"\xff\xd9") < scan_start(data)
    assert refuse_cut(data) == "jpeg"
    for cut in (scan_start(data), scan_start(data) + 50, len(data) - 2):
        with pytest.raises(UndecodableError) as caught:
            decoded(data[:cut])
        assert caught.value.kind == "truncated"


def test_what_comes_behind_the_end_does_not_matter() -> None:
    """Zeros, or what a camera has added."""
    for name in ("jpeg", "png", "gif", "webp", "bmp", "tiff"):
        for more in (b"\0" * 30, b"\0" * 30 + b"made by a camera" * (name != "gif")):
            assert np.array_equal(decoded(FILES[name] + more), decoded(FILES[name]))


@pytest.mark.parametrize("name", FILES)
def test_damaged_bytes_are_an_image_or_an_error_of_ours(name: str) -> None:
    """And nothing else: no crash, no error of some library."""
    random = np.random.default_rng(len(FILES[name]))
    size = len(FILES[name])
    parts = ((0, 40), (0, size), (size - 200, size))
    faults = 0
    for number in range(90):
        data = bytearray(FILES[name])
        for at in random.integers(*parts[number % 3], 6):
            data[at] = random.integers(256)
        try:
            decoded(bytes(data))
        except UndecodableError:
            faults += 1
    assert faults > 5
