"""XXH3: 64-bit hashes of many short strings at once, in NumPy.

The `xxhash` library hashes one string a call: a million calls hold the interpreter's lock for as long as it
takes to list a million files. Here each step of the algorithm is taken for thousands of strings, which for
4 to 32 bytes takes half the time or less where lengths are alike, and lets other threads work. All others
are left to the library, which is as fast.

Source: Collet: xxHash specification, "XXH3 Algorithm Overview",
https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.
"""

import struct
from itertools import repeat

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

PIECE = 8_192  # strings at a time: all that is calculated of them stays in the processor's cache
SECRET = struct.unpack(  # the first 56 of the 192 bytes in the specification
    "<7Q",
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
        "cb79e64eccc0e578825ad07dccff7221b8084674f743248e"
    ),
)
PRIME64_1 = np.uint64(0x9E3779B185EBCA87)
PRIME_MX1 = np.uint64(0x165667919E3779F9)
PRIME_MX2 = np.uint64(0x9FB21C651E98DF25)
MASK_64 = (1 << 64) - 1

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]


def xxh3_64(strings: pa.LargeBinaryArray, seed: int = 0) -> Hashes:
    """Hash each string.

    Args:
        strings: The strings, a pyarrow large_binary array without nulls.
        seed: Seed of the hash, 0 to 2**64 - 1.

    Returns:
        The hashes, shape `(len(strings),)`, uint64.
    """
    _, offsets, content = strings.buffers()
    bounds = np.frombuffer(offsets, np.int64)[strings.offset :]
    words = _Words(content or pa.py_buffer(b""))
    hashes = np.empty(len(strings), np.uint64)
    for start in range(0, len(strings), PIECE):
        end = min(start + PIECE, len(strings))
        begins, lengths = bounds[start:end], np.diff(bounds[start : end + 1])
        for shortest, longest, formula in FORMULAS:
            alike = (lengths >= shortest) & (lengths <= longest)
            if alike.any():
                at = slice(None) if alike.all() else alike  # a mask takes longer
                hashes[start:end][at] = formula(words, begins[at], lengths[at], seed)
        left = (lengths < SHORTEST) | (lengths > LONGEST)
        if left.any():
            others = strings.slice(start, end - start).filter(pa.array(left)).to_pylist()
            hashes[start:end][left] = np.fromiter(map(xxh3_64_intdigest, others, repeat(seed)), np.uint64)
    return hashes


class _Words:
    """Reads words that begin at any byte of a buffer."""

    def __init__(self, content: pa.Buffer) -> None:
        self._of_32 = np.ndarray(max(0, content.size - 3), "<u4", content, strides=(1,))
        self._of_64 = np.ndarray(max(0, content.size - 7), "<u8", content, strides=(1,))

    def of_32(self, at: Places) -> Hashes:
        return self._of_32[at].astype(np.uint64)

    def of_64(self, at: Places) -> Hashes:
        return self._of_64[at]


def _of_4_to_8(words: _Words, begins: Places, lengths: Places, seed: int) -> Hashes:
    low_half = struct.unpack(">I", struct.pack("<I", seed & 0xFFFFFFFF))[0]
    flip = ((SECRET[1] ^ SECRET[2]) - (seed ^ low_half << 32)) & MASK_64
    mixed = words.of_32(begins + lengths - 4) + (words.of_32(begins) << 32) ^ np.uint64(flip)
    mixed ^= _rotated(mixed, 49) ^ _rotated(mixed, 24)
    mixed *= PRIME_MX2
    mixed ^= (mixed >> 35) + lengths.astype(np.uint64)
    mixed *= PRIME_MX2
    return mixed ^ mixed >> np.uint64(28)


def _of_9_to_16(words: _Words, begins: Places, lengths: Places, seed: int) -> Hashes:
    first = words.of_64(begins) ^ np.uint64(((SECRET[3] ^ SECRET[4]) + seed) & MASK_64)
    last = words.of_64(begins + lengths - 8) ^ np.uint64(((SECRET[5] ^ SECRET[6]) - seed) & MASK_64)
    return _avalanche(lengths.astype(np.uint64) + first.byteswap() + last + _folded(first, last))


def _of_17_to_32(words: _Words, begins: Places, lengths: Places, seed: int) -> Hashes:
    ends = _mixed(words, begins, seed, 0) + _mixed(words, begins + lengths - 16, seed, 2)
    return _avalanche(lengths.astype(np.uint64) * PRIME64_1 + ends)


FORMULAS = ((4, 8, _of_4_to_8), (9, 16, _of_9_to_16), (17, 32, _of_17_to_32))
SHORTEST, LONGEST = FORMULAS[0][0], FORMULAS[-1][1]


def _mixed(words: _Words, at: Places, seed: int, secret: int) -> Hashes:
    """Mix 16 bytes with 16 of the secret."""
    low = words.of_64(at) ^ np.uint64((SECRET[secret] + seed) & MASK_64)
    return _folded(low, words.of_64(at + 8) ^ np.uint64((SECRET[secret + 1] - seed) & MASK_64))


def _folded(a: Hashes, b: Hashes) -> Hashes:
    """The upper and the lower half of the products, 128 bits each, laid over one another."""
    a_low, a_high, b_low, b_high = a & 0xFFFFFFFF, a >> 32, b & 0xFFFFFFFF, b >> 32
    one_way = a_high * b_low
    both_ways = (a_low * b_low >> 32) + (one_way & 0xFFFFFFFF) + a_low * b_high
    folded: Hashes = a * b ^ a_high * b_high + (one_way >> 32) + (both_ways >> 32)
    return folded


def _avalanche(hashes: Hashes) -> Hashes:
    hashes ^= hashes >> 37
    hashes *= PRIME_MX1
    return hashes ^ hashes >> np.uint64(32)


def _rotated(words: Hashes, bits: int) -> Hashes:
    return words << np.uint64(bits) | words >> np.uint64(64 - bits)
