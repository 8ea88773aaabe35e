"""CountingListener: someone who counts while a training goes on, as a user would add another listener."""

from brimful.training.events import EpochReport, Listener


class CountingListener(Listener):
    """Counts batches, and notes what each epoch has delivered."""

    def __init__(self) -> None:
        self.batches = 0
        self.distinct: list[int] = []
        self.error: BaseException | None = None

    def on_batch_end(self, samples: int, wait_seconds: float) -> None:
        """Count."""
        self.batches += 1

    def on_epoch_end(self, report: EpochReport) -> None:
        """Note."""
        self.distinct.append(report.distinct_samples)

    def on_train_end(self, error: BaseException | None) -> None:
        """Note how it ended."""
        self.error = error
