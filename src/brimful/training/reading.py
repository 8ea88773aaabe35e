"""Reading: how the outputs of a model are read: as classes, or as values."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Classes, flatten


class Predicted(NamedTuple):
    """A batch of samples and what a model says of them.

    Attributes:
        keys: Their keys.
        x: Their inputs: an array of shape `(batch, ...)`, or a dict of arrays.
        y: Their targets, in the same way; None without labels.
        outputs: What the model gives for them: arrays of shape `(batch, ...)` by the output's name.
    """

    keys: list[str]
    x: Any
    y: Any
    outputs: dict[str, NDArray[Any]]


class Reading(NamedTuple):
    """How the outputs of a model are read.

    Attributes:
        classes: The names of the classes in the order of the outputs; None if they are no classes.
        threshold: From which on a single output is the second of two classes; None with an output a class.
    """

    classes: tuple[str, ...] | None = None
    threshold: float | None = None

    @classmethod
    def of(cls, model: Any, outputs: NDArray[Any], classes: Classes | None) -> "Reading":
        """How one output is read.

        Args:
            model: The model, whose loss tells whether its output is a logit.
            outputs: Some of them, of shape `(n, ...)`.
            classes: The classes that it was trained on.
        """
        names = class_names(classes)
        width = outputs.shape[1] if outputs.ndim == 2 else 1 if outputs.ndim == 1 else 0
        if len(names) == 2 and width == 1:
            return cls(names, 0.0 if _gives_logits(model) else 0.5)
        if width > 1 and (width >= len(names) > 0 or "sparse" in _loss_name(model)):
            return cls(
                (*names, *map(str, range(len(names), width)))
            )  # classes that never occurred have numbers
        return cls()

    def codes(self, outputs: NDArray[Any]) -> NDArray[np.int64]:
        """The number of the most likely class of each sample."""
        if self.threshold is None:
            return np.asarray(np.argmax(outputs, axis=1), np.int64)
        return (outputs.reshape(len(outputs)) >= self.threshold).astype(np.int64)

    def scores(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The score of each class, of shape `(n, classes)`; a logit of two classes becomes a probability."""
        if self.threshold is None:
            return outputs
        second = outputs.reshape(len(outputs))
        if self.threshold == 0.0:
            second = 1 / (1 + np.exp(-second))
        return np.stack([1 - second, second], axis=1).astype(outputs.dtype)


def class_names(classes: Classes | None) -> tuple[str, ...]:
    """The name of each class by the number that is delivered for it; other numbers have names, too."""
    if not classes:
        return ()
    last = classes[-1]
    return tuple(map(str, range(last + 1) if isinstance(last, int) else classes))


def _gives_logits(model: Any) -> bool:
    losses = flatten(getattr(model, "loss", None)) if getattr(model, "compiled", False) else ()
    return any(
        getattr(loss, "_fn_kwargs", {}).get("from_logits") or getattr(loss, "from_logits", False)
        for loss in losses
    )


def _loss_name(model: Any) -> str:
    loss = getattr(model, "loss", None) if getattr(model, "compiled", False) else None
    return str(
        loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    )
