"""XXH3 of many strings at once is what the library says of each."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from brimful.xxh3 import PIECE, xxh3_64

seeds = st.integers(0, 2**64 - 1)


@given(st.lists(st.binary(max_size=80), max_size=40), seeds, st.data())
def test_each_hash_is_the_library_s(strings: list[bytes], seed: int, data: st.DataObject) -> None:
    """Of any strings, also of a slice of them."""
    start = data.draw(st.integers(0, len(strings)))
    part = pa.array(strings, pa.large_binary())[start:]
    assert xxh3_64(part, seed).tolist() == [xxh3_64_intdigest(each, seed) for each in strings[start:]]


@pytest.mark.parametrize("seed", [0, 1, 0x6C696D6974, 2**64 - 1])
def test_every_length(seed: int) -> None:
    """Bytes of all values, of each length alone and all lengths mixed, over several pieces."""
    content = bytes(range(256)) * 4
    strings = [content[at : at + at % 301] for at in range(301)]
    alone = [xxh3_64(pa.array([each], pa.large_binary()), seed)[0] for each in strings]
    expected = [xxh3_64_intdigest(each, seed) for each in strings]
    assert alone == expected
    many = strings * (PIECE // len(strings) + 2)
    assert xxh3_64(pa.array(many, pa.large_binary()), seed).tolist() == expected * (len(many) // len(strings))
