"""Options: what a user may ask for, checked once, at the door."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import SupportsIndex

from brimful.errors import ArgumentError

DTYPES = ("float16", "float32", "float64")
FOLDERS = "folders"  # as `labels`: the name of the folder that a file lies in


def check_int(name: str, value: SupportsIndex, low: int, high: int | None = None) -> int:
    """Take an argument that must be a whole number, of Python or of NumPy.

    Args:
        name: The argument's name, for the error.
        value: What was given.
        low: The least it may be.
        high: The most it may be; None for no limit.

    Raises:
        ArgumentError: It is no whole number, or out of its range.
    """
    span = f"of at least {low}" if high is None else f"from {low} to {high}"
    try:
        number = index(value)
    except TypeError as error:
        raise ArgumentError(f"Expected `{name}` as an integer {span}. Received: {name}={value!r}") from error
    if number < low or (high is not None and number > high):
        raise ArgumentError(f"Expected `{name}` as an integer {span}. Received: {name}={value!r}")
    return number


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Take an argument that must be one of a few words.

    Args:
        name: The argument's name, for the error.
        value: What was given.
        choices: What it may be.

    Raises:
        ArgumentError: It is none of them.
    """
    if value not in choices:
        listed = f"'{choices[0]}' or '{choices[1]}'" if len(choices) == 2 else f"one of {', '.join(choices)}"
        raise ArgumentError(f"Expected `{name}` as {listed}. Received: {name}={value!r}")
    return value


def check_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Take an argument that must be a shape: a sequence of positive integers.

    Args:
        name: The argument's name, for the error.
        shape: What was given.

    Raises:
        ArgumentError: It is none.
    """
    if isinstance(shape, str) or not isinstance(shape, Sequence) or not shape:
        raise ArgumentError(f"Expected `{name}` as a sequence of integers. Received: {name}={shape!r}")
    return tuple(check_int(name, n, 1) for n in shape)


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """How to look at raw data, checked once, where a user calls `scan`.

    Attributes:
        labels: The label table, FOLDERS, or None to look for what there is.
        shape: Shape to give to each sample; None for the shape that it has.
        dtype: NumPy name of the float dtype to deliver inputs in, one of DTYPES.
        limit: How many samples to draw, None for all.
        id: Column of the label table that names the samples, None to find it.
        target: Columns to predict; empty to find the one.
        weight: Column of sample weights, None to find it.
        regression: Whether targets are regression values, also where all are integers.
        progress: Called with the number of samples found so far.
    """

    labels: str | os.PathLike[str] | None = None
    shape: tuple[int, ...] | None = None
    dtype: str = DTYPES[1]
    limit: int | None = None
    id: str | None = None
    target: tuple[str, ...] = ()
    weight: str | None = None
    regression: bool = False
    progress: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        check_choice("dtype", self.dtype, DTYPES)
        if self.limit is not None:
            check_int("limit", self.limit, 1)
        if self.shape is not None:
            check_shape("shape", self.shape)

    def refuse(self, names: Sequence[str], what: str) -> None:
        """Refuse options that mean nothing for a format.

        Args:
            names: The options.
            what: What it is that is scanned, for the error.

        Raises:
            ArgumentError: One of them was given.
        """
        for name in names:
            if getattr(self, name) != getattr(ScanOptions, name):
                raise ArgumentError(
                    f"Expected no `{name}` for {what}. Received: {name}={getattr(self, name)!r}"
                )
