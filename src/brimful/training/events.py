"""Events: what happens in a training, and the listeners that follow it."""

import math
import sys
from dataclasses import asdict, dataclass
from typing import Any, TextIO

Metrics = dict[str, float]


@dataclass(frozen=True)
class EpochReport:
    """What one epoch of training did.

    Attributes:
        epoch: Number of the epoch, from 1.
        seconds: Seconds spent training; evaluation on the test data is not included.
        wait_seconds: Seconds of these spent waiting for data.
        waited: The same for each of `brimful.feed.loader.STAGES`.
        samples: Samples trained on.
        distinct_samples: Different samples trained on, counted.
        train: Loss and metrics over the epoch's batches as they were trained on.
        test: Loss and metrics on the test data after the epoch; None without test data.
    """

    epoch: int
    seconds: float
    wait_seconds: float
    waited: dict[str, float]
    samples: int
    distinct_samples: int
    train: Metrics
    test: Metrics | None

    @property
    def wait_share(self) -> float:
        """Share of the time spent waiting for data."""
        return self.wait_seconds / self.seconds if self.seconds else 0.0

    @property
    def loss(self) -> float:
        """The loss by which epochs are compared: that on the test data, or else that of training."""
        loss = (self.test or self.train).get("loss", math.inf)
        return math.inf if math.isnan(loss) else loss

    def as_dict(self) -> dict[str, Any]:
        """The report, fit for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        parts = [f"epoch {self.epoch}", _line("train", self.train)]
        if self.test is not None:
            parts.append(_line("test", self.test))
        parts.append(f"{self.samples:,} samples, {self.distinct_samples:,} distinct")
        parts.append(f"{self.seconds:.1f} s, wait {self.wait_share:.1%}")
        return "  ".join(parts)


@dataclass(frozen=True)
class IntervalReport:
    """What a training did in the middle of an epoch, since the last report of this kind.

    Attributes:
        epoch: Number of the epoch, from 1.
        samples: Samples of the epoch that the model was trained on so far.
        distinct_samples: Different ones of these, counted.
        seconds: Seconds since the last report, or since the epoch began.
        samples_per_second: Samples trained on in each of these.
        waited: Seconds of these spent waiting for data, for each of `brimful.feed.loader.STAGES`.
        train: Loss and metrics over the batches of the epoch so far.
        rss_bytes: Resident memory of the process now; None where it is not known.
    """

    epoch: int
    samples: int
    distinct_samples: int
    seconds: float
    samples_per_second: float
    waited: dict[str, float]
    train: Metrics
    rss_bytes: int | None

    def as_dict(self) -> dict[str, Any]:
        """The report, fit for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Training:
    """The training that is about to begin.

    Attributes:
        model: The Keras model, compiled. Its weights change while the training goes on.
        epochs: Number of epochs.
        samples: Samples per epoch.
    """

    model: Any
    epochs: int
    samples: int


class Listener:
    """Follows a training. Subclass it, override what matters, and pass it to `train(listeners=...)`.

    The calls come in this order, from the thread that trains:

        on_train_begin
            on_resume                       if the training goes on from a checkpoint
            on_epoch_begin
                on_batch_end            once per batch
                on_interval             behind some batches, every few seconds
                on_evaluation_begin     if there is validation data
            on_epoch_end                not if the epoch ended with an error
        on_train_end                    always, if on_train_begin returned

    Listeners are called one after the other in the order in which they were given, the run folder before
    all of them, and `on_train_end` in the reverse order. An error that one of them raises ends the
    training; it is passed to `on_train_end` of each, and to the caller.

    The contract test for listeners is `brimful.testing.listener.ListenerContract`.
    """

    def on_train_begin(self, training: Training) -> None:
        """The training begins.

        Args:
            training: The model, and how much there is to do.
        """

    def on_resume(self, reports: list[EpochReport], samples: int) -> None:
        """The training goes on from a checkpoint, perhaps in the middle of the epoch that begins next.

        Args:
            reports: Those of the epochs that had ended.
            samples: Samples of the epoch that begins next that the model was trained on before.
        """

    def on_epoch_begin(self, epoch: int) -> None:
        """An epoch begins.

        Args:
            epoch: Number of the epoch, from 1.
        """

    def on_batch_end(self, samples: int, wait_seconds: float) -> None:
        """The model was trained on a batch.

        Args:
            samples: Samples of this epoch that it was trained on so far.
            wait_seconds: Seconds of this epoch that were spent waiting for data so far.
        """

    def on_interval(self, report: IntervalReport) -> None:
        """Some seconds of training have passed since the epoch began, or since the last call.

        Args:
            report: What the training did in them.
        """

    def on_evaluation_begin(self) -> None:
        """The epoch's samples are done, and the validation data follow."""

    def on_epoch_end(self, report: EpochReport) -> None:
        """An epoch has ended.

        Args:
            report: What the epoch did.
        """

    def on_train_end(self, error: BaseException | None) -> None:
        """The training has ended: the place to close what is open.

        Args:
            error: The error or interrupt that ended it early; None if it was completed.
        """


class LinePrinter(Listener):
    """A listener that prints a line for every epoch, on stderr by default."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def on_epoch_end(self, report: EpochReport) -> None:
        """Print what the epoch did."""
        print(report, file=self._stream, flush=True)


def _line(name: str, metrics: Metrics) -> str:
    return f"{name} " + " ".join(f"{key} {value:.4f}" for key, value in metrics.items())
