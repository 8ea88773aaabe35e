"""The errors of brimful: one tree, and every leaf is also the builtin a caller would catch.

    BrimfulError
     ├── ArgumentError          (ValueError)         an argument is wrong
     ├── DependencyError        (ImportError)        a library is missing, or not as expected
     ├── MemoryBudgetError      (ValueError)         `memory` is too small for what it must hold
     ├── PassEndedError         (RuntimeError)       a loop goes on after another one has ended it
     ├── RunExistsError         (FileExistsError)    a run folder would be written over
     ├── StateError             (ValueError)         a saved position belongs to other data or another order
     ├── StoreError                                  the packed data
     │    ├── StoreNotFoundError  (FileNotFoundError)  there is no store
     │    ├── StoreBusyError      (BlockingIOError)    another process is packing it
     │    ├── OtherStoreError     (FileExistsError)    it holds other data
     │    └── DamagedStoreError   (ValueError)         bytes are not what they were
     ├── UnknownKeyError        (KeyError)           no sample has this key
     ├── WriteError             (OSError)            a file or folder cannot be written
     └── SourceError                                 the raw data
          ├── SourceNotFoundError (FileNotFoundError)  nothing is there
          ├── ReadError           (OSError)            a file cannot be read
          ├── LabelError          (ValueError)         the labels are wrong, or missing
          └── MalformedFileError  (ValueError)         a sample is unlike the others

A message says what is wrong and where; `hint` says what to do about it.
"""


class BrimfulError(Exception):
    """The base of all errors of brimful.

    Args:
        message: What is wrong, and where, in whole sentences.
        hint: What to do about it, or an empty string.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class ArgumentError(BrimfulError, ValueError):
    """An argument is wrong."""


class DependencyError(BrimfulError, ImportError):
    """A library is missing, or not as expected."""


class MemoryBudgetError(BrimfulError, ValueError):
    """`memory` is too small for what it must hold."""


class PassEndedError(BrimfulError, RuntimeError):
    """A loop over batches goes on, but another loop over the same batches has begun."""


class RunExistsError(BrimfulError, FileExistsError):
    """A run folder would be written over."""


class RunNotFoundError(BrimfulError, FileNotFoundError):
    """There is no run at the path given, or not yet what is wanted of it."""


class StateError(BrimfulError, ValueError):
    """A saved position or model belongs to other data, or cannot be used."""


class StoreError(BrimfulError):
    """The packed data cannot be used as they are."""


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is no store at the path given."""


class StoreBusyError(StoreError, BlockingIOError):
    """Another process is packing this store."""


class OtherStoreError(StoreError, FileExistsError):
    """A store or folder with other data would be written over."""


class DamagedStoreError(StoreError, ValueError):
    """Bytes of a store are not what they were when it was packed.

    Args:
        message: As for every error.
        hint: What to do about it.
        keys: Keys of the samples whose data are damaged; None if the keys are damaged too, or not known.
    """

    def __init__(self, message: str, hint: str = "", keys: list[str] | None = None) -> None:
        super().__init__(message, hint)
        self.keys = keys


class UnknownKeyError(BrimfulError, KeyError):
    """No sample has this key."""


class WriteError(BrimfulError, OSError):
    """A file or folder cannot be written: no room, no permission."""


class SourceError(BrimfulError):
    """The raw data cannot be used as they are.

    Attributes:
        kind: The word for it in the output of `brimful scan --json`.
    """

    kind = "unreadable"


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is no data at the path given."""


class ReadError(SourceError, OSError):
    """A file of the source cannot be read."""


class LabelError(SourceError, ValueError):
    """The labels are wrong, or missing."""

    kind = "missing_label"


class MalformedFileError(SourceError, ValueError):
    """A sample does not fit the schema.

    Args:
        message: As for every error; begins with `file:line:column` if that is known, both
            counted from 1, the column in values.
        hint: What to do about it.
        kind: The fault, one of `malformed`, `non_finite`, `wrong_shape`, `empty`.
    """

    def __init__(self, message: str, hint: str = "", kind: str = "malformed") -> None:
        super().__init__(message, hint)
        self.kind = kind
