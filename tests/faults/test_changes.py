"""A source that changes, or is bad, between the scan and the epoch: an error that names the file."""

import os
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

import brimful as bf
from tests.feeds import make_feed
from tests.trees import Tree


def vanish(path: Path) -> None:
    """Delete it."""
    path.unlink()


def shrink(path: Path) -> None:
    """Cut it in the middle of a number."""
    os.truncate(path, 30)


def grow(path: Path) -> None:
    """Add a line."""
    with path.open("ab") as file:
        file.write(b"1 2 3\n")


def swell(path: Path) -> None:
    """Make it larger than any sample can be."""
    path.write_bytes(b"1 2 3\n" * 100_000)


def empty(path: Path) -> None:
    """Leave nothing in it."""
    path.write_bytes(b"")


def word(path: Path) -> None:
    """Put a word among the numbers."""
    path.write_text("1 2 3\n4 five 6\n7 8 9\n1 2 3\n")


def infinite(path: Path) -> None:
    """Put in a number that is none as float32."""
    path.write_text("1 2 3\n4 5 6\n7 1e39 9\n1 2 3\n")


def transpose(path: Path) -> None:
    """As many values, another shape."""
    path.write_text("1 2 3 4\n" * 3)


def directory(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (vanish, "cannot be read: No such file"),
        (shrink, "expected 3 values|lines of values"),
        (grow, "expected 4 lines of values, found 5"),
        (swell, "more than"),
        (empty, "no number in this file"),
        (word, ":2:2: expected a number, found 'five'"),
        (infinite, ":3:2: 1e39 is not finite as float32"),
        (transpose, "expected 3 values in this line, found 4"),
        (directory, "cannot be read: Is a directory"),
    ],
)
def test_a_file_that_changed_is_named(
    make_tree: Callable[..., Tree], change: Callable[[Path], None], message: str
) -> None:
    """The epoch ends with one error: the file, the place, what to do. No wrong value is delivered."""
    tree = make_tree(300)
    feed = make_feed((source := bf.scan(tree.path))._reader, source._view, 16, memory="1MB")
    change(tree.file("train/00123"))
    with pytest.raises(bf.SourceError, match=message) as caught:
        list(feed)
    assert str(tree.file("train/00123")) in caught.value.message
    assert caught.value.hint
    assert feed.stats.samples < 300


def test_two_files_whose_surpluses_cancel_out(make_tree: Callable[..., Tree]) -> None:
    """One has a line too many, its neighbour in the same block one too few: both are caught."""
    tree = make_tree(40)
    source = bf.scan(tree.path)
    longer, shorter = (tree.file(key) for key in source.keys[10:12])
    with longer.open("ab") as file:
        file.write(b"1 2 3\n")
    shorter.write_bytes(b"".join(shorter.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(bf.MalformedFileError, match=re.escape(str(longer))):
        list(make_feed(source._reader, source._view, 40, shuffle=False))


def test_ragged_lines_that_cancel_out(make_tree: Callable[..., Tree]) -> None:
    """Within one file: a value moved from one line to the next."""
    tree = make_tree(40)
    tree.file("train/00005").write_text("1 2 3 4\n5 6\n7 8 9\n1 2 3\n")
    with pytest.raises(bf.SourceError, match=r"00005\.csv:1:4"):
        bf.scan(tree.path).batches(8)


def test_an_error_leaves_the_source_usable(make_tree: Callable[..., Tree]) -> None:
    """Once the file is repaired, the same batches go on from the start of the epoch."""
    tree = make_tree(100)
    source = bf.scan(tree.path)
    feed = make_feed(source._reader, source._view, 16)
    good = tree.file("train/00050").read_bytes()
    tree.file("train/00050").write_text("x")
    with pytest.raises(bf.MalformedFileError):
        list(feed)
    tree.file("train/00050").write_bytes(good)
    assert sum(len(x) for x, _ in feed) == feed.stats.distinct_samples == 100


def test_a_short_read_is_no_short_file(
    make_tree: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems may give less than asked for: all of the file is read all the same."""
    tree = make_tree(40)
    whole_read = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, views, *at: whole_read(file, [views[0][:17]], *at))
    source = bf.scan(tree.path)
    for x, _, keys in make_feed(source._reader, source._view, 8, include_keys=True):
        for sample, key in zip(x, keys, strict=True):
            assert sample.tobytes() == tree.x[key].tobytes()


def test_a_file_cut_while_it_is_read(make_tree: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut inside its last number it would still parse: an error, not 9.57 for 0.957."""
    tree = make_tree(40)
    whole_read = os.preadv
    monkeypatch.setattr(os, "preadv", lambda *args: max(0, whole_read(*args) - 8))
    source = bf.scan(tree.path)
    with pytest.raises(bf.ReadError, match="changed while it was read"):
        list(make_feed(source._reader, source._view, 8))


def test_few_open_files_are_enough(make_tree: Callable[..., Tree], tmp_path: Path) -> None:
    """Where a process may open few files, fewer are read ahead."""
    tree = make_tree(600)
    source = bf.scan(tree.path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    already = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (already + 60, hard))
    try:
        assert not source.audit(cached=False).problems
        assert len(bf.pack(source, tmp_path / "x.brim")) == 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
