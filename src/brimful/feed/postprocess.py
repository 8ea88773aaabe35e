"""Postprocessor: what becomes of a batch between the data and the loop, in threads, in this order.

one-hot targets, class weights, the user's transform, padding
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, DamagedStoreError
from brimful.feed.loader import Block
from brimful.feed.one_hot import one_hot_rows, one_hot_schema
from brimful.samples import Samples
from brimful.schema import Field, Schema, flatten, map_structure

Last = Literal["short", "drop", "pad"]
"""What becomes of the samples left over at the end of an epoch."""

Transform = Callable[[tuple[Any, ...], np.random.Generator], tuple[Any, ...]]
"""A batch `(x, y[, w])` of NumPy arrays, and a generator of random numbers -> a batch."""

TRANSFORM = 3  # what the generator is for, in its seed, beside `brimful.order.epochs.ROWS` and PIECES
WEIGHT = Field((), "float32")


class Postprocessor:
    """Finishes batches, in several threads at once.

    Args:
        schema: What a sample has as it was read.
        batch_size: Samples a batch.
        seed: Seed of the transform's random numbers.
        one_hot: Whether targets become rows of a 1 among 0s.
        class_weight: How much a sample of each class counts, by class; None for all the same.
        transform: The user's function.
        pad: Whether a short batch is filled with samples of weight 0.
    """

    def __init__(
        self,
        schema: Schema,
        batch_size: int,
        *,
        seed: int,
        one_hot: bool = False,
        class_weight: Mapping[Any, float] | None = None,
        transform: Transform | None = None,
        pad: bool = False,
    ) -> None:
        self.schema = one_hot_schema(schema) if one_hot else schema
        if pad or class_weight is not None:
            self.schema = replace(self.schema, weight=WEIGHT)
        self._one_hot = one_hot
        self._of_class = None if class_weight is None else weight_of_each(class_weight, schema)
        self._classes = schema.num_classes if one_hot or class_weight is not None else None
        self._batch_size = batch_size
        self._seed = seed
        self._transform = transform
        self._pad = pad
        self.is_plain = not (one_hot or pad or transform or class_weight is not None)

    @property
    def is_worth_a_thread(self) -> bool:
        """Whether it may take long: what the user's function does is not known."""
        return self._transform is not None

    def __call__(self, batch: Block, epoch: int, position: int) -> Block:
        """Finish a batch.

        Args:
            batch: As it was read.
            epoch: Which epoch, from 0.
            position: Of its first sample in the epoch.
        """
        if self.is_plain:
            return batch
        x, y, w = batch.samples
        if self.schema.weight and w is None:
            w = np.ones(len(batch.rows), np.float32)
        if self._classes:
            self._check_classes(y)
        if self._of_class is not None:
            w = w * self._of_class[y]
        if self._one_hot and isinstance(self.schema.target, Field):
            y = one_hot_rows(y, self.schema.target)
        samples = Samples(x, y, w)
        if self._transform:
            samples = self._transformed(samples, epoch, position)
        if self._pad and len(batch.rows) < self._batch_size:
            samples = Samples(*(map_structure(part, self._padded) for part in samples))
        return batch._replace(samples=samples)

    def _check_classes(self, y: Any) -> None:
        """Refuse targets that are no class: they would count from the end, or as none at all."""
        if self._classes and len(y) and not (y.min() >= 0 and y.max() < self._classes):
            raise DamagedStoreError(
                f"Targets go from {y.min()} to {y.max()}, but only the classes to {self._classes - 1}.",
                "The store is not what packing makes: pack the source again.",
            )

    def _transformed(self, samples: Samples, epoch: int, position: int) -> Samples:
        generator = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence((self._seed, epoch, TRANSFORM, position)))
        )
        given = samples.batch
        batch = self._transform and self._transform(given, generator)
        if not isinstance(batch, tuple) or len(batch) != len(given):
            raise ArgumentError(
                f"Expected `transform` to give a tuple of {len(given)}, as it gets. Received: {batch!r:.80}",
                "Write it as: def transform(batch, generator): x, y = batch; ...; return x, y",
            )
        n = len(samples.arrays[0])
        arrays = [array for part in batch for array in flatten(part)]
        if not all(isinstance(array, np.ndarray) and len(array) == n for array in arrays):
            raise ArgumentError(
                f"Expected `transform` to give arrays of {n:,} samples, as it gets.",
                "Give NumPy arrays with an entry for each sample.",
            )
        left = iter(batch)
        return Samples(*(None if part is None else next(left) for part in samples))

    def _padded(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array with zeros behind: samples that count for nothing."""
        padded = np.zeros((self._batch_size, *array.shape[1:]), array.dtype)
        padded[: len(array)] = array
        return padded


def balanced(counts: Mapping[Any, int]) -> dict[Any, float]:
    """Weights by which all classes count the same in all: `n / (classes * count)`.

    As scikit-learn's `class_weight="balanced"` (G. King, L. Zeng: Logistic Regression in Rare Events Data,
    Political Analysis 9, 2001).

    Args:
        counts: How many samples there are of each class.
    """
    present = {name: n for name, n in counts.items() if n}
    return {name: sum(present.values()) / (len(present) * n) for name, n in present.items()}


def weight_of_each(class_weight: Mapping[Any, float], schema: Schema) -> NDArray[np.float32]:
    """The weight of each class, by the number that is delivered for it.

    Args:
        class_weight: By class, as in `schema.classes`; a class that is not named counts 1.
        schema: What a sample has.

    Raises:
        ArgumentError: The target is not a class, or there is no such class, or a weight is below 0.
    """
    classes = schema.classes
    if classes is None or schema.num_classes is None or (isinstance(classes[0], int) and classes[0] < 0):
        raise ArgumentError("Expected `class_weight` with classes as target. Received: a target that is none")
    numbers = {name: name if isinstance(name, int) else at for at, name in enumerate(classes)}
    weights = np.ones(schema.num_classes, np.float32)
    for name, weight in class_weight.items():
        if name not in numbers or not weight >= 0:
            raise ArgumentError(
                f"Expected `class_weight` as weights of at least 0 by class. Received: {name!r}: {weight!r}",
                f"There are the classes {', '.join(map(repr, classes[:10]))}{', ...' * (len(classes) > 10)}.",
            )
        weights[numbers[name]] = weight
    return weights
