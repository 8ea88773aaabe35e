"""Dialect: how a file holds its numbers, the same for every file of a folder."""

from dataclasses import dataclass

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
class Dialect:
    """How a file holds its numbers.

    Attributes:
        delimiter: Between the values of a line: a blank, a tab, a comma or a semicolon.
        rows: Lines with values.
        columns: Values per line.
        padded: Whether values are separated by runs of blanks, so that every file must be tidied first.
    """

    delimiter: bytes
    rows: int
    columns: int
    padded: bool = False

    @property
    def identity(self) -> str:
        """A text that must never change: stores and audits recognise a source by it."""
        return (
            f"Layout(delimiter={self.delimiter!r}, rows={self.rows}, columns={self.columns}, "
            f"padded={self.padded})"
        )

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
