"""Postprocessor: class weights, one-hot targets, the user's transform, in this order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import ArgumentError, DamagedStoreError
from brimful.feed.loader import Block
from brimful.options import FeedOptions
from brimful.samples import Samples
from brimful.schema import Field, Schema, flatten, numbers_of

TRANSFORM = 3  # use of the generator, in its seed, beside `brimful.order.epochs.ROWS` and PIECES
NAME_CLASSES = "Name the classes: bf.scan(..., classes=[...])."
WEIGHT = Field((), "float32")


class Postprocessor:
    """Postprocesses batches, in several threads at once.

    Attributes:
        schema: What a sample has afterwards.
        is_plain: Whether batches stay as they are.
    """

    def __init__(self, schema: Schema, options: FeedOptions) -> None:
        pad, weights = options.last == "pad", options.class_weight
        self.schema = one_hot_schema(schema) if options.one_hot else schema
        if pad or weights is not None:
            self.schema = replace(self.schema, weight=WEIGHT)
        self._options = options
        self._of_class = None if weights is None else weight_of_each(weights, schema)
        self._classes = schema.num_classes if options.one_hot or weights is not None else None
        self.is_plain = not (options.one_hot or pad or options.transform or weights is not None)

    @property
    def is_worth_a_thread(self) -> bool:
        """Whether it may take long, as the user's function may."""
        return self._options.transform is not None

    def __call__(self, batch: Block, epoch: int, position: int) -> Block:
        """Postprocess a batch, given the position of its first sample in an epoch."""
        if self.is_plain:
            return batch
        x, y, w = batch.samples
        if self.schema.weight and w is None:
            w = np.ones(len(batch.rows), np.float32)
        if self._classes:
            self._check_classes(y)
        if self._of_class is not None:
            w = w * self._of_class[y]
        if self._options.one_hot and isinstance(self.schema.target, Field):
            y = one_hot_rows(y, self.schema.target)
        samples = Samples(x, y, w)
        if self._options.transform:
            samples = self._transformed(samples, epoch, position)
        return batch._replace(samples=samples)

    def _check_classes(self, y: Any) -> None:
        """Refuse targets that are no class: they would be counted from the end, or as no class."""
        if self._classes and len(y) and not (y.min() >= 0 and y.max() < self._classes):
            raise DamagedStoreError(
                f"Targets go from {y.min()} to {y.max()}, but only the classes to {self._classes - 1}.",
                "The store is not what packing makes: pack the source again.",
            )

    def _transformed(self, samples: Samples, epoch: int, position: int) -> Samples:
        generator = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence((self._options.seed, epoch, TRANSFORM, position)))
        )
        given = samples.batch
        batch = self._options.transform and self._options.transform(given, generator)
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


def balanced(counts: Mapping[Any, int]) -> dict[Any, float]:
    """Weights that give each class the same total weight, from its count: `n / (classes * count)`.

    As scikit-learn's `class_weight="balanced"` (G. King, L. Zeng: Logistic Regression in Rare Events Data,
    Political Analysis 9, 2001).
    """
    present = {name: n for name, n in counts.items() if n}
    return {name: sum(present.values()) / (len(present) * n) for name, n in present.items()}


def weight_of_each(class_weight: Mapping[Any, float], schema: Schema) -> NDArray[np.float32]:
    """The weight of each class, by the number that is delivered for it; 1 for classes that are not named.

    Raises:
        ArgumentError: The target is not a class, or there is no such class, or a weight is below 0.
    """
    classes = schema.classes
    if classes is None or schema.num_classes is None or (isinstance(classes[0], int) and classes[0] < 0):
        raise ArgumentError("Expected `class_weight` with known classes as target.", NAME_CLASSES)
    numbers = numbers_of(classes)
    weights = np.ones(schema.num_classes, np.float32)
    for name, weight in class_weight.items():
        if str(name) not in numbers or not weight >= 0:
            raise ArgumentError(
                f"Expected `class_weight` as weights of at least 0 by class. Received: {name!r}: {weight!r}",
                f"There are the classes {', '.join(map(repr, classes[:10]))}{', ...' * (len(classes) > 10)}.",
            )
        weights[numbers[str(name)]] = weight
    return weights


def one_hot_schema(schema: Schema) -> Schema:
    """The schema of samples with one-hot targets, float32.

    Raises:
        ArgumentError: The target is not a class, or the classes are not known or do not count from 0.
    """
    if schema.num_classes is None or schema.classes is None:
        raise ArgumentError("Expected `one_hot` with known classes as target.", NAME_CLASSES)
    first = schema.classes[0]
    if isinstance(first, int) and first < 0:
        raise ArgumentError(f"Expected `one_hot` with classes from 0. Received: {first}", NAME_CLASSES)
    return replace(schema, target=Field((schema.num_classes,), "float32"))


def one_hot_rows(y: Any, target: Field) -> NDArray[Any]:
    """Rows of a 1 at the class, shape `(n, num_classes)`."""
    rows = np.zeros((len(y), *target.shape), target.dtype)
    rows[np.arange(len(y)), y] = 1
    return rows
