"""Entries: both ways to list folders find the same, whatever lies there."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brimful.sources import _getdents as entries
from brimful.sources._getdents import FILE, FOLDER, OTHER, Entries, by_getdents, by_scandir, read_entries

Way = Callable[[Sequence[bytes]], Iterator[Entries]]
WAYS = [by_scandir, *([by_getdents] if hasattr(os, "sched_getaffinity") else [])]  # Linux has both


def _found(way: Way, *folders: Path) -> list[tuple[int, bytes, int]]:
    pieces = list(way([os.fsencode(folder) for folder in folders]))
    for piece in pieces:
        assert piece.initials.tolist() == [name[0] for name in piece.names.to_pylist()]
    return sorted(
        (folder, name, kind)
        for piece in pieces
        for folder, name, kind in zip(
            piece.folders.tolist(), piece.names.to_pylist(), piece.types.tolist(), strict=True
        )
    )


@pytest.mark.parametrize("way", WAYS)
def test_names_and_kinds_of_all_that_lies_in_folders(way: Way, tmp_path: Path) -> None:
    """Files, folders, links and pipes, hidden ones too, each in its folder; `.` and `..` are no entries."""
    first, second, empty = tmp_path / "first", tmp_path / "second", tmp_path / "empty"
    for folder in (first, second, empty, first / "inner", first / "..."):
        folder.mkdir()
    for name in ("a", ".b", "..c", "line\nbreak", "é" * 127):
        (first / name).touch()
    (second / "link").symlink_to("nowhere")
    (second / "folder").symlink_to(empty)
    os.mkfifo(second / "pipe")
    in_first = [("a", FILE), (".b", FILE), ("..c", FILE), ("line\nbreak", FILE), ("é" * 127, FILE)]
    in_first += [("inner", FOLDER), ("...", FOLDER)]
    expected = [(0, os.fsencode(name), kind) for name, kind in in_first]
    expected += [(2, os.fsencode(name), OTHER) for name in ("link", "folder", "pipe")]
    assert _found(way, first, empty, second) == sorted(expected)


@pytest.mark.parametrize("way", WAYS)
def test_folder_that_cannot_be_listed_is_named(way: Way, tmp_path: Path) -> None:
    """The error tells which of the folders it is."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:  # noqa: PT011 (of several kinds)
        _found(way, tmp_path, tmp_path / "file")
    assert os.fsencode(caught.value.filename) == os.fsencode(tmp_path / "file")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name),
        unique=True,
        max_size=60,
    ),
    buffer=st.sampled_from([1 << 12, 1 << 19]),
)
def test_any_names_are_found_whatever_the_buffer(
    names: list[bytes], buffer: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name once, also where the records of a folder do not fit into the buffer."""
    monkeypatch.setattr(entries, "BUFFER", buffer)
    folder = tmp_path_factory.mktemp("names")
    wanted = [name for name in names if name not in (b".", b"..")]
    for name in wanted:
        with open(os.fsencode(folder) + b"/" + name, "wb"):  # noqa: PTH123 (no UTF-8)
            pass
    assert _found(read_entries, folder) == sorted((0, name, FILE) for name in wanted)
