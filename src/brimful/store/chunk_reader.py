"""ChunkFiles: the data of chunks, read into memory that is given, and checked.

Beyond memory the system's page cache is of no use, only work: there files are read with O_DIRECT, which
brings bytes from the disk to where they are wanted, in whole blocks; where a file system will not, pages are
given back once they were read.
"""

import errno
import os
import time
from collections.abc import Callable
from itertools import chain
from mmap import mmap

from xxhash import xxh3_64_hexdigest

from brimful.errors import DamagedStoreError
from brimful.store.format import Chunk
from brimful.store.reader import MEND, StoreReader, opened

BLOCK = 4096  # bytes: a multiple of what any disk wants offsets, lengths and memory aligned to

Clock = Callable[[str, float], None]
"""Called with the name of a stage and the seconds that it took."""


def io_bytes(reader: StoreReader) -> int:
    """Bytes of memory that reading the data of any chunk of a store takes."""
    return max(map(_span, chain.from_iterable(shard.chunks for shard in reader.manifest.shards)))


class ChunkFiles:
    """Reads the data of chunks, from several threads at once.

    Args:
        reader: The store.
        direct: Whether to read past the page cache.
        clock: Told how long reading and checking take: "read", "verify".
    """

    def __init__(self, reader: StoreReader, *, direct: bool, clock: Clock) -> None:
        self._reader = reader
        self._beyond_memory = direct
        self.direct = direct and hasattr(os, "O_DIRECT")
        self._clock = clock

    def read(self, chunk: int, memory: mmap) -> memoryview:
        """Read the data of a chunk.

        Args:
            chunk: Its number.
            memory: Where to, aligned to a page, `io_bytes` long.

        Returns:
            The data, in that memory.

        Raises:
            DamagedStoreError: They are not as they were.
        """
        shard, place = self._reader.place(chunk)
        skip = _data_at(place) % BLOCK
        began = time.perf_counter()
        self._fill(shard.file, _data_at(place) - skip, memoryview(memory)[: _span(place)], skip + place.data)
        read = time.perf_counter()
        data = memoryview(memory)[skip : skip + place.data]
        digest = xxh3_64_hexdigest(data)
        self._clock("read", read - began)
        self._clock("verify", time.perf_counter() - read)
        if digest != place.data_xxh3:
            self._reader.check(chunk)  # names the keys
            raise DamagedStoreError(
                f"{self._reader.path / shard.file}: chunk {chunk} was read wrong once, then right.",
                "The disk or the memory of this machine is not to be trusted.",
            )
        return data

    def _fill(self, file: str, offset: int, memory: memoryview, wanted: int) -> None:
        path = self._reader.path / file
        try:
            with opened(path, os.O_DIRECT if self.direct else 0) as descriptor:
                filled = _read_all(descriptor, offset, memory, wanted)
                if self._beyond_memory and not self.direct and hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(descriptor, offset, len(memory), os.POSIX_FADV_DONTNEED)
        except DamagedStoreError as error:
            refused = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EINVAL
            if not (self.direct and refused):
                raise
            self.direct = False  # this file system reads through its cache only
            self._fill(file, offset, memory, wanted)
            return
        if filled < wanted:
            raise DamagedStoreError(f"{path}: the file ends at byte {offset + filled:,}.", MEND)


def _read_all(descriptor: int, offset: int, memory: memoryview, wanted: int) -> int:
    """Read until there is what is wanted, or the file ends; gives the bytes read."""
    filled = 0
    while filled < wanted and (count := os.preadv(descriptor, [memory[filled:]], offset + filled)):
        filled += count
    return filled


def _span(place: Chunk) -> int:
    """Bytes of the whole blocks in which the data of a chunk lie."""
    return -(-(_data_at(place) % BLOCK + place.data) // BLOCK) * BLOCK


def _data_at(place: Chunk) -> int:
    return place.offset + place.head + place.keys
