"""Unpack: the text of files that are compressed with gzip."""

import zlib

from brimful.sources.text.dialect import TextError
from brimful.sources.walk import COMPRESSED

LARGEST_UNPACKED = 1 << 30  # bytes, while nothing is known of the shape


def unpacked(content: bytes, suffix: str, largest: int = LARGEST_UNPACKED) -> bytes:
    """The text of a file; what was compressed grows to `largest` bytes at the most.

    Raises:
        TextError: It is damaged, or larger.
    """
    if not suffix.endswith(COMPRESSED):
        return content
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = unpacking.decompress(content, largest + 1)
    except zlib.error as error:
        raise TextError("malformed", f"this is no intact .gz file ({error})") from error
    if len(text) > largest:
        raise TextError("wrong_shape", f"the text has more than {largest:,} bytes")
    if not unpacking.eof:
        raise TextError("malformed", "this .gz file is cut off")
    return text
