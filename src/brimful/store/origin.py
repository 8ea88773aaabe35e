"""Origin: where packing takes each sample from: its file, or the store as it is, where the file is unchanged.

`source.arrow` tells which files a store was packed from: an Arrow IPC file with a row for each sample in row
order, of the columns size, mtime_ns, ctime_ns and inode (int64, -1 where that would prove nothing). The
metadata of its schema has checksums of the manifest that it belongs to, of what the source was, of targets
and weights, and of the columns. It may be missing or damaged: then packing again reads everything.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_hexdigest

from brimful.errors import DamagedStoreError, StoreError
from brimful.keys import PIECE, hash_keys, row_order
from brimful.schema import parts_of
from brimful.sources.base import FINGERPRINT, Reader, Samples, SourceReader
from brimful.store.format import SOURCE
from brimful.store.reader import StoreReader, opened

SETTLED = 2.0  # seconds: file systems count time in steps of up to two
NO_PRINT = -1
PRINTS = pa.schema([(name, pa.int64()) for name in FINGERPRINT])
LARGEST = 2**16  # bytes of source.arrow that are no fingerprints


@dataclass(frozen=True)
class Changes:
    """How a source differs from what was packed of it before.

    Attributes:
        added: Samples that are new.
        removed: Samples that are gone.
        edited: Samples whose file is another, or may be; with the content checked, whose values are.
        relabelled: Samples that have another target or weight.
    """

    added: int = 0
    removed: int = 0
    edited: int = 0
    relabelled: int = 0


class Origin:
    """Reads samples that are to be packed, in several threads at once.

    Args:
        reader: The source.
        rows: Rows of the source, in the order of the store.
        old: The store as it is; None if there is none, or its samples are of another kind.
        check_content: Whether to read every file, and compare, whatever its times say.
    """

    def __init__(
        self, reader: SourceReader, rows: NDArray[np.int64], old: StoreReader | None, *, check_content: bool
    ) -> None:
        self.reader = reader
        self.rows = rows
        self.prints = np.full((len(rows), len(FINGERPRINT)), NO_PRINT)
        self._old = old
        self._old_rows = np.full(len(rows), -1)
        self._is_same = np.zeros(len(rows), bool)  # the file is, as far as its times tell
        self._is_edited = np.zeros(len(rows), bool)
        self._is_relabelled = np.zeros(len(rows), bool)
        self._same_targets = False
        self._check_content = check_content or not reader.has_files
        if old:
            self._compare(old)

    @property
    def changes(self) -> Changes | None:
        """How the source differs from the store as it was, once all was read; None where there was none."""
        if self._old is None:
            return None
        added = int(np.count_nonzero(self._old_rows < 0))
        removed = len(self._old) - (len(self.rows) - added)
        edited, relabelled = (
            int(np.count_nonzero(flags)) for flags in (self._is_edited, self._is_relabelled)
        )
        return Changes(added, removed, edited, relabelled)

    @property
    def is_unchanged(self) -> bool:
        """Whether the store is what packing would make of the source, as far as its files' times tell."""
        old, reader = self._old, self.reader
        return (
            old is not None
            and not self._check_content
            and self._same_targets
            and old.schema == reader.schema
            and old.manifest.skipped == len(reader.skipped)
            and np.array_equal(self._old_rows, np.arange(len(old)))
            and bool(self._is_same.all())
        )

    def read(self, at: NDArray[np.int64]) -> Samples:
        """Read the samples at some positions in the order of the store."""
        known = self._old_rows[at] >= 0 if self._check_content else self._is_same[at]
        old = self._old_samples(at[known])
        if old is None or self._check_content:
            prints = np.full((len(at), len(FINGERPRINT)), NO_PRINT)
            samples = self.reader.read(self.rows[at], prints=prints)
            self.prints[at] = prints
        else:
            samples = self._merged(at, known, old)
        if old is not None:
            self._note_changes(at[known], old, samples, known)
        return samples

    def _compare(self, old: StoreReader) -> None:
        """Find the rows of the store that may be kept."""
        for start in range(0, len(self.rows), PIECE):
            keys = pa.array(self.reader.keys(self.rows[start : start + PIECE]), pa.large_string())
            self._old_rows[start : start + PIECE] = old.find(keys)
        known = np.flatnonzero(self._old_rows >= 0)
        told = _read_prints(old, self.reader)
        if told is not None and self.reader.has_files:
            prints = self.reader.fingerprints(self.rows[known])
            before = told.prints[self._old_rows[known]]
            self._same_targets = told.targets == _targets_digest(self.reader, self.rows)
            self._is_same[known] = (prints == before).all(axis=1) & (before != NO_PRINT).all(axis=1)
            self.prints[known] = prints  # as they are now: what changes later is read again the next time
        self._is_edited[known] = ~self._is_same[known] & (not self._check_content)

    def _old_samples(self, at: NDArray[np.int64]) -> Samples | None:
        """What the store has at some positions; None if there is nothing, or it is damaged."""
        if self._old is None or not at.size:
            return None
        try:
            return self._old.read(self._old_rows[at])
        except DamagedStoreError:
            return None

    def _merged(self, at: NDArray[np.int64], known: NDArray[np.bool_], old: Samples) -> Samples:
        """What is known from the store, the rest from the source, and all labels from there."""
        inputs = [np.empty((len(at), *x.shape[1:]), x.dtype) for x in old.inputs]
        parts = [(known, old)]
        if not known.all():
            prints = np.full((np.count_nonzero(~known), len(FINGERPRINT)), NO_PRINT)
            parts.append((~known, self.reader.read(self.rows[at[~known]], targets=False, prints=prints)))
            self.prints[at[~known]] = prints
        for which, samples in parts:
            for x, values in zip(inputs, samples.inputs, strict=True):
                x[which] = values
        x, _, _ = self.reader.schema.structured(chain(inputs, repeat(None)))
        return Samples(x, *self.reader.targets(self.rows[at]))

    def _note_changes(
        self, at: NDArray[np.int64], old: Samples, samples: Samples, known: NDArray[np.bool_]
    ) -> None:
        """Note what differs from the store."""
        if self._check_content:
            self._is_edited[at] = _any_differ(samples.inputs, old.inputs, known)
        was = (*map(self._renumbered, parts_of(old.y)), *parts_of(old.w))
        now = samples.arrays[len(samples.inputs) :]
        self._is_relabelled[at] = _any_differ(now, was, known)

    def _renumbered(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Old targets as numbers of the classes as they are now."""
        old, new = self._old and self._old.schema.classes, self.reader.schema.classes
        if not old or not new or isinstance(old[0], int) or old == new:
            return targets
        numbers = {name: number for number, name in enumerate(new)}
        return np.array([numbers.get(name, -1) for name in old])[targets]


def is_settled(prints: NDArray[np.int64], began: float) -> NDArray[np.bool_]:
    """Which files had not changed for so long that another change would show in their times.

    Args:
        prints: The fingerprint of each file as it was read.
        began: `time.time()` before the first of them was.
    """
    settled: NDArray[np.bool_] = prints[:, 1:3].max(axis=1) < (began - SETTLED) * 1e9
    return settled


def by_hash(reader: Reader, rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Some rows in the order of another hash."""
    keys = pa.array(reader.keys(rows), pa.large_string())
    return rows[row_order(hash_keys(keys, seed), lambda: keys)]


def is_current(reader: SourceReader, rows: NDArray[np.int64], path: Path) -> bool:
    """Whether a store is what packing some samples would make: sizes, times and inodes of files tell.

    Args:
        reader: The source.
        rows: Which of its rows.
        path: Where the store is, or is not. Its data are not looked at: they are checked when they are read.
    """
    try:
        old = StoreReader(path)
        in_order = rows if old.split_seed == reader.split_seed else by_hash(reader, rows, old.split_seed)
        return Origin(reader, in_order, old, check_content=False).is_unchanged
    except StoreError:
        return False


def write_prints(
    prints: NDArray[np.int64],
    manifest: str,
    reader: SourceReader,
    rows: NDArray[np.int64],
    began: float,
) -> bytes:
    """The content of source.arrow.

    Args:
        prints: The fingerprint of each file as it was read, in row order.
        manifest: The manifest's text.
        reader: The source.
        rows: Rows of the source, in row order of the store.
        began: `time.time()` before the first file was opened; files changed moments before, or since, are
            read again the next time.
    """
    sure = np.where(is_settled(prints, began)[:, np.newaxis], prints, NO_PRINT)
    told = {
        "manifest": _digest(manifest),
        "source": _digest(reader.identity),
        "targets": _targets_digest(reader, rows),
        "columns": _columns_digest(sure),
    }
    columns = dict(zip(FINGERPRINT, sure.T.copy(), strict=True))
    table = pa.table(columns).replace_schema_metadata(told)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


class _Told(NamedTuple):
    """What `source.arrow` tells: the fingerprints, and a checksum of targets and weights."""

    prints: NDArray[np.int64]
    targets: str


def _read_prints(old: StoreReader, reader: SourceReader) -> _Told | None:
    """The fingerprints that a store keeps, if they are those of this store and of this source."""
    try:
        with opened(old.path / SOURCE) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
            table = pa.ipc.open_file(pa.py_buffer(file.read(LARGEST + 64 * len(old)))).read_all()
        if table.schema != PRINTS or any(column.null_count for column in table.columns):
            return None
        prints = np.stack([table[name].to_numpy() for name in FINGERPRINT], axis=1)
        told = {name.decode(): text.decode() for name, text in table.schema.metadata.items()}
        targets = told.pop("targets")
    except (DamagedStoreError, KeyError, ValueError, AttributeError, OSError, pa.ArrowException):
        return None
    expected = {"manifest": _digest(old.manifest.to_json()), "source": _digest(reader.identity)}
    well = {**expected, "columns": _columns_digest(prints)} == told and prints.shape == (
        len(old),
        len(FINGERPRINT),
    )
    return _Told(prints, targets) if well else None


def _any_differ(
    now: Sequence[NDArray[Any]], was: Sequence[NDArray[Any]], known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Of which known samples any of some arrays is not the same bits as before."""
    differ = np.zeros(np.count_nonzero(known), bool)
    for one, other in zip(now, was, strict=True):
        differ |= _differ(one[known], other)
    return differ


def _differ(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Which samples are not the same bits."""
    differ: NDArray[np.bool_] = (_bits(one) != _bits(other)).any(axis=1)
    return differ


def _bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _digest(text: str) -> str:
    return xxh3_128_hexdigest(text.encode(errors="surrogateescape"))


def _targets_digest(reader: SourceReader, rows: NDArray[np.int64]) -> str:
    digest = xxh3_128()
    for start in range(0, len(rows), PIECE):
        for part in reader.targets(rows[start : start + PIECE]):
            for values in parts_of(part):
                digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _columns_digest(prints: NDArray[np.int64]) -> str:
    return xxh3_128_hexdigest(np.ascontiguousarray(prints).data)
