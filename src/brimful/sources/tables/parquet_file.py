"""ParquetFile: a Part: a Parquet file. Its units are parts of row groups, read with bounded memory."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, SourceError
from brimful.options import ScanOptions
from brimful.samples import Progress
from brimful.sources.read_files import unreadable
from brimful.sources.tables.arrow_survey import check_names, column_of_type, look_at_batches, with_shape
from brimful.sources.tables.byte_file import check_unchanged, print_of
from brimful.sources.tables.column import Column
from brimful.sources.tables.part import Survey
from brimful.sources.tables.pieces import Pieces

UNIT_BYTES = 1 << 20  # of cells, about
MOST_ROWS = 16_384  # of a unit
SURVEY_ROWS = 65_536
BUFFER_BYTES = 1 << 16  # that a column is read with: without, a whole row group would be in memory
PAGE_BYTES = 1 << 21  # of a column that is being read: a page, and its dictionary
SHARING = 3  # blocks that exist at a time, at least, and share what is being read
SHAPED_BY = 1_000  # cells, that the shape of lists is taken from


class ParquetFile:
    """A Parquet file. The checksums of its pages are verified, where it has any."""

    def __init__(self, path: Path, options: ScanOptions) -> None:
        self.path = path
        self.print = print_of(path)
        with self._reporting():
            if not self.print[0]:
                raise pa.ArrowInvalid("it is empty")
            opened = self._open()
            self._metadata, self._schema = opened.metadata, opened.schema_arrow
        self.names = check_names(path, self._schema)
        self.identity = "parquet"
        columns = self._metadata.schema
        self._leaves = {columns.column(at).path: at for at in range(self._metadata.num_columns)}
        groups = [self._metadata.row_group(at) for at in range(self._metadata.num_row_groups)]
        self._rows = [group.num_rows for group in groups]
        nbytes = sum(group.total_byte_size for group in groups)
        self._step = int(np.clip(UNIT_BYTES * sum(self._rows) // max(1, nbytes), 16, MOST_ROWS))
        self._pieces = Pieces(self._batches, self._step)
        width = self._metadata.num_columns
        pages = max((min(each.total_byte_size, width * PAGE_BYTES) for each in groups), default=0)
        self.unit_bytes = 2 * self._step * nbytes // max(1, sum(self._rows)) + pages // SHARING
        self._units = [
            (group, piece) for group, rows in enumerate(self._rows) for piece in range(-(-rows // self._step))
        ]
        self._first = np.cumsum([0, *self._rows])

    def survey(self, texts: Collection[str], unanalysed: Collection[str], progress: Progress) -> Survey:
        """Read the columns of words, and those that are wanted as text, in full; of others, what is known."""
        columns = {name: column_of_type(name, self._schema.field(name).type) for name in self.names}
        columns = {
            name: self._with_statistics(each) for name, each in columns.items() if name not in unanalysed
        }
        lists = tuple(name for name, each in columns.items() if each.kind == "list")
        filled = next((at for at, rows in enumerate(self._rows) if rows), None)
        if lists and filled is not None:
            with self._reporting():
                first = next(cut_one(self._batches(filled, lists), SHAPED_BY))
            columns |= {name: with_shape(columns[name], first[name]) for name in lists}
        wanted = [
            name
            for name in self.names
            if name in texts or (name in columns and (columns[name].kind == "text" or self._may_count(name)))
        ]
        found, kept = look_at_batches(self.path, columns, texts, self._all(wanted), progress)
        steps = [min(self._step, rows - at) for rows in self._rows for at in range(0, rows, self._step)]
        return Survey(found, kept, np.cumsum([0, *steps], dtype=np.int64))

    def read(self, unit: int, names: Sequence[str]) -> list[pa.Array]:
        """Some columns of a part of a row group."""
        group, piece = self._units[unit]
        with self._reporting(group):
            check_unchanged(self.path, self.print)
            batch = self._pieces.read(group, piece, tuple(names))
        return [batch[name] for name in names]

    def places(self, unit: int, rows: NDArray[np.int64]) -> list[str]:
        """The file, and the numbers of some rows in it, counted from 0."""
        group, piece = self._units[unit]
        first = int(self._first[group]) + piece * self._step
        return [f"{self.path}: row {first + row}" for row in rows.tolist()]

    def release(self) -> None:
        """Forget what was read ahead."""
        self._pieces.release()

    def _open(self) -> Any:
        return pq.ParquetFile(
            self.path, pre_buffer=False, buffer_size=BUFFER_BYTES, page_checksum_verification=True
        )

    def _batches(self, group: int, names: tuple[str, ...], rows: int = 0) -> Iterator[pa.RecordBatch]:
        """The batches of a row group. Not in threads: several of ours read at once."""
        return self._open().iter_batches(  # type: ignore[no-any-return]
            rows or self._step, row_groups=[group], columns=list(names), use_threads=False
        )

    def _all(self, names: list[str]) -> Iterator[Mapping[str, pa.Array]]:
        if not names:
            return
        for group, rows in enumerate(self._rows):
            with self._reporting(group):
                for batch in self._batches(group, tuple(names), SURVEY_ROWS) if rows else ():
                    yield {name: batch[name] for name in names}

    def _with_statistics(self, column: Column) -> Column:
        """The column with the number of its nulls, and its largest number, if the footer has them."""
        found = [each for each in self._statistics(column.name) if each]
        missing = sum(each.null_count or 0 for each in found)
        column = replace(column, missing=0 if column.kind == "text" else missing)
        is_whole = pa.types.is_integer(self._schema.field(column.name).type)
        ends = [abs(end) for each in found if each.has_min_max for end in (each.min, each.max) if is_whole]
        return replace(column, largest=float(max(ends, default=0)))

    def _may_count(self, name: str) -> bool:
        """Whether a column of integers may count the rows, as far as the footer shows."""
        found = self._statistics(name)
        if not found or not all(each and each.has_min_max for each in found):
            return False
        first = found[0].min
        is_whole = pa.types.is_integer(self._schema.field(name).type)
        return is_whole and first in (0, 1) and found[-1].max == first + sum(self._rows) - 1

    def _statistics(self, name: str) -> list[Any]:
        """The statistics of a column in each row group; none for columns of columns."""
        leaf = self._leaves.get(name)
        if leaf is None:
            return []
        return [
            self._metadata.row_group(group).column(leaf).statistics
            for group, rows in enumerate(self._rows)
            if rows
        ]

    @contextmanager
    def _reporting(self, group: int | None = None) -> Iterator[None]:
        """Errors of pyarrow as ours."""
        place = f"{self.path}" if group is None else f"{self.path}: row group {group}"
        try:
            yield
        except SourceError:  # some are an OSError, too
            raise
        except pa.ArrowException as error:
            raise MalformedFileError(
                f"{place}: this is not Parquet, or is damaged: {_said(error)}.", "Write or fetch it again."
            ) from error
        except OSError as error:
            if error.errno:
                raise unreadable(self.path, error) from error
            raise MalformedFileError(
                f"{place}: this is not Parquet, or is damaged: {_said(error)}.", "Write or fetch it again."
            ) from error


def cut_one(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The first rows of the first batch."""
    for batch in batches:
        yield batch.slice(0, rows)
        return


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")[:200]
