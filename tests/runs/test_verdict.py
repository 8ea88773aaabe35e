"""The verdict on trainings that are starved on purpose: its advice is taken, and the wait falls."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.reports.verdict import Verdict
from brimful.storage.local import LocalStorage
from brimful.training.events import EpochReport
from tests.runs.conftest import network

SIDE, COUNT = 64, 6_000
FEEDING = {"memory": 10**8, "whole_memory": 10**9, "transform": None}


def report(epoch: int, seconds: float, **waited: float) -> EpochReport:
    """An epoch of so many seconds, and what was waited for in it."""
    return EpochReport(epoch, seconds, sum(waited.values()), waited, 10, 10, {"loss": 1.0}, None)


def starved(batches: Any, path: Path) -> Verdict:
    """The verdict on a training of three epochs."""
    bf.train(network(2, shape=(SIDE, SIDE)), batches, run=path, epochs=3, listeners=[])
    return bf.Run(path).described().verdict


class SlowStorage(LocalStorage):
    """A disk that reads 60 MB a second."""

    def read_into(self, name: str, offset: int, memory: memoryview, *, cached: bool = True) -> int:
        """Read, and take as long as such a disk."""
        count = super().read_into(name, offset, memory, cached=cached)
        time.sleep(count / 60e6)
        return count


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 98 MB, in six chunks."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("verdict") / "data.brim"
    samples = [(random.normal(size=(SIDE, SIDE)).astype("float32"), at % 2) for at in range(COUNT)]
    bf.pack(bf.scan(samples, classes=[0, 1]), path)
    return path


def test_too_little_memory_for_a_slow_disk(store: Path, tmp_path: Path) -> None:
    """More memory is advised, and how much; with it nothing is read after the first epoch."""
    data = bf.open(SlowStorage(store))
    first = starved(data.batches(32, memory="64MB"), tmp_path / "a")
    assert first.setting == "memory"
    assert first.wait_share > 0.2
    whole = bf.Run(tmp_path / "a").config["feeding"]["whole_memory"]
    assert "give it memory=" in first.text
    second = starved(data.batches(32, memory=whole), tmp_path / "b")
    assert second.wait_share < first.wait_share / 2


def test_a_slow_source(tmp_path: Path) -> None:
    """Packing is advised, and helps."""

    class Slow:
        def __len__(self) -> int:
            return 300

        def __getitem__(self, at: int) -> Any:
            time.sleep(0.004)
            return np.full((SIDE, SIDE), at % 2, "float32"), at % 2

    source = bf.scan(Slow(), classes=[0, 1])
    first = starved(source.batches(32), tmp_path / "a")
    assert (first.setting, first.stage) == ("pack", "read")
    assert first.wait_share > 0.2
    second = starved(bf.pack(source, tmp_path / "data.brim").batches(32), tmp_path / "b")
    assert second.wait_share < first.wait_share / 2


def test_a_slow_transform(store: Path, tmp_path: Path) -> None:
    """It is named; without it the wait falls."""

    def slow(batch: Any, _: np.random.Generator) -> Any:
        time.sleep(0.1)
        return batch

    data = bf.open(store)
    first = starved(data.batches(32, transform=slow), tmp_path / "a")
    assert (first.setting, first.stage) == ("transform", "transform")
    assert "slow" in first.text
    assert first.wait_share > 0.2
    second = starved(data.batches(32), tmp_path / "b")
    assert second.wait_share < first.wait_share / 2


@pytest.mark.parametrize(
    ("waited", "feeding", "setting", "words"),
    [
        ({"read": 5.0, "queue": 1.0}, {}, "memory", "memory='1GB' in place of '100MB'"),
        ({"read": 5.0}, {"whole_memory": 10**8}, "disk", "faster disk"),
        ({"decode": 5.0}, {"whole_memory": 10**8}, "batch_size", "larger batches"),
        ({"decode": 5.0}, {"is_encoded": True}, "decode", "pack --decode"),
        ({"read": 5.0}, {"whole_memory": None}, "pack", "pack the data"),
        ({"transform": 5.0}, {"transform": "crop"}, "transform", "crop takes longer"),
        ({"queue": 5.0}, {"whole_memory": None}, "batch_size", "larger batches"),
    ],
)
def test_the_advice(waited: dict[str, float], feeding: dict[str, Any], setting: str, words: str) -> None:
    """By what was waited for, and what could be changed; with what it would give."""
    verdict = Verdict.of([report(1, 10.0, **waited)], {**FEEDING, **feeding})
    assert verdict.setting == setting
    assert words in verdict.text
    assert f"would take {10 - sum(waited.values()):.1f} s in place of 10.0 s" in verdict.text


def test_a_cold_first_epoch_is_told_apart() -> None:
    """It is not judged if there are others, but told of."""
    verdict = Verdict.of([report(1, 10.0, read=8.0), report(2, 10.0, read=0.1)], FEEDING)
    assert verdict.setting is None
    assert "first epoch, which read the data for the first time, waited 80%" in verdict.text
    assert Verdict.of([], FEEDING).text.startswith("No epoch has ended")
