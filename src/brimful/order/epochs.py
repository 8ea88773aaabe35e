"""The order of an epoch: (seed, epoch) -> the sequence of rows.

A pass over n rows that all are within reach is one permutation of `0 .. n-1`, each of the n! as
likely as any other: the stable argsort of n words of PCG64, seeded with
`SeedSequence((seed, epoch, ROWS, 0))`. NumPy promises that these words never change, which it does
not for `Generator.permutation`. Every part of the seed fills one 32-bit word, so that no two
(seed, epoch) share a sequence.
"""

import numpy as np
from numpy.typing import NDArray

from brimful.arguments import whole

ROWS = 1  # what is permuted; the fourth word counts the windows, of which there is one here


def permutation(n: int, *words: int) -> NDArray[np.unsignedinteger]:
    """Permute `0 .. n-1` uniformly at random, the same on every machine.

    Args:
        n: How many.
        words: The seed, four integers of 0 to 2**32 - 1.

    Returns:
        The permutation, shape `(n,)`, in the smaller of uint32 and uint64 that holds it.
    """
    draws = np.random.PCG64(np.random.SeedSequence(words)).random_raw(n)
    dtype = np.uint32 if n <= 2**32 else np.uint64
    return np.argsort(draws, kind="stable").astype(dtype)


class Order:
    """The sequence of rows of each epoch.

    Args:
        n: Rows of the view.
        seed: 0 to 2**32 - 1.
        shuffle: False gives `0 .. n-1` in every epoch.
    """

    def __init__(self, n: int, *, seed: int = 0, shuffle: bool = True) -> None:
        self.n = n
        self.seed = whole("seed", seed, 0, 2**32 - 1)
        self.shuffle = shuffle
        self._drawn: tuple[int, NDArray[np.unsignedinteger]] | None = None

    def rows(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        """Rows at the positions `start` to `stop` of an epoch, none of those before it needed.

        Args:
            epoch: From 0.
            start: First position.
            stop: Position behind the last; cut to `n`.

        Returns:
            Row numbers of the view, int64.
        """
        stop = min(stop, self.n)
        if not self.shuffle:
            return np.arange(start, stop)
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = None  # or two would be held while one is drawn
            self._drawn = (epoch, permutation(self.n, self.seed, epoch, ROWS, 0))
        return self._drawn[1][start:stop].astype(np.int64)
