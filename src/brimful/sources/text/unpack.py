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
    texts, left = list[bytes](), content
    while not texts or left.strip(b"\0"):  # several of them in one file are one text, as for gzip itself
        unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            texts.append(unpacking.decompress(left, largest + 1))
        except zlib.error as error:
            raise TextError("malformed", f"this is no intact .gz file ({error})") from error
        if sum(map(len, texts)) > largest:
            raise TextError("wrong_shape", f"the text has more than {largest:,} bytes")
        if not unpacking.eof:
            raise TextError("malformed", "this .gz file is cut off")
        left = unpacking.unused_data
    return b"".join(texts)
