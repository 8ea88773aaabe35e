"""Rows: some samples with their keys, and the bytes of a chunk that they are decoded from.

Nothing is taken from the bytes that the manifest does not say: not their number, their sizes, nor where they
are. So wrong bytes can be wrong values, which the checksums tell, and nothing worse.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.samples import Samples
from brimful.store.codecs.narrow import decoded
from brimful.store.format import Layout, padded


class Rows(NamedTuple):
    """Some samples in row order.

    Attributes:
        keys: Their keys, a pyarrow string array.
        samples: What they hold.
    """

    keys: pa.StringArray
    samples: Samples


def decode_keys(keys: bytes | memoryview, n: int) -> pa.StringArray:
    """The keys of a chunk.

    Args:
        keys: The bytes of its keys.
        n: How many there are.

    Raises:
        ValueError: These are no keys.
    """
    offsets = np.frombuffer(keys, np.dtype("<i4"), n + 1)
    start = padded(offsets.nbytes)
    if offsets[0] != 0 or (np.diff(offsets) < 0).any() or padded(int(offsets[-1])) != len(keys) - start:
        raise ValueError("the offsets of the keys are out of order")
    buffer = pa.py_buffer(keys)
    array = pa.StringArray.from_buffers(n, buffer.slice(0, offsets.nbytes), buffer.slice(start))
    array.validate(full=True)
    return array


def decode_data(data: bytes | memoryview, n: int, layout: Layout, rules: Sequence[str]) -> Samples:
    """The samples of a chunk, freshly owned.

    Args:
        data: The bytes of its data.
        n: How many rows it has.
        layout: What a sample has.
        rules: How each input is kept.
    """
    columns = columns_of(data, n, layout, rules)
    return Samples(*layout.schema.structured(map(decoded, columns, layout.every_rule(rules))))


def columns_of(data: bytes | memoryview, n: int, layout: Layout, rules: Sequence[str]) -> list[NDArray[Any]]:
    """The columns of a chunk as they are kept, views of its bytes, of shape `(n, ...)`."""
    columns = []
    for (_, field), at in zip(layout.columns(rules), column_offsets(n, layout, rules), strict=True):
        dtype = np.dtype(field.dtype).newbyteorder("<")
        columns.append(np.frombuffer(data, dtype, n * field.size, at).reshape(n, *field.shape))
    return columns


def column_offsets(n: int, layout: Layout, rules: Sequence[str]) -> list[int]:
    """The byte of a chunk's data at which each column begins."""
    sizes = (padded(n * field.nbytes) for _, field in layout.columns(rules))
    return list(accumulate(sizes, initial=0))[:-1]
