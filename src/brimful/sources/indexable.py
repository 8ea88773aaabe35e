"""Indexable: any object with `len` and `[i] -> (x, y)`. A Reader."""

import threading
from collections import Counter
from collections.abc import Sized
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, MalformedFileError
from brimful.keys import DRAW_SEED, hash_keys
from brimful.schema import Field, Schema
from brimful.sources.base import INFERRED_FROM, Finding, Samples


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
    """

    findings: tuple[Finding, ...] = ()

    def __init__(
        self, samples: RandomAccess, *, shape: tuple[int, ...] | None, dtype: str, limit: int | None
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
        self.schema = self._infer(shape, dtype)

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

    def read(self, rows: NDArray[np.int64]) -> Samples:
        """Ask the object for some samples."""
        inputs, target = self.schema.inputs, self.schema.target
        assert target is not None  # noqa: S101 (an object gives pairs, so the schema has a target)
        x = np.empty((len(rows), *inputs.shape), inputs.dtype)
        y = np.empty((len(rows), *target.shape), target.dtype)
        for at, index in enumerate(self._indices[rows].tolist()):
            with self._lock:
                given_x, given_y = self._pair(index)
            try:
                x[at] = np.asarray(given_x).reshape(inputs.shape)
                y[at] = _kept(np.asarray(given_y).reshape(target.shape), target.dtype)
            except (ValueError, TypeError) as error:
                raise MalformedFileError(
                    f"{self.name}[{index}]: expected x of shape {inputs.shape} and "
                    f"y of shape {target.shape}, {target.dtype}, as most samples have: {error}."
                ) from error
        return Samples(x, y)

    def working_bytes(self, n: int) -> int:
        """The arrays handed out and one sample more."""
        return (n + 1) * self.schema.nbytes

    def _infer(self, shape: tuple[int, ...] | None, dtype: str) -> Schema:
        """The schema that most of the first samples have; what differs is refused when it is read."""
        pairs = [self._pair(index) for index in self._indices[:INFERRED_FROM].tolist()]
        x_shapes = Counter(np.shape(x) for x, _ in pairs)
        y_shapes = Counter(np.shape(y) for _, y in pairs)
        kinds = {np.asarray(y).dtype.kind for _, y in pairs}
        return Schema(
            Field(x_shapes.most_common(1)[0][0] if shape is None else shape, dtype),
            Field(y_shapes.most_common(1)[0][0], "int64" if kinds <= set("biu") else "float32"),
        )

    def _pair(self, index: int) -> tuple[Any, Any]:
        sample = self._samples[index]
        if not isinstance(sample, (tuple, list)) or len(sample) != 2:
            raise ArgumentError(
                f"Expected {self.name}[i] to be a pair (x, y). Received: {type(sample).__name__} at i={index}"
            )
        return sample[0], sample[1]


def _kept(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Cast, but never a fraction to an integer."""
    cast = values.astype(dtype)
    if np.issubdtype(cast.dtype, np.integer) and (cast != values).any():
        raise ValueError(f"{values} is not an integer")
    return cast
