"""Containers: which format an image file has, and whether it has its end, without decoding it.

That costs next to nothing, so every file is looked at in this way before it is packed. Of a JPEG, an end must
come behind the beginning of the pixels; of a PNG, the checksum of every chunk is compared; of a WebP and a
GIF, the end is looked at. BMP and TIFF show nothing before they are decoded.
"""

import struct
import zlib
from typing import Any

from brimful.encodings.base import UndecodableError

JPEG, PNG, GIF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8"
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAGIC = ((JPEG, "jpeg"), (PNG, "png"), (GIF, "gif"), (b"BM", "bmp"), *((each, "tiff") for each in TIFFS))
HEAD_BYTES = 16  # that show the format

CHUNK = struct.Struct(">I4s")  # of a PNG: bytes of content, name
CHUNK_BYTES = CHUNK.size + 4  # around the content; the last four are its checksum
NO_LENGTH = (0x01, *range(0xD0, 0xD8))  # markers of a JPEG behind which no length stands
FEW_ZEROS, ZEROS = 64, 8  # a WebP may end in so many zeros, or in one byte of so many
END_OF_IMAGE, START_OF_SCAN = 0xD9, 0xDA


def kind_of(data: Any) -> str:
    """The format of an image file by its first bytes, or "" if it is none that is known."""
    head = bytes(data[:HEAD_BYTES])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in MAGIC if head.startswith(magic)), "")


def refuse_cut(data: Any) -> str:
    """The format of an image file that has its end, as far as that shows without decoding it.

    Raises:
        UndecodableError: It is no image, or it is cut, or its checksums are wrong.
    """
    if not len(data):
        raise UndecodableError("the file is empty", "empty")
    kind = kind_of(data)
    if not kind:
        zeros = "; it is zeros" if not any(data[:HEAD_BYTES]) else ""
        raise UndecodableError(f"this is no image that is read here, by its first bytes{zeros}", "no_image")
    has_end = {"jpeg": _jpeg_has_end, "png": _png_has_end, "gif": _gif_has_end, "webp": _webp_has_end}
    if kind in has_end and not has_end[kind](data):
        raise UndecodableError("the file is cut: its end is missing", "truncated")
    return kind


def scan_start(data: Any) -> int:
    """Where the pixels of a JPEG begin, behind all that is said of them; its length if they are missing."""
    at, size = 2, len(data)
    while at + 4 <= size and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return at
        if marker == 0xFF:
            at += 1
        else:
            at += 2 if marker in NO_LENGTH else 2 + int.from_bytes(data[at + 2 : at + 4])
    return min(at, size)


def _jpeg_has_end(data: Any) -> bool:
    """Whether an end comes behind the pixels, not only behind those of a small picture in the header."""
    return bytes(data[scan_start(data) :]).rfind(b"\xff\xd9") >= 0  # from behind: it is the last there is


def _png_has_end(data: Any) -> bool:
    """Whether the chunks go on to the last one, each with its checksum."""
    view, at = memoryview(data), len(PNG)
    while at + CHUNK_BYTES <= len(view):
        length, name = CHUNK.unpack_from(view, at)
        end = at + CHUNK_BYTES + length
        if end > len(view):
            return False
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise UndecodableError("the file is damaged: a checksum in it is wrong", "malformed")
        if name == b"IEND":
            return True
        at = end
    return False


def _gif_has_end(data: Any) -> bool:
    return bytes(data[-64:]).rstrip(b"\0").endswith(b";")


def _webp_has_end(data: Any) -> bool:
    """Whether there are as many bytes as it says; a last one to fill up may be missing.

    A copy that was broken off may have zeros in place of the rest, which the decoder takes for pixels. A
    whole file ends in a few zeros at most: 5 % of its bytes were seen, where an image has a single colour.
    """
    size = 8 + int.from_bytes(data[4:8], "little")
    content = bytes(data[:size])
    zeros = len(content) - len(content.rstrip(b"\0"))
    return size <= len(data) + 1 and zeros <= max(FEW_ZEROS, size // ZEROS)
