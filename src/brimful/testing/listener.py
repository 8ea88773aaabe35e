"""ListenerContract: what every listener promises, tested in trainings of its own."""

import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brimful.source import scan
from brimful.training.batches import Batches
from brimful.training.emitter import Emitter
from brimful.training.events import Listener

SAMPLES = 10
METRICS = {"loss": 0.5, "accuracy": 0.75}
OPEN_FILES = Path("/proc/self/fd")
FOREIGN = "Dummy-"  # what Python calls a thread that it did not begin
PATIENCE = 30.0  # seconds for a thread to end


class KeptModel:
    """A model that can be saved and do nothing else."""

    def save(self, path: Path | str) -> None:
        """Write a file in place of a model."""
        Path(path).write_bytes(b"a model")


class ListenerContract(ABC):
    """Subclass it as `Test...` and give `make_listener`.

    The trainings are those of the library without a model: real batches go by, and the emitter that also
    `train` uses counts them and calls the listener.
    """

    @abstractmethod
    def make_listener(self, folder: Path) -> Listener:
        """A new listener.

        Args:
            folder: An empty folder, if it wants to write something.
        """

    @pytest.fixture
    def listener(self, tmp_path: Path) -> Listener:
        """The listener to test."""
        return self.make_listener(tmp_path)

    def test_it_listens_to_events_that_there_are(self, listener: Listener) -> None:
        """It is a Listener, and each method named on_... is one of Listener's, with the same arguments."""
        assert isinstance(listener, Listener)
        for name, method in inspect.getmembers(listener, inspect.ismethod):
            if name.startswith("on_"):
                event = getattr(Listener, name, None)
                assert event is not None, f"There is no event {name}."
                expected = list(inspect.signature(event).parameters)[1:]
                assert list(inspect.signature(method).parameters) == expected

    @pytest.mark.parametrize("epochs", [1, 3])
    @pytest.mark.parametrize("batch_size", [1, 4, SAMPLES])
    @pytest.mark.parametrize("evaluates", [True, False])
    def test_a_training_that_goes_through(
        self, listener: Listener, epochs: int, batch_size: int, evaluates: bool
    ) -> None:
        """Several epochs or one, of many batches or one, with an evaluation or without: accepted in order."""
        before = _Open()
        emitter = _train(listener, batch_size, epochs, evaluates=evaluates)
        assert [report.samples for report in emitter.reports] == [SAMPLES] * epochs
        before.check()

    @pytest.mark.parametrize("stage", ["train", "epoch", "batch", "evaluation"])
    @pytest.mark.parametrize("error", [ValueError("bad data"), KeyboardInterrupt()])
    def test_a_training_that_an_error_ends(
        self, listener: Listener, stage: str, error: BaseException
    ) -> None:
        """Wherever it strikes, it is passed on, and nothing stays open."""
        before = _Open()

        def fail(here: str) -> None:
            if here == stage:
                raise error

        with pytest.raises(type(error)) as caught:
            _train(listener, 4, 1, evaluates=True, at=fail)
        assert caught.value is error
        before.check()

    def test_an_error_after_an_epoch_that_ended(self, listener: Listener) -> None:
        """The second epoch fails: the first has been reported, and nothing stays open."""
        before, epochs = _Open(), iter(range(2))

        def fail(here: str) -> None:
            if here == "epoch" and next(epochs) == 1:
                raise ValueError(here)

        with pytest.raises(ValueError, match="epoch"):
            _train(listener, 4, 2, evaluates=False, at=fail)
        before.check()

    def test_intervals(self, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is told of intervals, here behind each batch."""
        monkeypatch.setattr("brimful.training.emitter.INTERVAL", 0.0)
        before = _Open()
        _train(listener, 4, 2, evaluates=True)
        before.check()

    def test_a_training_of_no_epoch(self, listener: Listener) -> None:
        """It may begin and end at once."""
        before = _Open()
        _train(listener, 4, 0, evaluates=False)
        before.check()


def _train(
    listener: Listener,
    batch_size: int,
    epochs: int,
    *,
    evaluates: bool,
    at: Callable[[str], None] = lambda _: None,
) -> Emitter:
    """A training without a model: `at` is called after each beginning, and may raise."""
    batches = _batches(batch_size)
    emitter = Emitter(batches, epochs, [listener])
    with emitter.training(KeptModel()):
        at("train")
        for _ in range(epochs):
            emitter.begin_epoch()
            at("epoch")
            for _ in batches:
                emitter.end_batch(lambda: METRICS)
                at("batch")
            if evaluates:
                emitter.begin_evaluation()
                at("evaluation")
            emitter.end_epoch(METRICS, METRICS if evaluates else None)
    return emitter


def _batches(batch_size: int) -> Batches:
    samples: Any = [([float(number)], number % 2) for number in range(SAMPLES)]
    return scan(samples).batches(batch_size)


class _Open:
    """What is open now, to be compared with what is open when a training has ended."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._files = _open_files()

    def check(self) -> None:
        """Fail if a thread runs that did not run then, or if more files are open."""
        now = [thread for thread in threading.enumerate() if not thread.name.startswith(FOREIGN)]
        began = set(now) - self._threads
        for thread in began:
            thread.join(PATIENCE)  # it may have been told to end, and not be through
        assert not [thread for thread in began if thread.is_alive()]
        assert _open_files() == self._files


def _open_files() -> int:
    """How many files are open, where that can be seen."""
    return len(list(OPEN_FILES.iterdir())) if OPEN_FILES.exists() else 0
