"""Look-alikes: objects that seem to give samples by index, and do not; each is refused by its name."""

from typing import Any

from brimful.errors import ArgumentError

LOOK_ALIKES = (
    (
        "keras",
        "PyDataset",
        "gives a batch for each index, not a sample",
        "Fit takes it as it is. For brimful, scan the files or the object that it reads from.",
    ),
    (
        "torch.utils.data",
        "DataLoader",
        "gives batches in an order of its own, not samples by index",
        "Scan the data set that it was made from: bf.scan(loader.dataset).",
    ),
    (
        "torch.utils.data",
        "IterableDataset",
        "can only be iterated, not asked for a sample by index",
        "Scan the files that it reads, or an object with `len` and `[i] -> (x, y)`.",
    ),
    (
        "tensorflow",
        "DatasetV2",
        "can only be iterated, not asked for a sample by index",
        "If it fits in memory: bf.scan(list(dataset.unbatch().as_numpy_iterator())).",
    ),
    (
        "pandas",
        "DataFrame",
        "has columns, not samples by index",
        "bf.scan(list(zip(frame[inputs].to_numpy(), frame[target]))), with the names of its columns.",
    ),
    (
        "polars",
        "DataFrame",
        "has columns, not samples by index",
        "bf.scan(list(zip(frame.select(inputs).to_numpy(), frame[target]))), with the names of its columns.",
    ),
    (
        "pyarrow",
        "Table",
        "has columns, not samples by index",
        "bf.scan(list(zip(x, y))), with NumPy arrays made of its columns.",
    ),
    (
        "brimful",
        "Batches",
        "are batches already",
        "Train on them as they are, or scan what they were made from.",
    ),
)
"""The module and the class, what it does, and what to do instead."""


def refuse_look_alike(thing: Any) -> None:
    """Refuse an object that would be taken for samples, and is none.

    Raises:
        ArgumentError: It is one.
    """
    classes = {(each.__module__ + ".", each.__name__) for each in type(thing).__mro__}
    for module, name, what, hint in LOOK_ALIKES:
        if any(own.startswith(module + ".") and its == name for own, its in classes):
            kind = type(thing).__name__
            raise ArgumentError(f"Expected samples to scan. Received: {kind}, which {what}.", hint)
