"""Library: imports an optional library when the data need it, or says how to install it."""

from importlib import import_module
from typing import Any

from brimful.errors import DependencyError


def library(name: str, what: str) -> Any:
    """An optional library.

    Args:
        name: Its name.
        what: What it is needed for, to be read after "to read".

    Raises:
        DependencyError: It is not installed, or does not work.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise DependencyError(
            f"The library {name} is needed to read {what}, and cannot be imported: {error}.",
            "Install it: pip install 'brimful[arrays]'",
        ) from error
