"""RecordFile: a toy format, all samples in one file of fixed-size records, keys and labels inside."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import MalformedFileError
from brimful.samples import Samples
from brimful.schema import Field, Schema
from brimful.sources.base import BaseFormat

HEADER = np.dtype([("magic", "S4"), ("samples", "<u4"), ("values", "<u4")])


def record_of(values: int) -> np.dtype[np.void]:
    """How a record lies in the file."""
    return np.dtype([("key", "S8"), ("label", "<i8"), ("x", "<f4", (values,))])


class RecordFile(BaseFormat):
    """A file of a header and records."""

    def __init__(self, path: Path) -> None:
        _, samples, values = np.fromfile(path, HEADER, 1)[0].tolist()
        self._file = np.memmap(path, record_of(values), "r", HEADER.itemsize, (samples,))
        self._path = path
        self.name = str(path)
        self.schema = Schema(Field((values,), "float32"), Field((), "int64"))
        self.identity = f"records of {path.absolute()}"

    def __len__(self) -> int:
        return len(self._file)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """They stand in the records."""
        return pa.array(self._file["key"][numbers].tolist(), pa.large_binary()).cast(pa.large_string())

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Values and labels of some records."""
        records = self._file[numbers]
        for at in np.flatnonzero(~np.isfinite(records["x"]).all(axis=1)).tolist():
            raise MalformedFileError(f"{self._path}: record {numbers[at]} is not finite.", kind="non_finite")
        if prints is not None:
            prints[:] = self.fingerprints(numbers)
        return Samples(np.array(records["x"]), np.array(records["label"]))

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The size of a record, and the times and the inode of the file, the same for all."""
        status = self._path.stat()
        one = (self._file.itemsize, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return np.tile(np.array(one), (len(numbers), 1))

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """By their place in the file."""
        return np.argsort(numbers)


def write_records(path: Path, n: int = 50, values: int = 6) -> Path:
    """Write a file of records whose values are k/255, so that it can be packed narrowly."""
    random = np.random.default_rng(0)
    records = np.zeros(n, record_of(values))
    records["key"] = [b"r%04d" % (number * 7 % n) for number in range(n)]
    records["label"] = random.integers(0, 4, n)
    records["x"] = random.integers(0, 256, (n, values)) / 255
    path.write_bytes(np.array((b"toy!", n, values), HEADER).tobytes() + records.tobytes())
    return path
