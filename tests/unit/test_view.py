"""Views: whatever rows one has, it gives what the plain list of them would."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from brimful.order.view import View

N = 40
ranges = st.tuples(st.integers(0, N), st.integers(0, N)).map(lambda ends: View(range(min(ends), max(ends))))
others = st.sets(st.integers(0, N - 1)).map(lambda rows: View(np.array(sorted(rows), np.int64)))
views = st.one_of(ranges, others)


@given(view=views, data=st.data())
def test_a_part_has_the_rows_at_its_positions(view: View, data: st.DataObject) -> None:
    """A range where they are consecutive, for that takes no memory."""
    rows = list(view.rows)
    kept = sorted(data.draw(st.sets(st.sampled_from(range(len(rows))))) if rows else [])
    positions = np.array(kept, np.int64)
    wanted = [rows[at] for at in kept]
    assert view.at(positions).tolist() == wanted
    part = view.part(positions)
    assert list(part.rows) == wanted
    assert isinstance(part.rows, range) == (len(wanted) > 0 and wanted[-1] - wanted[0] + 1 == len(wanted))


@given(view=views)
def test_all_of_a_view_is_a_part_of_it(view: View) -> None:
    """And its index picks it out of an array over all rows, without a copy where it is a range."""
    rows = list(view.rows)
    assert len(view) == len(rows)
    assert list(view.part(np.arange(len(rows))).rows) == rows
    everything = np.arange(N)
    picked = everything[view.index]
    assert picked.tolist() == rows
    assert isinstance(view.rows, range) == isinstance(view.index, slice)


@given(view=views, first=st.integers(-1, N + 1), last=st.integers(-1, N + 1))
def test_between_keeps_the_rows_from_first_to_before_last(view: View, first: int, last: int) -> None:
    """Also where that is none of them, and where the bounds lie outside."""
    part = view.between(first, last)
    assert list(part.rows) == [row for row in view.rows if first <= row < last]
    assert isinstance(part.rows, range) == isinstance(view.rows, range)
    if isinstance(part.rows, range) and isinstance(view.rows, range):
        assert view.rows.start <= part.rows.start <= part.rows.stop <= view.rows.stop


@given(view=views, size=st.integers(1, N + 1))
def test_pieces_say_where_the_rows_of_each_chunk_begin(view: View, size: int) -> None:
    """Every chunk with rows of the view, no other, and the number of rows at the end."""
    rows = list(view.rows)
    if not rows:
        return
    chunks, starts = view.pieces(size)
    wanted = sorted({row // size for row in rows})
    assert chunks.tolist() == wanted
    firsts = [next(at for at, row in enumerate(rows) if row // size == chunk) for chunk in wanted]
    assert starts.tolist() == [*firsts, len(rows)]
