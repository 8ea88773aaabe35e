"""Keys and their hash, from which the order of rows, the split and the draw for `limit` follow.

A key names a sample: its path below the scanned root without suffix, `/`-separated, or for an object the
index in decimal. The hash is XXH3, 64 bits, of the key's UTF-8 bytes: one of the few that are fast, specified
and the same on every machine (https://github.com/Cyan4973/xxHash, "XXH3").
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from brimful.memory import POOL

DRAW_SEED = 0x6C696D6974  # b"limit": independent of the split, whose seed is 0 unless asked for
KEYS_PER_PIECE = 8_192  # keys that are held as Python strings at a time
KEYS_PER_SEARCH = 1 << 16  # keys that a thread looks for: with fewer, threads contend for the GIL
THREADS = 2  # that look for keys


def hash_keys(keys: Iterable[str] | pa.Array, seed: int = 0) -> NDArray[np.uint64]:
    """Hash each key: a Python string, or an entry of a pyarrow array of strings or bytes without nulls."""
    if not isinstance(keys, pa.Array):
        return np.fromiter(map(xxh3_64_intdigest, map(str.encode, keys), repeat(seed)), np.uint64)
    pieces = (keys.slice(start, KEYS_PER_PIECE) for start in range(0, len(keys), KEYS_PER_PIECE))
    texts = chain.from_iterable(piece.cast(pa.large_binary()).to_pylist() for piece in pieces)
    return np.fromiter(map(xxh3_64_intdigest, texts, repeat(seed)), np.uint64, len(keys))


def row_order(hashes: NDArray[np.uint64], keys: Callable[[], pa.LargeStringArray]) -> NDArray[np.int64]:
    """The positions that sort keys by (hash, UTF-8 bytes).

    `keys` gives the keys; it is called only if two of them have the same hash, which is rare.
    """
    order: NDArray[np.int64] = np.argsort(hashes)
    if not np.diff(hashes[order]).all():
        sorted_by = [("hash", "ascending"), ("key", "ascending")]
        table = pa.table({"hash": hashes, "key": keys()})
        order = pc.sort_indices(table, sort_keys=sorted_by).to_numpy().astype(np.int64)
    return order


@dataclass(frozen=True)
class HashedKeys:
    """Keys to look for, and their hashes."""

    keys: pa.LargeStringArray
    hashes: NDArray[np.uint64]
    ascending: NDArray[np.int64]
    """The positions that sort the hashes: neighbours look at the same place, which is three times as fast."""

    @classmethod
    def of(cls, keys: pa.LargeStringArray, seed: int = 0) -> "HashedKeys":
        """Hash keys."""
        hashes = hash_keys(keys, seed)
        return cls(keys, hashes, np.argsort(hashes))

    def __len__(self) -> int:
        return len(self.keys)


def find_keys(
    keys: HashedKeys,
    hashes: NDArray[np.uint64],
    keys_at: Callable[[NDArray[np.int64]], pa.LargeStringArray],
) -> NDArray[np.int64]:
    """Find the row of each key, among rows in ascending order of their key's hash.

    Args:
        keys: The keys to look for.
        hashes: Hashes of all rows' keys, ascending.
        keys_at: Gives the keys of some rows; called in threads, if there are many keys.

    Returns:
        The rows, -1 where there is none with that key.
    """
    rows = np.full(len(keys), -1)

    def find(start: int) -> None:
        left = keys.ascending[start : start + KEYS_PER_SEARCH]
        candidates = np.searchsorted(hashes, keys.hashes[left])
        while left.size:  # again only for those keys that share their hash with another one
            may_be = candidates < len(hashes)
            may_be[may_be] = hashes[candidates[may_be]] == keys.hashes[left[may_be]]
            left, candidates = left[may_be], candidates[may_be]
            wanted = pc.take(keys.keys, pa.array(left), memory_pool=POOL)
            same = pc.equal(keys_at(candidates), wanted, memory_pool=POOL)
            is_same = same.to_numpy(zero_copy_only=False)
            rows[left[is_same]] = candidates[is_same]
            left, candidates = left[~is_same], candidates[~is_same] + 1

    if len(keys) <= KEYS_PER_SEARCH:
        find(0)
        return rows
    with ThreadPoolExecutor(THREADS, "brimful-find") as pool:
        list(pool.map(find, range(0, len(keys), KEYS_PER_SEARCH)))  # raises the error of a thread
    return rows
