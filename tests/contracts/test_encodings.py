"""Each encoding keeps the contract of all encodings."""

from typing import Any

import numpy as np
import pytest

from brimful.encodings.base import Encoding
from brimful.encodings.image import CHANNELS, ImageEncoding
from brimful.encodings.mask import MaskEncoding
from brimful.encodings.ragged import RaggedEncoding
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


class TestMaskEncoding(EncodingContract):
    """The files of masks."""

    def family(self) -> type[Encoding]:
        """All of them."""
        return MaskEncoding

    def encodings(self) -> list[Any]:
        """Of all ways to fit."""
        return [MaskEncoding(Field((12, 9), "int64"), fit) for fit in ("stretch", "crop", "pad", "exact")]

    def values(self, encoding: Any, n: int) -> list[bytes]:
        """Levels of grey, of 8 and of 16 bits."""
        size = (12, 9) if encoding.fit == "exact" else (31, 17)
        random = np.random.default_rng(0)
        return [png(random.integers(0, 7, size).astype(np.uint16 if at % 2 else np.uint8)) for at in range(n)]

    def damaged(self, encoding: Any) -> list[bytes]:
        """Cut ones, and colours."""
        whole = png(np.zeros((12, 9), np.uint8))
        return [b"", whole[:-2], photo("jpeg", (12, 9)), encoded(np.zeros((12, 9, 3), np.uint8), "png")]


class TestRaggedEncoding(EncodingContract):
    """Numbers of any length."""

    def family(self) -> type[Encoding]:
        """All of them."""
        return RaggedEncoding

    def encodings(self) -> list[Any]:
        """Of all ends, and several dtypes."""
        return [
            RaggedEncoding(Field((5, 2), "float32"), "pre", "post", 0.0),
            RaggedEncoding(Field((5, 2), "float32"), "post", "pre", -1.5),
            RaggedEncoding(Field((7,), "int16"), "post", "post", 3.0),
        ]

    def values(self, encoding: Any, n: int) -> list[bytes]:
        """Shorter and longer ones."""
        shape = encoding.field.shape[1:]
        return [encoding.encode(np.full((1 + at, *shape), at, encoding.field.dtype)) for at in range(n)]

    def damaged(self, encoding: Any) -> list[bytes]:
        """No step, and a part of one."""
        return [b"", encoding.encode(np.ones((3, *encoding.field.shape[1:]), encoding.field.dtype))[:-1]]
