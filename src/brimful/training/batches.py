"""Batches: NumPy batches to loop over, and what `fit`, `evaluate` and `predict` take, without keras.

Keras uses a `DataAdapter` unchanged: it knows the number of batches, adds no shuffle, queue or thread, and
gets the best iterator for each backend. Keras tests `isinstance(data, DataAdapter)`, but with that class as a
base class here, a loop over NumPy batches would import keras and a backend. Since `isinstance` looks at
`data.__class__`, that becomes a subclass of Batches and of DataAdapter once keras has been imported. Nothing
is registered, patched or hooked, and either may come first, the batches or `import keras`.

DataAdapter is not public in Keras, so its module is checked, here and by a test on each backend.
"""

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any

from brimful.errors import ArgumentError, DependencyError
from brimful.feed.feed import Batch, Feed
from brimful.feed.stats import Stats
from brimful.samples import Samples
from brimful.schema import Schema


class Batches:
    """Batches for `fit`, `evaluate`, `predict`, or to loop over: each pass is the next epoch.

    A batch is `(x, y)`, NumPy arrays in memory of their own; `(x,)` without labels; `(x, y, w)` with
    weights; with the list of keys at the end if `include_keys` was asked for. Made by `Source.batches`.

    Args:
        feed: The source of the batches.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._failure: Exception | None = None
        self._first: tuple[Batch, Iterator[Batch]] | None = None  # of a pass from which no more was drawn
        self._first_drawn = False  # since Keras last ended an epoch

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self.feed)

    def __iter__(self) -> Iterator[Batch]:
        self._first = None
        return iter(self.feed)

    def __repr__(self) -> str:
        return f"Batches({len(self):,} of {self.batch_size:,} samples from {self.feed.reader.name!r})"

    @property
    def schema(self) -> Schema:
        """What every sample has."""
        return self.feed.schema

    @property
    def stats(self) -> Stats:
        """Counts of what the latest pass delivered, and how long its loop waited."""
        return self.feed.stats

    def state_dict(self) -> dict[str, Any]:
        """The exact position, fit for JSON: behind the last batch handed out."""
        return self.feed.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken, in this process or another."""
        self.feed.load_state_dict(state)
        self._first = None

    @property  # type: ignore[misc]  # no setter, as object has one
    def __class__(self) -> type[Any]:
        """The class for `isinstance`: also a `DataAdapter`, as soon as keras has been imported.

        `type(batches)` is the same before and after.

        Raises:
            DependencyError: This version of Keras has no DataAdapter in the expected module.
        """
        own = type(self)
        is_imported = hasattr(sys.modules.get("keras"), "Model")  # and its import is complete
        return as_data_adapter(own) if is_imported else own  # type: ignore[arg-type]  # classes are hashable

    @property
    def num_batches(self) -> int:
        """Batches per epoch."""
        return len(self.feed)

    @property
    def batch_size(self) -> int:
        """Samples per batch; the last one may have fewer."""
        return self.feed.batch_size

    @property
    def has_partial_batch(self) -> bool:
        """Whether the last batch has fewer samples."""
        return self.partial_batch_size is not None

    @property
    def partial_batch_size(self) -> int | None:
        """Samples of the last batch, if it has fewer."""
        return self.feed.samples_per_epoch % self.feed.batch_size or None

    def get_numpy_iterator(self) -> Iterable[Batch]:
        """Batches as they are; JAX, too, takes NumPy arrays, and may keep them."""
        return self._pass_for_keras()

    get_jax_iterator = get_numpy_iterator

    def get_torch_dataloader(self) -> Iterable[Any]:
        """Batches as tensors. Not a DataLoader: making one draws from torch's random numbers."""
        from brimful.training.backend import keras

        convert = keras.ops.convert_to_tensor
        return (keras.tree.map_structure(convert, batch) for batch in self._pass_for_keras())

    def get_tf_dataset(self) -> Any:
        """A `tf.data.Dataset` that begins a pass each time it is iterated.

        The first batch is drawn here, in the caller's thread, so that an error in it is raised unchanged; the
        first pass goes on from there. TensorFlow must not draw ahead, so that the position is that of the
        batches trained on.
        """
        import tensorflow as tf

        self._failure = None
        self._refuse_keys()
        passes = [iter(self.feed)]
        passes[0] = chain([next(passes[0])], passes[0])
        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.inject_prefetch = False
        return tf.data.Dataset.from_generator(
            lambda: self._until_failure(passes.pop() if passes else iter(self.feed)),
            output_signature=self._signature(tf.TensorSpec),
        ).with_options(options)

    def on_epoch_begin(self) -> None:
        """Nothing to do: a pass begins when it is drawn from."""

    def on_epoch_end(self) -> None:
        """Raise the error that ended a pass from which TensorFlow drew."""
        self._first_drawn = False
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _signature(self, spec: Any) -> Any:
        """Shapes and dtypes of a batch, for TensorFlow."""
        schema = self.feed.schema
        return Samples(
            *schema.structured(spec((None, *field.shape), field.dtype) for field in schema.fields)
        ).batch

    def _pass_for_keras(self) -> Iterator[Batch]:
        """A pass for JAX and PyTorch.

        To build a model, Keras draws one batch, ends that "epoch", and asks for a new iterator, which hands
        out that batch again and goes on with its pass. An epoch of one batch looks the same, but then Keras
        asks for the next iterator before it ends the epoch.
        """
        self._refuse_keys()
        if self._first_drawn:
            self._forget_first()
        return self._go_on()

    def _forget_first(self) -> None:
        self._first = None
        self._first_drawn = False

    def _go_on(self) -> Iterator[Batch]:
        if self._first is None:
            batches = iter(self.feed)
            self._first = (next(batches), batches)
        first, batches = self._first
        self._first_drawn = True
        yield first
        self._forget_first()
        yield from batches

    def _until_failure(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, for TensorFlow's generator; an error ends them.

        Raised in the generator, the error would reach the user as one of `tf.errors`, without its type and
        cause. So the pass ends, Keras sees the data run out and calls `on_epoch_end`, which raises it.
        """
        try:
            yield from batches
        except Exception as error:  # noqa: BLE001 (raised in on_epoch_end)
            self._failure = error

    def _refuse_keys(self) -> None:
        if self.feed.include_keys:
            raise ArgumentError(
                "These batches end with their keys, which Keras would take for sample weights.",
                "Make batches without include_keys for fit, evaluate and predict.",
            )


@cache
def as_data_adapter(own: type) -> type:
    """A subclass of a class and of Keras' `DataAdapter`, under the same name, which is never instantiated."""
    try:
        from keras.src.trainers.data_adapters.data_adapter import DataAdapter
    except ImportError as error:
        version = getattr(sys.modules.get("keras"), "__version__", "")
        raise DependencyError(
            f"Keras {version} has no DataAdapter in the module where 3.14 and 3.15 have it.",
            "Install the version that brimful was tested with: pip install 'keras>=3.14,<3.16'.",
        ) from error
    return type(own.__name__, (own, DataAdapter), {"__module__": own.__module__, "__doc__": own.__doc__})
