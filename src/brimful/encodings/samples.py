"""Decoding of samples: encoded values -> arrays, each sample in its place."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.encodings.base import UndecodableError
from brimful.encodings.registry import encoding_of
from brimful.samples import Samples
from brimful.schema import Field, Schema


class UndecodableSampleError(ValueError):
    """A sample that cannot be decoded: its position among those asked for, and the error."""

    def __init__(self, at: int, error: UndecodableError) -> None:
        super().__init__(str(error))
        self.at = at
        self.kind = error.kind


def decode_values(field: Field, values: Sequence[Any] | NDArray[Any], out: NDArray[Any]) -> None:
    """Decode some values of a field into an array of shape `(n, *field.shape)`.

    Raises:
        UndecodableSampleError: One of them is no value.
    """
    encoding = encoding_of(field)
    for at, value in enumerate(values):
        try:
            encoding.decode(value, out[at, ...])
        except UndecodableError as error:
            raise UndecodableSampleError(at, error) from error


def decoded(samples: Samples, schema: Schema) -> Samples:
    """Samples with an array in place of encoded values; those without any are handed back as they are."""
    if not schema.is_encoded:
        return samples
    arrays = []
    for field, values in zip(schema.fields, samples.arrays, strict=False):
        if field.encoding is None:
            arrays.append(values)
            continue
        out = np.empty((len(values), *field.shape), field.dtype)
        decode_values(field, values, out)
        arrays.append(out)
    missing = [None] * (len(schema.fields) - len(arrays))
    return Samples(*schema.structured((*arrays, *missing)))


def check_encoded(samples: Samples, schema: Schema) -> None:
    """Look at encoded values without decoding them.

    Raises:
        UndecodableSampleError: One of them cannot be a value.
    """
    for field, values in zip(schema.fields, samples.arrays, strict=False):
        if field.encoding is None:
            continue
        encoding = encoding_of(field)
        for at, value in enumerate(values):
            try:
                encoding.check(value)
            except UndecodableError as error:
                raise UndecodableSampleError(at, error) from error
