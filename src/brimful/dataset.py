"""Dataset: packed samples, and the functions that pack and open them."""

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
    """Packed samples, or a part of them. Every byte is checked against its checksum when it is read."""

    _reader: StoreReader

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return Path(self._reader.name)

    @property
    def manifest(self) -> Manifest:
        """The manifest: what the store holds, and where."""
        return self._reader.manifest

    @property
    def left_out(self) -> int:
        """How many bad samples of the source were left out of the store."""
        return self.manifest.skipped

    def verify(self, progress: Progress | None = None) -> Verification:
        """Read the whole store, even if this is a part of it, and report all that is damaged.

        Args:
            progress: Called with the number of samples checked so far.
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
        """Measure how fast batches are delivered on this machine, compared with samples in memory.

        Args:
            batch_size: Samples per batch.
            memory: Memory for feeding, in bytes or like "1GB".
            seconds: About how long to measure, after reading what fits in memory.
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
    decode: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Pack a source, or a part of one, into a store.

    An existing store at `path` is brought up to date: only files that are new or changed are read, and every
    sample stays on its side of the split. If packing is stopped, the old store stays as it is, and the same
    call goes on from what was finished.

    Args:
        source: A source from `scan`, or a part of one.
        path: The folder of the store, by convention `NAME.brim`; or a storage.
        split_seed: Seed of the hash that orders the rows and decides the split.
        memory: Memory for packing, in bytes or like "64MB", "1GB" (10**9).
        overwrite: Whether to replace a store that holds other data.
        check_content: Whether to read also files that, by size, times and inode, seem unchanged.
        decode: Whether to keep images as pixels, not as files, and recordings padded: a larger store, whose
            batches take no time to decode.
        progress: Called with the number of samples packed so far.

    Returns:
        The packed data.

    Raises:
        SourceError: Samples cannot be used; all of them were read and counted.
        StoreError: There is something else at `path`, or another process is packing it.
        WriteError: The store cannot be written, for example because the disk is full.
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
    (source.decoded() if decode else source).pack_into(path, options)
    return open(path)


def open(path: Place) -> Dataset:  # noqa: A001 (what it does)
    """Open a store.

    Args:
        path: The folder of the store; or a storage.

    Raises:
        StoreNotFoundError: There is no store.
        DamagedStoreError: The manifest is damaged, or a shard is missing or truncated.
    """
    return Dataset(StoreReader(path))
