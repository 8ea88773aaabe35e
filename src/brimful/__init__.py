"""brimful: train Keras models on data that does not fit in memory, at the speed of data that does."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from brimful.errors import (
    ArgumentError,
    BrimfulError,
    DamagedStoreError,
    DependencyError,
    LabelError,
    MalformedFileError,
    MemoryBudgetError,
    OtherStoreError,
    PassEndedError,
    ReadError,
    RunExistsError,
    RunNotFoundError,
    SourceError,
    SourceNotFoundError,
    StateError,
    StoreBusyError,
    StoreError,
    StoreNotFoundError,
    UnknownKeyError,
    WriteError,
)

if TYPE_CHECKING:
    from brimful.dataset import Dataset, open, pack  # noqa: A004 (bf.open)
    from brimful.run import Run
    from brimful.source import Source, scan
    from brimful.training.loop import train
    from brimful.training.resume import Resume

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "BrimfulError",
    "DamagedStoreError",
    "Dataset",
    "DependencyError",
    "LabelError",
    "MalformedFileError",
    "MemoryBudgetError",
    "OtherStoreError",
    "PassEndedError",
    "ReadError",
    "Resume",
    "Run",
    "RunExistsError",
    "RunNotFoundError",
    "Source",
    "SourceError",
    "SourceNotFoundError",
    "StateError",
    "StoreBusyError",
    "StoreError",
    "StoreNotFoundError",
    "UnknownKeyError",
    "WriteError",
    "open",
    "pack",
    "scan",
    "train",
]

# Imported at their first use: pyarrow and keras take a while, and `brimful --help` needs neither.
_LAZY = {
    "Dataset": "brimful.dataset",
    "Resume": "brimful.training.resume",
    "Run": "brimful.run",
    "Source": "brimful.source",
    "open": "brimful.dataset",
    "pack": "brimful.dataset",
    "scan": "brimful.source",
    "train": "brimful.training.loop",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'brimful' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
