"""ArrowFile: a Part: an Arrow IPC file, also called Feather. Its units are parts of record batches."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, SourceError
from brimful.options import ScanOptions
from brimful.samples import Progress
from brimful.sources.read_files import unreadable
from brimful.sources.tables.arrow_survey import check_names, column_of_type, look_at_batches, with_shape
from brimful.sources.tables.byte_file import check_unchanged, print_of
from brimful.sources.tables.part import Survey
from brimful.sources.tables.pieces import Pieces

UNIT_BYTES = 1 << 20
MOST_ROWS = 16_384
MAGIC, FIRST_MAGIC = b"ARROW1", b"FEA1"


class ArrowFile:
    """An Arrow IPC file, mapped into memory."""

    def __init__(self, path: Path, options: ScanOptions) -> None:
        self.path = path
        self.print = print_of(path)
        with self._reporting():
            self._check_magic()
            opened = self._open()
            self._schema = opened.schema
            self.names = check_names(path, self._schema)
            self._rows = [len(opened.get_batch(at)) for at in range(opened.num_record_batches)]
        self.identity = "arrow"
        rows = max(1, sum(self._rows))
        self._step = int(np.clip(UNIT_BYTES * rows // max(1, self.print[0]), 16, MOST_ROWS))
        self._pieces = Pieces(self._batches, self._step)
        self.unit_bytes = 2 * self._step * self.print[0] // rows
        self._units = [
            (group, piece) for group, rows in enumerate(self._rows) for piece in range(-(-rows // self._step))
        ]
        self._first = np.cumsum([0, *self._rows])

    def survey(self, texts: Collection[str], unanalysed: Collection[str], progress: Progress) -> Survey:
        """Look at the columns of words, of integers, and those that are wanted as text."""
        columns = {name: column_of_type(name, self._schema.field(name).type) for name in self.names}
        columns = {name: each for name, each in columns.items() if name not in unanalysed}
        whole = [name for name in columns if pa.types.is_integer(self._schema.field(name).type)]
        with self._reporting():
            for group, rows in enumerate(self._rows):
                if not rows:
                    continue
                batch = self._open().get_batch(group)
                for name in columns:
                    column = columns[name]
                    if column.kind == "list" and not column.shape:
                        columns[name] = with_shape(column, batch[name])
                    elif column.kind != "text":
                        columns[name] = replace(column, missing=column.missing + batch[name].null_count)
        wanted = [
            name
            for name in self.names
            if name in texts or name in whole or (name in columns and columns[name].kind == "text")
        ]
        found, kept = look_at_batches(self.path, columns, texts, self._all(wanted), progress)
        steps = [min(self._step, rows - at) for rows in self._rows for at in range(0, rows, self._step)]
        return Survey(found, kept, np.cumsum([0, *steps], dtype=np.int64))

    def read(self, unit: int, names: Sequence[str]) -> list[pa.Array]:
        """Some columns of a part of a record batch."""
        group, piece = self._units[unit]
        with self._reporting():
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

    def _open(self, names: Sequence[str] = ()) -> Any:
        options = pa.ipc.IpcReadOptions(
            included_fields=[self._schema.get_field_index(name) for name in names], use_threads=False
        )
        return pa.ipc.open_file(pa.memory_map(str(self.path)), options=options)

    def _batches(self, group: int, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        batch = self._open(names).get_batch(group)
        batch.validate(full=True)  # or offsets could lead anywhere
        yield batch

    def _all(self, names: list[str]) -> Iterator[Mapping[str, pa.Array]]:
        if not names:
            return
        for group, rows in enumerate(self._rows):
            with self._reporting():
                for batch in self._batches(group, tuple(names)) if rows else ():
                    yield {name: batch[name] for name in names}

    def _check_magic(self) -> None:
        with self.path.open("rb") as file:
            begin = file.read(len(MAGIC))
        if begin.startswith(FIRST_MAGIC):
            raise MalformedFileError(
                f"{self.path}: this is Feather of version 1.",
                "Write it again with pyarrow.feather.write_feather, which writes version 2.",
            )
        if begin != MAGIC:
            raise MalformedFileError(
                f"{self.path}: this is no Arrow IPC file; it may be an Arrow stream.",
                "Write it as a file: pyarrow.ipc.new_file, or pyarrow.feather.write_feather.",
            )

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Errors of pyarrow as ours."""
        try:
            yield
        except SourceError:  # some are an OSError, too
            raise
        except OSError as error:
            if error.errno:
                raise unreadable(self.path, error) from error
            raise self._damaged(error) from error
        except pa.ArrowException as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> MalformedFileError:
        said = str(error).partition("\n")[0].rstrip(".")[:200]
        return MalformedFileError(
            f"{self.path}: this Arrow file is damaged: {said}.", "Write or fetch it again."
        )
