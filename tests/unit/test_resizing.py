"""Resizing: the filters are Pillow's, cropping and padding Keras', and a reduced JPEG is nearly the same."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from brimful.encodings.base import UndecodableError
from brimful.encodings.image import CHANNELS, FILTERS, REDUCED, ImageEncoding
from brimful.encodings.pixels import pixels_of
from brimful.schema import Field
from tests.photos import encoded, opened, photo, pixels, turned

PHOTOS = load_sample_images().images
SIZES = [(20, 30), (53, 37), (90, 17), (37, 53), (1, 1), (37, 20)]


def resized(data: bytes, size: tuple[int, int], color_mode: str = "rgb", **rule: Any) -> NDArray[Any]:
    """An image as it is delivered."""
    field = Field((*size, CHANNELS[color_mode]), "uint8")
    out = np.full(field.shape, 77, np.uint8)
    ImageEncoding(field, color_mode, **rule).decode(data, out)
    return out


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("size", SIZES)
def test_each_filter_is_pillows(name: str, kind: str, size: tuple[int, int]) -> None:
    """Antialiased where an image is reduced."""
    data = photo(kind)
    wanted = np.asarray(opened(data).resize(size[::-1], FILTERS[name]))
    assert np.array_equal(resized(data, size, interpolation=name), wanted)


def test_grey_and_alpha_are_resized_as_pillow_does() -> None:
    """Colours below transparent pixels do not shine through."""
    rgba = pixels(channels=4)
    rgba[:20, :, :3], rgba[:20, :, 3] = (255, 0, 0), 0
    rgba[20:, :, :3], rgba[20:, :, 3] = (0, 0, 255), 255
    small = resized(encoded(rgba, "png"), (9, 9), "rgba")
    assert np.array_equal(small, np.asarray(Image.fromarray(rgba).resize((9, 9), FILTERS["bilinear"])))
    assert (small[small[:, :, 3] > 0][:, 0] == 0).all()
    grey = resized(photo("png"), (9, 9), "grayscale")[:, :, 0]
    wanted = Image.fromarray(pixels()).convert("L").resize((9, 9), FILTERS["bilinear"])
    assert np.array_equal(grey, np.asarray(wanted))


def test_another_size_is_refused_if_all_are_to_have_one() -> None:
    """With both sizes."""
    with pytest.raises(UndecodableError, match="37 x 53 pixels, others have 53 x 37") as caught:
        resized(photo("png"), (53, 37), fit="exact")
    assert caught.value.kind == "wrong_shape"


@pytest.mark.keras
@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [*SIZES, (100, 100), (224, 224), (31, 64)])
@pytest.mark.parametrize("shape", [(37, 53), (53, 37), (40, 40), (100, 7)])
def test_boxes_are_those_of_keras(fit: str, size: tuple[int, int], shape: tuple[int, int]) -> None:
    """Pixel by pixel where the nearest one is taken; which is nearest to a half, is rounding."""
    import keras

    down, right = np.indices(shape)
    image = np.stack([down + 50, right + 50, np.zeros(shape)], -1).astype(np.uint8)
    options: dict[str, Any] = {f"{fit}_to_aspect_ratio": True, "interpolation": "nearest"}
    wanted = keras.ops.image.resize(image.astype(np.float32), size, data_format="channels_last", **options)
    found = resized(encoded(image, "png"), size, fit=fit, interpolation="nearest")
    difference = np.abs(found - np.asarray(wanted))
    is_black = (found == 0) != (np.asarray(wanted) == 0)
    assert is_black.any(axis=2).mean() < 0.01
    assert difference[~is_black].max() <= 1
    assert (difference > 0).mean() < 0.1
    if fit == "crop":
        smart = keras.preprocessing.image.smart_resize(image, size, "nearest", "channels_last")
        assert np.array_equal(smart, wanted)


def test_padding_is_black_or_clear_and_never_huge() -> None:
    """An image of a line would fill the memory."""
    data = encoded(np.full((10, 40, 3), 200, np.uint8), "png")
    padded = resized(data, (40, 40), "rgba", fit="pad")
    assert (padded[:15] == 0).all()
    assert (padded[15:25] == (200, 200, 200, 255)).all()
    assert (padded[25:] == 0).all()
    line = encoded(np.zeros((1, 20_000, 3), np.uint8), "png")
    with pytest.raises(UndecodableError, match="padded far"):
        resized(line, (32, 32), fit="pad")
    assert resized(line, (32, 32), fit="crop").shape == (32, 32, 3)


def reductions(image: NDArray[np.uint8], by: int) -> tuple[bytes, tuple[int, int], Image.Image]:
    """A large JPEG, a size for which it is decoded at 1/by, and its pixels in full."""
    height, width = (1024, 1536)
    data = encoded(
        Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS), "jpeg", quality=90
    )
    return data, (height // by // 3 - 1, width // by // 3 - 1), opened(data)


@pytest.mark.parametrize("by", [2, 4, 8])
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("name", REDUCED)
def test_a_reduced_jpeg_is_nearly_the_same(by: int, at: int, fit: str, name: str) -> None:
    """As docs/images.md has it: by less than half of one of 255 in the mean, by ten at the most."""
    data, size, full = reductions(PHOTOS[at], by)
    assert pixels_of(data, least=size)[1] == by
    found = resized(data, size, fit=fit, interpolation=name).astype(int)
    wanted = resized(encoded(full, "png"), size, fit=fit, interpolation=name)
    difference = np.abs(found - wanted)
    assert 0 < difference.mean() < 0.5
    assert difference.max() <= 10


def test_it_is_reduced_only_by_whole_pixels_and_with_a_margin() -> None:
    """All else would move the pixels, or blur them."""
    data = encoded(PHOTOS[0][:424], "jpeg")
    assert [pixels_of(data, least=low)[1] for low in ((18, 26), (17, 26), (35, 40), (36, 1), (70, 1))] == [
        *(4, 8, 4, 2, 2)
    ]
    assert pixels_of(data, least=(71, 1))[1] == 1
    assert pixels_of(encoded(PHOTOS[0][:423], "jpeg"), least=(4, 4))[1] == 1
    assert pixels_of(photo("png", (400, 400)), least=(4, 4))[1] == 1
    full = opened(data)
    for rule in ({"interpolation": "nearest"}, {"interpolation": "area"}, {"fit": "pad"}):
        wanted = resized(encoded(full, "png"), (20, 30), **rule)
        assert np.array_equal(resized(data, (20, 30), **rule), wanted)


@pytest.mark.parametrize("orientation", [1, 2, 5, 6, 8])
def test_a_reduced_jpeg_is_turned_too(orientation: int) -> None:
    """Its height and width are those that are seen."""
    exif = turned(orientation)
    whole, size = PHOTOS[0][:400], (20, 70)
    found = resized(encoded(whole, "jpeg", exif=exif, quality=95), size).astype(int)
    wanted = resized(encoded(whole, "png", exif=exif), size)
    assert np.abs(found - wanted).mean() < 2
    as_stored = (10, 100) if orientation < 5 else (100, 10)
    assert pixels_of(encoded(whole, "jpeg", exif=exif), least=as_stored)[1] == 2
    assert pixels_of(encoded(whole, "jpeg", exif=exif), least=as_stored[::-1])[1] == 1


@pytest.mark.parametrize("size", [(20, 20), (30, 8), (8, 30)])
def test_a_reduced_jpeg_is_cropped_in_the_middle(size: tuple[int, int]) -> None:
    """Not in a corner."""
    whole = PHOTOS[1][:400]
    data = encoded(whole, "jpeg", quality=95)
    assert pixels_of(data, least=size)[1] > 1
    found = resized(data, size, fit="crop").astype(int)
    width, height = min(640, 400 * size[1] // size[0]), min(400, 640 * size[0] // size[1])
    left, top = (640 - width) // 2, (400 - height) // 2
    box = (left, top, left + width, top + height)
    assert (
        np.abs(found - np.asarray(opened(data).crop(box).resize(size[::-1], FILTERS["bilinear"]))).mean() < 1
    )
