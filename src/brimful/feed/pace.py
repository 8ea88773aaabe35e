"""Pace: whether batches are made ahead in threads, or by the loop itself when it wants one."""

FEW = 2  # threads
SHORT = 0.005  # seconds: what takes longer, threads are woken for at next to no cost
SHARE = 2  # a loop is hungry if it is away for less than one part in so many of what making takes
KEPT = 0.75  # of what was seen before, each time


class Pace:
    """Compares how long the loop is away with how long it takes to make what it wants next.

    A loop that is away for long, for it trains, gets what threads have made meanwhile. One that comes back at
    once gains nothing from them where they are few: it would wait for a thread to wake up, and to be woken,
    for longer than decoding takes (60 µs each on a virtual machine; on two cores 1.1 M against 1.9 M rows of
    784 uint8 a second), so it makes batches itself.

    Args:
        threads: How many there are to make batches, one a core if memory allows.
    """

    def __init__(self, threads: int) -> None:
        self._is_few = threads <= FEW
        self._away = 0.0
        self._making = 0.0
        self._weight = 0.0  # of each sum: how many times a piece was made, the older the less

    @property
    def is_hungry(self) -> bool:
        """Whether the loop is better off without threads."""
        return self._is_few and SHARE * self._away < self._making < SHORT * self._weight

    def away(self, seconds: float) -> None:
        """Note how long the loop was away."""
        self._away = KEPT * self._away + seconds

    def made(self, seconds: float) -> None:
        """Note how long it took to make a piece."""
        self._making = KEPT * self._making + seconds
        self._weight = KEPT * self._weight + 1
