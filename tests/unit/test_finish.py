"""Postprocessing of batches: padding, class weights, the user's transform."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.feed.feed import Feed
from tests.feeds import make_feed
from tests.trees import Tree


@pytest.fixture(params=["source", "store"])
def samples(request: pytest.FixtureRequest, tree: Tree, tmp_path: Path) -> bf.Source | bf.Dataset:
    """The same samples as raw files and packed."""
    source = bf.scan(tree.path)
    return source if request.param == "source" else bf.pack(source, tmp_path / "data.brim")


def feed_of(samples: Any, batch_size: int = 8, **options: Any) -> Feed:
    """The feed that `samples.batches` would wrap."""
    return make_feed(samples._reader, samples._view, batch_size, **options)


def test_pad_fills_the_last_batch_with_weight_0(samples: Any, tree: Tree) -> None:
    """All batches have the same size; the padding has weight 0, and no keys."""
    feed = feed_of(samples, last="pad", include_keys=True)
    batches = list(feed)
    assert [x.shape for x, *_ in batches] == [batches[0][0].shape] * 7
    assert [w.sum() for _, _, w, _ in batches] == [8] * 6 + [2]
    x, y, w, keys = batches[-1]
    assert len(keys) == 2
    assert not x[2:].any()
    assert not y[2:].any()
    assert not w[2:].any()
    assert all(tree.x[key].tobytes() == sample.tobytes() for key, sample in zip(keys, x[:2], strict=True))
    assert feed.stats.samples == feed.stats.distinct_samples == 50


def test_class_weights_are_each_samples_own(samples: Any) -> None:
    """By class, 1 where none is given."""
    weights = {1: 2.5, 3: 0.0}
    seen = set()
    for _, y, w in feed_of(samples, class_weight=weights):
        seen |= set(y.tolist())
        assert w.tolist() == [weights.get(label, 1.0) for label in y.tolist()]
    assert seen >= {0, 1, 3}


def test_balanced_weights_make_all_classes_count_the_same(samples: Any) -> None:
    """In all, and their mean is 1."""
    totals: dict[int, float] = {}
    for _, y, w in samples.batches(7, class_weight="balanced"):
        for label, weight in zip(y.tolist(), w.tolist(), strict=True):
            totals[label] = totals.get(label, 0) + weight
    assert np.allclose(list(totals.values()), 50 / len(totals))


@pytest.mark.parametrize("wrong", [{99: 1.0}, {1: -1.0}, {"one": 1.0}, {1: float("nan")}])
def test_class_weights_that_make_no_sense_are_refused(samples: Any, wrong: dict[Any, float]) -> None:
    """With the classes that there are."""
    with pytest.raises(bf.ArgumentError, match="class_weight"):
        feed_of(samples, class_weight=wrong)


def noisy(batch: tuple[Any, ...], generator: np.random.Generator) -> tuple[Any, ...]:
    """Add noise to the inputs."""
    x, *others = batch
    return (x + generator.normal(size=x.shape).astype(x.dtype), *others)


def test_transform_depends_on_seed_epoch_and_position_alone(samples: Any) -> None:
    """The same when repeated, different in another epoch, and the same from a position on."""
    feed = feed_of(samples, seed=3, transform=noisy)
    first, second = [x.copy() for x, _ in feed], [x.copy() for x, _ in feed]
    assert not np.array_equal(first[0], second[0])
    again = feed_of(samples, seed=3, transform=noisy)
    assert all(np.array_equal(one, other) for one, (other, _) in zip(first, again, strict=True))
    resumed = feed_of(samples, seed=3, transform=noisy)
    state_of = feed_of(samples, seed=3, transform=noisy)
    batches = iter(state_of)
    next(batches), next(batches)
    resumed.load_state_dict(state_of.state_dict())
    assert all(np.array_equal(one, other) for one, (other, _) in zip(first[2:], resumed, strict=True))
    batches.close()  # type: ignore[attr-defined]


def test_transform_runs_in_threads_and_in_order(samples: Any) -> None:
    """Not in the loop's, but what nobody has begun when it is wanted; a slow batch holds its place."""
    names = []

    def slow_at_first(batch: tuple[Any, ...], _: np.random.Generator) -> tuple[Any, ...]:
        names.append(threading.current_thread().name)
        time.sleep(0.05 if len(names) == 1 else 0.001)
        return batch

    plain = [y.tolist() for _, y in feed_of(samples)]
    assert [y.tolist() for _, y in feed_of(samples, transform=slow_at_first)] == plain
    assert any(name.startswith("brimful") for name in names)


def test_transform_may_change_shapes(samples: Any) -> None:
    """A batch of other features."""

    def means(batch: tuple[Any, ...], _: np.random.Generator) -> tuple[Any, ...]:
        return batch[0].mean(axis=(1, 2))[:, None], batch[1]

    assert [x.shape for x, _ in feed_of(samples, 10, transform=means)] == [(10, 1)] * 5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda batch, _: batch[0],
        lambda batch, _: (batch[0],),
        lambda batch, _: (batch[0][:1], batch[1]),
        lambda batch, _: (list(batch[0]), batch[1]),
    ],
)
def test_a_transform_that_gives_no_batch_is_refused(samples: Any, wrong: Callable[..., Any]) -> None:
    """The error names what it should return."""
    with pytest.raises(bf.ArgumentError, match="`transform`"):
        list(feed_of(samples, transform=wrong))


def test_an_error_in_a_transform_reaches_the_loop(samples: Any) -> None:
    """As it is, and no thread is left."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        list(feed_of(samples, transform=broken))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("brimful")]
