"""ArrowSurvey: the columns of files that know their types: Parquet and Arrow."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brimful.errors import MalformedFileError
from brimful.samples import Progress
from brimful.sources.tables.column import MOST_WORDS, Column

IMAGES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"RIFF": "WebP"}


def column_of_type(name: str, dtype: pa.DataType) -> Column:
    """What a column of some type holds, before a cell was seen. The shape of lists is still to be found."""
    types = pa.types
    if types.is_null(dtype):
        return Column(name, "empty", "nothing", words=Counter())
    if types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype):
        return Column(name, "number", "numbers", words=Counter())
    if _is_text(dtype) or types.is_dictionary(dtype):
        return Column(name, "text", "words", words=Counter())
    if depth_of(dtype) and _is_number(_innermost(dtype)):
        return Column(name, "list", "lists of numbers", words=Counter())
    return Column(name, "other", f"{dtype}", words=Counter())


def check_names(path: Path, schema: pa.Schema) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        MalformedFileError: Two are the same, or there is none.
    """
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise MalformedFileError(f"{path}: two columns are called {twice[0]!r}.", "Rename one of them.")
    if not schema.names:
        raise MalformedFileError(f"{path}: there is no column in this file.", "Check it.", "empty")
    return tuple(schema.names)


def as_text(path: Path, name: str, cells: pa.Array) -> pa.LargeStringArray:
    """Cells as text, null where there is none. Of categories, the text and not the code.

    A whole number of a column of floats has `.0` behind it, so that it can be told from an integer.

    Raises:
        MalformedFileError: They are no text.
    """
    try:
        if pa.types.is_dictionary(cells.type):
            cells = cells.dictionary_decode()
        if cells.type == pa.float16():
            cells = cells.cast(pa.float32())
        texts = cells.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise MalformedFileError(
            f"{path}: the column {name!r} is of the type {cells.type}, which is no text: {error}.",
            "Name another column for it.",
        ) from error
    if not pa.types.is_floating(cells.type):
        return texts
    return pc.replace_substring_regex(texts, pattern=r"^([+-]?[0-9]+)$", replacement=r"\1.0")


def look_at_batches(
    path: Path,
    columns: Mapping[str, Column],
    texts: Collection[str],
    batches: Iterable[Mapping[str, pa.Array]],
    progress: Progress,
) -> tuple[dict[str, Column], dict[str, pa.ChunkedArray]]:
    """Count the words of columns of words, see which columns count the rows, and keep cells as text.

    Args:
        path: The file, for messages.
        columns: The columns to look at.
        texts: The columns whose cells are wanted.
        batches: The cells of all these columns, some rows at a time.
        progress: Called with the number of rows seen.
    """
    found = dict(columns)
    kept: dict[str, list[pa.Array]] = {name: [] for name in texts}
    rows = 0
    for batch in batches:
        for name, cells in batch.items():
            column = found.get(name)
            if column is not None and column.kind == "text":
                found[name] = _with_words(column, as_text(path, name, cells))
            elif column is not None and column.kind == "number":
                found[name] = replace(column, counts_from=_counts_from(column, cells, rows))
            if name in texts:
                kept[name].append(as_text(path, name, cells))
        rows += len(next(iter(batch.values())))
        progress(rows)
    return found, {name: pa.chunked_array(cells, pa.large_string()) for name, cells in kept.items()}


def _with_words(column: Column, cells: pa.Array) -> Column:
    counts = pc.value_counts(pc.utf8_trim_whitespace(cells))
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    more = Counter[str]()
    for word, n in pairs:
        more[word or ""] += n
    missing = column.missing + more.pop("", 0)
    words = None if column.words is None else column.words + more
    return replace(column, words=None if words and len(words) > MOST_WORDS else words, missing=missing)


def _counts_from(column: Column, cells: pa.Array, row: int) -> int | None:
    """The first number of a column that counts the rows, if some further cells go on counting."""
    if cells.null_count or not pa.types.is_integer(cells.type) or not len(cells):
        return column.counts_from if not len(cells) else None
    values = cells.to_numpy(zero_copy_only=False)
    first = int(values[0]) - row
    if row and column.counts_from != first:
        return None
    return first if (values == values[0] + np.arange(len(values)).astype(values.dtype)).all() else None


def with_shape(column: Column, cells: pa.Array) -> Column:
    """A column of lists with the shape of most of its first cells; one of no use if these differ.

    Cells further on that differ are found when they are read.
    """
    shapes = Counter(map(_shape_of, cells.drop_null()[:1000].to_pylist()))
    if not shapes:
        return replace(column, kind="empty")
    few = ", ".join(f"{n:,} of {shape}" for shape, n in shapes.most_common(5))
    shape = next(iter(shapes))
    if len(shapes) > 1 or shape is None or 0 in shape:
        return replace(column, kind="other", described=f"lists of different lengths ({few})")
    return replace(column, shape=shape)


def _shape_of(cell: list[object]) -> tuple[int, ...] | None:
    try:
        return np.shape(np.array(cell, object) if cell and not isinstance(cell[0], list) else np.array(cell))
    except ValueError:
        return None


def depth_of(dtype: pa.DataType) -> int:
    """How many lists of lists a type is; 0 for no list."""
    depth = 0
    while _is_list(dtype):
        depth, dtype = depth + 1, dtype.value_type
    return depth


def _innermost(dtype: pa.DataType) -> pa.DataType:
    while _is_list(dtype):
        dtype = dtype.value_type
    return dtype


def _is_list(dtype: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype))


def _is_number(dtype: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype))


def _is_text(dtype: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype))
