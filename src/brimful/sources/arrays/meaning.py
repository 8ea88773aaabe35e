"""Meaning: attributes of an array which say that its numbers mean others: scaled, or not there at all."""

from collections.abc import Mapping
from typing import Any

import numpy as np

SCALES = {"scale_factor": 1.0, "add_offset": 0.0}
"""Attributes of netCDF that change every value, and the number with which they do not."""
FILLS = ("_FillValue", "missing_value")
XARRAY = "xarray.open_dataset(path)['name'] applies them, and can be given in place of the file."


def other_meaning(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> str:
    """What attributes say the numbers of an array mean, in words; empty if they are what they are."""
    said = []
    scaling = {name: _number(attributes.get(name)) for name in SCALES}
    for name, number in scaling.items():
        if number is not None and number != SCALES[name]:
            said.append(f"{name}={number:g}")
    for name in FILLS:
        number = _number(attributes.get(name))
        if number is not None and dtype.kind in "iuf" and np.isfinite(number):  # NaN is refused anyway
            said.append(f"{name}={number:g}")
    if not said:
        return ""
    scale, offset = (scaling[name] if scaling[name] is not None else SCALES[name] for name in SCALES)
    example = f"a stored 100 may mean 100 or {100 * float(scale or 0) + float(offset or 0):g}"
    fills = any(name.startswith(FILLS) for name in said)
    return f"{', '.join(said)}: {example}" + ("; the fill value, a number or nothing" if fills else "")


def _number(value: Any) -> float | None:
    """A number in an attribute, of any shape with one value; None if it holds something else."""
    array = np.asarray(value)
    if value is None or array.size != 1 or array.dtype.kind not in "iuf":
        return None
    return float(array.reshape(()))
