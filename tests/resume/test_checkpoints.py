"""Checkpoints: a state is kept whole or not at all, and a damaged one gives way to the one before it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import brimful as bf
from brimful.storage.local import LocalStorage
from brimful.testing.faulty import FaultyStorage
from brimful.training.checkpoint import Checkpoint, Checkpoints

DTYPES = ("bool", "int8", "uint8", "int64", "uint64", "float16", "float32", "float64")


def state(number: int) -> Checkpoint:
    """A state that can be told from others."""
    values = np.arange(1000, dtype=np.float32) * number
    return Checkpoint(
        {"number": number, "nested": {"a": [1.5, None, "x"]}}, {"values": values, "n": np.array(number)}
    )


def number_of(found: Checkpoint | None) -> int:
    """Which state it is, if it is one: all of it must fit together."""
    assert found is not None
    number = int(found.document["number"])
    np.testing.assert_array_equal(found.arrays["values"], state(number).arrays["values"])
    assert found.arrays["n"] == number
    assert found.document == state(number).document
    return number


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0))
        ),
        max_size=5,
    )
)
def test_arrays_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    """Of any shape, NaN and negative zero among them."""
    checkpoints = Checkpoints(LocalStorage(tmp_path_factory.mktemp("kept")))
    checkpoints.write(Checkpoint({}, {str(at): array for at, array in enumerate(values)}))
    found = checkpoints.latest()
    assert found is not None
    for at, array in enumerate(values):
        other = found.arrays[str(at)]
        assert (other.shape, other.dtype, other.tobytes()) == (array.shape, array.dtype, array.tobytes())


def test_dtypes_of_the_backends_come_back(tmp_path: Path) -> None:
    """NumPy has no bfloat16 of its own."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    checkpoints = Checkpoints(LocalStorage(tmp_path))
    array = np.array([1.5, -0.0, np.nan], ml_dtypes.bfloat16)
    checkpoints.write(Checkpoint({}, {"x": array}))
    found = checkpoints.latest()
    assert found is not None
    assert found.arrays["x"].dtype == array.dtype
    assert found.arrays["x"].tobytes() == array.tobytes()


def test_two_are_kept(tmp_path: Path) -> None:
    """And no more."""
    checkpoints = Checkpoints(LocalStorage(tmp_path))
    assert checkpoints.latest() is None
    for number in range(1, 6):
        checkpoints.write(state(number))
        assert number_of(Checkpoints(LocalStorage(tmp_path)).latest()) == number
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00000004.bin",
        "00000004.json",
        "00000005.bin",
        "00000005.json",
    ]


@pytest.mark.parametrize("name", ["00000002.bin", "00000002.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_one_gives_way_to_the_one_before(name: str, damage: str, tmp_path: Path) -> None:
    """With a warning; if both are damaged, that is an error."""
    checkpoints = Checkpoints(LocalStorage(tmp_path))
    for number in (1, 2):
        checkpoints.write(state(number))
    contents = {path: path.read_bytes() for path in tmp_path.iterdir()}
    path = tmp_path / name
    places = range(0, len(contents[path]), max(1, len(contents[path]) // 40)) if damage == "flipped" else [0]
    for place in places:
        content = bytearray(contents[path])
        if damage == "flipped":
            content[place] ^= 4
        path.write_bytes(bytes({"cut": content[:-3], "empty": b""}.get(damage, content)))
        if damage == "gone":
            path.unlink()
        found = Checkpoints(LocalStorage(tmp_path))
        if name.endswith("json") and damage == "gone":  # then it never counted
            assert number_of(found.latest()) == 1
            continue
        with pytest.warns(UserWarning, match="damaged checkpoint"):
            assert number_of(found.latest()) == 1
    (tmp_path / "00000001.json").write_bytes(b"{}")
    path.write_bytes(b"")
    with pytest.raises(bf.StateError, match="no checkpoint can be read"):
        Checkpoints(LocalStorage(tmp_path)).latest()


@pytest.mark.parametrize("call", range(1, 40))
def test_whatever_call_fails_a_whole_state_is_left(call: int, tmp_path: Path) -> None:
    """The one before, or the new one; and the next one can be kept."""
    checkpoints = Checkpoints(LocalStorage(tmp_path))
    for number in (1, 2):
        checkpoints.write(state(number))

    def fail(number: int, name: str) -> None:
        if number == call:
            raise bf.WriteError(f"{name}: the disk is full.")

    faulty = Checkpoints(FaultyStorage(LocalStorage(tmp_path), fail))
    try:
        faulty.write(state(3))
    except bf.WriteError:
        expected = {2, 3}
    else:
        expected = {3}
    assert number_of(Checkpoints(LocalStorage(tmp_path)).latest()) in expected
    after = Checkpoints(LocalStorage(tmp_path))
    after.write(state(4))
    assert number_of(Checkpoints(LocalStorage(tmp_path)).latest()) == 4
    assert len(list(tmp_path.iterdir())) <= 6
