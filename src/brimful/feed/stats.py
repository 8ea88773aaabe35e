"""Stats: what a pass has delivered, counted, and how long the loop waited for what."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.feed.loader import STAGES

FOLDED = 64  # batches whose rows are noted together: each note costs more than its rows
MOST_BYTES = 1 << 24  # for a byte per row


@dataclass
class Stats:
    """What one pass over the data has delivered so far.

    Attributes:
        epoch: The epoch, from 0.
        rows: Rows of the view.
        samples: Samples handed out.
        batches: Batches handed out.
        waited: Seconds that the loop spent waiting for a batch, for each of `STAGES`.
    """

    epoch: int
    rows: int
    samples: int = 0
    batches: int = 0
    waited: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def __post_init__(self) -> None:
        # A byte per row is five times as fast to set as a bit per row, which takes an eighth of the memory.
        self._in_bits = self.rows > MOST_BYTES
        self._delivered = np.zeros(-(-self.rows // 8) if self._in_bits else self.rows, np.uint8)
        self._recent: list[NDArray[np.int64]] = []

    @property
    def wait_seconds(self) -> float:
        """Seconds spent waiting, in all."""
        return sum(self.waited.values())

    @property
    def distinct_samples(self) -> int:
        """Number of different samples handed out: counted, not assumed."""
        self._fold()
        return int(np.bitwise_count(self._delivered).sum(dtype=np.int64))

    def to_json(self) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        """A document from which `from_json` makes the same counts, and a bit for each row."""
        self._fold()
        delivered = (
            self._delivered.copy() if self._in_bits else np.packbits(self._delivered, bitorder="little")
        )
        names = ("epoch", "rows", "samples", "batches", "waited")
        return {name: getattr(self, name) for name in names}, delivered

    @classmethod
    def from_json(cls, document: dict[str, Any], delivered: NDArray[np.uint8]) -> "Stats":
        """The counts that `to_json` gave."""
        stats = cls(**document)
        bits = delivered if stats._in_bits else np.unpackbits(delivered, count=stats.rows, bitorder="little")
        stats._delivered = bits.copy()
        return stats

    def count(self, rows: NDArray[np.int64]) -> None:
        """Count a batch that is about to be handed out."""
        self.samples += len(rows)
        self.batches += 1
        self._recent.append(rows)
        if len(self._recent) >= FOLDED:
            self._fold()

    def _fold(self) -> None:
        """Set the bits of the rows handed out since the last call."""
        recent, self._recent = self._recent, []
        if recent:
            rows = np.concatenate(recent)
            if self._in_bits:
                np.bitwise_or.at(self._delivered, rows >> 3, np.uint8(1) << (rows & 7).astype(np.uint8))
            else:
                self._delivered[rows] = 1
