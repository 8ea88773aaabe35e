"""Id match: finds the way in which the ids of a label table name samples.

All ids of a table name samples in the same way, the one that fits most of them: the key, the path, the file's
stem, the file's name, or the integer that the stem spells ("1" matches "00001.csv").
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from brimful.errors import LabelError
from brimful.keys import HashedKeys, find_keys
from brimful.sources.label_table import LabelTable
from brimful.sources.listing import Listing
from brimful.sources.walk import split_paths
from brimful.sources.words import WHOLE_FLOAT, integers

FIRST_IDS = 100  # of which one must be met for the folders above the samples to be known


def match_ids(table: LabelTable, listing: Listing) -> tuple[str, NDArray[np.int64], str]:
    """Find the way in which the ids name samples, the row of each (-1 for none), and an example."""
    path, ids, most = table.name, table.ids.keys, 0
    for each, rows_of_ids, names_of_samples in _ways(table, listing):
        count = int(np.count_nonzero(rows_of_ids >= 0))
        if count > most:
            most, way, rows, names = count, each, rows_of_ids, names_of_samples
        if count == len(ids):
            break
    if most * 2 < len(ids) and not table.is_id_named:
        _refuse_swapped(table, listing, most)
    if not most:
        raise LabelError(
            f"{path}: none of its {len(ids):,} ids names a sample. Ids look like "
            f"{_some(ids)}, keys like {_some(listing.keys)}.",
            "An id is the key, the file's stem or name, or the integer that the stem spells.",
        )
    _refuse_shifted(table, listing, rows)
    if way not in ("key", "path"):  # which are each file's own
        _refuse_ambiguous(path, way, rows, names, listing)
    met = int(np.argmax(rows >= 0))
    example = f"{ids[met].as_py()!r} matches {listing.paths[rows[met]].as_py()!r}"
    return way, rows, example


def _ways(table: LabelTable, listing: Listing) -> Iterator[tuple[str, NDArray[np.int64], pa.Array]]:
    """The ways in which ids can name samples: name of the way, row of each id, names of the samples."""
    ids, keys = table.ids.keys, lambda rows: listing.keys_of(listing.paths_of(rows))
    yield "key", find_keys(table.ids, listing.hashes, keys), listing.paths
    yield "path", _rows_of(ids, listing.paths), listing.paths
    names, stems = pc.struct_field(split_paths(listing.paths), "name"), listing.stems
    yield "stem", _rows_of(ids, stems), stems
    yield "file name", _rows_of(ids, names), names
    if len(ids) and (below := _below(ids, listing)) is not None:
        yield "path", below, listing.paths
    spelt = integers(stems)
    yield "integer", _rows_of(integers(ids), spelt), spelt
    whole = pc.replace_substring_regex(ids, pattern=WHOLE_FLOAT, replacement="")
    yield "integer", _rows_of(integers(whole), spelt), spelt
    for names in (stems, listing.keys):
        yield "name in other letters", _rows_of(_folded(_stems(ids)), _folded(names)), _folded(names)


def _below(ids: pa.Array, listing: Listing) -> NDArray[np.int64] | None:
    """The rows of ids that are paths from elsewhere: absolute, with backslashes, or with another suffix.

    As many leading folders are left out as makes one of the first ids a key; None if there are no such paths.
    """
    slashes, stems = pc.replace_substring(ids, "\\", "/"), _stems(ids)
    if (
        not pc.any(pc.match_substring(slashes, "/")).as_py()
        and not pc.any(pc.match_substring(ids, ".")).as_py()
    ):
        return None
    first, keys = stems[:FIRST_IDS], listing.keys
    for folders in range(pc.max(pc.count_substring(first, "/")).as_py() + 1):
        if pc.any(pc.is_in(_below_folders(first, folders), value_set=keys)).as_py():
            return _rows_of(_below_folders(stems, folders), keys)
    return None


def _below_folders(paths: pa.Array, folders: int) -> pa.Array:
    """Paths without so many of their leading folders; those that have fewer stay."""
    return pc.replace_substring_regex(paths, pattern=rf"^([^/]*/){{{folders}}}", replacement="")


def _stems(ids: pa.Array) -> pa.Array:
    """Ids that may be paths, with slashes and without suffix."""
    slashes = pc.replace_substring(ids, "\\", "/")
    return pc.replace_substring_regex(slashes, pattern=r"\.[A-Za-z0-9]{1,5}(\.gz)?$", replacement="")


def _folded(names: pa.Array) -> pa.Array:
    """Names in small letters, in one Unicode form."""
    return pc.utf8_normalize(pc.utf8_lower(names), form="NFC")


def _rows_of(ids: pa.Array, names: pa.Array) -> NDArray[np.int64]:
    """The first row with each name, -1 for none."""
    rows: NDArray[np.int32] = pc.fill_null(pc.index_in(ids, value_set=names, skip_nulls=True), -1).to_numpy()
    return rows.astype(np.int64)


def _refuse_swapped(table: LabelTable, listing: Listing, most: int) -> None:
    """Refuse a table of which another column names the samples, while the ids name few of them."""
    for name, cells in table.targets.items():
        other = replace(table, ids=HashedKeys.of(cells))
        count = max(int(np.count_nonzero(rows >= 0)) for _, rows, _ in _ways(other, listing))
        if count * 2 > len(cells) and len(pc.unique(cells)) * 2 > len(cells):
            raise LabelError(
                f"{table.name}: {most:,} of its {len(cells):,} ids name a sample, but {count:,} cells of the "
                f"column {name!r} do.",
                f"Say that it holds the ids: id={name!r}, --id {name}.",
            )


def _refuse_shifted(table: LabelTable, listing: Listing, rows: NDArray[np.int64]) -> None:
    """Refuse ids that count from 1 where the files count from 0, or the other way round."""
    ids = table.ids.keys
    if not len(listing) <= len(ids) <= len(listing) + 1 or not 1 <= np.count_nonzero(rows < 0) <= 2:
        return  # a heading may be among them
    whole = pc.replace_substring_regex(ids, pattern=WHOLE_FLOAT, replacement="")
    both = [integers(each).drop_null().to_numpy(zero_copy_only=False) for each in (whole, listing.stems)]
    if not all(len(np.unique(each)) == len(listing) == np.ptp(each) + 1 for each in both):
        return
    (first, start), (last, end) = ([int(each.min()) for each in both], [int(each.max()) for each in both])
    if abs(first - start) == 1:
        raise LabelError(
            f"{table.name}: its ids run from {first} to {last}, the files from {start} to {end}: they seem "
            "to be off by one.",
            "Correct the ids, or give a dict of keys to labels. If they are right, take out the one "
            "that no file has.",
        )


def _refuse_ambiguous(
    path: str, way: str, rows: NDArray[np.int64], names: pa.Array, listing: Listing
) -> None:
    """Refuse ids that name several samples: files in different folders may share stem, name or integer."""
    counts = pc.value_counts(pc.drop_null(names))
    shared = pc.filter(counts.field("values"), pc.greater(counts.field("counts"), 1))
    used = names.take(pa.array(rows[rows >= 0]))
    both = pc.filter(used, pc.is_in(used, value_set=shared))
    if len(both):
        files = sorted(pc.filter(listing.paths, pc.equal(names, both[0])).slice(0, 2).to_pylist())
        raise LabelError(
            f"{path}: ids are the {way} of a file, and {both[0].as_py()!r} is that of several: "
            f"{', '.join(files)}.",
            f"Write the key as id, the path without suffix: {listing.keys_of(pa.array(files))[0].as_py()!r}.",
        )


def _some(strings: pa.Array) -> str:
    return ", ".join(repr(string) for string in strings.slice(0, 3).to_pylist())
