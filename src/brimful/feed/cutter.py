"""Cutter: batches, each in memory of its own, cut out of blocks that come in order."""

from collections.abc import Iterator

import numpy as np

from brimful.feed.loader import Block
from brimful.samples import Samples
from brimful.schema import Schema


class Cutter:
    """Cuts batches out of blocks.

    Args:
        blocks: The blocks, in order.
        schema: What a sample has.
    """

    def __init__(self, blocks: Iterator[Block], schema: Schema) -> None:
        self._blocks = blocks
        self._schema = schema
        self._block: Block | None = None
        self._used = 0

    def take(self, size: int) -> Block:
        """Cut the next `size` samples, which the blocks must still have, into new arrays."""
        rows = np.empty(size, np.int64)
        arrays = [np.empty((size, *field.shape), field.dtype) for field in self._schema.fields]
        keys: list[str] = []
        filled = 0
        while filled < size:
            if self._block is None:
                self._block, self._used = next(self._blocks), 0
            block = self._block
            there = slice(self._used, self._used + size - filled)
            count = len(block.rows[there])
            here = slice(filled, filled + count)
            rows[here] = block.rows[there]
            for array, part in zip(arrays, block.samples.arrays, strict=True):
                array[here] = part[there]
            keys += block.keys[there]
            filled += count
            self._used += count
            if self._used == len(block.rows):
                self._block = None
        return Block(rows, Samples(*self._schema.structured(arrays)), keys)
