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
from typing import Any

import numpy as np

from brimful.errors import DependencyError
from brimful.feed.feed import Batch, Feed
from brimful.feed.stats import Stats
from brimful.schema import Schema
from brimful.training.seat import Seat, refuse_worker


class Batches:
    """Batches for `fit`, `evaluate`, `predict`, or to loop over: each pass is the next epoch.

    A batch is `(x, y)`, NumPy arrays in memory of their own; `(x,)` without labels; `(x, y, w)` with
    weights; with the list of keys at the end if `include_keys` was asked for. Made by `Source.batches`.

    Args:
        feed: The source of the batches.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._seat = Seat(feed)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has the same samples and the same position."""
        loader = self.feed.loader
        return _again, (type(loader), loader.reader, loader.view, loader.options, self.state_dict())

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self.feed)

    def __iter__(self) -> Iterator[Batch]:
        refuse_worker()
        self._seat.forget()
        return iter(self.feed)

    def __repr__(self) -> str:
        return f"Batches({len(self):,} of {self.batch_size:,} samples from {self.feed.reader.name!r})"

    def _repr_html_(self) -> str:
        """A few of the samples as pictures, for a notebook; the position stays where it is."""
        from brimful.pictures.cell import SHOWN, cell

        reader, view = self.feed.reader, self.feed.view
        return cell(repr(self), reader, view.at(np.arange(min(SHOWN, len(view)))), {})

    @property
    def schema(self) -> Schema:
        """What every sample has."""
        return self.feed.schema

    @property
    def stats(self) -> Stats:
        """Counts of what the latest pass delivered, and how long its loop waited."""
        return self.feed.stats

    def passed(self) -> Iterator[Any]:
        """A pass for a loop that trains by `train_on_batch`: without padding, as Keras is given it."""
        return self._seat.plain()

    @property
    def layout(self) -> tuple[Any, ...] | None:
        """For each part of a batch its shape without the batch axis, and its dtype; None before the first."""
        return self._seat.layout

    def state_dict(self) -> dict[str, Any]:
        """The exact position, fit for JSON: behind the last batch handed out."""
        return self.feed.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken, in this process or another."""
        self.feed.load_state_dict(state)
        self._seat.forget()

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
        return self._seat.arrays()

    get_jax_iterator = get_numpy_iterator

    def get_torch_dataloader(self) -> Iterable[Any]:
        """Batches as tensors. Not a DataLoader: making one draws from torch's random numbers."""
        return self._seat.tensors()

    def get_tf_dataset(self) -> Any:
        """A `tf.data.Dataset` that begins a pass each time it is iterated."""
        return self._seat.dataset()

    def on_epoch_begin(self) -> None:
        """Note that Keras is about to draw."""
        self._seat.begin_epoch()

    def on_epoch_end(self) -> None:
        """Raise the error that ended the pass from which Keras drew."""
        self._seat.end_epoch()


def _again(kind: Any, *arguments: Any) -> Batches:
    """The batches of a loader that is made again, from a position on."""
    *given, state = arguments
    batches = Batches(Feed(kind(*given)))
    if state["epoch"] or state["position"]:
        batches.load_state_dict(state)
    return batches


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
