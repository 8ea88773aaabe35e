"""LinePrinter: a listener that prints a line for every epoch."""

import sys
from typing import TextIO

from brimful.training.events import EpochReport, Listener


class LinePrinter(Listener):
    """Prints a line for every epoch.

    Args:
        stream: Where to; stderr by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def on_epoch_end(self, report: EpochReport) -> None:
        """Print what the epoch did."""
        print(report, file=self._stream, flush=True)
