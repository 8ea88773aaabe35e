"""Every listener keeps the contract of listeners."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from brimful.cli.console import Screen
from brimful.cli.progress import TrainingProgress
from brimful.testing.listener import ListenerContract
from brimful.training.events import EpochReport, LinePrinter, Listener, Training
from brimful.training.recorder import Recorder

REPORT = EpochReport(1, 2.0, 0.5, {"read": 0.5}, 10, 10, {"loss": 0.5}, {"loss": 0.25})


class TestListener(ListenerContract):
    """The base class: it does nothing, in order."""

    def make_listener(self, folder: Path) -> Listener:
        """One that overrides nothing."""
        return Listener()


class TestLinePrinter(ListenerContract):
    def make_listener(self, folder: Path) -> Listener:
        """One that prints into a string."""
        return LinePrinter(io.StringIO())

    def test_it_prints_a_line_per_epoch(self) -> None:
        """With the figures, and nothing for what else happens."""
        stream = io.StringIO()
        printer = LinePrinter(stream)
        printer.on_train_begin(Training(None, 1, 10))
        printer.on_epoch_begin(1)
        printer.on_batch_end(10, 0.5)
        printer.on_evaluation_begin()
        assert not stream.getvalue()
        printer.on_epoch_end(REPORT)
        assert stream.getvalue() == f"{REPORT}\n"
        assert "train loss 0.5000  test loss 0.2500" in stream.getvalue()
        assert "wait 25.0%" in stream.getvalue()


class TestRun(ListenerContract):
    def make_listener(self, folder: Path) -> Listener:
        """A run in that folder."""
        return Recorder(folder, {})

    def test_it_keeps_each_epoch(self, tmp_path: Path) -> None:
        """A line of the log, and the model as it is then."""

        class Model:
            def save(self, path: Path) -> None:
                """Write how many epochs there were."""
                path.write_text(str(len(list(tmp_path.glob("log.jsonl")))))

        run = Recorder(tmp_path, {"seed": 1})
        run.on_train_begin(Training(Model(), 2, 10))
        for _ in range(2):
            run.on_epoch_end(REPORT)
        log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        assert log == [{"kind": "epoch", **REPORT.as_dict()}] * 2
        assert (tmp_path / "model.keras").read_text() == "1"
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            *("best.keras", "config.json", "log.jsonl", "model.keras")
        ]


class TestTrainingProgress(ListenerContract):
    """Where there is no terminal."""

    def make_listener(self, folder: Path) -> Listener:
        """One that prints lines."""
        return TrainingProgress(Screen())


class TestTrainingProgressOnATerminal(ListenerContract):
    """A live bar, which a thread of its own draws."""

    def make_listener(self, folder: Path) -> Listener:
        """One that draws a bar into a string."""
        screen = Screen()
        screen.console = Console(file=io.StringIO(), force_terminal=True)
        return TrainingProgress(screen)

    def test_the_bar_is_there_while_an_epoch_runs(self, tmp_path: Path) -> None:
        """With the samples, the rate and what is being done."""
        listener = self.make_listener(tmp_path)
        listener.on_train_begin(Training(None, 3, 1000))
        listener.on_epoch_begin(2)
        listener.on_batch_end(500, 0.0)
        listener.on_evaluation_begin()
        listener.on_train_end(None)
        assert isinstance(listener, TrainingProgress)
        shown = listener._screen.console.file
        assert isinstance(shown, io.StringIO)
        for words in ("epoch 2/3", "500/1,000", "evaluating on the test data"):
            assert words in shown.getvalue()


def test_a_contract_is_not_kept_by_what_leaves_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite finds a bar that is never taken away, and an event that there is not."""

    class Careless(TestTrainingProgressOnATerminal):
        def make_listener(self, folder: Path) -> Listener:
            """One that does not close."""

            class Open(TrainingProgress):
                def on_train_end(self, error: BaseException | None) -> None:
                    """Forget to close."""

                def on_epoch_ends(self) -> None:
                    """Nobody calls it."""

            screen = Screen()
            screen.console = Console(file=io.StringIO(), force_terminal=True)
            return Open(screen)

    suite = Careless()
    listener = suite.make_listener(Path())
    assert isinstance(listener, TrainingProgress)
    monkeypatch.setattr("brimful.testing.listener.PATIENCE", 0.1)
    try:
        with pytest.raises(AssertionError):
            suite.test_a_training_that_an_error_ends(listener, "batch", ValueError())
    finally:
        listener._close()
    with pytest.raises(AssertionError, match="on_epoch_ends"):
        suite.test_it_listens_to_events_that_there_are(listener)
