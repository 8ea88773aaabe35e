"""Keys, their hash and the split: golden values, and what follows from them."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

import brimful as bf
from brimful.keys import hash_keys
from brimful.order.split import WHOLE, cut
from tests.trees import Tree

GOLDEN_GROUPS = ["4", "7", "9"]


def test_golden_hashes() -> None:
    """The hash of a key is promised for all time; the first is XXH3's own test vector."""
    assert hash_keys([""]).tolist() == [0x2D06800538D394C2]
    assert hash_keys(["train/00001", "train/00042", "0", "ключ/é"]).tolist() == [
        13059392431227221399,
        5622902825342920458,
        1838281907459330133,
        12865955497377600623,
    ]
    assert hash_keys(["train/00001"], 7).tolist() == [16236044259167083458]


def test_golden_split_of_the_story() -> None:
    """Of the story's 42,000 keys, these many are on each side, for all time."""
    hashes = hash_keys(f"train/{number:05d}" for number in range(1, 42_001))
    parts = cut(WHOLE, test=0.1, validation=0.2)
    counts = [sum(low <= value < high for value in hashes.tolist()) for low, high in parts]
    assert counts == [29_354, 8_472, 4_174]


def test_golden_intervals() -> None:
    """A part is cut at its own fractions, none of its hashes is lost, and the whole has all there are."""
    low, high = 3 * 2**62, 2**64
    train, validation, test = cut((low, high), test=0.25, validation=0.5)
    assert test == (low, low + 2**60)
    assert validation == (low + 2**60, low + 3 * 2**60)
    assert train == (low + 3 * 2**60, high)
    assert cut((low, high), test=0.25, validation=0) == [(low + 2**60, high), test]
    assert WHOLE == (0, 2**64)


@given(
    test=st.floats(0.001, 0.6),
    validation=st.floats(0, 0.3),
    key=st.text(max_size=20),
    seed=st.integers(0, 2**64 - 1),
)
def test_a_key_is_on_the_side_that_its_hash_says(test: float, validation: float, key: str, seed: int) -> None:
    """Every hash lies in one part: test below `test`, validation below `test + validation`."""
    value = xxh3_64_intdigest(key.encode(), seed)
    inside = [low <= value < high for low, high in cut(WHOLE, test=test, validation=validation)]
    assert sum(inside) == 1
    u = Fraction(value, 2**64)
    expected = "test" if u < test else "validation" if u < Fraction(test) + Fraction(validation) else "train"
    names = ["train", "validation", "test"] if validation else ["train", "test"]
    assert names[inside.index(True)] == expected


def test_no_sample_changes_sides_as_data_grows(make_tree: Callable[..., Tree]) -> None:
    """More files, the same sides."""
    tree = make_tree(200)
    _, small_test = bf.scan(tree.path).split(test=0.3)
    for number in range(1000, 1100):
        (tree.path / "train" / f"{number}.csv").write_bytes(tree.file("train/00001").read_bytes())
    with (tree.path / "target.csv").open("a") as table:
        table.writelines(f"{number},1\n" for number in range(1000, 1100))
    large_train, large_test = bf.scan(tree.path).split(test=0.3)
    assert len(large_train) + len(large_test) == 300
    assert set(small_test.keys) <= set(large_test.keys)
    assert not set(small_test.keys) & set(large_train.keys)


def test_sides_are_ranges_and_share_out_everything(make_tree: Callable[..., Tree]) -> None:
    """Sides do not overlap, nothing is lost, and a split by key needs no index."""
    source = bf.scan(make_tree(300).path)
    train, validation, test = source.split(test=0.2, validation=0.3)
    keys = [*train.keys, *validation.keys, *test.keys]
    assert sorted(keys) == sorted(source.keys)
    assert all(isinstance(side._view.rows, range) for side in (train, validation, test))


def test_split_of_a_split_is_relative(make_tree: Callable[..., Tree]) -> None:
    """Half of the rest is half of it, and the same as one split with the product of fractions."""
    source = bf.scan(make_tree(400).path)
    rest, test = source.split(test=0.5)
    train, validation = rest.split(test=0.5)
    assert 70 < len(train) < 130
    assert 70 < len(validation) < 130
    at_once = source.split(test=0.5, validation=0.25)
    assert [set(side.keys) for side in at_once] == [set(train.keys), set(validation.keys), set(test.keys)]
    quarter, _ = test.split(test=0.5, split_seed=9)
    assert 60 < len(quarter) < 140  # another seed divides anew, and so evenly


@pytest.mark.parametrize("group", [r"\d\d$", r"(\d\d)$", lambda key: str(key)[-2:]])
def test_no_group_is_on_two_sides(make_tree: Callable[..., Tree], group: str | Callable[[str], str]) -> None:
    """With `group`, what belongs together stays together."""
    train, test = bf.scan(make_tree(500).path).split(test=0.4, group=group)
    assert len(train) + len(test) == 500
    assert not {key[-2:] for key in train.keys} & {key[-2:] for key in test.keys}
    smaller, validation = train.split(test=0.4, group=group)
    assert not {key[-2:] for key in smaller.keys} & {key[-2:] for key in validation.keys}


def test_split_seed_draws_anew(make_tree: Callable[..., Tree]) -> None:
    """Another split seed, another split; the same one, the same."""
    source = bf.scan(make_tree(200).path)
    first, second, again = (set(source.split(test=0.5, split_seed=seed)[1].keys) for seed in (1, 2, 1))
    assert first != second
    assert first == again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test": 0.0}, "above 0"),
        ({"test": 0.5, "validation": 0.5}, "below 1"),
        ({"test": 0.5, "validation": -0.1}, "of at least 0"),
        ({"test": 1e-9}, "empty"),
        ({"test": 0.5, "group": "train"}, "empty"),
        ({"test": 0.5, "group": "("}, "regular expression"),
        ({"test": 0.5, "group": "xyz"}, "not found"),
        ({"test": 0.5, "split_seed": -1}, "split_seed"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(
    tree: Tree, arguments: dict[str, float], message: str
) -> None:
    """An empty side, or a fraction or group that cannot be, is an error."""
    with pytest.raises(bf.ArgumentError, match=message):
        bf.scan(tree.path).split(**arguments)  # type: ignore[arg-type]


def test_limit_draws_the_same_samples_on_both_sides(make_tree: Callable[..., Tree]) -> None:
    """`limit` draws by a hash of its own: always the same samples, split as in the whole."""
    tree = make_tree(400)
    whole_train, whole_test = bf.scan(tree.path).split(test=0.5)
    part = bf.scan(tree.path, limit=100)
    assert len(part) == 100
    assert list(part.keys) == list(bf.scan(tree.path, limit=100).keys)
    train, test = part.split(test=0.5)
    assert 30 < len(test) < 70
    assert set(train.keys) <= set(whole_train.keys)
    assert set(test.keys) <= set(whole_test.keys)
    x, y = part[0]
    assert np.array_equal(x, tree.x[part.keys[0]])
    assert y == tree.y[part.keys[0]]


def test_select_takes_keys_and_refuses_unknown_ones(tree: Tree) -> None:
    """`select` is the part with these keys, nothing else."""
    source = bf.scan(tree.path)
    part = source.select(["train/00003", "train/00001", "train/00003"])
    assert sorted(part.keys) == ["train/00001", "train/00003"]
    with pytest.raises(KeyError, match="train/00002"):
        part.select(["train/00002"])
    with pytest.raises(bf.UnknownKeyError, match="nowhere"):
        source.select(["nowhere"])


def test_golden_split_by_group() -> None:
    """The side of a group is that of its name's hash, for all time."""
    pairs = [(np.zeros(1), 0)] * 1000
    _, test = bf.scan(pairs).split(test=0.2, group=r"\d$", split_seed=3)
    assert sorted({key[-1] for key in test.keys}) == GOLDEN_GROUPS
    assert len(test) == 100 * len(GOLDEN_GROUPS)
    assert [
        group for group in "0123456789" if xxh3_64_intdigest(group.encode(), 3) / 2**64 < 0.2
    ] == GOLDEN_GROUPS
