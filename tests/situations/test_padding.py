"""Padding: a last batch that is filled up changes no figure."""

from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.situations.models import SHAPE, network, samples

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")

SIZES = (16, 40, 89, 512)


def figures(model: Any, batches: Any) -> dict[str, float]:
    """What evaluating gives."""
    found: dict[str, float] = model.evaluate(batches, verbose=0, return_dict=True)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_evaluate_and_predict_are_those_of_the_short_batch(size: int) -> None:
    """Loss, metrics with and without weights, and as many predictions as samples."""
    source, model = samples(), network(weighted_metrics=["accuracy"])
    model.fit(source.batches(16), epochs=5, verbose=0)
    short = source.batches(size, shuffle=False)
    pad = source.batches(size, shuffle=False, last="pad")
    assert figures(model, pad) == pytest.approx(figures(model, short), rel=1e-5)
    predictions = model.predict(pad, verbose=0)
    assert len(predictions) == 90
    np.testing.assert_allclose(predictions, model.predict(short, verbose=0), rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("normalizes", [False, True])
def test_fit_gives_the_weights_and_the_history_of_the_short_batch(size: int, normalizes: bool) -> None:
    """Gradients, moving statistics, and the history."""
    source = samples()
    trained = {}
    for last in ("short", "pad"):
        model = network(normalizes=normalizes, weighted_metrics=["accuracy"])
        validation = source.batches(size, shuffle=False, last=last)
        history = model.fit(
            source.batches(size, last=last), epochs=3, verbose=0, validation_data=validation
        ).history
        trained[last] = model.get_weights(), history
    for one, other in zip(trained["short"][0], trained["pad"][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    for name, values in trained["short"][1].items():
        np.testing.assert_allclose(trained["pad"][1][name], values, rtol=1e-4)


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_train_reports_the_figures_of_the_short_batch(method: Any, tmp_path: Any) -> None:
    """Of the training and of the test."""
    source = samples()
    short, pad = (
        bf.train(
            network(),
            source.batches(64, last=last),
            run=tmp_path / last,
            epochs=2,
            method=method,
            validation=source.batches(512, shuffle=False, last=last),
        )[-1]
        for last in ("short", "pad")
    )
    assert pad.train == pytest.approx(short.train, rel=1e-4)
    assert pad.test == pytest.approx(short.test, rel=1e-4)
    assert pad.samples == short.samples == 90


def test_own_weights_stay_beside_the_padding() -> None:
    """Class weights and padding: the loss is that of the short batch."""
    random = np.random.default_rng(0)
    source = bf.scan([(random.random(SHAPE), at % 3) for at in range(90)], classes=range(3))
    losses = []
    for last in ("short", "pad"):
        model = network(weighted_metrics=["accuracy"])
        batches = source.batches(64, last=last, class_weight={0: 3.0, 1: 0.5})
        losses.append(model.fit(batches, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def test_a_loop_of_ones_own_gets_whole_batches() -> None:
    """Of one size each, the padding of weight 0."""
    sizes = [(len(x), len(y), int((w > 0).sum())) for x, y, w in samples().batches(64, last="pad")]
    assert sizes == [(64, 64, 64), (64, 64, 26)]
