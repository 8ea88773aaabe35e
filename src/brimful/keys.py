"""Keys and their hash, from which the order of rows, the split and the draw for `limit` follow.

A key names a sample: its path below the scanned root without suffix, `/`-separated, or the index
in decimal for an object. The hash is XXH3, 64 bits, of the key's UTF-8 bytes: one of the few that
is fast, specified and the same on every machine (https://github.com/Cyan4973/xxHash, "XXH3").
"""

from collections.abc import Iterable
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

DRAW_SEED = 0x6C696D6974  # b"limit": independent of the split, whose seed is 0 unless asked for


def hash_keys(keys: Iterable[str], seed: int = 0) -> NDArray[np.uint64]:
    """Hash each key.

    Args:
        keys: The keys.
        seed: Seed of the hash, 0 to 2**64 - 1.

    Returns:
        The hashes, shape `(len(keys),)`, uint64.
    """
    return np.fromiter(map(xxh3_64_intdigest, map(str.encode, keys), repeat(seed)), np.uint64)
