"""Codecs one by one: whatever the sizes of blocks, and which of them a name or a field stands for."""

import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from brimful.schema import Field
from brimful.store.codecs import narrow
from brimful.store.codecs.base import Codec, as_rows
from brimful.store.codecs.narrow import NarrowCodec
from brimful.store.codecs.raw import RawCodec
from brimful.store.codecs.registry import candidates, codec_named, registered

FLOAT = Field((2, 3), "float32")
WHOLE = Field((2,), "int64")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("block", [1, 5, 12, 1 << 16])
def test_a_value_that_would_not_come_back_is_found_in_any_block(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First, in between and last, without a warning; otherwise each code is the one of its value."""
    monkeypatch.setattr("brimful.store.codecs.narrow.BLOCK", block)
    codes = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    codec = NarrowCodec(FLOAT, "uint8", 255)
    values = codec.values(codes)
    found = codec.encode(values)
    assert found is not None
    assert (found.dtype, found.tolist()) == (np.dtype("uint8"), codes.tolist())
    for at in range(12):
        for wrong in (0.1234567, -0.0, np.nan, np.inf, -1 / 255, 256 / 255):
            spoiled = values.copy()
            spoiled.flat[at] = wrong
            assert codec.encode(spoiled) is None


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_a_code_has_the_whole_range_of_its_type(dtype: str) -> None:
    """And nothing beyond."""
    codec = NarrowCodec(Field((), "float32"), dtype, 1)
    limits = np.iinfo(dtype)
    for value in (limits.min, limits.max):
        found = codec.encode(np.array([value], np.float32))
        assert found is not None
        assert found.tolist() == [value]
    for value in (limits.min - 1, limits.max + 1):
        assert codec.encode(np.array([value], np.float32)) is None


@pytest.mark.parametrize("decoded", [1, 24, 60, 1 << 22])
def test_rows_are_decoded_in_the_order_asked_for(decoded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many at a time, and with no more codes in memory than that."""
    monkeypatch.setattr("brimful.store.codecs.narrow.DECODED_BYTES", decoded)
    monkeypatch.setattr("brimful.store.codecs.narrow._scratch", type("Scratch", (), {})())
    codec = NarrowCodec(FLOAT, "int16", 100)
    codes = np.arange(-30, 30, dtype=np.int16).reshape(10, 2, 3)
    rows = np.array([3, 9, 0, 0, 5, 2, 7])
    values = np.empty((7, 2, 3), np.float32)
    codec.decode(as_rows(codes), rows, values)
    assert values.tobytes() == (codes[rows] / np.float32(100)).astype(np.float32).tobytes()
    at_a_time = min(7, max(1, decoded // 24))  # of 24 bytes each, kept in 12
    assert narrow._scratch.memory.nbytes == 12 * at_a_time
    codec.decode(as_rows(codes), rows[:0], values[:0])


def test_a_thread_uses_its_memory_again() -> None:
    """For as much or less; another thread has its own."""
    first = narrow._memory(1000)
    assert (len(first), len(narrow._memory(10))) == (1000, 10)
    assert np.shares_memory(first, narrow._memory(1000))
    assert np.shares_memory(narrow._memory(999), first)
    assert len(narrow._memory(narrow._scratch.memory.size + 1)) == narrow._scratch.memory.size
    with ThreadPoolExecutor(1) as pool:
        assert not np.shares_memory(narrow._memory(10), pool.submit(narrow._memory, 10).result())


def test_raw_rows_are_copied_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie little-endian, on every machine."""
    codec = RawCodec(WHOLE)
    values = np.arange(20).reshape(10, 2)
    kept = codec.encode(values)
    rows = np.array([7, 0, 7])
    out = np.empty((3, 2), np.int64)
    codec.decode(as_rows(kept), rows, out)
    assert out.tolist() == values[rows].tolist()
    assert (codec.name, codec.kept) == ("raw", WHOLE)
    monkeypatch.setattr(sys, "byteorder", "big")
    codec.decode(as_rows(kept), rows, out)
    assert out.tolist() == values[rows].byteswap().tolist()


def test_the_page_about_the_format_lists_the_rules() -> None:
    """In the order in which they are tried."""
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    listed = re.findall(r"`(u?int(?:8|16)/[0-9]+)`", page)
    assert listed == [codec.name for codec in NarrowCodec.for_field(Field((), "float32"))]


def test_rows_of_bytes_are_a_view() -> None:
    """Nothing is copied."""
    values = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    rows = as_rows(values)
    assert rows.shape == (3, 16)
    assert rows.dtype == np.uint8
    assert np.shares_memory(rows, values)


def test_a_name_stands_for_a_codec() -> None:
    """The one that has it; narrow ones are for float32 only."""
    for codec in (*candidates(FLOAT), *candidates(WHOLE)):
        assert codec_named(codec.name, codec.field) == codec
        assert hash(codec_named(codec.name, codec.field)) == hash(codec)
    assert len(list(candidates(FLOAT))) == 21
    assert list(candidates(FLOAT))[-1] == RawCodec(FLOAT)
    assert list(candidates(WHOLE)) == [RawCodec(WHOLE)]
    narrowest = codec_named("uint8/255", FLOAT)
    assert next(iter(candidates(FLOAT))) == narrowest
    assert narrowest.kept == Field((2, 3), "uint8")
    for name, field in (("uint8/254", FLOAT), ("uint8/255", WHOLE), ("", FLOAT), ("Raw", FLOAT)):
        with pytest.raises(ValueError, match=f"there is no codec '{name}'"):
            codec_named(name, field)


class Other(RawCodec):
    """A further codec."""

    name = "other"

    @classmethod
    def for_field(cls, field: Field) -> Sequence[Self]:
        """For all fields."""
        return [cls(field)]

    @classmethod
    def parse(cls, name: str, field: Field) -> Self | None:
        """By its name."""
        return cls(field) if name == "other" else None


def test_a_further_codec_is_tried_first_until_the_end() -> None:
    """Also where that is an error."""
    before: list[Codec] = list(candidates(FLOAT))

    def use() -> None:
        with registered(Other):
            tried: list[Any] = list(candidates(FLOAT))
            assert tried == [Other(FLOAT), *before]
            assert codec_named("other", FLOAT) == tried[0]
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert list(candidates(FLOAT)) == before
