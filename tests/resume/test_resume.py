"""Resume: a training that is stopped, wherever and however often, ends with the bits of one that was not."""

import json
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.resume.program import Kill, trained

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Your input ran out")]
keras = pytest.importorskip("keras")

KINDS = ("unseeded", "schedule", "ema", "accumulate", "steps")


def interrupted(how: str, folder: Path, kind: str, every: str | int, after: list[int]) -> dict[str, Any]:
    """The result of a training that is interrupted again and again, after so many batches each time."""
    for batches in cycle(after):
        keras.backend.clear_session()
        try:
            return trained(how, folder, kind, every, Kill(batches, is_soft=True))
        except KeyboardInterrupt:
            continue
    raise AssertionError


@pytest.mark.parametrize(("how", "after"), [("keras", [3, 5]), ("fit", [7, 4]), ("train_on_batch", [4])])
def test_a_training_that_is_interrupted_again_and_again_is_the_same(
    how: str, after: list[int], tmp_path: Path
) -> None:
    """After a few batches each time, of which the last was not kept; at the ends of epochs, too."""
    keras.backend.clear_session()
    expected = trained(how, tmp_path / "a", "plain", 1, Kill(0))
    assert interrupted(how, tmp_path / "b", "plain", 1, after) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_moves_while_it_trains_goes_on(kind: str, tmp_path: Path) -> None:
    """Dropout without a seed, schedules, averages of weights, accumulated gradients, steps at once."""
    if kind == "steps" and keras.backend.backend() == "torch":
        pytest.skip("steps_per_execution is 1 with torch")
    keras.backend.clear_session()
    expected = trained("keras", tmp_path / "a", kind, 3, Kill(0))
    assert interrupted("keras", tmp_path / "b", kind, 3, [11, 9]) == expected


@pytest.mark.parametrize(("how", "kills"), [("keras", (9,)), ("train_on_batch", (13,))])
def test_a_training_that_is_killed_is_the_same(how: str, kills: tuple[int, ...], tmp_path: Path) -> None:
    """By the system, in a process of its own each time."""
    if how != "keras" and keras.backend.backend() != "jax":
        pytest.skip("tried with JAX, which starts fastest")

    def run(folder: str, kill_after: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.resume.program", str(tmp_path / folder), "--how", how]
        command += ["--every", "2", "--kill-after", str(kill_after)]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    expected = run("a", 0)
    assert expected.returncode == 0, expected.stderr
    for batches in kills:
        assert run("b", batches).returncode == -9
    last = run("b", 0)
    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout) == json.loads(expected.stdout)
