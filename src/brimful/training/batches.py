"""Batches: NumPy batches to loop over, and what `fit`, `evaluate` and `predict` take as they are."""

from collections.abc import Iterator
from typing import Any

from brimful.feed.feed import Batch
from brimful.feed.stats import Stats
from brimful.schema import Schema
from brimful.training.keras_adapter import KerasAdapter


class Batches(KerasAdapter):
    """Batches for `fit`, `evaluate`, `predict`, or to loop over: each pass is the next epoch.

    A batch is `(x, y)`, NumPy arrays in memory of their own; `(x,)` without labels; `(x, y, w)` with
    weights; with the list of keys at the end where `include_keys` was asked for. Made by `Source.batches`.

    Args:
        feed: Where the batches come from.
    """

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
        """What the latest pass delivered, counted, and how long its loop waited."""
        return self.feed.stats

    def state_dict(self) -> dict[str, Any]:
        """The exact position, fit for JSON: behind the last batch handed out."""
        return self.feed.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken, in this process or another."""
        self.feed.load_state_dict(state)
        self._first = None
