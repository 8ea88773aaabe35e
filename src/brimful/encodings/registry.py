"""Registry: the families of encodings, and the encoding of a field."""

from functools import lru_cache

from brimful.encodings.base import Encoding
from brimful.encodings.image import ImageEncoding
from brimful.encodings.mask import MaskEncoding
from brimful.encodings.ragged import RaggedEncoding
from brimful.schema import Field

FAMILIES: list[type[Encoding]] = [ImageEncoding, MaskEncoding, RaggedEncoding]


@lru_cache(64)
def encoding_of(field: Field) -> Encoding:
    """The encoding of a field that has one; ValueError if its name is not known."""
    for family in FAMILIES:
        if encoding := family.parse(field.encoding or "", field):
            return encoding
    raise ValueError(f"there is no encoding {field.encoding!r} of {field.shape} {field.dtype}")
