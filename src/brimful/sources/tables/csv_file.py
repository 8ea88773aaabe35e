"""CsvFile: a Part: a CSV file, as it is or packed by gzip."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from brimful.errors import MalformedFileError, SourceError
from brimful.memory import POOL
from brimful.options import ScanOptions
from brimful.prefetch import Prefetch, reading_threads
from brimful.samples import Finding, Progress
from brimful.sources.tables.byte_file import ByteFile
from brimful.sources.tables.column import Column
from brimful.sources.tables.csv_cells import FLAGS, MISSING
from brimful.sources.tables.csv_dialect import HEAD_BYTES, detect_dialect
from brimful.sources.tables.csv_records import QuoteError, Records, records_of
from brimful.sources.tables.csv_survey import Look, column_of, look_at_numbers, look_at_texts
from brimful.sources.tables.part import Survey
from brimful.sources.words import STRAYS

UNIT_BYTES = 1 << 20  # of text that is read at a time, about
LARGEST_RECORD = 64 * 2**20
LONG_CELL = 50  # line ends within one cell
BOM = b"\xef\xbb\xbf"


class _Unit(NamedTuple):
    """Records that follow each other: where they are, and the line of the first."""

    offset: int
    size: int
    line: int


class _Block(NamedTuple):
    """A unit with its text."""

    unit: _Unit
    text: bytes
    records: Records


class CsvFile:
    """A CSV file. Its units are about as large, and end where a record ends."""

    def __init__(self, path: Path, options: ScanOptions) -> None:
        self.path = path
        self._file = ByteFile(path)
        head = self._file.read(0, HEAD_BYTES)
        self._options = options
        self._head = head
        self._dialect = detect_dialect(path, head, options, is_whole=len(head) < HEAD_BYTES)
        self._units: list[_Unit] = []
        self._columns: dict[str, Column] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The headings; the numbers of the columns where there are none."""
        return self._dialect.names

    @property
    def identity(self) -> str:
        """The dialect."""
        return repr(replace(self._dialect, findings=()))

    @property
    def unit_bytes(self) -> int:
        """The text, and its cells as Arrow has them."""
        return 4 * max((unit.size for unit in self._units), default=UNIT_BYTES)

    def survey(self, texts: Collection[str], unanalysed: Collection[str], progress: Progress) -> Survey:
        """Look at every cell; again with decimal commas, or with words for numbers, if that turns out so."""
        as_text = {*texts}
        while True:
            found = self._survey(texts, as_text, unanalysed, progress)
            commas = [look.commas * 2 > look.others and look.whole for look in found.looks.values()]
            if any(commas) and self._options.decimal is None and self._dialect.decimal == ".":
                self._dialect = replace(self._dialect, decimal=",")
                continue
            words = {name for name, look in found.looks.items() if look.kind not in ("number", "empty")}
            unlike = {name for name in words - as_text if found.looks[name].words is None}
            if not unlike:
                break
            as_text |= unlike  # whose words were not counted where they looked like numbers
        return self._surveyed(found)

    def read(self, unit: int, names: Sequence[str]) -> list[pa.Array]:
        """Parse some columns of a unit."""
        at = self._units[unit]
        text = self._file.read(at.offset, at.size)
        types = {name: self._type(self._columns[name]) for name in names}
        try:
            return self._parse(text, types)
        except pa.ArrowInvalid:
            return self._parse(text, dict.fromkeys(types, pa.string()))

    def release(self) -> None:
        """Close the file, if it is packed."""
        self._file.release()

    @property
    def decimal(self) -> str:
        """The decimal mark."""
        return self._dialect.decimal

    def places(self, unit: int, rows: NDArray[np.int64]) -> list[str]:
        """The lines of some rows."""
        at = self._units[unit]
        text = self._file.read(at.offset, at.size)
        starts = records_of(text, self._delimiter).starts[rows]
        return [self._place(at.line, text, start) for start in starts.tolist()]

    def _place(self, line: int, text: bytes, offset: int) -> str:
        """The line of an offset in a text that begins at some line."""
        before = text.count(b"\n", 0, offset)
        return f"{self.path}:{line + before}"

    @property
    def _delimiter(self) -> bytes:
        return self._dialect.delimiter.encode()

    def _type(self, column: Column) -> pa.DataType:
        if column.is_flag:
            return pa.bool_()
        return pa.float64() if column.kind == "number" else pa.string()

    def _parse(self, text: bytes, types: dict[str, pa.DataType]) -> list[pa.Array]:
        """Some columns of whole records."""
        at = {name: str(number) for number, name in enumerate(self._dialect.names)}
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(text) + 1, column_names=list(at.values())
            ),
            pyarrow.csv.ParseOptions(delimiter=self._dialect.delimiter, newlines_in_values=b'"' in text),
            pyarrow.csv.ConvertOptions(
                column_types={at[name]: each for name, each in types.items()},
                include_columns=[at[name] for name in types],
                null_values=MISSING,
                strings_can_be_null=False,
                true_values=[word for word in FLAGS if word.lower() == "true"],
                false_values=[word for word in FLAGS if word.lower() == "false"],
                decimal_point=self._dialect.decimal,
            ),
            POOL,
        )
        return [
            column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
            for column in table.columns
        ]

    def _survey(
        self, texts: Collection[str], as_text: set[str], unanalysed: Collection[str], progress: Progress
    ) -> "_Seen":
        """Look at all blocks, in threads, in order."""
        seen = _Seen({name: Look() for name in self.names if name not in unanalysed}, {n: [] for n in texts})
        guessed = set(as_text)  # grows: columns that turn out to be no numbers are taken as text from then on
        self._units = []

        def look(block: _Block) -> tuple[_Block, dict[str, Look], dict[str, pa.Array]]:
            return (block, *self._look(block, guessed, texts, unanalysed))

        threads, rows = reading_threads(), 0
        with Prefetch(look, self._blocks(seen), threads=threads, depth=2 * threads) as ahead:
            for block, looks, kept in ahead:
                self._units.append(block.unit)
                seen.starts.append(rows := rows + len(block.records.starts))
                for name, column in looks.items():
                    seen.looks[name].add(column)
                    if column.others * STRAYS > column.numbers:
                        guessed.add(name)
                for name, cells in kept.items():
                    seen.texts[name].append(cells)
                progress(rows)
        if not rows:
            raise MalformedFileError(f"{self.path}: there is no sample in this file.", "Check it.", "empty")
        return seen

    def _look(
        self, block: _Block, guessed: set[str], texts: Collection[str], unanalysed: Collection[str]
    ) -> tuple[dict[str, Look], dict[str, pa.Array]]:
        """What is in the columns of a block, and the cells of some of them."""
        wanted = [name for name in self.names if name not in unanalysed or name in texts]
        types = {name: pa.string() if name in guessed or name in texts else pa.float64() for name in wanted}
        try:
            columns = self._parse(block.text, types)
        except pa.ArrowInvalid:
            types = dict.fromkeys(wanted, pa.string())
            try:
                columns = self._parse(block.text, types)
            except pa.ArrowInvalid as error:
                raise self._malformed(block, error) from error
        if columns and len(columns[0]) != len(block.records.starts):
            raise self._malformed(block, ValueError("a carriage return alone ends a line"))
        by_name = dict(zip(wanted, columns, strict=True))
        looks = {
            name: look_at_texts(cells, self._dialect.decimal)
            if types[name] == pa.string()
            else look_at_numbers(cells)
            for name, cells in by_name.items()
            if name not in unanalysed
        }
        return looks, {name: by_name[name].cast(pa.large_string()) for name in texts}

    def _malformed(self, block: _Block, error: Exception) -> SourceError:
        """The error for a block that cannot be parsed, with the first record that is to blame."""
        starts = block.records.starts.tolist()
        types = {self.names[0]: pa.string()}
        for start, stop in zip(starts, [*starts[1:], len(block.text)], strict=True):
            record = block.text[start:stop]
            place = self._place(block.unit.line, block.text, start)
            try:
                record.decode()
            except UnicodeDecodeError:
                return MalformedFileError(f"{place}: this is not UTF-8.", "Save the file as UTF-8.")
            try:
                if len(self._parse(record, types)[0]) == 1:
                    continue
                what = "a carriage return in a cell that has no quotes"
            except pa.ArrowInvalid as reason:
                what = str(reason).partition("Row #1: ")[2].partition(": ")[0].lower() or str(reason)
                what = what.replace("columns", "cells")
            return MalformedFileError(
                f"{place}: {what}: {record[:60].decode(errors='replace').strip()!r}.",
                "Records are never left out: repair the line. A cell with a delimiter in it needs quotes.",
                "wrong_shape",
            )
        return MalformedFileError(f"{self.path}:{block.unit.line}: this cannot be parsed: {error}.")

    def _blocks(self, seen: "_Seen") -> Iterator[_Block]:
        """The file in blocks that end where a record ends, without the header."""
        offset, line, left = self._begin()
        at = offset
        while True:
            more = self._file.read(at, UNIT_BYTES)
            at += len(more)
            text, is_last = left + more, len(more) < UNIT_BYTES
            records = self._records(text, line, is_last=is_last)
            if records.longest[0] > LONG_CELL:
                where = self._place(line, text, records.longest[1])
                seen.long_cells.append(f"{where}: a cell of {records.longest[0] + 1} lines")
            if records.stop:
                block = text[: records.stop]
                seen.blank += records.blank
                if len(records.starts):
                    yield _Block(_Unit(offset, len(block), line), block, records)
                offset, line = offset + len(block), line + block.count(b"\n")
            left = text[records.stop :]
            if is_last:
                return
            if len(left) > LARGEST_RECORD:
                raise MalformedFileError(
                    f"{self.path}:{line}: a record of more than {LARGEST_RECORD:,} bytes.",
                    "A quote that is not closed does that.",
                )

    def _records(self, text: bytes, line: int, *, is_last: bool) -> Records:
        try:
            records = records_of(text, self._delimiter, is_last=is_last)
            if records.opened >= 0 and is_last:
                raise QuoteError(records.opened, "it is not closed")
        except QuoteError as error:
            raise MalformedFileError(
                f"{self._place(line, text, error.offset)}: a quote opens a cell, and {error}.",
                'Close it. A quote that is a letter of a quoted cell is written twice: "".',
            ) from error
        return records

    def _begin(self) -> tuple[int, int, bytes]:
        """The offset and the line of the first record that is a sample, and nothing read of it."""
        head, dialect = self._head, self._dialect
        offset = len(BOM) if head.startswith(BOM) else 0
        for _ in range(dialect.skipped_lines):
            offset = head.index(b"\n", offset) + 1
        if dialect.has_header:
            records = self._records(head[offset:], 1 + dialect.skipped_lines, is_last=len(head) < HEAD_BYTES)
            starts = records.starts
            offset += int(starts[1]) if len(starts) > 1 else records.stop
        return offset, 1 + head[:offset].count(b"\n"), b""

    def _surveyed(self, seen: "_Seen") -> Survey:
        starts = np.array(seen.starts, np.int64)
        columns = {}
        self._columns = {}
        for name, look in seen.looks.items():
            rows = [look.first_blank if look.kind in ("text", "vector") else look.first_missing]
            rows += [row for row, _ in look.strays] if look.kind == "number" else []
            column = column_of(name, look, self._places_of(starts, rows))
            columns[name] = _refused(column, look)
            self._columns[name] = column
        facts = [f"{self.path.name}: {self._dialect.described}"]
        facts += [f"{seen.blank:,} blank lines are no samples"] if seen.blank else []
        hint = "A quote that is not closed does that. If these are texts, all is well."
        long = Finding("long_cell", len(seen.long_cells), tuple(seen.long_cells[:10]), False, hint)
        findings = (*self._dialect.findings, *([long] if seen.long_cells else []))
        texts = {name: pa.chunked_array(cells, pa.large_string()) for name, cells in seen.texts.items()}
        return Survey(columns, texts, starts, tuple(facts), findings)

    def _places_of(self, starts: NDArray[np.int64], rows: Sequence[int]) -> list[str]:
        found = []
        for row in rows:
            unit = int(np.searchsorted(starts, row, "right")) - 1
            found += self.places(unit, np.array([row - starts[unit]])) if row >= 0 else [""]
        return found


class _Seen:
    """What a survey has seen so far."""

    def __init__(self, looks: dict[str, Look], texts: dict[str, list[pa.Array]]) -> None:
        self.looks = looks
        self.texts = texts
        self.starts = [0]
        self.blank = 0
        self.long_cells: list[str] = []


def _refused(column: Column, look: Look) -> Column:
    """The column, as one of no use if its cells are cut short, or hold different counts of numbers."""
    if column.kind == "text" and look.abbreviated >= 0:
        return replace(column, kind="other", described="numbers that were cut short with '...' when written")
    if look.kind == "vector" and look.lengths and len(look.lengths) > 1:
        few = ", ".join(f"{n:,} of {length}" for length, n in look.lengths.most_common(5))
        return replace(column, kind="other", described=f"cells with different counts of numbers ({few})")
    return column
