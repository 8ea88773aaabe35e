"""Single labels: labels found one by one: by a function, by key, in the names of files, or in files."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from brimful.errors import ArgumentError, LabelError, ReadError, SourceNotFoundError
from brimful.keys import HashedKeys
from brimful.sources.label_table import LabelTable, is_frame
from brimful.sources.listing import Listing

NAME, FILES = "name:", "files:"
LONGEST = 256  # bytes of a file that holds a label


def are_single(given: Any) -> bool:
    """Whether labels are given in a way in which they are found one by one."""
    is_series = hasattr(given, "to_dict") and not is_frame(given)
    is_pattern = isinstance(given, str) and given.startswith((NAME, FILES))
    return callable(given) or isinstance(given, Mapping) or is_series or is_pattern


def single_table(given: Any, listing: Listing) -> LabelTable:
    """The label table that such labels make.

    Raises:
        ArgumentError: A pattern is none.
        SourceNotFoundError: No file has a label.
        LabelError: A file holds more than a label.
    """
    keys = listing.keys
    if isinstance(given, str) and given.startswith(FILES):
        return _in_files(listing.root, given.removeprefix(FILES))
    if isinstance(given, str):
        return _table("the names of the files", keys, _found(given.removeprefix(NAME), listing.stems))
    name = f"the {type(given).__name__} given as labels"
    if callable(given) and not isinstance(given, Mapping):
        return _table(name, keys, map(given, keys.to_pylist()))
    labels: Mapping[Any, Any] = given if isinstance(given, Mapping) else given.to_dict()  # a Series
    return _table(name, pa.array(map(str, labels), pa.large_string()), labels.values())


def _table(name: str, ids: pa.LargeStringArray, labels: Iterable[Any]) -> LabelTable:
    try:
        words = pa.array(("" if label is None else str(label) for label in labels), pa.large_string())
    except UnicodeEncodeError as error:
        raise LabelError(f"{name}: a label is no text that can be written: {error.object!r:.80}.") from error
    return LabelTable(name, HashedKeys.of(ids), {"label": words}, None, 0, ())


def _found(pattern: str, names: pa.LargeStringArray) -> Iterable[str]:
    """What a regular expression finds in each name: its first group, or the whole match; or nothing."""
    try:
        search: Callable[[str], re.Match[str] | None] = re.compile(pattern).search
    except re.error as error:
        raise ArgumentError(
            f"Expected a regular expression after 'name:'. Received: {pattern!r}: {error}"
        ) from error
    matches = map(search, names.to_pylist())
    return (match[1 if match.lastindex else 0] if match else "" for match in matches)


def _in_files(root: Path, pattern: str) -> LabelTable:
    """The labels in files that are named like the samples, but for folder or suffix."""
    parts = PurePosixPath(pattern).parts
    fixed = next((at for at, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    base, glob = root.joinpath(*parts[:fixed]), "/".join(parts[fixed:])
    try:
        files = sorted(path for path in base.glob(glob) if path.is_file())
    except (ValueError, NotImplementedError) as error:
        raise ArgumentError(
            f"Expected a pattern like 'files:../labels/*.txt'. Received: {pattern!r}: {error}"
        ) from error
    if not files:
        raise SourceNotFoundError(
            f"{root}: no file is named like {pattern!r}.",
            "A pattern like 'files:../labels/*.txt' begins at the folder of the samples.",
        )
    ids = pa.array((file.relative_to(base).with_suffix("").as_posix() for file in files), pa.large_string())
    return _table(f"the files {pattern}", ids, _contents(files))


def _contents(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        try:
            with file.open("rb") as opened:
                text = opened.read(LONGEST + 1).strip()
        except OSError as error:
            raise ReadError(f"{file}: the label cannot be read: {error.strerror or error}.") from error
        if len(text) > LONGEST or len(text.splitlines()) > 1 or text.startswith((b"{", b"[")):
            raise LabelError(
                f"{file}: this file holds more than a label.",
                "Read the labels yourself, and give a dict of keys to labels, or a function of the key.",
            )
        yield text.decode("utf-8-sig", errors="replace")
