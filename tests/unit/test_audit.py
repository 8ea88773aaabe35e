"""The audit as an object, and its cache: only what has changed is read again, and never a wrong answer."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.sources import audit as auditing
from brimful.sources.text.folder import TextFolder
from tests.trees import Tree


@pytest.fixture
def settled(make_tree: Callable[..., Tree]) -> Tree:
    """A tree whose files were last changed a while ago, one of them bad."""
    tree = make_tree(300)
    tree.file("train/00007").write_text("1 2 x\n" * 4)
    time.sleep(0.02)
    return tree


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the samples that audits read, as they do; times count as settled at once."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", 0.0)
    seen: list[str] = []
    look_at = auditing._observe

    def spy(reader: Any, rows: Any, looks: Any, at: Any) -> int:
        seen.extend(reader.keys(rows[at]))
        return look_at(reader, rows, looks, at)

    monkeypatch.setattr(auditing, "_observe", spy)
    return seen


def facts(audit: auditing.Audit) -> dict[str, Any]:
    """All of an audit but the time that it took."""
    return {**audit.as_dict(), "seconds": 0, "packing_seconds": 0, "faults": audit.faults}


def test_what_an_audit_knows(make_tree: Callable[..., Tree]) -> None:
    """Counts, range and bytes are those of the files."""
    tree = make_tree(80)
    counts: list[int] = []
    audit = bf.scan(tree.path).audit(progress=counts.append)
    values = np.stack([*tree.x.values()])
    assert audit.samples == 80
    assert audit.value_range == (values.min(), values.max())
    assert audit.source_bytes == sum(tree.file(key).stat().st_size for key in tree.x)
    assert audit.class_counts == {label: [*tree.y.values()].count(label) for label in range(5)}
    assert not audit.problems
    assert not audit.faults
    assert counts[-1] == 80
    assert "no problems" in str(audit)
    part, _ = bf.scan(tree.path).split(test=0.5)
    assert part.audit().samples == len(part)


def test_a_second_look_reads_nothing(settled: Tree, read: list[str]) -> None:
    """And says the same, word for word."""
    first = bf.scan(settled.path).audit()
    assert len(set(read)) == 300
    source = bf.scan(settled.path)
    read.clear()
    assert facts(source.audit()) == facts(first)
    assert read == []
    assert facts(source.audit(cached=False)) == facts(first)
    assert len(set(read)) == 300


def write_again(path: Path) -> None:
    """Other content, the same size and modification time."""
    status = path.stat()
    text = path.read_bytes()
    path.write_bytes(b"9" + text[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(path: Path) -> None:
    """Another file in its place."""
    other = path.with_suffix(".new")
    other.write_text("1 2 3\n" * 4)
    other.replace(path)


@pytest.mark.parametrize("change", [write_again, replace, Path.unlink, lambda path: path.write_text("")])
def test_what_has_changed_is_read_again(
    settled: Tree, read: list[str], change: Callable[[Path], Any]
) -> None:
    """However little: only that file, and with the right answer."""
    bf.scan(settled.path).audit()
    source = bf.scan(settled.path)
    change(settled.file("train/00009"))
    read.clear()
    audit = source.audit()
    assert set(read) == {"train/00009"}
    assert facts(audit) == facts(source.audit(cached=False))


def test_files_that_may_change_unseen_are_not_kept(
    settled: Tree, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times are coarse: what was written just before the audit is read again by the next."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", 3600.0)
    source = bf.scan(settled.path)
    source.audit()
    read.clear()
    source.audit()
    assert len(set(read)) == 300


def test_every_flipped_bit_of_a_cache_is_noticed(settled: Tree, read: list[str], cache: Path) -> None:
    """It is read anew: neither another answer nor an error."""
    source = bf.scan(settled.path, limit=40)
    expected = facts(source.audit())
    (file,) = cache.rglob("*.arrow")
    good = file.read_bytes()
    for bit in range(0, len(good) * 8, 997):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        read.clear()
        assert facts(source.audit()) == expected
        assert len(set(read)) == 40


def test_a_part_leaves_the_cache_of_the_whole_alone(settled: Tree, read: list[str]) -> None:
    """A draw, a split and a source with samples left out are audited without harm to it."""
    source = bf.scan(settled.path)
    source.audit()
    bf.scan(settled.path, limit=10).audit()
    source.split(test=0.5)[0].audit()
    bf.scan(settled.path, on_bad="skip").audit()
    read.clear()
    source.audit()
    assert read == []


@pytest.mark.parametrize("content", [b"", b"ARROW1 and then nothing", None])
def test_a_spoilt_cache_is_no_cache(
    settled: Tree, read: list[str], cache: Path, content: bytes | None
) -> None:
    """Whatever lies there, or cannot be written there: the audit is right."""
    source = bf.scan(settled.path)
    expected = facts(source.audit())
    (file,) = cache.rglob("*.arrow")
    if content is None:
        file.unlink()
        file.parent.rmdir()
        file.parent.write_text("in the way")
    else:
        file.write_bytes(content)
    read.clear()
    assert facts(source.audit()) == expected
    assert len(set(read)) == 300


@pytest.mark.usefixtures("read")
def test_another_way_to_read_is_another_cache(settled: Tree) -> None:
    """What is finite as float64 may not be as float16."""
    settled.file("train/00011").write_text("1 2 1e6\n" * 4)
    assert [problem.kind for problem in bf.scan(settled.path, dtype="float64").audit().problems] == [
        "malformed"
    ]
    audit = bf.scan(settled.path, dtype="float16").audit()
    assert {problem.kind for problem in audit.problems} == {"malformed", "non_finite"}


def test_an_object_is_audited_too() -> None:
    """Every sample is asked for; there is nothing to cache, for it may change its mind."""
    pairs = [(np.full(3, number, float), number % 2) for number in range(40)]
    pairs[7] = (np.full(3, np.nan), 0)
    pairs[8] = (np.zeros(4), 0)
    source = bf.scan(pairs)
    audit = source.audit()
    assert [(fault.key, fault.kind) for fault in sorted(audit.faults)] == [
        ("7", "malformed"),
        ("8", "malformed"),
    ]
    assert audit.value_range == (0, 39)
    assert audit.source_bytes is None
    left = bf.scan(pairs, on_bad="skip")
    assert len(left) == 38
    assert {"7", "8"}.isdisjoint(left.keys)
    assert sum(len(x) for x, _ in left.batches(16)) == 38


def test_reading_is_cut_into_blocks_that_fit(settled: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample larger than a block is looked at alone."""
    monkeypatch.setattr(auditing, "BLOCK_BYTES", 1)
    sizes: list[int] = []
    read = TextFolder.read

    def spy(self: TextFolder, rows: Any, *prints: Any) -> Any:
        sizes.append(len(rows))
        return read(self, rows, *prints)

    monkeypatch.setattr(TextFolder, "read", spy)
    assert len(bf.scan(settled.path, limit=20).audit(cached=False).faults) <= 1
    assert sizes.count(1) >= 20
