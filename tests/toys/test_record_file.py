"""A format that a user writes: scanned, audited, packed, split and fed, without touching the library."""

from pathlib import Path

import numpy as np
import pytest

import brimful as bf
from brimful.sources.base import Format
from brimful.sources.detect import register
from brimful.sources.index import Index
from brimful.testing.format import CHANGED, FormatContract
from tests.faults.stores import delivered, files_of
from tests.toys.record_file import HEADER, RecordFile, record_of, write_records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of 50 records."""
    return write_records(tmp_path / "toy.rec")


def overwrite(path: Path, number: int, value: float) -> None:
    """Write another first value into a record."""
    records = np.memmap(path, record_of(6), "r+", HEADER.itemsize)
    records[number]["x"][0] = value
    records.flush()
    path.touch()  # a mapped write shows in the times only later


def content(path: Path) -> dict[str, tuple[bytes, int]]:
    """What a file of records must deliver, by key."""
    records = np.fromfile(path, record_of(6), offset=HEADER.itemsize)
    return {record["key"].decode(): (record["x"].tobytes(), int(record["label"])) for record in records}


class TestRecordFile(FormatContract):
    """It keeps the contract of all formats."""

    @pytest.fixture(autouse=True)
    def _make(self, path: Path) -> None:
        self._path = path

    def format(self) -> Format:
        """The file."""
        return RecordFile(self._path)

    def files(self) -> list[Path]:
        """The file."""
        return [self._path]

    def change(self) -> None:
        """Write another number."""
        overwrite(self._path, CHANGED, 0.5)

    def damage(self) -> tuple[int, str]:
        """Write what is no number."""
        overwrite(self._path, 3, np.nan)
        return 3, f"{self._path}: record 3 "


def test_it_is_scanned_and_split_and_fed(path: Path) -> None:
    """As any source: every sample once, with its own label, on the side that its key decides."""
    source = bf.scan(RecordFile(path))
    assert source.name == str(path)
    seen: dict[str, tuple[bytes, int]] = {}
    for part in source.split(test=0.3):
        for x, y, keys in part.batches(8, seed=1, include_keys=True):
            seen |= {key: (row.tobytes(), label) for key, row, label in zip(keys, x, y.tolist(), strict=True)}
    assert seen == content(path)
    assert len(bf.scan(RecordFile(path), limit=9)) == 9


def test_it_is_found_by_its_path_once_it_is_registered(path: Path) -> None:
    """One line makes it known."""

    def is_toy(thing: object) -> bool:
        return str(thing).endswith(".rec")

    forget = register(is_toy, lambda toy, options: Index.of(RecordFile(Path(toy)), options.limit))
    try:
        assert len(bf.scan(path)) == 50
        assert len(bf.scan(str(path), limit=5)) == 5
    finally:
        forget()
    with pytest.raises(bf.SourceNotFoundError):
        bf.scan(path)


def test_it_is_audited(path: Path) -> None:
    """A bad record is counted with its place, and can be left out; what has not changed is not read again."""
    overwrite(path, 3, np.nan)
    source = bf.scan(RecordFile(path))
    audit = source.audit()
    assert [(problem.kind, problem.count) for problem in audit.problems] == [("non_finite", 1)]
    assert "record 3 " in audit.problems[0].examples[0]
    assert audit.source_bytes == path.stat().st_size - HEADER.itemsize
    assert len(bf.scan(RecordFile(path), on_bad="skip")) == 49


def test_it_is_packed_to_the_same_bytes(path: Path, tmp_path: Path) -> None:
    """Twice, also by way of a part, and in whatever order it is read."""
    source = bf.scan(RecordFile(path))
    for name in ("one.brim", "two.brim"):
        bf.pack(source, tmp_path / name)
    assert files_of(tmp_path / "one.brim") == files_of(tmp_path / "two.brim")
    assert delivered(tmp_path / "one.brim") == content(path)
    assert bf.pack(source, tmp_path / "one.brim").keys[:] == source.keys[:]


def test_a_store_of_a_part_grows_to_one_of_all(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store has already keeps its labels; only the others are read."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600.0)
    source = bf.scan(RecordFile(path))
    part, _ = source.split(test=0.5)
    bf.pack(part, tmp_path / "grown.brim")
    bf.pack(source, tmp_path / "grown.brim")
    bf.pack(source, tmp_path / "anew.brim")
    assert delivered(tmp_path / "grown.brim") == content(path)
    assert files_of(tmp_path / "grown.brim") == files_of(tmp_path / "anew.brim")


def test_options_that_mean_nothing_here_are_refused_by_name(path: Path) -> None:
    """It has its own labels and shapes."""
    with pytest.raises(bf.ArgumentError, match="no `shape` for"):
        bf.scan(RecordFile(path), shape=(2, 3))
    with pytest.raises(bf.ArgumentError, match="no `labels` for"):
        bf.scan(RecordFile(path), labels="folders")


def test_two_samples_of_one_key_are_refused(path: Path) -> None:
    """A key names one sample."""
    records = np.memmap(path, record_of(6), "r+", HEADER.itemsize)
    records["key"][4] = records["key"][5]
    records.flush()
    with pytest.raises(bf.SourceError, match="same key"):
        bf.scan(RecordFile(path))
