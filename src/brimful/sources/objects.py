"""ObjectFormat: a Format: any object with `len` and `[i] -> (x, y)`."""

import threading
from collections import Counter
from collections.abc import Callable, Sized
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError
from brimful.options import ScanOptions
from brimful.samples import INFERRED_FROM, Samples
from brimful.schema import NAME, Field, Fields, Schema, numbers_of
from brimful.sources.base import BaseFormat
from brimful.sources.index import Index, RowOrder

NUMERIC = "biuf"  # bool, integers, floats, as `dtype.kind`


@runtime_checkable
class RandomAccess(Sized, Protocol):
    """An object that Python can index: `[i]` gives the inputs and the target of sample i."""

    def __getitem__(self, index: int, /) -> Any: ...


class ObjectFormat(BaseFormat):
    """Any object with `len` and `[i] -> (x, y)`, keyed by the index in decimal.

    Several inputs, or several targets, are a dict of arrays by name. The schema is inferred from the `first`
    samples. Integer targets are delivered as int64 unless regression is asked for, all others as float32.

    One thread at a time calls the object, since few such objects are thread-safe.
    """

    def __init__(self, samples: RandomAccess, first: NDArray[np.int64], options: ScanOptions) -> None:
        self._samples = samples
        self._lock = threading.Lock()
        self.name = self.identity = type(samples).__name__
        self._numbers = numbers_of(options.classes or ())
        self._given, target = self._infer(first, options)
        inputs = self._given if options.shape is None else self._reshaped(options.shape)
        self.schema = Schema(inputs, target, options.classes)
        self.facts = (f"{len(self):,} samples of a {self.name}, keyed by index",)

    def __len__(self) -> int:
        return len(self._samples)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """The indices in decimal."""
        return decimals(numbers)

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples from the object."""
        given = Schema(self._given, self.schema.target)
        arrays = [np.empty((len(numbers), *field.shape), field.dtype) for field in given.fields]
        for at, index in enumerate(numbers.tolist()):
            try:
                with self._lock:
                    x, y = self._pair(index)
                sample = _flat(x, self._number(y), given)
                for array, field, value in zip(arrays, given.fields, sample, strict=True):
                    array[at] = _cast(value, field.shape, field.dtype)
            except (ValueError, TypeError) as error:  # an ArgumentError of `_pair` is a ValueError
                wanted = f"y of {_described(given.target)}" if given.target else "no y"
                raise MalformedFileError(
                    f"{self.name}[{index}]: expected x of {_described(given.inputs)} and {wanted}, "
                    f"as most samples have: {error}."
                ) from error
        x, y, _ = given.structured(arrays)
        if isinstance(self.schema.inputs, Field):
            x = x.reshape(len(numbers), *self.schema.inputs.shape)
        return Samples(x, y)

    def working_bytes(self, n: int) -> int:
        """The arrays handed out, and one more sample."""
        return (n + 1) * self.schema.nbytes

    def _number(self, y: Any) -> Any:
        """The number of a class, where classes were given; any other target stays as it is."""
        if not self._numbers or y is None:
            return y
        label = y.item() if isinstance(y, (np.ndarray, np.generic)) and y.ndim == 0 else y
        if str(label) not in self._numbers:
            raise ValueError(f"found {y!r}, which is none of the classes")
        return self._numbers[str(label)]

    def _reshaped(self, shape: tuple[int, ...]) -> Field:
        """The input in the shape that was asked for."""
        if isinstance(self._given, dict):
            raise ArgumentError(
                f"Expected no `shape`, for {self.name} gives several inputs: {', '.join(self._given)}. "
                f"Received: shape={shape}"
            )
        field = Field(shape, self._given.dtype)
        if field.size != self._given.size:
            raise ArgumentError(
                f"Expected a `shape` of as many values as {self.name} gives, {self._given.shape}. "
                f"Received: shape={shape}"
            )
        return field

    def _infer(self, first: NDArray[np.int64], options: ScanOptions) -> tuple[Fields, Fields | None]:
        """Inputs and targets of most of the first samples; samples unlike these are refused when read."""
        pairs = self._first_pairs(first)
        inputs = _by_name([x for x, _ in pairs], partial(self._input, dtype=options.dtype or "float32"))
        if all(y is None for _, y in pairs):
            return inputs, None
        if options.classes is not None:
            return inputs, Field((), "int64")
        target = partial(self._target, regression=options.regression)
        return inputs, _by_name([y for _, y in pairs], target)

    def _input(self, values: list[Any], *, dtype: str) -> Field:
        shape, _ = _usual(values)
        if 0 in shape:
            raise ArgumentError(f"Expected samples with values. Received: shape {shape}")
        return Field(shape, dtype)

    def _target(self, values: list[Any], *, regression: bool) -> Field:
        shape, dtype_kind = _usual(values)
        if dtype_kind not in NUMERIC:
            raise ArgumentError(
                f"Expected {self.name}[i] to give a number as y, or None. Received: {values[0]!r}"
            )
        fractions = any(np.asarray(y).dtype.kind == "f" for y in values if _is_regular(y))
        return Field(shape, "float32" if fractions or regression else "int64")

    def _first_pairs(self, first: NDArray[np.int64]) -> list[tuple[Any, Any]]:
        """The pairs among the first samples; raises the first error unless most are pairs."""
        pairs, refused = [], []
        for index in first.tolist():
            try:
                pairs.append(self._pair(index))
            except ArgumentError as error:
                refused.append(error)
        if len(refused) >= len(pairs):
            raise refused[0]
        return pairs

    def _pair(self, index: int) -> tuple[Any, Any]:
        sample = self._samples[index]
        if not isinstance(sample, (tuple, list)) or len(sample) != 2:
            raise ArgumentError(
                f"Expected {self.name}[i] to be a pair (x, y). Received: {type(sample).__name__} at i={index}"
            )
        return sample[0], sample[1]


def scan_object(samples: RandomAccess, options: ScanOptions) -> Index:
    """The index of an object, its schema inferred from 256 samples."""
    options.only(("shape", "dtype", "regression", "classes"), "an object, which gives its own labels")
    if len(samples) == 0:
        raise ArgumentError("Expected an object with at least one sample. Received: len 0")
    order = RowOrder.of(len(samples), decimals, options.limit)
    first = order.at(np.arange(min(INFERRED_FROM, len(order))))
    return Index(ObjectFormat(samples, first, options), order)


def decimals(numbers: NDArray[np.int64]) -> pa.LargeStringArray:
    """Numbers as strings in decimal."""
    return pa.array(numbers).cast(pa.large_string())


def _by_name(values: list[Any], field_of: Callable[[list[Any]], Field]) -> Fields:
    """The field of some values, or one field per name if most of them are dicts."""
    dicts = [value for value in values if isinstance(value, dict)]
    if len(dicts) * 2 <= len(values):
        return field_of([value for value in values if not isinstance(value, dict)])
    names = Counter(tuple(value) for value in dicts).most_common(1)[0][0]
    if not names or not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ArgumentError(
            f"Expected dicts with names like 'image_1'. Received: {names}",
            "A name is a letter, then letters, digits, _ and -, at most 64 characters in all.",
        )
    alike = [value for value in dicts if tuple(value) == names]
    return {name: field_of([value[name] for value in alike]) for name in names}


def _flat(x: Any, y: Any, schema: Schema) -> list[Any]:
    """The value of a sample for each field of the schema."""
    values: list[Any] = []
    for what, value, wanted in (("x", x, schema.inputs), ("y", y, schema.target)):
        if isinstance(wanted, dict):
            if not isinstance(value, dict) or set(value) != set(wanted):
                raise ValueError(f"{what} is not a dict of {', '.join(wanted)}")
            values += [value[name] for name in wanted]
        elif wanted:
            values.append(value)
        elif value is not None:
            raise ValueError(f"{what} is not None")
    return values


def _described(part: Fields) -> str:
    """Shape and dtype in words, by name for several fields."""
    return ", ".join(
        f"{f'{name} ' if name else ''}shape {field.shape}, {field.dtype}"
        for name, field in (part.items() if isinstance(part, dict) else [("", part)])
    )


def _is_regular(value: Any) -> bool:
    """Whether a value can become an array: lists of different lengths cannot."""
    try:
        np.shape(value)
    except ValueError:
        return False
    return True


def _usual(values: list[Any]) -> tuple[tuple[int, ...], str]:
    """The shape and `dtype.kind` of most values."""
    arrays = [np.asarray(value) for value in values if _is_regular(value)]
    if not arrays:
        raise MalformedFileError("Expected samples that become arrays. Received: lists of different lengths.")
    return Counter((array.shape, array.dtype.kind) for array in arrays).most_common(1)[0][0]


def _cast(value: Any, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """A finite array of that shape and dtype; a fraction is never cast to an integer."""
    array = np.asarray(value)  # lists of different lengths are a ValueError already
    if array.shape != shape:
        raise ValueError(f"found the shape {array.shape}")
    if array.dtype.kind not in NUMERIC:
        raise ValueError(f"found {value!r}, which is not a number")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        raise ValueError(f"found a value that is not finite as {dtype}")
    if cast.dtype.kind == "i" and (cast != array).any():
        raise ValueError(f"found {value!r}, which is not an integer")
    return cast
