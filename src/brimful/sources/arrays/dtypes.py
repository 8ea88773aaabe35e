"""Dtypes: which arrays can be inputs or targets, and values in another dtype, never changed quietly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError
from brimful.options import DTYPES

NUMERIC = "biuf"  # bool, integers, floats, as `dtype.kind`
TEXT = "SUT"  # bytes, strings of one length, strings of any length
WHOLE = "biu"


def as_dtype(given: Any) -> np.dtype[Any] | None:
    """The NumPy dtype that an object says it has, also as tensorstore says it; None if it is none."""
    found: np.dtype[Any]
    try:
        found = np.dtype(getattr(given, "numpy_dtype", given))
    except TypeError:
        return None
    return found


def refuse_dtype(name: str, dtype: np.dtype[Any]) -> None:
    """Refuse an array that does not hold numbers.

    Raises:
        ArgumentError: It does not.
    """
    if dtype.kind in NUMERIC and dtype.newbyteorder("=").name in DTYPES:
        return
    hint = f"Numbers can be delivered: {', '.join(DTYPES)}."
    what = f"the dtype {dtype.name}"
    if dtype.names:
        what = f"a structured dtype, of the fields {', '.join(map(repr, dtype.names))}"
        hint = f"Give the fields as inputs by name: {{'{dtype.names[0]}': array['{dtype.names[0]}'], ...}}."
    elif dtype.kind == "O":
        what = "objects (dtype object), which would have to be unpickled or have different lengths"
    elif dtype.kind == "V":
        what = f"the dtype {dtype.name}" + ", as bfloat16 becomes in a .npy file" * (dtype.type is np.void)
        hint = "Save it as float32, which holds each value of bfloat16."
    elif dtype.kind in TEXT:
        what = f"text (dtype {dtype})"
    elif dtype.kind == "c":
        hint = "Give real and imaginary parts: array.view('float32') has them side by side."
    raise ArgumentError(f"{name}: expected numbers. Found {what}.", hint)


def cast(values: NDArray[Any], dtype: str, name: str, numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Values of some samples in another dtype, all finite; floats may be rounded, integers are never changed.

    Args:
        values: The values, shape `(len(numbers), ...)`.
        dtype: The dtype to deliver them in.
        name: The array that they are from.
        numbers: The number of each sample.

    Raises:
        MalformedFileError: A value is not finite, or does not fit.
    """
    new = np.dtype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values if values.dtype == new else values.astype(new)
    for array in (values, converted):  # before: 1e300 as float32 is inf
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            _refuse(
                ~np.isfinite(array), values, name, numbers, f"is not finite as {array.dtype}", "non_finite"
            )
    if new.kind in WHOLE and converted is not values:
        differs = converted != values
        if values.dtype.kind in "iu" and values.dtype.kind != new.kind:  # -1 == 2**64 - 1 in uint64
            differs |= (values < 0) | (converted < 0)
        if differs.any():
            _refuse(differs, values, name, numbers, f"is none of {dtype}", "wrong_dtype")
    return converted


def _refuse(
    where: NDArray[np.bool_],
    values: NDArray[Any],
    name: str,
    numbers: NDArray[np.int64],
    what: str,
    kind: str,
) -> None:
    at = tuple(int(each[0]) for each in np.nonzero(where))
    place = ", ".join(map(str, (int(numbers[at[0]]), *at[1:])))
    raise MalformedFileError(
        f"{name}[{place}]: {values[at]} {what}.", "Correct the data, or leave the sample out.", kind=kind
    )
