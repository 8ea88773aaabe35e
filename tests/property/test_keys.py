"""Keys are found and ordered also where hashes collide, which with 64 bits no real folder shows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

import brimful as bf
from brimful import keys as module
from brimful.keys import HashedKeys, find_keys, hash_keys, row_order

some_keys = st.lists(st.text(max_size=4), unique=True, max_size=30)


def _hashed(keys: list[str], differing: int) -> NDArray[np.uint64]:
    """Hashes of which many are equal."""
    return np.array([len(key.encode()) % differing for key in keys], np.uint64)


@given(some_keys, st.lists(st.text(max_size=4), max_size=30), st.integers(1, 3), st.integers(1, 8))
def test_each_key_is_found_where_it_is(
    there: list[str], wanted: list[str], differing: int, together: int
) -> None:
    """Also if it shares its hash with others, is asked for twice, or is not there; by many threads."""
    unordered = pa.array(there, pa.large_string())
    order = row_order(_hashed(there, differing), lambda: unordered)
    rows = unordered.take(pa.array(order))
    ordered = sorted(there, key=lambda key: (len(key.encode()) % differing, key.encode()))
    assert rows.to_pylist() == ordered
    hashes = _hashed(wanted, differing)
    asked = HashedKeys(pa.array(wanted, pa.large_string()), hashes, np.argsort(hashes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "KEYS_PER_SEARCH", together)
        found = find_keys(asked, _hashed(ordered, differing), lambda at: rows.take(pa.array(at)))
    assert found.tolist() == [ordered.index(key) if key in ordered else -1 for key in wanted]


def test_a_folder_whose_keys_all_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the order of its keys, each with its own label."""

    def collide(keys: pa.Array, _seed: int = 0) -> NDArray[np.uint64]:
        return np.zeros(len(keys), np.uint64)

    monkeypatch.setattr("brimful.sources.walk.hash_keys", collide)
    monkeypatch.setattr(module, "hash_keys", collide)
    names = ["b", "a/d", "é", "a", "a/c"]
    (tmp_path / "a").mkdir()
    for number, name in enumerate(names):
        (tmp_path / f"{name}.csv").write_text(f"{number} {number}\n")
    (tmp_path / "target.csv").write_text("".join(f"{name},{number}\n" for number, name in enumerate(names)))
    source = bf.scan(tmp_path)
    assert list(source.keys) == sorted(names, key=str.encode)
    for at, key in enumerate(source.keys):
        x, y = source[at]
        assert (x == names.index(key)).all()
        assert y == names.index(key)


@given(some_keys, st.integers(0, 2**64 - 1), st.data())
def test_each_hash_is_the_library_s(keys: list[str], seed: int, data: st.DataObject) -> None:
    """Of Python's strings and of Arrow's, of a part of them, of their bytes, and of more than a piece."""
    part = pa.array(keys, pa.large_string())[data.draw(st.integers(0, len(keys))) :]
    expected = [xxh3_64_intdigest(key.encode(), seed) for key in part.to_pylist()]
    assert hash_keys(part, seed).tolist() == expected
    assert hash_keys(part.cast(pa.large_binary()), seed).tolist() == expected
    assert hash_keys(part.to_pylist(), seed).tolist() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "KEYS_PER_PIECE", 3)
        assert hash_keys(part, seed).tolist() == expected
