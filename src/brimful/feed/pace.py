"""Pace: whether the loop waits for batches, and so had better make some of them itself."""

FEW = 2  # threads: of more, one more is of little use
SHARE = 2  # a loop is hungry if it is away for less than one part in so many of what making takes
KEPT = 0.75  # of what was seen before, each time


class Pace:
    """Compares how long the loop is away with how long it takes to make what it wants next.

    A loop that is away for long, for it trains, gets what threads have made meanwhile. One that comes back at
    once would only wait for them: where they are few, it makes batches too.

    Args:
        threads: How many there are to make batches.
    """

    def __init__(self, threads: int) -> None:
        self._is_few = threads <= FEW
        self._away = 0.0
        self._making = 0.0

    @property
    def is_hungry(self) -> bool:
        """Whether the loop had better make batches itself, too."""
        return self._is_few and SHARE * self._away < self._making

    def away(self, seconds: float) -> None:
        """Note how long the loop was away."""
        self._away = KEPT * self._away + seconds

    def made(self, seconds: float) -> None:
        """Note how long it took to make a piece."""
        self._making = KEPT * self._making + seconds
