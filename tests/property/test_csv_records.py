"""Whatever a CSV writer writes, the records are those that it wrote, in blocks of any size."""

import csv
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import brimful as bf
from brimful.sources.tables import csv_file
from brimful.sources.tables.csv_records import QuoteError, records_of

words = st.text('ab",;\n\r é', max_size=6)
rows = st.lists(st.tuples(words, st.integers(-999, 999)), min_size=1, max_size=30)


@given(rows, st.integers(1, 200), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=150)
def test_records_are_those_of_the_writer(some: list[tuple[str, int]], unit: int, end: str) -> None:
    """The ids come back to the byte, each with its number."""
    before = csv_file.UNIT_BYTES
    csv_file.UNIT_BYTES = unit
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL)
            writer.writerow(["id", "v"])
            writer.writerows((f"{n}{word}", number) for n, (word, number) in enumerate(some))
        try:
            source = bf.scan(path, id="id", inputs=["v"])
            found = {key: int(source[at][0][0]) for at, key in enumerate(source.keys)}
        finally:
            csv_file.UNIT_BYTES = before
    assert found == {f"{n}{word}": number for n, (word, number) in enumerate(some)}


@given(st.text('ab",\n\r', max_size=60))
@settings(max_examples=400)
def test_any_text_is_divided_as_its_parts_are(text: str) -> None:
    """Cut behind any whole record, both sides give the same records; or a quote is refused."""
    content = text.encode()
    try:
        whole = records_of(content, b",")
        if whole.opened >= 0:
            return
        for stop in whole.starts.tolist():
            left = records_of(content[:stop], b",", is_last=False)
            right = records_of(content[stop:], b",")
            assert left.stop == stop
            assert np.array_equal(np.concatenate([left.starts, right.starts + stop]), whole.starts)
    except QuoteError:
        pass
