"""The order of an epoch: (seed, epoch) -> the sequence of rows.

Rows lie in pieces (the chunks of a store), that are read as a whole. Each epoch permutes the pieces, takes
them a window at a time, and permutes the rows within each window. Where one window holds all pieces, that is
one permutation of all rows, each of the n! as likely as any other.

A permutation is the stable argsort of words of PCG64, seeded with
`SeedSequence((seed, epoch, what, window))`. NumPy promises that these words never change, which it does not
for `Generator.permutation`. Every part of the seed fills one 32-bit word, so that no two share a sequence.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from brimful.options import check_int

ROWS, PIECES = 1, 2  # what is permuted
MANY = 1 << 20  # rows: the order of so many takes so long that its beginning is made first
BEGINNING = 16  # the beginning is one in so many of them
DRAWN_BYTES = 32  # of memory per row while a permutation is made, of which 6 are kept


def permutation(n: int, *words: int) -> NDArray[np.unsignedinteger]:
    """Permute `0 .. n-1` uniformly at random, the same on every machine.

    The seed is four words, each from 0 to 2**32 - 1. Of dtype uint32 where that suffices, or else uint64.
    """
    return stable_argsort(np.random.PCG64(np.random.SeedSequence(words)).random_raw(n))


def beginning(n: int, *words: int) -> NDArray[np.unsignedinteger]:
    """The first numbers of `permutation(n, *words)`, about one in sixteen, in a fraction of the time."""
    draws = np.random.PCG64(np.random.SeedSequence(words)).random_raw(n)
    first = np.flatnonzero(draws < np.uint64(2**64 // BEGINNING))
    order: NDArray[np.unsignedinteger] = first[stable_argsort(draws[first])].astype(_dtype(n))
    return order


def stable_argsort(draws: NDArray[np.uint64]) -> NDArray[np.unsignedinteger]:
    """The same as `np.argsort(draws, kind="stable")`, several times faster where draws are spread evenly.

    Sorting values is several times faster than sorting their places, so the place of each value is written
    over its last bits. The few values that differ in these bits only are put right afterwards.
    """
    n = len(draws)
    bits = np.uint64(n.bit_length())
    low = (np.uint64(1) << bits) - np.uint64(1)
    keys = draws & ~low
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort()
    order: NDArray[np.unsignedinteger] = (keys & low).astype(_dtype(n))
    keys >>= bits
    alike = np.flatnonzero(keys[1:] == keys[:-1])
    if len(alike):
        at = np.union1d(alike, alike + 1)
        order[at] = order[at][np.lexsort((draws[order[at]], keys[at]))]
    return order


def _dtype(n: int) -> type[np.unsignedinteger]:
    """The dtype that holds the numbers below n."""
    return np.uint32 if n <= 2**32 else np.uint64


@dataclass(frozen=True)
class Window:
    """Pieces whose rows are permuted together.

    Attributes:
        pieces: The pieces, ascending.
        firsts: The row at which each begins.
        offsets: How many rows of the window lie before each, and how many there are in all.
        words: Seed of the permutation; None where rows are not permuted.
    """

    pieces: NDArray[np.int64]
    firsts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    words: tuple[int, ...] | None

    def __len__(self) -> int:
        return int(self.offsets[-1])

    @cached_property
    def permutation(self) -> NDArray[np.unsignedinteger] | None:
        """The order of its rows; None where they are not permuted. Made once, when first asked for."""
        return None if self.words is None else permutation(len(self), *self.words)

    @cached_property
    def _piece_of(self) -> NDArray[np.unsignedinteger]:
        """For each row the index in `pieces` of its piece: looking it up is faster than searching."""
        dtype = np.uint16 if len(self.pieces) <= 2**16 else np.uint32
        return np.repeat(np.arange(len(self.pieces), dtype=dtype), np.diff(self.offsets))

    @property
    def is_prepared(self) -> bool:
        """Whether `prepare` has been called."""
        return "_piece_of" in vars(self)

    @cached_property
    def _beginning(self) -> NDArray[np.unsignedinteger]:
        return beginning(len(self), *(self.words or ()))

    def begin(self) -> None:
        """Make now what the first rows need: for many rows, making the whole order takes long."""
        if self.words is None or len(self) < MANY:
            self.prepare()
        else:
            self._beginning  # noqa: B018 (cached)

    def prepare(self) -> None:
        """Make now what would be made when first asked for."""
        self.permutation, self._piece_of  # noqa: B018 (cached)

    def is_ready(self, stop: int) -> bool:
        """Whether the order of the rows up to a position has been made."""
        return self.is_prepared or self._has_begun(stop)

    def _has_begun(self, stop: int) -> bool:
        return stop <= len(vars(self).get("_beginning", ()))

    def drawn(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.unsignedinteger]]:
        """The rows at some positions: their numbers in the window, and the index of their piece."""
        if not self.is_prepared and self._has_begun(stop):
            at = self._beginning[start:stop].astype(np.int64)
            return at, np.searchsorted(self.offsets, at, side="right").astype(np.uint32) - np.uint32(1)
        order = self.permutation
        at = np.arange(start, stop) if order is None else order[start:stop].astype(np.int64)
        return at, self._piece_of.take(at)

    @property
    def shifts(self) -> NDArray[np.int64]:
        """For each piece, what to add to the number of a row in the window to get the row."""
        return self.firsts - self.offsets[:-1]

    def rows(self, start: int, stop: int) -> NDArray[np.int64]:
        """The rows at some positions in the window, int64."""
        at, piece = self.drawn(start, stop)
        return self.shifts.take(piece) + at


class Epoch:
    """The windows of one epoch.

    Args:
        bounds: The row at which each piece begins, and the number of rows.
        pieces: All pieces, in the order of this epoch.
        windows: How many windows they are divided into, as evenly as whole pieces allow.
        words: Seed and number of the epoch; None where nothing is permuted.
    """

    def __init__(
        self,
        bounds: NDArray[np.int64],
        pieces: NDArray[np.unsignedinteger],
        windows: int,
        words: tuple[int, int] | None,
    ) -> None:
        self._bounds = bounds
        self._pieces = pieces
        self._words = words
        each, more = divmod(len(pieces), windows)
        self._cuts = np.cumsum([0] + [each + 1] * more + [each] * (windows - more))
        rows = np.concatenate(([0], np.cumsum(np.diff(bounds)[pieces])))
        self.starts: list[int] = rows[self._cuts].tolist()
        """Position at which each window begins, and the number of rows."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def window_of_piece(self) -> NDArray[np.int64]:
        """The window that each piece is in."""
        windows = np.empty(len(self._pieces), np.int64)
        windows[self._pieces] = np.repeat(np.arange(len(self)), np.diff(self._cuts))
        return windows

    def window(self, number: int) -> Window:
        """The window with a number."""
        pieces = np.sort(self._pieces[self._cuts[number] : self._cuts[number + 1]]).astype(np.int64)
        sizes = self._bounds[pieces + 1] - self._bounds[pieces]
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        words = None if self._words is None else (*self._words, ROWS, number)
        return Window(pieces, self._bounds[pieces], offsets, words)

    def at(self, position: int) -> int:
        """The number of the window that holds a position."""
        return bisect_right(self.starts, position) - 1

    def parts(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """The windows that hold some positions: the number of each, and the positions within it."""
        number = self.at(start)
        while start < stop:
            begin, end = self.starts[number], self.starts[number + 1]
            yield number, start - begin, min(stop, end) - begin
            start, number = end, number + 1


class Order:
    """The sequence of rows of each epoch.

    Args:
        n: Rows of the view.
        seed: 0 to 2**32 - 1.
        shuffle: False gives `0 .. n-1` in every epoch.
        bounds: The row at which each piece begins, and n; by default all rows are one piece.
        window: Pieces per window, at the most; by default all.
    """

    def __init__(
        self,
        n: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        bounds: NDArray[np.int64] | None = None,
        window: int | None = None,
    ) -> None:
        self.n = n
        self.seed = check_int("seed", seed, 0, 2**32 - 1)
        self.shuffle = shuffle
        self.bounds = np.array([0, n]) if bounds is None else bounds
        self.pieces = len(self.bounds) - 1
        self._at_hand: tuple[tuple[int, int], Window] | None = None
        self._ahead: tuple[int, Epoch, Window] | None = None
        self.set_window(window or self.pieces)

    def set_window(self, window: int) -> None:
        """Set how many pieces a window has, at the most."""
        self.window = min(window, self.pieces)
        self._at_hand = self._ahead = None  # their windows are of another size

    def epoch(self, epoch: int) -> Epoch:
        """The windows of an epoch, from 0."""
        if self._ahead and self._ahead[0] == epoch:
            return self._ahead[1]
        windows = -(-self.pieces // self.window)
        if not self.shuffle:
            return Epoch(self.bounds, np.arange(self.pieces, dtype=np.uint32), windows, None)
        pieces = permutation(self.pieces, self.seed, epoch, PIECES, 0)
        return Epoch(self.bounds, pieces, windows, (self.seed, epoch))

    def first_of(self, epoch: int) -> tuple[Epoch, Window]:
        """An epoch that is still to come and its first window, kept so that they need not be made again."""
        windows = self.epoch(epoch)
        self._ahead = epoch, windows, windows.window(0)
        return windows, self._ahead[2]

    def window_of(self, windows: Epoch, number: int) -> Window:
        """A window of an epoch; the one that `first_of` has made is used, and forgotten."""
        ahead, self._ahead = self._ahead, None
        return ahead[2] if ahead and ahead[1] is windows and number == 0 else windows.window(number)

    def rows(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        """The rows of the view at positions `start` to `stop` (at most `n`) of an epoch.

        Those before `start` are not needed for it.
        """
        windows = self.epoch(epoch)
        found = [
            self._window(windows, epoch, number).rows(first, last)
            for number, first, last in windows.parts(start, min(stop, self.n))
        ]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _window(self, windows: Epoch, epoch: int, number: int) -> Window:
        """A window; the last one is kept, because its permutation takes long to make."""
        if self._at_hand is None or self._at_hand[0] != (epoch, number):
            self._at_hand = None  # or two would be held while one is drawn
            self._at_hand = ((epoch, number), windows.window(number))
        return self._at_hand[1]
