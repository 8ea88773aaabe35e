"""Fields: what the members of archives hold, by the names of their fields: images, arrays, labels."""

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError
from brimful.options import ScanOptions
from brimful.sources.images.listing import IMAGES

ARRAYS = ("npy",)
LABELS = ("cls", "txt", "json", "text", "id")
SECRETS = ("pkl", "pickle", "pyd", "pth", "pt")
"""What others unpickle; brimful does not, since that runs whatever is in it."""

FEW_FIELDS = 20
MANY = 10  # more distinct fields than one sample in so many has: names are cut at the wrong dot


@dataclass(frozen=True)
class Roles:
    """What the fields of samples are used for.

    Attributes:
        inputs: The names of the fields that are inputs, in order.
        target: The field that holds the label, and the name in it, if it is JSON; empty without labels.
        others: How many samples have each field that is not used.
    """

    inputs: tuple[str, ...]
    target: tuple[str, ...]
    others: Mapping[str, int]

    @classmethod
    def of(cls, counts: Counter[str], samples: int, options: ScanOptions, name: str) -> "Roles":
        """The roles of fields, given how many samples have each, as the options or their names say.

        Raises:
            ArgumentError: It is not clear, or a field that was asked for is not there.
        """
        if len(counts) > max(FEW_FIELDS, samples // MANY):
            few = ", ".join(list(counts)[:5])
            raise ArgumentError(
                f"{name}: the {samples:,} samples have {len(counts):,} different fields: {few}, ...",
                "A field is what is behind the first dot of a name, as in WebDataset. If names have dots in "
                "them, say what they end with: suffix='.png', --suffix .png; keys then go up to the last.",
            )
        inputs = options.x or tuple(field for field in counts if is_image(field) or is_array(field))
        target = (
            (options.y[0].partition(".") if options.y else ("cls", "", "")) if len(options.y) < 2 else None
        )
        if target is None:
            raise ArgumentError(f"Expected one `y` for {name}. Received: y={options.y}")
        wanted = (*inputs, *([target[0]] if options.y else []))
        missing = [field for field in wanted if field not in counts]
        if missing or not inputs:
            has = ", ".join(f"{field} ({count:,})" for field, count in counts.most_common())
            raise ArgumentError(
                f"{name}: there is no field {missing[0]!r}." if missing else f"{name}: no field is an input.",
                f"The samples have {has}. Images and npy are read as inputs: x='jpg', --x jpg.",
            )
        if unread := [field for field in inputs if not is_image(field) and not is_array(field)]:
            raise ArgumentError(f"{name}: the field {unread[0]!r} cannot be an input: images and npy can.")
        if len({field.replace(".", "_") for field in inputs}) < len(inputs):
            raise ArgumentError(
                f"{name}: two inputs would have the same name: {', '.join(inputs)}.", "Choose: x=."
            )
        label = tuple(filter(None, (target[0], target[2]))) if target[0] in counts else ()
        used = {*inputs, *label[:1]}
        return cls(inputs, label, {field: n for field, n in counts.items() if field not in used})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs, for a model."""
        return tuple(field.replace(".", "_") for field in self.inputs)


def is_image(field: str) -> bool:
    """Whether a field holds images."""
    return f".{field.rpartition('.')[2]}" in IMAGES


def is_array(field: str) -> bool:
    """Whether a field holds arrays of NumPy."""
    return field.rpartition(".")[2] in ARRAYS


def array_in(content: bytes, place: str) -> NDArray[Any]:
    """The array of a member.

    Raises:
        MalformedFileError: It is none, or holds objects.
    """
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # damaged headers raise whatever their parser meets first
        raise MalformedFileError(
            f"{place}: this is no array: {error}.", "Write it with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise MalformedFileError(f"{place}: expected an array of numbers.", "Objects are not unpickled.")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def label_in(content: bytes, path: Sequence[str], place: str) -> str:
    """The label of a member, as text; empty if there is none.

    Raises:
        MalformedFileError: It holds something else.
    """
    try:
        text = content.decode("utf-8-sig").strip()
        if path[0].rpartition(".")[2] != "json" or not text:
            return text
        value = json.loads(text)
        for name in path[1:]:
            value = value.get(name)
        str(value).encode()  # half a character cannot be written again
    except (ValueError, AttributeError, RecursionError) as error:
        raise MalformedFileError(
            f"{place}: no label can be read here: {error}.", "Repair the archive."
        ) from error
    if isinstance(value, dict):
        raise MalformedFileError(
            f"{place}: the label is one of {', '.join(map(str, value))}.",
            "Say which: y='json.NAME', --y json.NAME.",
        )
    if isinstance(value, list):
        raise MalformedFileError(f"{place}: expected a number or text as label. Found a list.")
    return "" if value is None else str(int(value) if isinstance(value, bool) else value)
