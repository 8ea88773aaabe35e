"""Interval: how often a checkpoint is written."""

import re
from dataclasses import dataclass

from brimful.errors import ArgumentError

EVERY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|m|min|h)?")
SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Interval:
    """How often a checkpoint is written: after so many batches, or seconds; the other one is None."""

    batches: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, every: str | float) -> "Interval":
        """The interval that a user names: a number of batches, or a time like "60s", "10m", "1h".

        Raises:
            ArgumentError: It is none.
        """
        if isinstance(every, int) and not isinstance(every, bool) and every > 0:
            return cls(batches=every)
        match = EVERY.fullmatch(every.strip()) if isinstance(every, str) else None
        if match is None or float(match[1]) <= 0:
            raise ArgumentError(f"Expected batches, like 500, or a time, like '60s'. Received: {every!r}")
        if match[2]:
            return cls(seconds=float(match[1]) * SECONDS[match[2]])
        return cls.of(int(float(match[1])))
