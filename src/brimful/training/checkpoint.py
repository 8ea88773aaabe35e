"""Checkpoint: one committed state of a training: a document and some arrays, seen whole or not at all.

`Checkpoints` keeps them in a storage, two at a time:

    00000042.bin    the arrays, one after the other, each padded with zeros to 8 bytes
    00000042.json   the document, and of each array shape, dtype and offset, with their checksums

The second file makes the first one count: it is written last, in one step. If any of it is damaged, the
checkpoint before is taken.
"""

import re
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128

from brimful.errors import RunExistsError, StateError, WriteError
from brimful.storage.base import Storage, read_file
from brimful.storage.local import LocalStorage
from brimful.store.format import seal, unseal
from brimful.store.layout import padded

FOLDER = "checkpoints"
FORMAT = "brimful checkpoint"
VERSION = 1
DOCUMENT, ARRAYS = "{:08d}.json", "{:08d}.bin"
NAME = re.compile(r"([0-9]{8,})\.(json|bin)(\.partial)?")
LARGEST_DOCUMENT = 2**30
KEPT = 2
_locked: dict[str, ExitStack] = {}  # folders that this process trains in


@dataclass(frozen=True)
class Checkpoint:
    """A state of a training.

    Attributes:
        document: What is fit for JSON.
        arrays: The arrays, by the name under which the document speaks of them.
    """

    document: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class Checkpoints:
    """The checkpoints in a storage. The newest whole one is that from which a training goes on.

    Args:
        storage: Where they are; nothing else may be there.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._newest = max(self._numbers(), default=0)

    def __bool__(self) -> bool:
        return self._newest > 0

    @property
    def name(self) -> str:
        """Where they are."""
        return self._storage.name

    def lock(self) -> None:
        """Keep other processes out, until `unlock`, or the end of this process.

        A training of this process that was left with an error may hold it still: it gives way.

        Raises:
            RunExistsError: Another process trains here.
        """
        if (left := _locked.pop(self.name, None)) is not None:
            left.close()
        with ExitStack() as locked:
            try:
                locked.enter_context(self._storage.lock())
            except BlockingIOError as error:
                raise RunExistsError(
                    f"{self.name}: another process trains in this folder.",
                    "Wait for it, or name another folder.",
                ) from error
            _locked[self.name] = locked.pop_all()

    def unlock(self) -> None:
        """Let other processes in."""
        if (locked := _locked.pop(self.name, None)) is not None:
            locked.close()

    def latest(self) -> Checkpoint | None:
        """The newest one that is whole; None if there is none at all. A damaged one is warned of.

        Raises:
            StateError: There are some, but all are damaged, or of another version.
        """
        reasons = []
        for number in sorted(self._numbers(), reverse=True):
            try:
                found = self._read(number)
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                reasons.append(f"{DOCUMENT.format(number)}: {error}")
                continue
            if reasons:
                warnings.warn(
                    f"{self.name}: a damaged checkpoint is passed over ({reasons[0]}), and the one before it "
                    "is taken: what was trained in between is trained again.",
                    stacklevel=2,
                )
            return found
        if reasons:
            raise StateError(
                f"{self.name}: no checkpoint can be read ({'; '.join(reasons)}).",
                "Begin anew in another folder, or restore these files from a copy.",
            )
        return None

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, and remove all but the one before it.

        Raises:
            WriteError: It cannot be written; those that there were stay.
        """
        number = self._newest + 1
        layout, offset, digest = {}, 0, xxh3_128()
        with self._storage.write(ARRAYS.format(number)) as file:
            for name, array in checkpoint.arrays.items():
                content = np.ascontiguousarray(array)
                layout[name] = {"shape": list(array.shape), "dtype": array.dtype.name, "offset": offset}
                filling = bytes(padded(content.nbytes) - content.nbytes)
                for piece in (content.reshape(-1).view(np.uint8).data, filling):
                    file.write(piece)
                    digest.update(piece)
                offset += padded(content.nbytes)
            file.commit(ARRAYS.format(number))
        entry = {
            "format": FORMAT,
            "version": VERSION,
            "document": checkpoint.document,
            "arrays": layout,
            "bytes": offset,
            "xxh3": digest.hexdigest(),
        }
        with self._storage.write(DOCUMENT.format(number)) as file:
            file.write(seal(entry).encode())
            file.commit(DOCUMENT.format(number))
        self._newest = number
        self._remove_older(number - KEPT)

    def _read(self, number: int) -> Checkpoint:
        entry = unseal(read_file(self._storage, DOCUMENT.format(number), LARGEST_DOCUMENT))
        if entry["format"] != FORMAT or entry["version"] != VERSION:
            raise ValueError(f"it is of version {entry['version']!r}; this is version {VERSION}")
        content = read_file(self._storage, ARRAYS.format(number), entry["bytes"] + 1)
        if len(content) != entry["bytes"] or xxh3_128(content).hexdigest() != entry["xxh3"]:
            raise ValueError("the checksum of its arrays is wrong")
        arrays = {}
        for name, each in entry["arrays"].items():
            dtype, shape = _dtype(each["dtype"]), tuple(each["shape"])
            array = np.frombuffer(content, dtype, int(np.prod(shape)), each["offset"])
            arrays[name] = array.reshape(shape)
        return Checkpoint(entry["document"], arrays)

    def _numbers(self) -> set[int]:
        """The numbers of those that count: whose document is there."""
        try:
            names = self._storage.list()
        except FileNotFoundError:
            return set()
        found = filter(None, map(NAME.fullmatch, names))
        return {int(match[1]) for match in found if match[2] == "json" and not match[3]}

    def _remove_older(self, last: int) -> None:
        """Remove the checkpoints up to a number, and what is left of others; a document goes first."""
        found = [match for match in map(NAME.fullmatch, self._storage.list()) if match]
        for match in sorted(found, key=lambda match: match[2], reverse=True):
            if int(match[1]) <= last or match[3]:
                try:
                    self._storage.remove(match[0])
                except WriteError:  # another time
                    return


def checkpoints_in(path: Path) -> Checkpoints:
    """The checkpoints in the folder of a training, which is made if there is none.

    Raises:
        WriteError: It cannot be made.
    """
    folder = path / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"{folder}: this folder cannot be made: {error.strerror or error}.", "Name a folder elsewhere."
        ) from error
    return Checkpoints(LocalStorage(folder))


def _dtype(name: str) -> np.dtype[Any]:
    """A dtype by name; those that NumPy lacks, like bfloat16, are of ml_dtypes, as in Keras."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found
