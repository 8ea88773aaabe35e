"""Splits by hash: which side a sample is on depends on its key, or its group, and on nothing else.

With `u = xxh3_64(key, split_seed) / 2**64`, test is `u < test`, validation is
`u < test + validation`, train is the rest. All in integers, so that no rounding moves a sample.
A view knows the interval that its hashes are in, so that a split of a split divides that.
"""

from fractions import Fraction
from math import ceil

from brimful.errors import ArgumentError

WHOLE = (0, 2**64)

Interval = tuple[int, int]
"""Hashes from the first (included) to the second (not included)."""


def cut(interval: Interval, *, test: float, validation: float) -> list[Interval]:
    """Cut an interval of hashes into test, validation (where it is not 0) and train.

    Returns:
        Intervals of train, test or of train, validation, test.
    """
    if not (test > 0 and validation >= 0 and test + validation < 1):
        raise ArgumentError(
            "Expected `test` above 0, `validation` of at least 0, and both together below 1. "
            f"Received: test={test}, validation={validation}"
        )
    low, high = interval
    first = low + ceil(Fraction(test) * (high - low))
    second = low + ceil((Fraction(test) + Fraction(validation)) * (high - low))
    if validation:
        return [(second, high), (first, second), (low, first)]
    return [(first, high), (low, first)]
