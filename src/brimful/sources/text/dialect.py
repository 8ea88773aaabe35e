"""Dialect: how a file holds its numbers, the same for every file of a folder."""

from dataclasses import dataclass
from pathlib import Path

from brimful.errors import MalformedFileError
from brimful.options import Missing

FILE_NUMBER_BYTES = 64  # a number takes 1 to 25 bytes; a larger file is refused
FILE_SPARE_BYTES = 4096


class TextError(ValueError):
    """The text of a file is malformed. `line` and `column` (in values) count from 1; 0 means unknown."""

    def __init__(self, kind: str, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.line = line
        self.column = column


@dataclass(frozen=True)
class TextOptions:
    """What a user says about the files.

    Attributes:
        skip_lines: Lines at the beginning to leave out; None for the comments there.
        columns: Ranges of columns to keep, from 1, both ends included, None for an open end; empty for all.
        decimal: The decimal mark; None if it was not given.
        missing: What becomes of missing values, as in `Dialect`.
        trailing: Whether a delimiter at the end of every line may have nothing behind it.
    """

    skip_lines: int | None = None
    columns: tuple[tuple[int, int | None], ...] = ()
    decimal: str | None = None
    missing: Missing = "raise"
    trailing: bool = True

    def kept_of(self, width: int) -> tuple[int, ...]:
        """The columns, from 0, that are kept of so many; empty if all are kept."""
        spans = (
            range(first - 1, width if last is None else min(last, width)) for first, last in self.columns
        )
        return tuple(column for span in spans for column in span)


PLAIN = TextOptions()


@dataclass(frozen=True)
class Dialect:
    """How a file holds its numbers.

    Attributes:
        delimiter: Between the values of a line: a blank, a tab, a comma or a semicolon.
        rows: Lines with values.
        columns: Values per line.
        padded: Whether values are separated by runs of blanks, so that every file must be tidied first.
        skip: Lines at the beginning that are left out.
        comments: Whether these lines must be comments, beginning with `#` or `%`.
        trailing: Whether every line ends with a delimiter.
        quoted: Whether values may stand in quotes.
        decimal: The decimal mark, a point or a comma.
        kept: The columns that are kept, from 0; empty if all of them are.
        missing: What becomes of missing values: an error, which names a file that may be left out if it is
            "skip"; or they are delivered as 0, as NaN, or as the mean of the column in the file.
        width: Columns of a line, those that are not kept among them; 0 if lines differ in those.
    """

    delimiter: bytes
    rows: int
    columns: int
    padded: bool = False
    skip: int = 0
    comments: bool = False
    trailing: bool = False
    quoted: bool = False
    decimal: str = "."
    kept: tuple[int, ...] = ()
    missing: Missing = "raise"
    width: int = 0

    @property
    def identity(self) -> str:
        """A text that must never change: stores and audits recognise a source by it."""
        plain = (
            f"Layout(delimiter={self.delimiter!r}, rows={self.rows}, columns={self.columns}, "
            f"padded={self.padded})"
        )
        others = (self.skip, self.trailing, self.quoted, self.decimal, self.kept, self.width)
        missing = "" if self.missing == "raise" else f" missing={self.missing}"
        return (f"{plain} {others}" if self.is_written_otherwise else plain) + missing

    @property
    def is_written_otherwise(self) -> bool:
        """Whether files hold more than the plain numbers between delimiters."""
        return bool(self.skip or self.trailing or self.quoted or self.kept or self.decimal != ".")

    @property
    def plain(self) -> "Dialect":
        """The dialect of the same numbers alone."""
        return Dialect(b"," if self.decimal == "," else self.delimiter, self.rows, self.columns)

    @property
    def size(self) -> int:
        """Values per file."""
        return self.rows * self.columns

    @property
    def largest_file(self) -> int:
        """Most bytes that a file of this dialect may have."""
        return self.size * FILE_NUMBER_BYTES + FILE_SPARE_BYTES

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a file's values; one line, or one value per line, is a vector, as for `np.loadtxt`."""
        return tuple(n for n in (self.rows, self.columns) if n > 1) or (1,)

    def is_steps_of(self, other: "Dialect") -> bool:
        """Whether files of this dialect differ from those of another one in length alone."""
        return self.rows == 1 if other.rows == 1 else self.columns == other.columns


def malformed(path: Path, error: TextError, dialect: Dialect | None = None) -> MalformedFileError:
    """The error for a file whose text is malformed, with its line and column."""
    place = "".join(f":{at}" for at in (error.line, error.column) if at)
    expected = f" Samples here are {dialect.rows} x {dialect.columns} numbers." if dialect else ""
    return MalformedFileError(
        f"{path}{place}: {error}.{expected}",
        "Repair the file, or take it out of the folder.",
        kind=error.kind,
    )
