"""Indexable: any object with `len` and `[i] -> (x, y)`. A SourceReader."""

import copy
import threading
from collections import Counter
from collections.abc import Sequence, Sized
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError
from brimful.keys import DRAW_SEED, hash_keys
from brimful.schema import Field, Schema
from brimful.sources.base import FINGERPRINT, INFERRED_FROM, Fault, Finding, Samples

NUMERIC = "biuf"  # kinds of dtype: bool, integers, floats


@runtime_checkable
class RandomAccess(Sized, Protocol):
    """What Python can index: `[i]` gives the inputs and the target of sample i."""

    def __getitem__(self, index: int, /) -> Any: ...


class Indexable:
    """Any object with `len` and `[i] -> (x, y)`, its index in decimal as key.

    The object is asked by one thread at a time, since few such objects promise to bear more.

    Args:
        samples: The object.
        shape: Shape to give to each `x`; None for the shape it has.
        dtype: NumPy name of the float dtype to deliver `x` in. Targets are delivered as int64
            where they are integers, as float32 otherwise.
        limit: How many samples to draw, None for all.
        regression: Whether targets are delivered as float32 also where they are integers.
    """

    findings: tuple[Finding, ...] = ()
    sampled_findings: tuple[Finding, ...] = ()
    skipped: tuple[Fault, ...] = ()
    has_files = False
    split_seed = 0
    root = None

    def __init__(
        self,
        samples: RandomAccess,
        *,
        shape: tuple[int, ...] | None,
        dtype: str,
        limit: int | None,
        regression: bool = False,
    ) -> None:
        if len(samples) == 0:
            raise ArgumentError("Expected an object with at least one sample. Received: len 0")
        self._samples = samples
        self._lock = threading.Lock()
        indices = np.arange(len(samples))
        if limit is not None and limit < len(samples):
            indices = np.argsort(hash_keys(map(str, range(len(samples))), DRAW_SEED), kind="stable")[:limit]
        hashes = hash_keys(map(str, indices.tolist()))
        order = np.argsort(hashes, kind="stable")
        self.hashes: NDArray[np.uint64] = hashes[order]
        self._indices = indices[order]
        self._given_shape, target = self._infer(regression=regression)
        if 0 in self._given_shape:
            raise ArgumentError(f"Expected samples with values. Received: shape {self._given_shape}")
        self.schema = Schema(Field(self._given_shape if shape is None else shape, dtype), target)
        if self.schema.inputs.size != Field(self._given_shape, dtype).size:
            raise ArgumentError(
                f"Expected a `shape` of as many values as {self.name} gives, {self._given_shape}. "
                f"Received: shape={shape}"
            )

    @property
    def name(self) -> str:
        """The type of the object."""
        return type(self._samples).__name__

    @property
    def facts(self) -> tuple[str, ...]:
        """How many samples there are."""
        return (f"{len(self):,} samples of a {self.name}, keyed by index",)

    @property
    def nbytes(self) -> int:
        """Bytes that the order of rows takes in memory."""
        return self.hashes.nbytes + self._indices.nbytes

    def __len__(self) -> int:
        return len(self._indices)

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """The indices of some rows, in decimal."""
        return [str(index) for index in self._indices[rows].tolist()]

    def label_faults(self, rows: NDArray[np.int64]) -> dict[int, str]:
        """None: whether a target is fit is seen when the sample is read."""
        return {}

    def class_counts(self, rows: NDArray[np.int64]) -> None:
        """Not known: the object would have to be asked for every sample."""

    @property
    def identity(self) -> str:
        """The type of the object."""
        return self.name

    def fingerprints(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """None: an object may give something else the next time."""
        return np.full((len(rows), len(FINGERPRINT)), -1)

    def targets(self, rows: NDArray[np.int64]) -> tuple[None, None]:
        """Not known: the object gives them with the inputs."""
        return None, None

    def without(self, faults: Sequence[Fault], rows: NDArray[np.int64]) -> "Indexable":
        """The same object with some samples left out."""
        fewer = copy.copy(self)
        vars(fewer).update(hashes=self.hashes[rows], _indices=self._indices[rows])
        fewer.skipped = (*self.skipped, *faults)
        return fewer

    def read(
        self,
        rows: NDArray[np.int64],
        *,
        targets: bool = True,
        prints: NDArray[np.int64] | None = None,
    ) -> Samples:
        """Ask the object for some samples."""
        inputs, target = self.schema.inputs, self.schema.target
        x = np.empty((len(rows), *inputs.shape), inputs.dtype)
        y = np.empty((len(rows), *target.shape), target.dtype) if target else None
        for at, index in enumerate(self._indices[rows].tolist()):
            try:
                with self._lock:
                    given_x, given_y = self._pair(index)
                x[at] = _cast(given_x, self._given_shape, inputs.dtype).reshape(inputs.shape)
                if y is not None and target is not None:
                    y[at] = _cast(given_y, target.shape, target.dtype)
                elif given_y is not None:
                    raise ValueError("y is not None")
            except (ValueError, TypeError) as error:  # an ArgumentError of `_pair` is a ValueError
                wanted = f"y of shape {target.shape}, {target.dtype}" if target else "no y"
                raise MalformedFileError(
                    f"{self.name}[{index}]: expected x of shape {self._given_shape} and {wanted}, "
                    f"as most samples have: {error}."
                ) from error
        return Samples(x, y if targets else None)

    def working_bytes(self, n: int) -> int:
        """The arrays handed out and one sample more."""
        return (n + 1) * self.schema.nbytes

    def _infer(self, *, regression: bool) -> tuple[tuple[int, ...], Field | None]:
        """Shape of x, and target, of most of the first samples; others are refused when they are read."""
        pairs = self._first_pairs()
        shape, _ = _usual([x for x, _ in pairs])
        target_shape, kind = _usual([y for _, y in pairs])
        if all(y is None for _, y in pairs):
            return shape, None
        if kind not in NUMERIC:
            raise ArgumentError(
                f"Expected {self.name}[i] to give a number as y, or None. Received: {pairs[0][1]!r}"
            )
        fractions = any(np.asarray(y).dtype.kind == "f" for _, y in pairs if _is_regular(y))
        return shape, Field(target_shape, "float32" if fractions or regression else "int64")

    def _first_pairs(self) -> list[tuple[Any, Any]]:
        """Those of the first samples that are pairs, most of them at least."""
        pairs, refused = [], []
        for index in self._indices[:INFERRED_FROM].tolist():
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


def _is_regular(value: Any) -> bool:
    """Whether it becomes an array: lists of different lengths do not."""
    try:
        np.shape(value)
    except ValueError:
        return False
    return True


def _usual(values: list[Any]) -> tuple[tuple[int, ...], str]:
    """The shape and the kind of dtype that most of them have."""
    arrays = [np.asarray(value) for value in values if _is_regular(value)]
    if not arrays:
        raise MalformedFileError("Expected samples that become arrays. Received: lists of different lengths.")
    return Counter((array.shape, array.dtype.kind) for array in arrays).most_common(1)[0][0]


def _cast(value: Any, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """An array of that shape in that dtype, finite, and never an integer out of a fraction."""
    array = np.asarray(value)  # lists of different lengths are a ValueError already
    if array.shape != shape:
        raise ValueError(f"found the shape {array.shape}")
    if array.dtype.kind not in NUMERIC:
        raise ValueError(f"found {value!r}, which is no number")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        raise ValueError(f"found a value that is not finite as {dtype}")
    if cast.dtype.kind == "i" and (cast != array).any():
        raise ValueError(f"found {value!r}, which is no integer")
    return cast
