"""Dialect: how the numbers lie in a file, the same in every file of a folder."""

from dataclasses import dataclass

FILE_NUMBER_BYTES = 64  # a number's text is 1 to 25 bytes; beyond this a file is not what it seems
FILE_SPARE_BYTES = 4096


class TextError(ValueError):
    """A file's text is not what it should be. `line` and `column` (in values) count from 1, 0 if unknown."""

    def __init__(self, kind: str, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Dialect:
    """How the numbers lie in a file.

    Attributes:
        delimiter: Between the values of a line: a blank, a tab, a comma or a semicolon.
        rows: Lines with values.
        columns: Values a line.
        padded: Blanks stand in runs, so that every file must be tidied first.
    """

    delimiter: bytes
    rows: int
    columns: int
    padded: bool = False

    @property
    def identity(self) -> str:
        """The same words for ever, whatever this class is called: stores and audits know a source by them."""
        return (
            f"Layout(delimiter={self.delimiter!r}, rows={self.rows}, columns={self.columns}, "
            f"padded={self.padded})"
        )

    @property
    def size(self) -> int:
        """Values a file."""
        return self.rows * self.columns

    @property
    def largest_file(self) -> int:
        """Bytes that a file of this dialect does not exceed."""
        return self.size * FILE_NUMBER_BYTES + FILE_SPARE_BYTES

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a file's values; one line, or one value a line, is a vector, as for `np.loadtxt`."""
        return tuple(n for n in (self.rows, self.columns) if n > 1) or (1,)
