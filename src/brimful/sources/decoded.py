"""DecodedFormat: a Format: another one whose samples are decoded once and for all."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.encodings.samples import UndecodableSampleError, decoded
from brimful.errors import MalformedFileError
from brimful.samples import Samples
from brimful.schema import Schema, map_structure
from brimful.sources.base import BaseFormat, Format


def undecodable(
    samples: Format, numbers: NDArray[np.int64], error: UndecodableSampleError
) -> MalformedFileError:
    """The error for one of some samples that cannot be decoded, with its place."""
    return MalformedFileError(
        f"{samples.place(int(numbers[error.at]))}: {error}.",
        "Repair the file, or take it out of the folder.",
        kind=error.kind,
    )


class DecodedFormat(BaseFormat):
    """The samples of a format whose fields have encodings, as arrays."""

    def __init__(self, encoded: Format) -> None:
        self._encoded = encoded
        fields = (encoded.schema.inputs, encoded.schema.target)
        inputs, target = (map_structure(part, lambda field: replace(field, encoding=None)) for part in fields)
        self.schema: Schema = replace(encoded.schema, inputs=inputs, target=target)
        self.name, self.root = encoded.name, encoded.root
        self.identity = f"decoded {encoded.identity}"
        self.facts, self.findings, self.nbytes = encoded.facts, encoded.findings, encoded.nbytes

    def __len__(self) -> int:
        return len(self._encoded)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """Keys of some samples."""
        return self._encoded.keys(numbers)

    def place(self, number: int) -> str:
        """Where a sample is."""
        return self._encoded.place(number)

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples, and decode them."""
        samples = self._encoded.read(numbers, prints)
        try:
            return decoded(samples, self._encoded.schema)
        except UndecodableSampleError as error:
            raise undecodable(self, numbers, error) from error

    def working_bytes(self, n: int) -> int:
        """What reading takes, and the arrays."""
        return self._encoded.working_bytes(n) + n * self.schema.nbytes

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """What shows whether samples have changed."""
        return self._encoded.fingerprints(numbers)

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The order in which reading is cheap."""
        return self._encoded.natural_order(numbers)
