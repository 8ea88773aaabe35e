"""Arguments: checks that a function's whole numbers are what they must be."""

from operator import index
from typing import SupportsIndex

from brimful.errors import ArgumentError


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
