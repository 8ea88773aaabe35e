"""How well windows shuffle: figures of docs/shuffling.md, in small, exact to repeat."""

import random
from pathlib import Path

import numpy as np

import brimful as bf
from brimful.keys import hash_keys
from brimful.order.epochs import Order
from tests.trees import Tree

ROWS, CLASSES, BATCH = 20_000, 10, 200


def windows(epoch: int) -> np.ndarray:
    """An epoch by windows of 5 of 100 chunks."""
    bounds = np.linspace(0, ROWS, 101).astype(np.int64)
    return Order(ROWS, seed=0, bounds=bounds, window=5).rows(epoch, 0, ROWS)


def design_effect(on_disk: np.ndarray) -> float:
    """The variance of a class's count in a batch by that of uniform permutations, over 20 epochs."""
    share = 1 / CLASSES
    labels = on_disk * CLASSES // ROWS  # the data are sorted by class
    counts = [
        np.bincount(batch, minlength=CLASSES)
        for epoch in range(20)
        for batch in labels[windows(epoch)].reshape(-1, BATCH)
    ]
    ideal = BATCH * share * (1 - share) * (ROWS - BATCH) / (ROWS - 1)
    return float(((np.array(counts) - BATCH * share) ** 2).mean() / ideal)


def test_batches_of_sorted_data_are_as_mixed_as_a_permutations() -> None:
    """The design effect is that of a uniform shuffle; without the hash it is far from it."""
    on_disk = np.argsort(hash_keys([f"{at:05d}" for at in range(ROWS)], 0), kind="stable")
    assert design_effect(on_disk) < 1.05
    assert design_effect(np.arange(ROWS)) > 20


def test_neighbours_on_the_disk_part() -> None:
    """They follow each other as often as in a window permuted uniformly, not as they lie."""
    following = [np.count_nonzero(np.diff(windows(epoch)) == 1) for epoch in range(20)]
    by_chance = 20 * (1000 - 1) / 1000  # a window has 1,000 rows
    assert 0.8 * by_chance < np.mean(following) < 1.2 * by_chance


def test_no_order_depends_on_the_generators_of_the_process(tree: Tree, tmp_path: Path) -> None:
    """What a user draws or seeds between batches changes neither the batches nor those after a resume."""
    source = bf.scan(tree.path)
    for samples in (source, bf.pack(source, tmp_path / "data.brim")):
        expected = [keys for _, _, keys in samples.batches(4, seed=3, include_keys=True)]
        disturbed = samples.batches(4, seed=3, include_keys=True)
        seen = []
        for number, (_, _, keys) in enumerate(disturbed):
            seen.append(keys)
            np.random.seed(number)  # noqa: NPY002 (as users do)
            random.seed(number)
            if number == len(expected) // 2:
                state = disturbed.state_dict()
                break
        resumed = samples.batches(4, seed=3, include_keys=True)
        np.random.rand(3)  # noqa: NPY002
        resumed.load_state_dict(state)
        seen += [keys for _, _, keys in resumed]
        assert seen == expected
