"""Each encoding keeps the contract of all encodings."""

from typing import Any

import numpy as np
import pytest

from brimful.encodings.base import Encoding
from brimful.encodings.image import CHANNELS, ImageEncoding
from brimful.schema import Field
from brimful.testing.encoding import EncodingContract
from tests.photos import encoded, photo, png


class TestImageEncoding(EncodingContract):
    """The files of images."""

    def family(self) -> type[Encoding]:
        """All of them."""
        return ImageEncoding

    def encodings(self) -> list[Any]:
        """Of all modes, dtypes, filters and ways to fit."""
        rules = (
            *(("rgb", "uint8", "bilinear", "stretch"), ("rgba", "uint8", "nearest", "crop")),
            *(("grayscale", "float32", "area", "pad"), ("rgb", "float16", "bicubic", "exact")),
            *(("grayscale", "uint16", "lanczos3", "stretch"), ("grayscale", "uint16", "bilinear", "exact")),
        )
        return [
            ImageEncoding(Field((12, 9, CHANNELS[mode]), dtype), mode, interpolation, fit)
            for mode, dtype, interpolation, fit in rules
        ]

    def values(self, encoding: Any, n: int) -> list[bytes]:
        """Photos; of 16 bits where these are wanted."""
        size = (12, 9) if encoding.fit == "exact" else (31, 17)
        if encoding.field.dtype == "uint16":
            deep = np.random.default_rng(0).integers(0, 65536, (n, *size)).astype(np.uint16)
            return list(map(png, deep))
        return [photo(("jpeg", "png", "webp", "bmp")[at % 4], size, seed=at) for at in range(n)]

    def damaged(self, encoding: Any) -> list[bytes]:
        """Cut ones, others, and such as would be changed on the way."""
        whole = photo("jpeg", (300, 200))
        middle = whole[: len(whole) // 2] + whole[-20:]
        clear = encoded(np.zeros((12, 9, 4), np.uint8), "png")
        others = [] if encoding.color_mode == "rgba" else [clear]
        return [middle, b"", b"no image", whole[:-2], whole[: len(whole) // 2], *others]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("image/rgb/bilinear/stretch", Field((8, 8, 1), "uint8")),
        ("image/rgb/bilinear/stretch", Field((8, 8), "uint8")),
        ("image/rgb/cubic/stretch", Field((8, 8, 3), "uint8")),
        ("image/bgr/bilinear/stretch", Field((8, 8, 3), "uint8")),
        ("image/rgb/bilinear/squash", Field((8, 8, 3), "uint8")),
        ("image/rgb/bilinear", Field((8, 8, 3), "uint8")),
    ],
)
def test_a_rule_that_is_not_known_is_no_encoding(name: str, field: Field) -> None:
    """A later version of brimful may know it."""
    assert ImageEncoding.parse(name, field) is None
