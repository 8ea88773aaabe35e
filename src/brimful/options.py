"""Options: the arguments of a user, checked once and passed on as one record."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import index
from typing import Any, Literal, SupportsIndex, get_args

import numpy as np

from brimful.errors import ArgumentError
from brimful.memory import parse_bytes
from brimful.samples import Progress
from brimful.schema import Classes, Fields, count_from_zero

FLOATS = ("float16", "float32", "float64")
DTYPES = (
    "bool",
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *FLOATS,
)
"""The dtypes in which inputs are delivered."""

COLOR_MODES = ("rgb", "rgba", "grayscale")
INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3")

Last = Literal["short", "drop", "pad"]
"""What becomes of the samples left over at the end of an epoch."""

Missing = Literal["raise", "skip", "0", "mean", "nan"]
"""What becomes of missing values in files: an error, or what they are delivered as."""

Transform = Callable[[tuple[Any, ...], np.random.Generator], tuple[Any, ...]]
"""A batch `(x, y[, w])` of NumPy arrays, and a generator of random numbers -> a batch."""


@dataclass(frozen=True)
class PackOptions:
    """How to pack: the arguments of `brimful.pack`, `memory` in bytes, and how it is done.

    Attributes:
        in_disk_order: Whether to read files in the order of the disk even if that is not known to pay:
            into piles beside the store, if `memory` allows it. The store is the same.
        chunk_bytes: Most bytes that a chunk should take, as delivered.
        shard_bytes: Most bytes that a shard should take, as delivered.
    """

    split_seed: int = 0
    memory: int = 10**9
    overwrite: bool = False
    check_content: bool = False
    in_disk_order: bool = False
    chunk_bytes: int = 16 * 2**20
    shard_bytes: int = 512 * 2**20
    progress: Progress | None = None

    @classmethod
    def of(
        cls, *, split_seed: SupportsIndex = 0, memory: str | float = "1GB", **others: Any
    ) -> "PackOptions":
        """The options as a user gives them, checked."""
        seed = check_int("split_seed", split_seed, 0, 2**64 - 1)
        return cls(split_seed=seed, memory=parse_bytes(memory), **others)


@dataclass(frozen=True)
class FeedOptions:
    """How to feed: the arguments of `Collection.batches`; `memory` is in bytes."""

    batch_size: int
    seed: int = 0
    shuffle: bool = True
    memory: int = 10**9
    last: Last = "short"
    one_hot: bool = False
    class_weight: Mapping[Any, float] | None = None
    include_keys: bool = False
    transform: Transform | None = None

    @classmethod
    def of(
        cls, batch_size: SupportsIndex, *, seed: SupportsIndex = 0, memory: str | float = "1GB", **others: Any
    ) -> "FeedOptions":
        """The options as a user gives them, checked."""
        size, seed = check_int("batch_size", batch_size, 1), check_int("seed", seed, 0, 2**32 - 1)
        options = cls(size, seed, memory=parse_bytes(memory), **others)
        check_choice("last", options.last, ("short", "drop", "pad"))
        if not isinstance(options.class_weight, (Mapping, type(None))):
            raise ArgumentError(
                "Expected `class_weight` as 'balanced', or as a mapping of classes to weights. "
                f"Received: class_weight={options.class_weight!r:.80}"
            )
        return options


def check_int(name: str, value: SupportsIndex, low: int, high: int | None = None) -> int:
    """Check that an argument is an integer, of Python or NumPy, from `low` to `high`, both included.

    Raises:
        ArgumentError: It is not.
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
    """Check that an argument is one of a few words.

    Raises:
        ArgumentError: It is not.
    """
    if value not in choices:
        listed = f"{', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}"
        raise ArgumentError(f"Expected `{name}` as {listed}. Received: {name}={value!r}")
    return value


def check_missing(missing: Any) -> Missing:
    """Check what a user says of missing values: one of the words of `Missing`, or 0.

    Raises:
        ArgumentError: It is none of them.
    """
    word = str(missing) if type(missing) is int and missing == 0 else missing
    if not isinstance(word, str):
        raise ArgumentError(
            f"Expected `missing` as 'skip', 0, 'mean' or 'nan'. Received: missing={word!r:.80}"
        )
    found: Any = check_choice("missing", word, get_args(Missing))
    return found  # type: ignore[no-any-return]


def check_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Check that an argument is a shape: a sequence of positive integers.

    Raises:
        ArgumentError: It is not.
    """
    if isinstance(shape, str) or not isinstance(shape, Sequence) or not shape:
        raise ArgumentError(f"Expected `{name}` as a sequence of integers. Received: {name}={shape!r}")
    return tuple(check_int(name, n, 1) for n in shape)


def check_names(name: str, given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Check that an argument is a name, or a sequence of distinct names.

    Raises:
        ArgumentError: It is not.
    """
    names = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(each, str) for each in names) or len(set(names)) < len(names):
        raise ArgumentError(f"Expected `{name}` as distinct names. Received: {name}={given!r:.200}")
    return names


def check_columns(columns: str | Sequence[int] | None) -> tuple[tuple[int, int | None], ...]:
    """The columns of files that a user names, like "2-4,6", "2-" or [2, 3], as ranges from 1.

    Raises:
        ArgumentError: They are none.
    """
    received = f"Received: columns={columns!r}"
    if columns is None:
        return ()
    if not isinstance(columns, str):
        return tuple((check_int("columns", at, 1),) * 2 for at in columns)
    spans = [re.fullmatch(r"\s*([1-9][0-9]*)(-([1-9][0-9]*)?)?\s*", part) for part in columns.split(",")]
    if not all(spans):
        raise ArgumentError(f"Expected `columns` like '2-4,6' or '2-', counted from 1. {received}")
    found = []
    for first, is_range, last in (span.groups() for span in spans if span):
        found.append((int(first), int(last) if last else None if is_range else int(first)))
    if any(last is not None and last < first for first, last in found):
        raise ArgumentError(f"Expected `columns` as ascending ranges. {received}")
    return tuple(found)


def check_classes(classes: Sequence[str | int]) -> Classes:
    """The labels that a user names, in the order of their numbers.

    Integers that count from 0 stay integers. All others are names, which are delivered as their position.

    Raises:
        ArgumentError: They are not distinct strings or integers.
    """
    received = f"Received: classes={classes!r:.200}"
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not classes:
        raise ArgumentError(f"Expected `classes` as a sequence of labels. {received}")
    if len({str(name) for name in classes}) < len(classes):
        raise ArgumentError(f"Expected `classes` to be distinct. {received}")
    numbers = [index(name) for name in classes if isinstance(name, SupportsIndex)]
    if len(numbers) == len(classes):
        return tuple(sorted(numbers)) if count_from_zero(sorted(numbers)) else tuple(map(str, numbers))
    if not all(isinstance(name, str) for name in classes):
        raise ArgumentError(f"Expected `classes` as strings or as integers. {received}")
    return tuple(map(str, classes))


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """How to scan: the arguments of `brimful.scan`, columns as strings.

    Attributes:
        like_inputs: The inputs of the samples that the user wants these to be like.
    """

    labels: Any = None
    suffix: str | None = None
    skip_lines: int | None = None
    columns: tuple[tuple[int, int | None], ...] = ()
    decimal: str | None = None
    missing: Missing = "raise"
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    limit: int | None = None
    id: str | None = None
    target: tuple[str, ...] = ()
    weight: str | None = None
    regression: bool = False
    classes: Classes | None = None
    rows: bool | None = None
    inputs: tuple[str, ...] = ()
    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    fill: float | None = None
    read: Callable[[Any], Any] | None = None
    image_size: tuple[int, ...] | None = None
    color_mode: str | None = None
    interpolation: str | None = None
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    maxlen: int | Literal["batch"] | None = None
    padding: str | None = None
    truncating: str | None = None
    value: float | None = None
    like_inputs: Fields | None = None
    progress: Progress | None = None

    @property
    def floats(self) -> str:
        """The dtype of numbers that are read as floats: float32 unless another one was asked for.

        Raises:
            ArgumentError: The dtype that was asked for is none of floats.
        """
        return check_choice("dtype", self.dtype or "float32", FLOATS)

    @property
    def table_columns(self) -> tuple[str, ...]:
        """The columns of the label table that were asked for."""
        return tuple(name for name in (self.id, *self.target, self.weight) if name is not None)

    def only(self, names: Sequence[str], what: str) -> None:
        """Refuse all options but some; `limit`, `like` and `progress` mean something for all that is scanned.

        Raises:
            ArgumentError: Another one was given.
        """
        allowed = {*names, "limit", "like_inputs", "progress"}
        self.refuse([field.name for field in fields(self) if field.name not in allowed], what)

    def refuse(self, names: Sequence[str], what: str) -> None:
        """Refuse options that mean nothing for what is scanned.

        Raises:
            ArgumentError: One of them was given.
        """
        for name in names:
            if getattr(self, name) != getattr(ScanOptions, name):
                raise ArgumentError(
                    f"Expected no `{name}` for {what}. Received: {name}={getattr(self, name)!r}"
                )
