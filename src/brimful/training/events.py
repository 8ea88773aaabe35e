"""Report: what an epoch did, and who is told while it happens."""

import sys
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TextIO

Metrics = dict[str, float]


@dataclass(frozen=True)
class EpochReport:
    """What one epoch of training did.

    Attributes:
        epoch: Which, from 1.
        seconds: Time for training, evaluation on the test data not included.
        wait_seconds: Time of that spent waiting for data.
        samples: Samples trained on.
        distinct_samples: Different samples trained on, counted.
        train: Loss and metrics over the epoch's batches as they were trained on.
        test: Loss and metrics on the test data after the epoch; None where there is none.
    """

    epoch: int
    seconds: float
    wait_seconds: float
    samples: int
    distinct_samples: int
    train: Metrics
    test: Metrics | None

    @property
    def wait_share(self) -> float:
        """Share of the time that the model waited for data."""
        return self.wait_seconds / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """All of it, fit for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        parts = [f"epoch {self.epoch}", _line("train", self.train)]
        if self.test is not None:
            parts.append(_line("test", self.test))
        parts.append(f"{self.samples:,} samples, {self.distinct_samples:,} distinct")
        parts.append(f"{self.seconds:.1f} s, wait {self.wait_share:.1%}")
        return "  ".join(parts)


class Observer(Protocol):
    """Who is told how a training goes."""

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """An epoch, counted from 1, begins; it has this many samples."""

    def batch_ends(self, samples: int, wait_seconds: float) -> None:
        """A batch was trained on: samples of this epoch so far, and time waited for them."""

    def evaluation_begins(self) -> None:
        """The epoch's samples are through; the test data are next."""

    def epoch_ends(self, report: EpochReport) -> None:
        """An epoch is done."""


class LineObserver:
    """Prints a line for every epoch.

    Args:
        stream: Where to; stderr by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """Nothing to print yet."""

    def batch_ends(self, samples: int, wait_seconds: float) -> None:
        """Nothing to print yet."""

    def evaluation_begins(self) -> None:
        """Nothing to print yet."""

    def epoch_ends(self, report: EpochReport) -> None:
        """Print the epoch."""
        print(report, file=self._stream, flush=True)


def _line(name: str, metrics: Metrics) -> str:
    return f"{name} " + " ".join(f"{key} {value:.4f}" for key, value in metrics.items())
