"""Options: what a user may ask for, to the last number, and what is asked for where nothing is said."""

from typing import Any

import numpy as np
import pytest

from brimful.errors import ArgumentError
from brimful.options import FeedOptions, PackOptions, check_int


def test_what_is_asked_for_where_nothing_is_said() -> None:
    """The defaults of the documentation: batches from 1 GB, shuffled; chunks of 16 MiB, shards of 512 MiB."""
    assert FeedOptions.of(1) == FeedOptions(
        1, seed=0, shuffle=True, memory=10**9, last="short", one_hot=False, include_keys=False
    )
    pack = PackOptions(0, 10**9, False, False, False, 16_777_216, 536_870_912, None)
    assert PackOptions.of() == PackOptions() == pack
    assert FeedOptions(1) == FeedOptions.of(1)


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.uint32(2**32 - 1)])
def test_a_seed_of_32_bits_is_taken(seed: int) -> None:
    """All of them."""
    assert FeedOptions.of(1, seed=seed, memory="2KB").seed == int(seed)
    assert PackOptions.of(split_seed=seed).split_seed == int(seed)


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": 2**32}, {"last": "Pad"}, {"batch_size": 0}])
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    """One too many, or one too few."""
    with pytest.raises(ArgumentError, match=next(iter(options))):
        FeedOptions.of(**{"batch_size": 1, **options})


@pytest.mark.parametrize("last", ["short", "drop", "pad"])
def test_what_may_become_of_the_last(last: Any) -> None:
    """One of three things."""
    assert FeedOptions.of(1, last=last).last == last


def test_a_split_seed_has_64_bits() -> None:
    """As the hash has."""
    assert PackOptions.of(split_seed=2**64 - 1, memory="3KB") == PackOptions(2**64 - 1, 3_000)
    for seed in (-1, 2**64):
        with pytest.raises(ArgumentError, match="split_seed"):
            PackOptions.of(split_seed=seed)


def test_an_integer_is_checked_against_its_range() -> None:
    """Both ends belong to it; there need not be an upper one."""
    assert [check_int("n", value, 3, 5) for value in (3, 4, 5)] == [3, 4, 5]
    assert check_int("n", 10**30, 3) == 10**30
    for value in (2, 6):
        with pytest.raises(ArgumentError, match=rf"`n` as an integer from 3 to 5\. Received: n={value}"):
            check_int("n", value, 3, 5)
    with pytest.raises(ArgumentError, match=r"`n` as an integer of at least 3\. Received: n=2"):
        check_int("n", 2, 3)
    with pytest.raises(ArgumentError, match=r"from 0 to 1\. Received: n=0\.5"):
        check_int("n", 0.5, 0, 1)  # type: ignore[arg-type]
