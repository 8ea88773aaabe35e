"""PredictionFile: predictions as a Parquet or CSV file, written part by part, so that a kill loses little.

The parts are Arrow files in the folder `NAME.parts` beside the file, each with its first row, its number of
rows and a hash of its bytes in its name, all committed one by one. At the end they are joined, and the folder
is removed.
"""

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa
from xxhash import xxh3_64_hexdigest

from brimful.errors import ArgumentError, WriteError
from brimful.storage.base import WrittenFile, read_file, write_file
from brimful.storage.local import LocalStorage

SUFFIXES = (".parquet", ".csv")
IDENTITY = "identity.json"
FORMAT = "brimful predictions 1"
PART = re.compile(r"([0-9]{12})-([0-9]+)-([0-9a-f]{16})\.arrow")
MOST_IDENTITY = 1 << 24  # bytes


class _Part(NamedTuple):
    first: int
    rows: int
    digest: str
    name: str


class PredictionFile:
    """A file of predictions under way; its folder is locked from entering its context to the end.

    Args:
        path: The file, with the suffix .parquet or .csv.
        identity: What decides its content; parts of something else are written anew. Fit for JSON.
        overwrite: Whether to replace a file that is there.

    Attributes:
        rows: How many rows the parts hold so far.

    Raises:
        ArgumentError: There is such a file already, or its suffix is another one.
    """

    def __init__(self, path: Path, identity: dict[str, Any], *, overwrite: bool = False) -> None:
        check_free(path, overwrite=overwrite)
        self.path = path
        self.rows = 0
        self._identity = {"format": FORMAT, **json.loads(json.dumps(identity))}
        self._parts: list[_Part] = []
        self._lock = ExitStack()
        self._folder = path.with_name(f"{path.name}.parts")
        self._storage = LocalStorage(self._folder)

    def __enter__(self) -> Self:
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(self._storage.lock())
        except BlockingIOError as error:
            raise WriteError(f"{self.path}: another process is writing these predictions.") from error
        except OSError as error:
            raise WriteError(
                f"{self.path}: the predictions cannot be written: {error.strerror or error}.",
                "Name a file elsewhere, or make room.",
            ) from error
        others = set(self._storage.list()) - {IDENTITY}
        if others and self._known_identity() is None:
            self._lock.close()
            raise WriteError(
                f"{self._folder}: there is a folder of that name, with something else in it.",
                "Name another file for the predictions, or move that folder.",
            )
        if self._known_identity() != self._identity:
            for match in filter(None, map(PART.fullmatch, self._storage.list())):
                self._storage.remove(match[0])
            write_file(self._storage, IDENTITY, json.dumps(self._identity).encode())
        self._parts = self._found()
        self.rows = sum(part.rows for part in self._parts)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def add(self, table: pa.Table) -> None:
        """Add a part, durably."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        content = sink.getvalue().to_pybytes()
        digest = xxh3_64_hexdigest(content)
        part = _Part(self.rows, len(table), digest, f"{self.rows:012d}-{len(table)}-{digest}.arrow")
        write_file(self._storage, part.name, content)
        self._parts.append(part)
        self.rows += part.rows

    def finish(self) -> None:
        """Join the parts to the file, in one step, and remove them."""
        with LocalStorage(self.path.parent).write(self.path.name) as file:
            sink = pa.PythonFile(WrittenFile(file), "w")
            writer: Any = None
            for part in self._parts:
                table = pa.ipc.open_file(pa.BufferReader(self._content(part))).read_all()
                if writer is None:
                    writer = self._writer(sink, table.schema)
                writer.write_table(table)
            writer.close()
            file.commit(self.path.name)
        for name in (*(part.name for part in self._parts), IDENTITY):
            self._storage.remove(name)  # the folder goes with the lock, if nothing else is in it

    def _writer(self, sink: Any, schema: pa.Schema) -> Any:
        if self.path.suffix == ".csv":
            from pyarrow import csv

            return csv.CSVWriter(sink, schema, write_options=csv.WriteOptions(quoting_style="needed"))
        from pyarrow import parquet

        return parquet.ParquetWriter(sink, schema, compression="zstd")

    def _known_identity(self) -> Any:
        try:
            known = json.loads(read_file(self._storage, IDENTITY, MOST_IDENTITY))
        except (OSError, ValueError):
            return None
        return known if isinstance(known, dict) and known.get("format") == FORMAT else None

    def _found(self) -> list[_Part]:
        """The whole parts from the first row on; others are removed."""
        matches = sorted(filter(None, map(PART.fullmatch, self._storage.list())), key=lambda match: match[0])
        parts: list[_Part] = []
        for match in matches:
            part = _Part(int(match[1]), int(match[2]), match[3], match[0])
            expected = parts[-1].first + parts[-1].rows if parts else 0
            if part.first == expected and xxh3_64_hexdigest(self._content(part)) == part.digest:
                parts.append(part)
            else:
                self._storage.remove(part.name)
        return parts

    def _content(self, part: _Part) -> bytes:
        return (self._folder / part.name).read_bytes()


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse a name of a file that cannot be written, before any long work.

    Raises:
        ArgumentError: There is such a file already, or its suffix is another one.
    """
    if path.suffix not in SUFFIXES:
        raise ArgumentError(
            f"Expected a file whose name ends in .parquet or .csv. Received: {path}",
            "Name it like predictions.parquet.",
        )
    if path.is_dir() or (path.exists() and not overwrite):
        raise ArgumentError(
            f"{path}: there is something of that name already.",
            "Name another file, or replace that one: overwrite=True, --overwrite.",
        )
