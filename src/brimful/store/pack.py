"""Packing: a source -> a store. Stopped anywhere, the old store stays; begun again, it goes on.

Shards are written one after the other under temporary names, brought to the disk and renamed. Each is then
noted in a file beside it, with a checksum of all that it was made from: keys, fingerprints of the files as
they were read, targets and weights. When a run that was stopped is begun again, the shards for which all this
is still so, and whose own checksum is right, are not made again. At the end manifest.json is renamed into
place, which is the moment at which the store becomes the new one; after that, what the manifest does not name
is removed.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_hexdigest

from brimful.errors import (
    ArgumentError,
    BrimfulError,
    MemoryBudgetError,
    SourceError,
    WriteError,
)
from brimful.keys import PIECE
from brimful.memory import format_bytes, parse_bytes
from brimful.prefetch import Prefetch, reading_threads
from brimful.samples import Progress, Samples
from brimful.sources.audit import Audit, audit, summed
from brimful.sources.audit_cache import AuditCache, Observations
from brimful.sources.index import Index
from brimful.sources.read_files import is_settled
from brimful.storage.local import locked, make_folder, remove, remove_if_empty, sync_folder, write_whole
from brimful.store.changes import Changes, Origin, by_hash
from brimful.store.chunk import Rows
from brimful.store.estimate import PackEstimate, free_bytes
from brimful.store.folder import has_piles, is_own, refuse_other_content
from brimful.store.format import (
    LARGEST_SAMPLE,
    MANIFEST,
    PARTIAL_NAME,
    SOURCE,
    Layout,
    Manifest,
    Shard,
)
from brimful.store.journal import Journal
from brimful.store.mending import unchanged_prints, whole_shards
from brimful.store.old import Old, find_old
from brimful.store.provenance import write_prints
from brimful.store.sort import ExternalSort, held_bytes
from brimful.store.writer import ShardWriter

BLOCK_ROWS = 512  # samples that a thread reads at a time
CHUNKS_HELD = 4  # as delivered: being filled, its codes, the message made of them, and what Arrow holds of it


@dataclass(frozen=True)
class Packed:
    """What packing has done.

    Attributes:
        path: The store.
        manifest: What it holds.
        source_bytes: Bytes of the files that the samples came from; 0 where there are none.
        seconds: How long it took.
        resumed: Samples in shards that an earlier run had finished, and that could stay.
        changes: How the source differed from what the store held before; None where there was none. Of
            shards that an earlier run had finished, labels and content are not compared again.
        audit: What was seen of the samples; None where not all were looked at in this run.
    """

    path: Path
    manifest: Manifest
    source_bytes: int
    seconds: float
    resumed: int
    changes: Changes | None
    audit: Audit | None


def pack(
    reader: Index,
    rows: NDArray[np.int64],
    path: Path,
    *,
    split_seed: int = 0,
    memory: str | float = "1GB",
    overwrite: bool = False,
    check_content: bool = False,
    progress: Progress | None = None,
    layout: Layout | None = None,
    planned: PackEstimate | None = None,
    in_disk_order: bool = False,
) -> Packed:
    """Pack some samples of a source, all of them as a rule.

    Args:
        reader: The source.
        rows: Which of its rows.
        path: The store to make, or to bring up to date.
        split_seed: Seed of the hash that orders the rows.
        memory: What may be held in memory for it.
        overwrite: Whether to replace a store of other data.
        check_content: Whether to read files that seem to be unchanged, too.
        progress: Called with the number of samples packed so far.
        layout: How samples are divided into chunks and shards; by default as in every store.
        planned: What it will take: nothing is written where there is no room for it, and files are read in
            the order of the disk where that pays.
        in_disk_order: Whether to do so anyway: into piles beside the store, where `memory` allows it. The
            store is the same.

    Raises:
        SourceError: Samples cannot be used; all were read, and the message counts them.
        StoreError: There is something else at `path`, or another process packs it.
        WriteError: The store cannot be written; what was finished stays for the next run.
        MemoryBudgetError: `memory` is too small.
    """
    packing = _Packing(reader, rows, path, split_seed, layout or Layout(reader.schema), progress, planned)
    if reader.schema.nbytes > LARGEST_SAMPLE:
        raise ArgumentError(
            f"Expected samples of at most {LARGEST_SAMPLE:,} bytes. Received: {reader.schema}"
        )
    try:
        refuse_other_content(path, reader.root)
    except BrimfulError:
        raise
    except ValueError as error:
        raise ArgumentError(f"Expected the path of a store. Received: {str(path)!r}: {error}") from error
    except OSError as error:
        raise WriteError(
            f"{path}: this cannot be written: {error.strerror}.", "Check the path and the permissions."
        ) from error
    total = parse_bytes(memory)
    piled = in_disk_order or (planned is not None and planned.in_disk_order(free_bytes(path)))
    make_folder(path)
    with locked(path):
        try:
            packing.divide(total, in_disk_order=piled or has_piles(path))
            old = find_old(path, reader, split_seed, overwrite=overwrite)
            return packing.run(old, check_content=check_content)
        except SourceError as error:
            found = audit(reader, np.sort(rows), progress)
            if not found.problems:  # it was there for a moment only
                raise
            raise found.refusal() from error
        finally:
            remove_if_empty(path)


class _Packing:
    """One run of packing.

    Args:
        reader: The source.
        rows: Which of its rows.
        path: The store.
        split_seed: Seed of the hash that orders the rows.
        layout: How they are divided.
        progress: Called with the number of samples packed so far.
        planned: What it will take.
    """

    def __init__(
        self,
        reader: Index,
        rows: NDArray[np.int64],
        path: Path,
        split_seed: int,
        layout: Layout,
        progress: Progress | None,
        planned: PackEstimate | None,
    ) -> None:
        self._reader = reader
        self._rows = rows if split_seed == reader.split_seed else by_hash(reader, rows, split_seed)
        self._path = path
        self._split_seed = split_seed
        self._layout = layout
        self._progress = progress
        self._planned = planned
        self._began = time.time()
        self._looks = Observations.none(len(rows))
        self._resumed = 0
        self._threads = self._block_rows = 1
        self._of_piles = 0  # bytes of memory; 0 for no piles
        self._is_piled = False

    def divide(self, memory: int, *, in_disk_order: bool) -> None:
        """Find how many threads and rows at a time the memory allows, and whether there is some for piles."""
        if in_disk_order:
            with contextlib.suppress(MemoryBudgetError):
                self._divide(memory - held_bytes(memory))
                self._of_piles = memory
                return
        self._divide(memory)

    def _divide(self, memory: int) -> None:
        chunk = min(self._layout.rows_per_chunk, len(self._rows)) * self._layout.schema.nbytes
        left = memory - CHUNKS_HELD * chunk
        for threads in range(reading_threads(), 0, -1):
            rows = BLOCK_ROWS
            while rows > 1 and self._depth(threads) * self._reader.working_bytes(rows) > left:
                rows //= 2
            if self._depth(threads) * self._reader.working_bytes(rows) <= left:
                self._threads, self._block_rows = threads, rows
                return
        least = CHUNKS_HELD * chunk + self._depth(1) * self._reader.working_bytes(1)
        raise MemoryBudgetError(
            f"memory={format_bytes(memory)!r} is too small to pack chunks of {chunk:,} bytes.",
            f"Give at least memory={format_bytes(least)!r}.",
        )

    def run(self, old: Old, *, check_content: bool) -> Packed:
        """Pack."""
        clock = time.perf_counter()
        for path in list(self._path.iterdir()):
            if PARTIAL_NAME.fullmatch(path.name):
                remove(path)
        origin = Origin(self._reader, self._rows, old.whole, check_content=check_content)
        stays = {} if check_content else self._what_stays(old, origin)
        if old.whole and len(stays) == len(old.whole.manifest.shards):
            self._remove_others(old.whole.manifest)
            return self._packed(origin, old.whole.manifest, clock, None)
        if self._planned:
            written = sum(len(at) for number, at in self._divided() if number not in stays)
            self._planned.refuse_if_too_large(self._path, written)
        finished = Journal(self._path, self._identity(check_content=check_content))
        self._pile_up(origin, finished, stays, check_content=check_content)
        shards = tuple(
            self._stay(stays[number], at) if number in stays else self._shard(number, at, origin, finished)
            for number, at in self._divided()
        )
        counts = len(self._rows), len(self._reader.skipped)
        manifest = Manifest(self._layout, self._split_seed, *counts, shards)
        prints = write_prints(origin.prints, manifest.to_json(), self._reader, self._rows, self._began)
        self._commit(manifest, prints)
        seen = self._audit(origin, manifest, time.perf_counter() - clock)
        return self._packed(origin, manifest, clock, seen)

    def _what_stays(self, old: Old, origin: Origin) -> dict[int, Shard]:
        """The shards that need not be written again: all but damaged ones, if nothing has changed."""
        store = old.whole if origin.is_unchanged else old.damaged
        if store is None or store.manifest.layout != self._layout:
            return {}
        if store is old.damaged:  # whose keys could not be compared
            origin.prints = unchanged_prints(store, self._reader, self._rows)
        return whole_shards(store, self._reader, self._rows, origin.prints, self._progress)

    def _packed(self, origin: Origin, manifest: Manifest, clock: float, seen: Audit | None) -> Packed:
        """What there is to say of it."""
        source_bytes = int(origin.prints[:, 0].clip(min=0).sum())
        seconds = time.perf_counter() - clock
        return Packed(self._path, manifest, source_bytes, seconds, self._resumed, origin.changes, seen)

    def _divided(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each shard's number, and the positions of its samples."""
        size = self._layout.rows_per_shard
        for number, start in enumerate(range(0, len(self._rows), size)):
            yield number, np.arange(start, min(start + size, len(self._rows)))

    def _pile_up(
        self, origin: Origin, finished: Journal, stays: Container[int], *, check_content: bool
    ) -> None:
        """Read the samples of shards that no earlier run has finished into piles, if that was asked for."""
        if not self._of_piles or (order := self._reader.disk_order(self._rows[origin.unread])) is None:
            return
        of_shard = origin.unread[order] // self._layout.rows_per_shard
        numbers = (number for number, _ in self._divided() if number not in stays)
        left = [number for number in numbers if finished.origin(number) is None]
        keys = xxh3_128_hexdigest(self._reader.hashes[self._rows].data)
        origin.piles = ExternalSort(
            self._path,
            self._reader,
            self._rows,
            identity=f"{self._identity(check_content=check_content)} {keys}",
            memory=self._of_piles,
            began=self._began,
        )
        wanted = origin.unread[order][np.isin(of_shard, left)]
        share = len(self._rows) / max(1, len(wanted)) / 2  # of the progress
        origin.piles.fill(
            wanted,
            threads=self._threads,
            depth=self._depth(self._threads),
            block_rows=self._block_rows,
            progress=lambda count: self._tell(int(count * share)),
        )
        self._is_piled = True

    def _stay(self, shard: Shard, at: NDArray[np.int64]) -> Shard:
        """A shard that stays as it is."""
        self._resumed += len(at)
        self._tell_packed(int(at[-1]) + 1)
        return shard

    def _shard(self, number: int, at: NDArray[np.int64], origin: Origin, finished: Journal) -> Shard:
        """A shard: that of an earlier run, if it would be the same again, or else a new one."""
        shard = None
        if (earlier := finished.origin(number)) is not None:
            origin.prints[at] = self._reader.fingerprints(self._rows[at])
            shard = finished.recall(number) if self._digest(at, origin) == earlier else None
        if shard:
            self._resumed += len(at)
            self._tell_packed(int(at[-1]) + 1)
        else:
            with ShardWriter(self._path, number, self._layout) as writer:
                for rows in self._chunks(at, origin):
                    writer.write(rows)
                shard = writer.finish()
        finished.note(number, shard, self._digest(at, origin))
        return shard

    def _chunks(self, at: NDArray[np.int64], origin: Origin) -> Iterator[Rows]:
        """The samples of a shard, a chunk at a time, read ahead in threads."""
        per_chunk, fields = self._layout.rows_per_chunk, self._layout.schema.fields
        parts = [at[start : start + per_chunk] for start in range(0, len(at), per_chunk)]
        blocks = (
            part[start : start + self._block_rows]
            for part in parts
            for start in range(0, len(part), self._block_rows)
        )
        read = partial(self._read, origin)
        with Prefetch(read, blocks, threads=self._threads, depth=self._depth(self._threads)) as ahead:
            samples = iter(ahead)
            for part in parts:
                columns = [np.empty((len(part), *field.shape), field.dtype) for field in fields]
                filled = 0
                while filled < len(part):
                    arrays = next(samples).arrays
                    for column, array in zip(columns, arrays, strict=True):
                        column[filled : filled + len(array)] = array
                    filled += len(arrays[0])
                    self._tell_packed(int(part[0]) + filled)
                keys = pa.array(self._reader.keys(self._rows[part]), pa.string())
                yield Rows(keys, Samples(*self._layout.schema.structured(columns)))

    def _read(self, origin: Origin, at: NDArray[np.int64]) -> Samples:
        """Read some samples, and note what the audit wants to know. Done in threads."""
        samples = origin.read(at)
        self._looks.low[at], self._looks.high[at] = samples.ranges
        return samples

    def _identity(self, *, check_content: bool) -> str:
        """What is packed and how, of which a shard depends on more than its own samples."""
        said = {
            "layout": repr(self._layout),
            "split_seed": self._split_seed,
            "samples": len(self._rows),
            "source": self._reader.identity,
            "arrow": pa.__version__,
            "check_content": check_content,
        }
        return xxh3_128_hexdigest(json.dumps(said, sort_keys=True).encode())

    def _digest(self, at: NDArray[np.int64], origin: Origin) -> str:
        """A checksum of what the samples of a shard come from; where none can be told, one like no other."""
        if not self._reader.is_fingerprinted or not is_settled(origin.prints[at], self._began).all():
            return uuid.uuid4().hex
        digest = xxh3_128()
        for start in range(0, len(at), PIECE):
            rows = self._rows[at[start : start + PIECE]]
            digest.update("\0".join(self._reader.keys(rows)).encode())
            for values in (origin.prints[at[start : start + PIECE]], *self._reader.targets(rows)):
                digest.update(b"" if values is None else np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def _commit(self, manifest: Manifest, prints: bytes) -> None:
        """Make the store the new one, and remove what is not of it."""
        write_whole(self._path / SOURCE, prints)
        write_whole(self._path / MANIFEST, manifest.to_json().encode())
        self._remove_others(manifest)

    def _remove_others(self, manifest: Manifest) -> None:
        """Remove what packing has left that is not of the store."""
        named = {MANIFEST, SOURCE, *(shard.file for shard in manifest.shards)}
        for path in list(self._path.iterdir()):
            if path.name not in named and is_own(path.name):
                remove(path)
        sync_folder(self._path)

    def _audit(self, origin: Origin, manifest: Manifest, seconds: float) -> Audit | None:
        """What was seen of the samples, if all were looked at; kept for the next scan."""
        if self._resumed:
            return None
        n = len(self._rows)
        packing = {"bytes": manifest.store_bytes / n, "seconds": seconds / n}
        looks = replace(self._looks, prints=origin.prints, packing=packing)
        if np.array_equal(self._rows, np.arange(len(self._reader))):
            AuditCache(self._reader).keep(looks, self._began)
        return summed(self._reader, self._rows, looks, seconds)

    def _tell_packed(self, count: int) -> None:
        """Tell of samples in the store; where they were piled up first, that was half of the work."""
        self._tell((len(self._rows) + count) // 2 if self._is_piled else count)

    def _tell(self, count: int) -> None:
        if self._progress:
            self._progress(count)

    def _depth(self, threads: int) -> int:
        return 2 * threads + 1
