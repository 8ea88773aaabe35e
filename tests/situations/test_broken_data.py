"""Broken data: an error in the data costs neither the weights nor the count of steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.situations.models import SHAPE, network, samples

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:.*ran out of data"),
]
keras = pytest.importorskip("keras")


class Failing:
    """A transform that raises in the batch of one sample."""

    def __init__(self) -> None:
        self.bad: float | None = None

    def __call__(self, batch: Any, _: np.random.Generator) -> Any:
        """The batch as it is, or an error."""
        if (batch[0] == self.bad).any():
            raise OSError("the disk is gone")
        return batch


def counted(count: int = 64) -> bf.Source:
    """Samples that are their index throughout."""
    return bf.scan([(np.full(SHAPE, at, np.float32), at % 3) for at in range(count)])


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("execution", [1, 3])
def test_the_model_keeps_its_weights(batch: int, method: str, execution: int, tmp_path: Path) -> None:
    """In the first batch or a later one: it can be saved, and the error is the data's own."""
    if execution > 1 and keras.backend.backend() == "torch":
        pytest.skip("steps_per_execution is 1 with torch")
    source, failing = counted(), Failing()
    model = network(steps_per_execution=execution)
    model.fit(source.batches(8), epochs=2, verbose=0)
    before = model.get_weights()
    failing.bad = float(source.keys[batch * 8 - 4])
    with pytest.raises(OSError, match="disk is gone"):
        getattr(model, method)(source.batches(8, shuffle=False, transform=failing), verbose=0)
    after = model.get_weights()
    same = all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert same == (method != "fit" or batch == 1)
    assert int(model.optimizer.iterations) == 16 + (batch - 1 if method == "fit" else 0)
    model.save(tmp_path / "model.keras")
    failing.bad = None
    model.fit(source.batches(8, transform=failing), epochs=1, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_validation_that_fails_keeps_the_training(tmp_path: Path) -> None:
    """The epoch that was trained before is in the weights."""
    validation, failing = counted(), Failing()
    model, source = network(), samples()
    batches = validation.batches(8, shuffle=False, transform=failing)
    failing.bad = float(validation.keys[20])
    with pytest.raises(OSError, match="disk is gone"):
        model.fit(source.batches(9), validation_data=batches, verbose=0)
    assert int(model.optimizer.iterations) == 10
    trained = network()
    trained.fit(source.batches(9), verbose=0)
    for one, other in zip(trained.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    model.save(tmp_path / "model.keras")


def test_a_damaged_store_keeps_the_weights(tmp_path: Path) -> None:
    """A flipped byte in a store, found while evaluating."""
    bf.pack(samples(), tmp_path / "data.brim")
    shard = next((tmp_path / "data.brim").glob("shard-*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    model = network()
    before = model.get_weights()
    with pytest.raises(bf.DamagedStoreError):
        model.evaluate(bf.open(tmp_path / "data.brim").batches(16), verbose=0)
    assert np.array_equal(before[0], model.get_weights()[0])


@pytest.mark.parametrize("execution", [1, 3])
def test_a_pass_that_goes_on_may_fail_in_its_first_batch(execution: int) -> None:
    """Batches put to a position in an epoch: the error is the data's own, and no step is counted."""
    if execution > 1 and keras.backend.backend() == "torch":
        pytest.skip("steps_per_execution is 1 with torch")
    source, failing = counted(), Failing()
    batches = source.batches(8, shuffle=False, transform=failing)
    taken = iter(batches)
    for _ in range(3):
        next(taken)
    state = batches.state_dict()
    again = source.batches(8, shuffle=False, transform=failing)
    again.load_state_dict(state)
    model = network(steps_per_execution=execution)
    before = model.get_weights()
    failing.bad = float(source.keys[3 * 8 + 1])
    with pytest.raises(OSError, match="disk is gone"):
        model.fit(again, verbose=0)
    assert int(model.optimizer.iterations) == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    failing.bad = None
    again.load_state_dict(state)
    model.fit(again, verbose=0)
    assert int(model.optimizer.iterations) == 5
