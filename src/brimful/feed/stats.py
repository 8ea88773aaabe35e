"""Stats: what a pass delivered, counted, and how long the loop waited for it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Stats:
    """What one pass over the data has delivered so far.

    Attributes:
        epoch: Which epoch, from 0.
        samples: Samples handed out.
        batches: Batches handed out.
        wait_seconds: Time spent waiting for data while a batch was wanted.
        delivered: Whether each row of the view was handed out, bool.
    """

    epoch: int
    delivered: NDArray[np.bool_] = field(repr=False)
    samples: int = 0
    batches: int = 0
    wait_seconds: float = 0.0

    @property
    def distinct_samples(self) -> int:
        """Different samples handed out: counted, not assumed."""
        return int(np.count_nonzero(self.delivered))

    def count(self, rows: NDArray[np.int64]) -> None:
        """Count a batch that is about to be handed out."""
        self.delivered[rows] = True
        self.samples += len(rows)
        self.batches += 1
