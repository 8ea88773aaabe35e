"""Fuzzing: `python -m tests.fuzz --cases 1000000`. Never a crash, never a value that Python would not give.

Half of the cases are files of numbers, half are label tables: well-formed ones, most with a few bytes
changed. What comes out is compared with a few lines of plain Python that know nothing of pyarrow.
"""

import codecs
import math
import random
import re
import tempfile
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.errors import BrimfulError
from brimful.keys import hash_keys
from brimful.options import ScanOptions
from brimful.sources.label_join import join_table
from brimful.sources.label_table import read_table
from brimful.sources.labels import Labels
from brimful.sources.listing import Listing
from brimful.sources.text.contents import FileContents
from brimful.sources.text.dialect import Dialect, TextError
from brimful.sources.text.parse import parse, parse_one

BYTES = b"0123456789.eE+-,; \t\r\n\0xnaifNI_\xff\xc3\xa9\"'#"
FORMS = ("{:.18e}", "{!r}", "{:.3f}", "{:g}", "{:+.1e}", "{:.0f}.")
KEYS = ("a/1", "a/2", "b/03", "b/x y", "c")
CELLS = ("0", "1", "2", "17", "cat", "dog", "-1", "0.5", "1e3", "", "+7", "01")


def numbers_case(draw: random.Random) -> None:
    """Files of one dialect: together, alone, and by plain Python they hold the same, or none of them does."""
    delimiter = draw.choice(" \t,;")
    dialect = Dialect(delimiter.encode(), draw.randint(1, 3), draw.randint(1, 4), draw.random() < 0.1)
    form, usual = draw.choice(FORMS), draw.uniform(-9, 9)
    values = (
        draw.choice((usual, usual, draw.uniform(-1, 1), 10 ** draw.uniform(-50, 50))) for _ in range(12)
    )
    cells = [form.format(value) for value in values][: dialect.size]
    lines = (
        delimiter.join(cells[at : at + dialect.columns]) for at in range(0, dialect.size, dialect.columns)
    )
    text = mutated(draw, (draw.choice(("\n", "\r\n", "\n")).join(lines) + draw.choice(("", "\n"))).encode())
    expected = plainly(text, dialect)
    alone = attempt(text, dialect)
    try:
        together = parse(FileContents.of([text, text]), dialect, "float32")
    except TextError:
        together = None
    if (expected is None) != (alone is None) or (
        expected is not None and expected.tobytes() != bytes_of(alone)
    ):
        raise AssertionError(f"{text!r} {dialect}: alone {alone}, plainly {expected}")
    if together is not None and (expected is None or together.tobytes() != expected.tobytes() * 2):
        raise AssertionError(f"{text!r} {dialect}: together {together}, plainly {expected}")


def plainly(text: bytes, dialect: Dialect) -> NDArray[np.float32] | None:
    """A file's numbers as three lines of Python read them; None where they are not of the dialect."""
    if b"\0" in text or text.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return None
    blanks = b" \r\n\v\f" if dialect.delimiter == b"\t" else None
    lines = [line for line in text.removeprefix(codecs.BOM_UTF8).splitlines() if line.strip(blanks)]
    rows = [line.split() if dialect.delimiter == b" " else line.split(dialect.delimiter) for line in lines]
    if [len(row) for row in rows] != [dialect.columns] * dialect.rows:
        return None
    try:
        values = [math.nan if b"_" in cell else float(cell.strip(b" \t")) for row in rows for cell in row]
    except ValueError:
        return None
    with np.errstate(over="ignore"):
        array = np.array(values).astype(np.float32)
    return array if np.isfinite(array).all() else None


def attempt(text: bytes, dialect: Dialect) -> NDArray[np.float32] | None:
    """A file's numbers the slow way, which names what is wrong."""
    try:
        return parse_one(text, dialect, "float32")
    except TextError:
        return None


def bytes_of(array: NDArray[np.float32] | None) -> bytes:
    """The bytes of an array."""
    return b"" if array is None else array.tobytes()


def table_case(draw: random.Random, path: Path, listing: Listing) -> None:
    """A label table: an error of brimful's own, or for each sample the label in the line of its id."""
    mark = draw.choice(",;\t")
    ways = (lambda key: key, lambda key: f"{key}.csv", lambda key: key.rpartition("/")[2])
    name = draw.choice(ways)
    lines = [
        f"{name(key)}{mark}{draw.choice(CELLS)}" for key in draw.sample(KEYS, draw.randint(1, len(KEYS)))
    ]
    header = [f"id{mark}label"] if draw.random() < 0.3 else []
    text = mutated(draw, ("\n".join(header + lines) + draw.choice(("", "\n"))).encode())
    path.write_bytes(text)
    try:
        labels = join_table(read_table(path, ScanOptions()), listing)
    except BrimfulError:
        return
    if b'"' not in text and b"\r" not in text:
        compare(labels, as_string(text.removeprefix(codecs.BOM_UTF8)), listing)


def as_string(text: bytes) -> str:
    """The text of a table, which spreadsheets may write in the code page of their country."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("cp1252", errors="replace")


def compare(labels: Labels, text: str, listing: Listing) -> None:
    """Each label delivered must stand in a line with a name of its sample."""
    lines = list(cells_of(text))
    for row, key in enumerate(listing.keys.to_pylist()):
        if labels.state[row]:
            continue
        said = labels.values[row]
        if labels.classes and isinstance(labels.classes[0], str):
            said = labels.classes[said]
        for name, *others in lines:
            if means(name, key) and any(equal(cell, said) for cell in others):
                break
        else:
            raise AssertionError(f"{text!r}: {key} got {said!r}")


def cells_of(text: str) -> Iterator[list[str]]:
    """The cells of each line, without columns in which nothing stands."""
    lines = [line for line in text.split("\n") if line.strip()]
    mark = next((mark for mark in "\t;," if mark in lines[0]), None)
    rows = [[cell.strip() for cell in line.split(mark)] for line in lines]
    columns = [column for column in zip_longest(*rows, fillvalue="") if any(column)]
    return map(list, zip(*columns, strict=True))


def means(cell: str, key: str) -> bool:
    """Whether an id may name a sample: as its key, its stem or an integer, whatever folders stand before."""
    path = cell.replace("\\", "/").lower()
    for name in (path, re.sub(r"\.[a-z0-9]{1,5}$", "", path)):
        tails = [name, *(name[at + 1 :] for at, letter in enumerate(name) if letter == "/")]
        if key in tails or key.rpartition("/")[2] in tails:
            return True
    stem = key.rpartition("/")[2]
    return stem.isdigit() and equal(cell, int(stem))


def equal(cell: str, said: object) -> bool:
    """Whether a cell says this."""
    try:
        return cell == said or np.float32(float(cell)) == np.float32(said)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False


def mutated(draw: random.Random, text: bytes) -> bytes:
    """The text with a few bytes changed, taken out or put in; one in four as it is."""
    changed = bytearray(text)
    for _ in range(draw.choice((0, 1, 1, 2))):
        at = draw.randrange(len(changed) + 1)
        changed[at : at + draw.randint(0, 1)] = draw.choices(BYTES, k=draw.randint(0, 2))
    return (codecs.BOM_UTF8 if draw.random() < 0.05 else b"") + bytes(changed)


def small_listing() -> Listing:
    """A few samples in row order."""
    keys = sorted(KEYS, key=lambda key: int(hash_keys([key])[0]))
    paths = pa.array([f"{key}.csv" for key in keys], pa.large_string())
    return Listing(Path("data"), paths, hash_keys(keys), ".csv", {})


@click.command()
@click.option("--cases", default=1_000_000, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(cases: int, seed: int) -> None:
    """Run the cases; the first that fails is raised with the text that made it fail."""
    draw = random.Random(seed)  # noqa: S311 (no secrets here)
    listing = small_listing()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for case in range(1, cases + 1):
            if case % 2:
                numbers_case(draw)
            else:
                table_case(draw, Path(folder) / "table.csv", listing)
            if case % 50_000 == 0:
                click.echo(f"{case:,} cases, {time.perf_counter() - began:.0f} s, no failure")


if __name__ == "__main__":
    main()
