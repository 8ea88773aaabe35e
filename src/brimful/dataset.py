"""Dataset: packed samples, and how they are packed and opened."""

from pathlib import Path

from brimful.collection import Collection
from brimful.errors import ArgumentError
from brimful.feed.benchmark import Speed, measure_speed
from brimful.feed.windows import WindowLoader
from brimful.options import FeedOptions, PackOptions
from brimful.samples import Progress
from brimful.source import Source
from brimful.storage.locate import Place
from brimful.store.format import Manifest
from brimful.store.reader import StoreReader
from brimful.store.verify import Verification, verify


class Dataset(Collection):
    """Packed samples, or a part of them.

    `len(data)` is the number of samples, `data[i]` one of them, as of a source. Every byte is checked
    against its checksum whenever it is read.
    """

    _reader: StoreReader

    @property
    def path(self) -> Path:
        """The store."""
        return Path(self._reader.name)

    @property
    def manifest(self) -> Manifest:
        """What the store holds, and where."""
        return self._reader.manifest

    @property
    def left_out(self) -> int:
        """How many samples of the source were left out when it was packed, because they are bad."""
        return self.manifest.skipped

    def verify(self, progress: Progress | None = None) -> Verification:
        """Read the whole store, also where this is a part of it, and report all that is damaged.

        Args:
            progress: Called with the number of samples looked at so far.
        """
        return verify(self._reader.storage, progress)

    def speed(
        self,
        batch_size: int = 512,
        *,
        memory: str | float = "1GB",
        seconds: float = 10.0,
        progress: Progress | None = None,
    ) -> Speed:
        """Measure what its batches deliver on this machine, against samples in memory.

        Args:
            batch_size: Samples a batch.
            memory: What the batches may hold, in bytes or like "1GB".
            seconds: How long to measure, about; reading first what fits in memory comes on top.
            progress: Called with the number of rounds done, of `brimful.feed.benchmark.ROUNDS`.
        """
        options = FeedOptions.of(batch_size, memory=memory)
        return measure_speed(self._loader(options), seconds, progress)

    def _loader(self, options: FeedOptions) -> WindowLoader:
        return WindowLoader(self._reader, self._view, options)


def pack(
    source: Source,
    path: Place,
    *,
    split_seed: int = 0,
    memory: str | float = "1GB",
    overwrite: bool = False,
    check_content: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Pack a source, or a part of one, into a store.

    The store at `path` is brought up to date if there is one: only files that are new or changed are
    read, and every sample stays on its side of the split. Stopped at any moment, the old store stays as it
    is; the same call goes on from what was finished.

    Args:
        source: What `scan` gave, or a part of it.
        path: The folder of the store, by custom `NAME.brim`; or a storage.
        split_seed: Seed of the hash that orders the rows and decides the split.
        memory: What may be held in memory for it, in bytes or like "64MB", "1GB" (10**9).
        overwrite: Replace a store that holds other data.
        check_content: Read also files that seem unchanged by their size, times and inode.
        progress: Called with the number of samples packed so far.

    Returns:
        The packed data.

    Raises:
        SourceError: Samples cannot be used; all of them were read and counted.
        StoreError: There is something else at `path`, or another process is packing it.
        WriteError: It cannot be written, for want of room for example.
        MemoryBudgetError: `memory` is too small.
    """
    if not isinstance(source, Source):
        raise ArgumentError(f"Expected a source, from `bf.scan`. Received: {type(source).__name__}")
    options = PackOptions.of(
        split_seed=split_seed,
        memory=memory,
        overwrite=overwrite,
        check_content=check_content,
        progress=progress,
    )
    source.pack_into(path, options)
    return open(path)


def open(path: Place) -> Dataset:  # noqa: A001 (what it does)
    """Open a store.

    Args:
        path: Its folder; or a storage.

    Raises:
        StoreNotFoundError: There is none.
        DamagedStoreError: Its manifest is damaged, or a shard is missing or cut.
    """
    return Dataset(StoreReader(path))
