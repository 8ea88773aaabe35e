"""Packing: a source -> a store. Stopped anywhere, the old store stays; begun again, it goes on.

    find_previous  the old store, if there is one
    Comparison     which samples it holds as they are, which shards can stay
    MergedReader   each sample from there, from piles in the order of the disk, or from the source
    ShardWriter    the shards, one after the other
    Journal        which of them are done, so that packing that is stopped can go on
    Manifest       renamed into place at the end: the moment at which the store becomes the new one

A shard that is done is noted with a checksum of all that it was made from: keys, fingerprints of the files
when they were read, targets and weights. When packing that was stopped goes on, the shards for which all of
this is unchanged, and whose own checksum is right, are not made again. After the manifest is written, the
files that it does not name are removed.
"""

import json
import os
import time
import uuid
from collections.abc import Container, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_hexdigest

from brimful.errors import (
    ArgumentError,
    BrimfulError,
    MemoryBudgetError,
    OtherStoreError,
    SourceError,
    StoreBusyError,
    StoreError,
    WriteError,
)
from brimful.keys import KEYS_PER_PIECE
from brimful.memory import format_bytes
from brimful.options import PackOptions
from brimful.prefetch import Prefetch, ReadBudget, divide
from brimful.samples import Samples
from brimful.sources import audit_cache
from brimful.sources.audit import audit
from brimful.sources.audit_cache import Observations
from brimful.sources.index import Index
from brimful.sources.read_files import is_settled
from brimful.storage.base import Storage, write_file
from brimful.storage.locate import Place, locate
from brimful.store.changes import (
    Changes,
    Comparison,
    by_hash,
    find_previous,
    shards_that_stay,
    unchanged_prints,
)
from brimful.store.estimate import PackEstimate, free_bytes
from brimful.store.format import LARGEST_SAMPLE, MANIFEST, PARTIAL_NAME, PILE_NAME, SOURCE, Manifest, Shard
from brimful.store.journal import OWN, Journal, remove_others, remove_partial
from brimful.store.layout import Layout
from brimful.store.merge import MergedReader
from brimful.store.provenance import encode_provenance
from brimful.store.reader import StoreReader, read_manifest
from brimful.store.sort import ExternalSort, held_bytes
from brimful.store.writer import Rows, ShardWriter

BLOCK_ROWS = 512  # samples that a thread reads at a time
NEIGHBOURS = 4_096  # likewise, where neighbours are read together
CHUNKS_HELD = 4  # as delivered: being filled, its codes, the message made of them, and what Arrow holds of it


@dataclass(frozen=True)
class Packed:
    """What packing has done.

    Attributes:
        name: The store.
        manifest: What it holds.
        source_bytes: Bytes of the files that the samples came from; 0 where there are none.
        seconds: How long it took.
        resumed: Samples in shards that an earlier attempt had finished, and that could stay.
        changes: How the source differed from the old store; None where there was none. For shards that an
            earlier attempt had finished, labels and content are not compared again.
    """

    name: str
    manifest: Manifest
    source_bytes: int
    seconds: float
    resumed: int
    changes: Changes | None


def pack(
    source: Index,
    rows: NDArray[np.int64],
    place: Place,
    options: PackOptions,
    estimate: PackEstimate | None = None,
) -> Packed:
    """Pack some samples of a source, all of them as a rule.

    Args:
        source: The source.
        rows: The rows to pack.
        place: The store to make, or to update: a path, or a storage.
        options: How to pack.
        estimate: What it will take: nothing is written if there is no room for it, and files are read in the
            order of the disk if that pays.

    Raises:
        SourceError: Samples cannot be used; all were read, and the message counts them.
        StoreError: There is something else at the place, or another process packs it.
        WriteError: The store cannot be written; what was finished stays for the next attempt.
        MemoryBudgetError: `memory` is too small.
    """
    if source.schema.nbytes > LARGEST_SAMPLE:
        raise ArgumentError(
            f"Expected samples of at most {LARGEST_SAMPLE:,} bytes. Received: {source.schema}"
        )
    storage = locate(place)
    _check_place(place, storage, source.root)
    packing = _Packing(source, rows, storage, options, estimate)
    try:
        with ExitStack() as locked:
            try:
                locked.enter_context(storage.lock())
            except BlockingIOError as error:
                raise StoreBusyError(
                    f"{storage.name}: another process is packing this store.", "Wait for it, or stop it."
                ) from error
            return packing.pack()
    except SourceError as error:
        found = audit(source, np.sort(rows), options.progress)
        if not found.problems:  # it was there for a moment only
            raise
        raise found.refusal() from error


def _check_place(place: Place, storage: Storage, root: Path | None) -> None:
    """Refuse to write a store over something else, or into the source."""
    try:
        if isinstance(place, (str, os.PathLike)):
            _check_path(Path(place), root)
        _refuse_other_content(storage)
    except BrimfulError:
        raise
    except ValueError as error:
        raise ArgumentError(f"Expected the path of a store. Received: {place!r}: {error}") from error
    except OSError as error:
        raise WriteError(
            f"{storage.name}: this cannot be written: {error.strerror}.",
            "Check the path and the permissions.",
        ) from error


def _check_path(path: Path, root: Path | None) -> None:
    """Refuse a path in the folder of the source, or at which no folder can be made."""
    if root is not None and path.resolve().is_relative_to(root.resolve()):
        raise ArgumentError(
            f"{path}: the store would be in the folder of the source, which is never written to.",
            f"Put it beside: {root.resolve()}.brim",
        )
    if not path.parent.is_dir():
        raise ArgumentError(f"{path}: there is no folder to put the store into.", "Make it first.")
    if os.path.lexists(path) and not path.is_dir():
        raise OtherStoreError(f"{path}: this is a file, and no store.", "Name a folder that is not there.")


def _refuse_other_content(storage: Storage) -> None:
    """Refuse a place that holds anything but a store, or the beginning of one."""
    try:
        names = storage.list()
    except FileNotFoundError:
        return
    strangers = sorted(name for name in names if not PARTIAL_NAME.fullmatch(name))
    if not strangers or any(pattern.fullmatch(name) for name in names for pattern in OWN):
        return
    try:
        read_manifest(storage)  # succeeds for a store whose shards are all lost
    except StoreError as error:
        raise OtherStoreError(
            f"{storage.name}: the folder is no store and not empty: there is {strangers[0]!r}.",
            "Name a folder that is not there yet.",
        ) from error


class _Packing:
    """Packing under way. The arguments are those of `pack`."""

    def __init__(
        self,
        source: Index,
        rows: NDArray[np.int64],
        storage: Storage,
        options: PackOptions,
        estimate: PackEstimate | None,
    ) -> None:
        self._source = source
        self._options = options
        same_order = options.split_seed == source.split_seed
        self._rows = rows if same_order else by_hash(source, rows, options.split_seed)
        self._storage = storage
        self._layout = Layout.of(
            source.schema, source.format.encoded_bytes, options.chunk_bytes, options.shard_bytes
        )
        self._estimate = estimate
        self._began, self._clock = time.time(), time.perf_counter()
        self._seen = Observations.none(len(rows))
        self._resumed = 0
        self._is_piled = False

    def pack(self) -> Packed:
        self._divide()
        options = self._options
        intact, damaged = find_previous(
            self._storage, self._source, options.split_seed, overwrite=options.overwrite
        )
        remove_partial(self._storage)
        comparison = Comparison(self._source, self._rows, intact, check_content=options.check_content)
        prints, stays = self._what_stays(comparison, damaged)
        if intact and len(stays) == len(intact.manifest.shards):
            remove_others(self._storage, intact.manifest)
            return self._packed(intact.manifest, MergedReader(comparison, prints, None))
        if self._estimate:
            written = sum(len(at) for number, at in self._divided() if number not in stays)
            self._estimate.refuse_if_too_large(self._storage, written)
        journal = Journal(self._storage, self._layout.schema, self._identity())
        piles = self._pile_up(comparison, journal, stays)
        reader = MergedReader(comparison, prints, piles)
        shards = tuple(
            self._stay(stays[number], at) if number in stays else self._shard(number, at, reader, journal)
            for number, at in self._divided()
        )
        skipped = len(self._source.skipped)
        layout = replace(self._layout, schema=replace(self._layout.schema, classes=reader.classes))
        sides = self._source.sides and self._source.sides.take(self._rows)
        manifest = Manifest(layout, self._options.split_seed, len(self._rows), skipped, shards, sides)
        self._commit(manifest, reader)
        return self._packed(manifest, reader)

    def _divide(self) -> None:
        """Find what the memory allows, with piles if files will be read in the order of the disk."""
        options, estimate, nbytes = self._options, self._estimate, self._source.working_bytes
        row = self._source.format.encoded_bytes if self._layout.chunk_rows else self._layout.schema.nbytes
        chunk = min(self._layout.rows_per_chunk, len(self._rows)) * row
        left = options.memory - CHUNKS_HELD * chunk
        most = NEIGHBOURS if self._source.is_sequential else BLOCK_ROWS
        is_piled = options.in_disk_order or any(map(PILE_NAME.fullmatch, self._storage.list()))
        is_piled = is_piled or bool(estimate and estimate.in_disk_order(free_bytes(self._storage)))
        if is_piled and (budget := divide(left - held_bytes(options.memory), nbytes, most)):
            self._budget, self._pile_memory = budget, options.memory
            return
        if budget := divide(left, nbytes, most):
            self._budget, self._pile_memory = budget, 0
            return
        least = CHUNKS_HELD * chunk + ReadBudget(1, 1).depth * nbytes(1)
        raise MemoryBudgetError(
            f"memory={format_bytes(options.memory)!r} is too small to pack chunks of {chunk:,} bytes.",
            f"Give at least memory={format_bytes(least)!r}.",
        )

    def _what_stays(
        self, comparison: Comparison, damaged: StoreReader | None
    ) -> tuple[NDArray[np.int64], dict[int, Shard]]:
        """The fingerprints that are known, and the shards that need not be written again.

        If nothing has changed, these are all but the damaged ones.
        """
        store = comparison.store if comparison.is_unchanged else damaged
        if store is None or store.manifest.layout != self._layout or self._options.check_content:
            return comparison.prints, {}
        prints = comparison.prints
        if store is damaged:  # whose keys could not be compared
            prints = unchanged_prints(store, self._source, self._rows)
        return prints, shards_that_stay(store, self._source, self._rows, prints, self._options.progress)

    def _packed(self, manifest: Manifest, reader: MergedReader) -> Packed:
        source_bytes = int(reader.prints[:, 0].clip(min=0).sum())
        seconds = time.perf_counter() - self._clock
        return Packed(self._storage.name, manifest, source_bytes, seconds, self._resumed, reader.changes)

    def _divided(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """The number of each shard, and the positions of its samples."""
        size = self._layout.rows_per_shard
        for number, start in enumerate(range(0, len(self._rows), size)):
            yield number, np.arange(start, min(start + size, len(self._rows)))

    def _pile_up(
        self, comparison: Comparison, journal: Journal, stays: Container[int]
    ) -> ExternalSort | None:
        """Read the samples of shards that no earlier attempt has finished into piles, if there is memory."""
        budget, unread = self._budget, comparison.unread
        if not self._pile_memory or (order := self._source.disk_order(self._rows[unread])) is None:
            return None
        of_shard = unread[order] // self._layout.rows_per_shard
        numbers = (number for number, _ in self._divided() if number not in stays)
        left = [number for number in numbers if journal.origin(number) is None]
        keys = xxh3_128_hexdigest(self._source.hashes[self._rows].data)
        piles = ExternalSort(
            self._storage,
            self._source,
            self._rows,
            identity=f"{self._identity()} {keys}",
            memory=self._pile_memory,
            began=self._began,
        )
        wanted = unread[order][np.isin(of_shard, left)]
        share = len(self._rows) / max(1, len(wanted)) / 2  # of the progress
        piles.fill(
            wanted,
            threads=budget.threads,
            depth=budget.depth,
            block_rows=budget.block_rows,
            progress=lambda count: self._report(int(count * share)),
        )
        self._is_piled = True
        return piles

    def _stay(self, shard: Shard, at: NDArray[np.int64]) -> Shard:
        self._resumed += len(at)
        self._report_packed(int(at[-1]) + 1)
        return shard

    def _shard(self, number: int, at: NDArray[np.int64], reader: MergedReader, journal: Journal) -> Shard:
        """The shard of an earlier attempt, if it would be the same again, or else a new one."""
        shard = None
        if (earlier := journal.origin(number)) is not None:
            reader.prints[at] = self._source.fingerprints(self._rows[at])  # their present ones
            shard = journal.recall(number) if self._digest(at, reader.prints) == earlier else None
        if shard:
            self._stay(shard, at)
        else:
            with ShardWriter(self._storage, number, self._layout) as writer:
                for rows in self._chunks(at, reader):
                    writer.write(rows)
                shard = writer.finish()
        journal.note(number, shard, self._digest(at, reader.prints))
        return shard

    def _chunks(self, at: NDArray[np.int64], reader: MergedReader) -> Iterator[Rows]:
        """The samples of a shard, a chunk at a time, read ahead in threads."""
        per_chunk, fields, budget = self._layout.rows_per_chunk, self._layout.schema.fields, self._budget
        parts = [at[start : start + per_chunk] for start in range(0, len(at), per_chunk)]
        blocks = (
            part[start : start + budget.block_rows]
            for part in parts
            for start in range(0, len(part), budget.block_rows)
        )

        def read(some: NDArray[np.int64]) -> Samples:
            samples = reader.read(some)
            if not self._layout.schema.is_encoded:
                self._seen.low[some], self._seen.high[some] = samples.ranges  # for the next audit
            return samples

        with Prefetch(read, blocks, threads=budget.threads, depth=budget.depth) as ahead:
            samples = iter(ahead)
            for part in parts:
                columns = [field.empty(len(part)) for field in fields]
                filled = 0
                while filled < len(part):
                    arrays = next(samples).arrays
                    for column, array in zip(columns, arrays, strict=True):
                        column[filled : filled + len(array)] = array
                    filled += len(arrays[0])
                    self._report_packed(int(part[0]) + filled)
                keys = pa.array(self._source.keys(self._rows[part]), pa.string())
                yield keys, Samples(*self._layout.schema.structured(columns))

    def _identity(self) -> str:
        """A checksum of what a shard depends on besides its own samples."""
        identity = {
            "layout": repr(self._layout),
            "split_seed": self._options.split_seed,
            "samples": len(self._rows),
            "source": self._source.identity,
            "arrow": pa.__version__,
            "check_content": self._options.check_content,
        }
        return xxh3_128_hexdigest(json.dumps(identity, sort_keys=True).encode())

    def _digest(self, at: NDArray[np.int64], prints: NDArray[np.int64]) -> str:
        """A checksum of what the samples of a shard are made from; a unique one if that cannot be proved."""
        if not self._source.is_fingerprinted or not is_settled(prints[at], self._began).all():
            return uuid.uuid4().hex
        digest = xxh3_128()
        for start in range(0, len(at), KEYS_PER_PIECE):
            some = at[start : start + KEYS_PER_PIECE]
            digest.update("\0".join(self._source.keys(self._rows[some])).encode())
            for values in (prints[some], *self._source.targets(self._rows[some])):
                digest.update(b"" if values is None else np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def _commit(self, manifest: Manifest, reader: MergedReader) -> None:
        """Make the new store visible, remove other files, and keep what was seen for the next audit."""
        content = encode_provenance(reader.prints, manifest, self._source, self._rows, self._began)
        write_file(self._storage, SOURCE, content)
        write_file(self._storage, MANIFEST, manifest.to_json().encode())
        remove_others(self._storage, manifest)
        is_all = np.array_equal(self._rows, np.arange(len(self._source)))
        if is_all and not self._resumed and not self._layout.schema.is_encoded:
            seconds, n = time.perf_counter() - self._clock, len(self._rows)
            packing = {"bytes": manifest.store_bytes / n, "seconds": seconds / n}
            seen = replace(self._seen, prints=reader.prints, packing=packing)
            audit_cache.keep(self._source, seen, self._began)

    def _report_packed(self, count: int) -> None:
        """Report samples in the store; if they were piled up first, that was half of the work."""
        self._report((len(self._rows) + count) // 2 if self._is_piled else count)

    def _report(self, count: int) -> None:
        if self._options.progress:
            self._options.progress(count)
