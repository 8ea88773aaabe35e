"""Each kind of table keeps the contract of all formats."""

import gzip
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

import brimful as bf
from brimful.sources.base import Format
from brimful.testing.format import CHANGED, FormatContract

ROWS = 60


def columns(n: int = ROWS) -> dict[str, list[object]]:
    """Numbers, integers, words, flags and targets."""
    random = np.random.default_rng(0)
    return {
        "id": [f"r{number * 7 % n:03d}" for number in range(n)],
        "height": [round(float(value), 3) for value in random.normal(size=n)],
        "count": [int(value) for value in random.integers(-5, 300, n)],
        "color": [("red", "green", "blue")[value] for value in random.integers(0, 3, n)],
        "flag": [bool(value) for value in random.integers(0, 2, n)],
        "label": [int(value) for value in random.integers(0, 4, n)],
    }


def csv_of(table: dict[str, list[object]]) -> str:
    """The text of a CSV file."""
    rows = zip(*table.values(), strict=True)
    return "\n".join([",".join(table), *(",".join(map(str, row)) for row in rows)]) + "\n"


class TableContract(FormatContract, ABC):
    """What is the same for all kinds of tables."""

    name: str
    place: str

    @pytest.fixture(autouse=True)
    def _make(self, tmp_path: Path) -> None:
        self._path = tmp_path / self.name
        self.write(columns())

    @abstractmethod
    def write(self, table: dict[str, list[object]]) -> None:
        """Write the table to `self._path`."""

    def format(self) -> Format:
        """The table."""
        return bf.scan(self._path, rows=True)._reader.format

    def test_a_row_is_found_by_its_place(self) -> None:
        """The file, and the line or the row."""
        samples: Any = self.format()
        assert samples.place(5) == self.place

    def files(self) -> list[Path]:
        """Its files."""
        return [self._path] if self._path.is_file() else sorted(self._path.iterdir())

    def change(self) -> None:
        """Write another number."""
        table = columns()
        table["height"][CHANGED] = 123.25
        self.write(table)

    def damage(self) -> tuple[int, str]:
        """Take a number away."""
        table = columns()
        table["height"][5] = None
        self.write(table)
        return 5, f"{self.place}: the column 'height' has no value"


class TestCsv(TableContract):
    name = "table.csv"

    @property
    def place(self) -> str:  # type: ignore[override]
        """The header is line 1."""
        return f"{self._path}:7"

    def write(self, table: dict[str, list[object]]) -> None:
        """As text."""
        self._path.write_text(csv_of(table).replace("None", ""))


class TestPackedCsv(TestCsv):
    name = "table.csv.gz"

    def write(self, table: dict[str, list[object]]) -> None:
        """As text, packed."""
        self._path.write_bytes(gzip.compress(csv_of(table).replace("None", "").encode()))


class TestParquet(TableContract):
    name = "table.parquet"

    @property
    def place(self) -> str:  # type: ignore[override]
        """Rows are counted from 0."""
        return f"{self._path}: row 5"

    def write(self, table: dict[str, list[object]]) -> None:
        """In row groups of uneven sizes."""
        pq.write_table(pa.table(table), self._path, row_group_size=17)


class TestFeather(TestParquet):
    name = "table.feather"

    def write(self, table: dict[str, list[object]]) -> None:
        """In several batches."""
        feather.write_feather(pa.table(table), self._path, chunksize=17)


class TestParquetFolder(TestParquet):
    name = "tables"

    @property
    def place(self) -> str:  # type: ignore[override]
        """In the first file."""
        return f"{self._path / 'a.parquet'}: row 5"

    def write(self, table: dict[str, list[object]]) -> None:
        """Two files."""
        self._path.mkdir(exist_ok=True)
        whole = pa.table(table)
        pq.write_table(whole[:35], self._path / "a.parquet")
        pq.write_table(whole[35:], self._path / "b.parquet")


class TestCsvFolder(TestCsv):
    name = "tables"

    @property
    def place(self) -> str:  # type: ignore[override]
        """In the first file."""
        return f"{self._path / 'a.csv'}:7"

    def write(self, table: dict[str, list[object]]) -> None:
        """Two files."""
        self._path.mkdir(exist_ok=True)
        lines = csv_of(table).replace("None", "").splitlines(keepends=True)
        (self._path / "a.csv").write_text("".join(lines[:31]))
        (self._path / "b.csv").write_text("".join([lines[0], *lines[31:]]))
