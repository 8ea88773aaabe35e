"""KerasCall: the call of `fit`, `evaluate` or `predict` that asks for batches, and whether it can be served.

Keras takes a DataAdapter as it is and tells it nothing: neither the model, nor the arguments beside it, most
of which it then ignores without a word. So the call is looked up on the stack. Nothing is patched, and
where no such call is found, nothing is refused.
"""

import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from brimful.errors import ArgumentError
from brimful.feed.feed import Feed
from brimful.schema import Classes, numbers_of

METHODS = ("fit", "evaluate", "predict")
BESIDE = {
    "y": "Give the samples their labels: bf.scan(..., labels=...).",
    "sample_weight": "Give the samples their weights: a column of the label table, bf.scan(..., weight=...).",
    "class_weight": "Give it where the batches are made: .batches(..., class_weight=...).",
    "validation_split": "Split the samples: train, validation = source.split(test=0.2), and pass "
    "validation_data=validation.batches(...).",
}
"""Arguments that mean nothing beside batches, and what to write instead."""


@dataclass(frozen=True)
class KerasCall:
    """A call of `fit`, `evaluate` or `predict` that is under way.

    Attributes:
        method: Its name.
        model: The model.
        arguments: Its arguments by name, those that matter.
        is_validation: Whether the batches are the validation data of `fit`.
    """

    method: str
    model: Any
    arguments: dict[str, Any]
    is_validation: bool

    def check(self, feed: Feed) -> None:
        """Refuse what Keras would ignore, or get wrong, before it takes the first batch.

        Raises:
            ArgumentError: An argument would be ignored, or the devices cannot share the batches.
        """
        if not self.is_validation:
            self._refuse_arguments(feed)
        self._refuse_classes(feed.schema.classes)
        self._refuse_processes()
        self._refuse_uneven(feed)
        if self.method == "predict" and feed.order.shuffle:
            warnings.warn(
                "predict is given batches in shuffled order: its rows are not in the order of the keys, and "
                "in another order the next time. Make them with .batches(..., shuffle=False).",
                stacklevel=2,
            )

    def check_inputs(self, x: Any) -> None:
        """Compare the names of the inputs of the samples with those of the model.

        Keras takes the values of a dict that has other names than the model's inputs in order, with no more
        than a warning.

        Args:
            x: What a batch has as inputs; the names matter if it is a dict.

        Raises:
            ArgumentError: They have other names.
        """
        expected = _input_names(self.model)
        if expected and isinstance(x, dict) and set(x) != set(expected):
            raise ArgumentError(
                f"The model has the inputs {', '.join(map(repr, expected))}, "
                f"but the samples have {', '.join(map(repr, x))}.",
                "Name the model's inputs as those of the samples, or leave out some with "
                ".batches(..., transform=...).",
            )

    @property
    def num_classes(self) -> int | None:
        """How many classes the model tells apart, if integers are its targets; None if that is not known."""
        loss = getattr(self.model, "loss", None)
        name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
        if self.method == "predict" or getattr(loss, "ignore_class", None) is not None:
            return None
        if name == "binary_crossentropy":
            return 2
        shape = _known(self.model, "output_shape")
        is_one = name == "sparse_categorical_crossentropy" and isinstance(shape, tuple) and shape
        return shape[-1] if is_one else None

    @property
    def steps(self) -> int | None:
        """How many steps the optimizer has made, if TensorFlow counts them; None if not, or not yet."""
        counter = self._counter
        return None if counter is None else int(counter.numpy())

    def settle(self, steps: int | None) -> None:
        """Leave the model as it was after the last batch it was given, when the data end too early.

        JAX has its weights elsewhere while it works. TensorFlow counts a step more, as it begins one before
        it sees that there are no data.

        Args:
            steps: The steps that the optimizer has made; None if they are not known.
        """
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        counter = self._counter
        if steps is not None and counter is not None and counter.numpy() > steps:
            counter.assign(steps)

    @property
    def _counter(self) -> Any:
        """The variable in which the optimizer counts batches; None where it is always right."""
        if self.method != "fit" or self.is_validation or _backend() != "tensorflow":
            return None
        optimizer = self.model.optimizer
        return getattr(getattr(optimizer, "inner_optimizer", optimizer), "_iterations", None)

    def _refuse_arguments(self, feed: Feed) -> None:
        given = self.arguments
        for name, hint in BESIDE.items():
            if given.get(name) is not None and not (name == "validation_split" and not given[name]):
                raise ArgumentError(f"{self.method} would ignore `{name}` beside these batches.", hint)
        self._refuse_size("batch_size", feed)
        if given.get("shuffle") is False and feed.order.shuffle:
            raise ArgumentError(
                f"{self.method} would ignore shuffle=False: these batches are shuffled.",
                "Say so where they are made: .batches(..., shuffle=False).",
            )
        validation = given.get("validation_data")
        if isinstance(validation, (tuple, list)) and any(map(_feed_of, validation)):
            raise ArgumentError(
                "fit would ignore what stands beside the batches in `validation_data`.",
                "Batches have their own labels and weights: validation_data=batches.",
            )
        if other := _feed_of(validation):
            self._refuse_size("validation_batch_size", other)

    def _refuse_size(self, name: str, feed: Feed) -> None:
        size = self.arguments.get(name)
        if size is not None and size != feed.batch_size:
            raise ArgumentError(
                f"{self.method} would ignore {name}={size}: these batches have {feed.batch_size:,} samples.",
                f"Say so where they are made: .batches({size}, ...).",
            )

    def _refuse_classes(self, classes: Classes | None) -> None:
        """Refuse classes that are numbered otherwise than those that the model was trained on."""
        if self.method == "predict" or classes is None:
            return
        if self.method == "fit" and not self.is_validation:
            _trained_on[self.model] = classes
            validation = _feed_of(self.arguments.get("validation_data"))
            classes = validation.schema.classes if validation else None
        known = _trained_on.get(self.model)
        if not classes or not known or _agree(classes, known):
            return
        raise ArgumentError(
            f"The model was trained on {_numbered(known)}; these samples have {_numbered(classes)}.",
            "Scan both with the same classes: bf.scan(..., like=train), or classes=[...].",
        )

    def _refuse_processes(self) -> None:
        jax = sys.modules.get("jax")
        if _backend() == "jax" and jax and jax.process_count() > 1:
            raise ArgumentError(
                f"Each of the {jax.process_count()} JAX processes would be given every sample.",
                "Train in one process: it may use all devices of its machine.",
            )

    def _refuse_uneven(self, feed: Feed) -> None:
        """Refuse batches that several devices cannot share evenly: some rows would count more than others."""
        devices = _num_replicas(self.model)
        last = feed.samples_per_epoch % feed.batch_size
        if feed.batch_size % devices == 0 and last % devices == 0:
            return
        even = max(devices, feed.batch_size // devices * devices)
        drop = f"leave out the rest with .batches({even}, last='drop')"
        if feed.samples_per_epoch % devices == 0:
            out = f"Make them with .batches({even})."
        elif self.method == "fit" and not self.is_validation:
            out = f"In each epoch, {drop}: they are others each time."
        else:
            out = f"Use one device for it, or {drop}."
        raise ArgumentError(
            f"{devices} devices cannot share these batches evenly: they have {feed.batch_size:,} samples"
            + (f", the last one {last:,}." if last else "."),
            out,
        )


def remember_classes(model: Any, classes: Classes | None) -> None:
    """Note the classes that a model was trained on before this process, unless it was trained in this one."""
    if classes is not None and model not in _trained_on:
        _trained_on[model] = classes


def callers() -> Iterator[FrameType]:
    """The frames of this thread's stack, from the innermost that called."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (the documented way to the callers)
    while frame is not None:
        yield frame
        frame = frame.f_back


def find_call(feed: Feed | None = None) -> KerasCall | None:
    """The innermost call of Keras on this thread's stack; that with the batches of a feed, if it is named."""
    for frame in callers():
        code, module = frame.f_code, frame.f_globals.get("__name__", "")
        if code.co_name in METHODS and module.startswith("keras.src.backend."):
            given = frame.f_locals
            is_x, is_validation = (_feed_of(given.get(name)) is feed for name in ("x", "val_x"))
            if is_x or is_validation or feed is None:
                is_validation |= given.get("use_cached_eval_dataset") is True
                arguments = {name: given[name] for name in code.co_varnames[: code.co_argcount]}
                return KerasCall(code.co_name, arguments.pop("self"), arguments, is_validation)
    return None


def find_epoch_iterator() -> Any:
    """Keras' own iterator over an epoch that is on this thread's stack; None if there is none."""
    modules = ((frame.f_globals.get("__name__"), frame) for frame in callers())
    found = (frame for name, frame in modules if name == "keras.src.trainers.epoch_iterator")
    return next((frame.f_locals.get("self") for frame in found), None)


def _feed_of(data: Any) -> Feed | None:
    feed = getattr(data, "feed", None)
    return feed if isinstance(feed, Feed) else None


def _backend() -> str:
    name: str = sys.modules["keras"].backend.backend()
    return name


def _num_replicas(model: Any) -> int:
    """Devices that share a batch."""
    keras = sys.modules["keras"]
    if _backend() == "tensorflow":
        replicas: int = model.distribute_strategy.num_replicas_in_sync
        return replicas
    distribution = keras.distribution.distribution()
    mesh, axis = getattr(distribution, "device_mesh", None), getattr(distribution, "batch_dim_name", None)
    return mesh.shape[mesh.axis_names.index(axis)] if mesh is not None and axis in mesh.axis_names else 1


_trained_on: WeakKeyDictionary[Any, Classes] = WeakKeyDictionary()  # the classes that each model knows


def _agree(some: Classes, others: Classes) -> bool:
    """Whether no class has another number in the other."""
    if isinstance(some[0], int) and isinstance(others[0], int):
        return True
    both = zip(some, others, strict=False)
    return (
        isinstance(some[0], str) and isinstance(others[0], str) and all(one == other for one, other in both)
    )


def _numbered(classes: Classes) -> str:
    few = list(numbers_of(classes).items())[:5]
    return ", ".join(f"{name!r} as {number}" for name, number in few) + ", ..." * (len(classes) > len(few))


def _input_names(model: Any) -> list[str]:
    """The names that a model gives its inputs, if it has several in a dict, or one; empty if not known."""
    inputs = _known(model, "input")
    return list(inputs) if isinstance(inputs, dict) else []


def _known(model: Any, name: str) -> Any:
    """An attribute of a model; None while it is not built, or if it is not made of layers."""
    try:
        return getattr(model, name)
    except (AttributeError, ValueError):
        return None
