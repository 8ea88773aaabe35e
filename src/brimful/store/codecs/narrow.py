"""Rule: how float32 values are kept as small integers, and come back bit for bit.

A rule holds for an array if each of its values is `float32(code) / float32(divisor)` for a code of the
rule's dtype. It is found by rounding `value * divisor`, and it is believed only where dividing gives back
the same bits, for every value: negative zero, NaN and what has too many digits do not pass. Dividing is
exact enough where multiplying by the reciprocal is not: that gives other bits for 126 of the 256 k/255.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16  # values that are rounded and compared while they are in the processor's cache
RAW = "raw"  # the name of what is kept as it is


@dataclass(frozen=True)
class Rule:
    """Values are `code / divisor`.

    Attributes:
        dtype: NumPy name of the integer dtype of the codes.
        divisor: A positive integer.
    """

    dtype: str
    divisor: int

    @property
    def name(self) -> str:
        """What the manifest and the field's metadata call it, like `uint8/255`."""
        return f"{self.dtype}/{self.divisor}"

    def encode(self, values: NDArray[np.float32]) -> NDArray[np.integer] | None:
        """The codes of some values, or None if the rule does not hold for every one of them."""
        codes = np.empty(values.shape, self.dtype)
        flat, flat_codes = values.reshape(-1), codes.reshape(-1)
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK]
            with np.errstate(invalid="ignore", over="ignore"):
                rounded = np.rint(block * np.float32(self.divisor))
                low, high = rounded.min(), rounded.max()
            if not (self._low <= low and high <= self._high):  # also where one is NaN
                return None
            some = rounded.astype(self.dtype)
            if not np.array_equal(self.decode(some).view(np.uint32), block.view(np.uint32)):
                return None
            flat_codes[start : start + BLOCK] = some
        return codes

    def holds_for(self, values: NDArray[np.float32]) -> bool:
        """Whether every one of some values can be kept by it."""
        return self.encode(values) is not None

    def decode(
        self, codes: NDArray[np.integer], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The values of some codes, bit for bit those that were encoded."""
        values: NDArray[np.float32] = np.divide(codes, np.float32(self.divisor), out=out, dtype=np.float32)
        return values

    @cached_property
    def _low(self) -> int:
        return int(np.iinfo(self.dtype).min)

    @cached_property
    def _high(self) -> int:
        return int(np.iinfo(self.dtype).max)


RULES = (
    *(Rule(dtype, divisor) for divisor in (255, 1, 10, 100) for dtype in ("uint8", "int8")),
    *(
        Rule(dtype, divisor)
        for divisor in (1, 10, 100, 1_000, 10_000, 65_535)
        for dtype in ("uint16", "int16")
    ),
)
"""All rules, in the order in which they are tried: of two that hold, the first is taken."""

BY_NAME = {rule.name: rule for rule in RULES}


def first_rule(values: NDArray[np.float32], after: Rule | None = None) -> Rule | None:
    """The first rule that holds for all values.

    Args:
        values: float32.
        after: A rule that does not hold; those before it do not either.

    Returns:
        The rule, or None: the values must be kept as they are.
    """
    few = values.reshape(-1)[:1024]
    left = RULES if after is None else RULES[RULES.index(after) + 1 :]
    return next((rule for rule in left if rule.holds_for(few) and rule.holds_for(values)), None)


def encoded(values: NDArray[Any], rule: str) -> NDArray[Any] | None:
    """Values as they are kept under a rule, or None if it does not hold for them."""
    return values if rule == RAW else BY_NAME[rule].encode(values)


def decoded(codes: NDArray[Any], rule: str) -> NDArray[Any]:
    """The values that are kept as some codes under a rule, freshly owned."""
    return codes.copy() if rule == RAW else BY_NAME[rule].decode(codes)
