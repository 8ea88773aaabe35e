"""Source: raw data as the user has it, and how it is scanned."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.collection import Collection
from brimful.errors import SourceError
from brimful.feed.rows import RowLoader
from brimful.options import FeedOptions, PackOptions, ScanOptions, check_choice, check_int, check_shape
from brimful.samples import Fault, Finding, Progress
from brimful.sources.audit import Audit, audit, glance
from brimful.sources.base import Format
from brimful.sources.detect import index_of
from brimful.sources.index import Index
from brimful.sources.objects import RandomAccess
from brimful.storage.locate import Place, locate
from brimful.store.changes import is_current
from brimful.store.estimate import PackEstimate, estimate
from brimful.store.pack import Packed, pack

ON_BAD = ("raise", "skip")


def scan(
    path: str | os.PathLike[str] | Format | RandomAccess,
    *,
    labels: str | os.PathLike[str] | None = None,
    shape: Sequence[int] | None = None,
    dtype: str = "float32",
    on_bad: str = "raise",
    limit: int | None = None,
    id: str | int | None = None,  # noqa: A002 (what the column is called)
    target: str | int | Sequence[str | int] | None = None,
    weight: str | int | None = None,
    regression: bool = False,
    progress: Progress | None = None,
) -> "Source":
    """Look at raw data: list its samples, join their labels by key, infer what they are like.

    Nothing is written, and of a folder only 256 files are read.

    Args:
        path: A folder with one text file per sample; any object with `len` and `[i] -> (x, y)`; or a
            format of your own (`brimful.sources.base.Format`).
        labels: The label table; or `"folders"` for the name of the folder that a file lies in. By
            default `target.csv`, `labels.csv` or the like in the folder; where there is none,
            the folders' names if there are several.
        shape: Shape to give to each sample, like `(28, 28, 1)`. By default as the files have it.
        dtype: What `x` is delivered in, "float16", "float32" or "float64".
        on_bad: `"raise"`: a bad sample is an error when it is met. `"skip"`: every sample is read
            now, and those that cannot be used are left out and listed in `skipped`.
        limit: Draw this many samples, to try first. The same ones every time.
        id: Column of the table that names the samples. Columns are named by the table's header, or
            counted from 1. By default the one called id, file or the like, or the first.
        target: Column to predict, or several, which must be numbers. By default the one called label,
            target or the like, or the only one left.
        weight: Column of sample weights; by default the one called weight, if there is one.
        regression: Whether targets are regression values, delivered as float32. By default they
            are where they are written with fractions, or are several columns; integers are classes.
        progress: Called with the number of files listed so far; with `on_bad="skip"` then with that
            of samples read so far.

    Returns:
        The source.

    Raises:
        SourceError: There are no samples there, or no labels that fit, or they have no common shape.
        ArgumentError: An argument is wrong.
    """
    targets = () if target is None else (target,) if isinstance(target, (str, int)) else target
    options = ScanOptions(
        labels=labels,
        shape=None if shape is None else check_shape("shape", shape),
        dtype=dtype,
        limit=None if limit is None else check_int("limit", limit, 1),
        id=_column(id),
        target=tuple(map(str, targets)),
        weight=_column(weight),
        regression=regression,
        progress=progress,
    )
    skips = check_choice("on_bad", on_bad, ON_BAD) == "skip"
    source = Source(index_of(path, options))
    return usable(source, progress) if skips else source


def _column(name: str | int | None) -> str | None:
    return None if name is None else str(name)


def usable(source: "Source", progress: Progress | None = None) -> "Source":
    """Read every sample, and leave out those that cannot be used: what `on_bad="skip"` does.

    Args:
        source: A source, not a part of one.
        progress: Called with the number of samples read so far.

    Returns:
        The source without them; `skipped` lists them.

    Raises:
        SourceError: All are bad.
    """
    faults = source.audit(progress=progress).faults
    bad = {fault.key for fault in faults}
    good = np.fromiter((key not in bad for key in source.keys), bool, len(source))
    if not good.any():
        raise SourceError(
            f"{source!r}: all of them are bad; the first: {faults[0].message}",
            "`brimful scan` shows what is wrong with them.",
        )
    return Source(source._reader.without(faults, np.flatnonzero(good)))  # noqa: SLF001 (of this module)


class Source(Collection):
    """Raw data as the user has it, or a part of it; never written to.

    `len(source)` is the number of samples, `source[i]` one of them: `(x, y)`, `(x,)` without
    labels, `(x, y, w)` with weights. Samples are in ascending order of a hash of their key, the same
    on every machine.
    """

    _reader: Index
    _estimated: PackEstimate | None = None

    @property
    def facts(self) -> tuple[str, ...]:
        """What was decided when the source was scanned, a line each, for a person to check."""
        return self._reader.facts

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed when the source was scanned: problems, and warnings."""
        return glance(self._reader, self._rows()).findings

    @property
    def skipped(self) -> tuple[Fault, ...]:
        """Samples that `on_bad="skip"` has left out: key, kind, message."""
        return self._reader.skipped

    @property
    def left_out(self) -> int:
        """How many samples `on_bad="skip"` has left out."""
        return len(self.skipped)

    def audit(self, *, quick: bool = False, cached: bool = True, progress: Progress | None = None) -> Audit:
        """Read every sample, and report all that is wrong: what is missing, orphaned, malformed.

        Args:
            quick: Read nothing more than the scan has.
            cached: Whether files that have not changed since an earlier audit may be left unread, as their
                size, times and inode show. What was seen of them lies in the user's cache folder.
            progress: Called with the number of samples read so far.

        Returns:
            What was found; `print` shows it. Findings about labels and other files are those of the
            whole source also where this is a part.
        """
        rows = self._rows()
        if quick:
            return glance(self._reader, rows)
        return audit(self._reader, rows, progress, cached=cached, estimate=self._estimate)

    def plan(self) -> PackEstimate | None:
        """What packing it will take, by a few samples that are read to find out.

        Returns:
            The estimate; None if none of these samples can be used.
        """
        if self._estimated is None:
            self._estimated = estimate(self._reader, self._rows())
        return self._estimated

    def is_packed_in(self, path: Place) -> bool:
        """Whether a store holds exactly these samples, as their files are now: sizes, times, inodes show.

        Args:
            path: Where the store is, or is not.
        """
        return is_current(self._reader, self._rows(), locate(path))

    def pack_into(self, path: Place, options: PackOptions = PackOptions()) -> Packed:  # noqa: B008 (frozen)
        """Pack it, as `brimful.pack` does.

        Returns:
            What was done.
        """
        if glance(self._reader, self._rows()).problems:
            raise self.audit(progress=options.progress).refusal()
        return pack(self._reader, self._rows(), path, options, self.plan())

    def _loader(self, options: FeedOptions) -> RowLoader:
        seen = glance(self._reader, self._rows())
        if seen.problems:
            raise seen.refusal()
        return RowLoader(self._reader, self._view, options)

    def _estimate(self) -> dict[str, float]:
        """What packing takes per sample."""
        planned = self.plan()
        n = len(self)
        if planned is None:
            return {}
        seconds = planned.seconds_in_disk_order or planned.seconds
        return {"bytes": planned.store_bytes / n, "seconds": seconds / n}

    def _rows(self) -> NDArray[np.int64]:
        return self._view.at(np.arange(len(self)))

    def _class_counts(self, batch_size: int, memory: str | float) -> dict[Any, int]:
        counts = self._reader.class_counts(self._rows())
        return super()._class_counts(batch_size, memory) if counts is None else dict(counts)
