"""Emitter: counts the samples trained on, makes the report of each epoch, and calls the listeners."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple, Self

from brimful.memory import resident_bytes
from brimful.training.batches import Batches
from brimful.training.events import EpochReport, IntervalReport, Listener, Metrics, Training

INTERVAL = 10.0  # seconds


class Emitter:
    """Receives the events of either way to train, counts, and calls the listeners in the given order."""

    def __init__(self, batches: Batches, epochs: int, listeners: Sequence[Listener]) -> None:
        self.epochs = epochs
        self.reports: list[EpochReport] = []
        self._batches = batches
        self._listeners = tuple(listeners)
        self._began = 0.0
        self._trained: float | None = None  # when the epoch's last batch was done
        self._batches_seen = 0
        self._carried = 0, 0.0  # batches and seconds of the epoch that goes on
        self._interval = _Interval.begin(0, {})

    @contextmanager
    def training(self, model: Any) -> Iterator[None]:
        """Begin the training, and end it in any case for each listener whose `on_train_begin` returned."""
        training = Training(model, self.epochs, self._batches.feed.samples_per_epoch)
        with ExitStack() as endings:
            for listener in self._listeners:
                listener.on_train_begin(training)
                endings.push(partial(_end_training, listener))
            self._began = time.perf_counter()  # Keras may draw the first batch before it begins an epoch
            yield

    def get_state(self) -> dict[str, Any]:
        """What is known so far, fit for JSON: of the epochs that have ended, and of the one under way."""
        return {
            "reports": [report.as_dict() for report in self.reports],
            "batches": self._batches_seen,
            "seconds": time.perf_counter() - self._began,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` gave."""
        self.reports[:] = [EpochReport(**report) for report in state["reports"]]
        self._carried = int(state["batches"]), float(state["seconds"])
        for listener in self._listeners:
            listener.on_resume(list(self.reports), self._samples(self._carried[0]))

    def begin_epoch(self) -> None:
        """Call this before an epoch."""
        self._trained = None
        if self.reports or self._carried[0]:
            self._began = time.perf_counter() - self._carried[1]
        self._batches_seen, self._carried = self._carried[0], (0, 0.0)
        self._interval = _Interval.begin(self._samples(self._batches_seen), self._batches.stats.waited)
        for listener in self._listeners:
            listener.on_epoch_begin(len(self.reports) + 1)

    def end_batch(self, metrics: Callable[[], Metrics], count: int = 1) -> None:
        """Call this after the model was trained on a batch, or on several at once.

        Args:
            metrics: Gives loss and metrics over the epoch's batches so far.
            count: How many.
        """
        self._batches_seen += count
        samples = self._samples(self._batches_seen)
        for listener in self._listeners:
            listener.on_batch_end(samples, self._batches.stats.wait_seconds)
        if time.perf_counter() - self._interval.began >= INTERVAL:
            self._end_interval(samples, metrics())

    def _end_interval(self, samples: int, metrics: Metrics) -> None:
        """Report what was done since the last call."""
        stats, last, now = self._batches.stats, self._interval, time.perf_counter()
        report = IntervalReport(
            epoch=len(self.reports) + 1,
            samples=samples,
            distinct_samples=stats.distinct_samples,
            seconds=now - last.began,
            samples_per_second=(samples - last.samples) / (now - last.began),
            waited={stage: seconds - last.waited.get(stage, 0.0) for stage, seconds in stats.waited.items()},
            train=metrics,
            rss_bytes=resident_bytes(),
        )
        self._interval = _Interval.begin(samples, stats.waited)
        for listener in self._listeners:
            listener.on_interval(report)

    def _samples(self, batches: int) -> int:
        """The samples of so many batches of an epoch."""
        feed = self._batches.feed
        return min(batches * feed.batch_size, feed.samples_per_epoch)

    def begin_evaluation(self) -> None:
        """Call this after the epoch's last batch, if an evaluation follows."""
        self._trained = time.perf_counter()
        for listener in self._listeners:
            listener.on_evaluation_begin()

    def end_epoch(self, train: Metrics, test: Metrics | None) -> None:
        """Call this after an epoch and its evaluation."""
        trained = time.perf_counter() if self._trained is None else self._trained
        stats = self._batches.stats
        report = EpochReport(
            epoch=len(self.reports) + 1,
            seconds=trained - self._began,
            wait_seconds=stats.wait_seconds,
            waited=dict(stats.waited),
            samples=stats.samples,
            distinct_samples=stats.distinct_samples,
            train=train,
            test=test,
        )
        self.reports.append(report)
        self._batches_seen, self._began = 0, time.perf_counter()
        for listener in self._listeners:
            listener.on_epoch_end(report)


class _Interval(NamedTuple):
    """What was known when an interval began."""

    began: float
    samples: int
    waited: dict[str, float]

    @classmethod
    def begin(cls, samples: int, waited: dict[str, float]) -> Self:
        return cls(time.perf_counter(), samples, dict(waited))


def _end_training(listener: Listener, _: object, error: BaseException | None, __: object) -> None:
    """End the training for a listener; the other arguments are those of an exit of a context."""
    listener.on_train_end(error)
