"""The emitter: who is called when, and what becomes of errors."""

from pathlib import Path
from typing import Any

import pytest

import brimful as bf
from brimful.training.emitter import Emitter
from brimful.training.events import EpochReport, Listener, Training
from brimful.training.recorder import Recorder
from brimful.training.run_log import RunLog


class Model:
    """A model that can be saved."""

    def save(self, path: Path) -> None:
        """Write something."""
        path.write_bytes(b"")


class Notes(Listener):
    """Notes what happens, beside what others note, and fails where it is told to."""

    def __init__(self, name: str, notes: list[Any], fails_in: str = "") -> None:
        self.name, self.notes, self.fails_in = name, notes, fails_in

    def note(self, event: str, *facts: Any) -> None:
        """Note it, or fail."""
        self.notes.append((self.name, event, *facts))
        if event == self.fails_in:
            raise RuntimeError(f"{self.name} failed in {event}")

    def on_train_begin(self, training: Training) -> None:
        """Note it."""
        self.note("train_begin", training.epochs, training.samples)

    def on_epoch_begin(self, epoch: int) -> None:
        """Note it."""
        self.note("epoch_begin", epoch)

    def on_batch_end(self, samples: int, wait_seconds: float) -> None:
        """Note it."""
        assert wait_seconds >= 0
        self.note("batch_end", samples)

    def on_evaluation_begin(self) -> None:
        """Note it."""
        self.note("evaluation_begin")

    def on_epoch_end(self, report: EpochReport) -> None:
        """Note it."""
        self.note("epoch_end", report.epoch, report.samples, report.distinct_samples)

    def on_train_end(self, error: BaseException | None) -> None:
        """Note it."""
        self.note("train_end", error and str(error))


def train(*listeners: Listener, epochs: int = 1) -> list[EpochReport]:
    """A training of 5 samples in batches of 2, evaluated after the first epoch."""
    batches = bf.scan([([0.5], n % 2) for n in range(5)]).batches(2)
    emitter = Emitter(batches, epochs, listeners)
    with emitter.training(Model()):
        for epoch in range(epochs):
            emitter.begin_epoch()
            for _ in batches:
                emitter.end_batch(lambda: {"loss": 1.0})
            if epoch == 0:
                emitter.begin_evaluation()
            emitter.end_epoch({"loss": 1.0}, {"loss": 2.0} if epoch == 0 else None)
    return emitter.reports


def test_every_event_reaches_every_listener_in_order() -> None:
    """One after the other; at the end in the reverse order."""
    notes: list[Any] = []
    reports = train(Notes("a", notes), Notes("b", notes), epochs=2)
    events: list[tuple[Any, ...]] = [
        ("train_begin", 2, 5),
        ("epoch_begin", 1),
        *(("batch_end", samples) for samples in (2, 4, 5)),
        ("evaluation_begin",),
        ("epoch_end", 1, 5, 5),
        ("epoch_begin", 2),
        *(("batch_end", samples) for samples in (2, 4, 5)),
        ("epoch_end", 2, 5, 5),
    ]
    called = [(name, *event) for event in events for name in "ab"]
    assert notes == [*called, ("b", "train_end", None), ("a", "train_end", None)]
    assert [(report.epoch, report.test) for report in reports] == [(1, {"loss": 2.0}), (2, None)]
    assert all(0 <= report.wait_seconds <= report.seconds for report in reports)


def test_an_error_in_a_listener_does_not_lose_the_epoch(tmp_path: Path) -> None:
    """The run comes first, and has logged it; all are told what ended the training."""
    notes: list[Any] = []
    with pytest.raises(RuntimeError, match="a failed in epoch_end"):
        train(Recorder(tmp_path / "run", {}), Notes("a", notes, "epoch_end"), Notes("b", notes), epochs=2)
    log = RunLog(tmp_path / "run")
    assert [report.epoch for report in log.epochs] == [1]
    assert log.sessions[0].error == "RuntimeError: a failed in epoch_end"
    assert notes[-2:] == [(name, "train_end", "a failed in epoch_end") for name in "ba"]


@pytest.mark.parametrize(("fails", "ended"), [("train_begin", "a"), ("train_end", "ba")])
def test_who_has_begun_is_ended(fails: str, ended: str) -> None:
    """Those before the one that failed to begin; and all, though one fails to end."""
    notes: list[Any] = []
    with pytest.raises(RuntimeError, match=f"b failed in {fails}"):
        train(Notes("a", notes), Notes("b", notes, fails))
    assert [name for name, event, *_ in notes if event == "train_end"] == list(ended)
    assert notes[-1] == ("a", "train_end", f"b failed in {fails}")
