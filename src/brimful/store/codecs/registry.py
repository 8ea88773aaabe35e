"""Registry: the codecs there are, in the order in which they are tried."""

from collections.abc import Iterator
from contextlib import contextmanager

from brimful.schema import Field
from brimful.store.codecs.base import Codec
from brimful.store.codecs.encoded import EncodedCodec
from brimful.store.codecs.narrow import NarrowCodec
from brimful.store.codecs.raw import RawCodec

FAMILIES: list[type[Codec]] = [EncodedCodec, NarrowCodec, RawCodec]
"""Raw, which holds for every field, comes last."""


def candidates(field: Field) -> Iterator[Codec]:
    """The codecs that may hold for values of a field, in the order to try them; the last one always does."""
    for family in FAMILIES:
        yield from family.for_field(field)


def codec_named(name: str, field: Field) -> Codec:
    """The codec that has a name; ValueError if there is none."""
    for family in FAMILIES:
        if codec := family.parse(name, field):
            return codec
    raise ValueError(f"there is no codec {name!r} for {field}")


@contextmanager
def registered(family: type[Codec]) -> Iterator[None]:
    """Try another family of codecs before all others, until the context is left."""
    FAMILIES.insert(0, family)
    try:
        yield
    finally:
        FAMILIES.remove(family)
