"""Predictions: what a model says of each sample, batch by batch, in the order of the rows.

Each batch is given to the model in one size, the last one filled up and cut again, so that a backend that
compiles for a shape compiles once, and a prediction does not depend on where a pass began.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from brimful.errors import StateError
from brimful.feed.feed import Feed
from brimful.schema import Field, Schema, map_structure
from brimful.training.backend import keras
from brimful.training.batches import Batches
from brimful.training.data_identity import digest_of_files
from brimful.training.keras_call import KerasCall
from brimful.training.reading import Predicted


def in_order(batches: Batches) -> Feed:
    """A feed of the same samples, once each, in the order of the rows, with their keys."""
    loader: Any = batches.feed.loader
    options = replace(
        loader.options, shuffle=False, include_keys=True, last="short", one_hot=False, class_weight=None
    )
    return Feed(type(loader)(loader.reader, loader.view, options))


def content_identity(feed: Feed) -> dict[str, Any]:
    """What a pass gives, as far as that can be known: of raw data the size and times of their files, too.

    A transform may give something else the next time: no two are alike.
    """
    identity = {**feed.loader.identity(), "files": digest_of_files(feed)}
    if feed.loader.options.transform:
        identity["transform"] = uuid4().hex
    return identity


def predict(model: Any, feed: Feed, *, judged: bool = False) -> Iterator[Predicted]:
    """Predict the samples of a feed from its position on.

    Args:
        model: A Keras model.
        feed: A feed that `in_order` made.
        judged: Whether they are compared with the labels, which must then be those of the training.

    Raises:
        ArgumentError: They are to be compared, and the classes have other numbers.
    """
    call = KerasCall("evaluate" if judged else "predict", model, {}, is_validation=False)
    call.check(feed)
    call.check_inputs(feed.schema.inputs)
    size = feed.batch_size
    for x, *rest, keys in feed:
        n = len(keys)
        given = x if n == size else map_structure(x, lambda array: _filled(array, size))
        found = model.predict_on_batch(given)
        yield Predicted(
            keys,
            x,
            rest[0] if rest else None,
            {name: _plain(np.asarray(array)[:n]) for name, array in _named(model, found).items()},
        )


def load_model(path: Any) -> Any:
    """Load a model that was saved as `.keras`, without running code that is in the file.

    Raises:
        StateError: It is no such file, or needs code that is not registered.
    """
    try:
        return keras.models.load_model(path, safe_mode=True)
    except Exception as error:
        raise StateError(
            f"{path}: the model cannot be loaded: {_first_line(error)}",
            "A model with classes or functions of its own needs their code: register them with "
            "keras.saving.register_keras_serializable in the module of its function, and start where that "
            "can be imported. Code inside the file (a Lambda layer) is never run: load the model yourself, "
            "and give it to bf.Run(...).predict(..., model=...).",
        ) from error


def check_layout(schema: Schema, expected: dict[str, Any], name: str) -> None:
    """Refuse samples that are not shaped like those that a model was trained on.

    Args:
        schema: Of the samples.
        expected: The schema in the run's configuration.
        name: The name of the samples.
    """
    inputs = expected["inputs"]
    known = {"": inputs} if isinstance(inputs.get("dtype"), str) else inputs
    fields = {"": schema.inputs} if isinstance(schema.inputs, Field) else schema.inputs
    here, there = (
        {each: [list(shape), dtype] for each, shape, dtype in some}
        for some in (
            ((each, field.shape, field.dtype) for each, field in fields.items()),
            ((each, entry["shape"], entry["dtype"]) for each, entry in known.items()),
        )
    )
    if here != there:
        raise StateError(
            f"{name}: the model was trained on samples of {there.get('', there)}. "
            f"Received: samples of {here.get('', here)}",
            "Give the samples that shape (--shape), or name data like those of the training.",
        )
    for each, field in fields.items():
        if list(field.vocabulary or ()) != (known[each].get("vocabulary") or []):
            raise StateError(
                f"{name}: words are numbered otherwise than in the samples that the model was trained on.",
                "Scan them like those: bf.scan(..., like=data).",
            )
        encoding = known[each].get("encoding")
        if field.encoding and encoding and field.encoding != encoding:
            raise StateError(
                f"{name}: samples are delivered by {field.encoding}, those of the training by {encoding}.",
                "Give the same options that say how images are resized, or samples padded.",
            )


def _named(model: Any, found: Any) -> dict[str, NDArray[Any]]:
    """Outputs by name; a single one is called ""."""
    if isinstance(found, dict):
        return found
    if isinstance(found, Sequence) and not isinstance(found, np.ndarray):
        names = getattr(model, "output_names", None) or [str(at) for at in range(len(found))]
        return dict(zip(names, found, strict=True)) if len(found) > 1 else {"": found[0]}
    return {"": found}


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array in a dtype that NumPy has itself: bfloat16 becomes float32."""
    return array if array.dtype.kind in "biuf" and array.dtype.isbuiltin == 1 else array.astype(np.float32)


def _filled(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array with its last row repeated."""
    return np.concatenate([array, np.repeat(array[-1:], size - len(array), axis=0)])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
