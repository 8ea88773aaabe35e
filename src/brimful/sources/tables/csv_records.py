"""Records of a CSV text: where each of them ends, which the state of the quotes decides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUOTE, LINE_FEED, CARRIAGE_RETURN = b'"\n\r'
NO_SPANS = np.empty(0, np.int64)


class QuoteError(ValueError):
    """A quoted cell that does not end where a cell must end; `offset` is that of the quote that opens it."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True)
class Records:
    """The records of a text.

    Attributes:
        starts: The offset of the first byte of each record that is not blank.
        stop: The offset behind the last whole record, blank or not.
        blank: How many lines are blank.
        opened: The offset of a quote that is not closed; -1 if there is none.
        longest: The most line ends in one quoted cell, and the offset of that cell.
    """

    starts: NDArray[np.int64]
    stop: int
    blank: int
    opened: int
    longest: tuple[int, int] = (0, 0)


def records_of(text: bytes, delimiter: bytes, *, is_last: bool = True) -> Records:
    """Find the records of a text, which begins with one.

    A quote opens a cell only at its beginning; anywhere else it is a letter. Within a quoted cell a doubled
    quote is a letter, and a single one must be followed by a delimiter or the end of the line.

    Args:
        text: The text.
        delimiter: What stands between cells.
        is_last: Whether the text ends with the file, so that the last record needs no line end.

    Raises:
        QuoteError: Something follows a quoted cell.
    """
    content = np.frombuffer(text, np.uint8)
    breaks = np.flatnonzero(content == LINE_FEED)
    ends, opened, longest = breaks, -1, (0, 0)
    if b'"' in text:
        opens, closes = _spans(content, delimiter[0])
        if len(opens) > len(closes):
            opened = int(opens[-1])
            closes = np.append(closes, len(content))
        at = np.searchsorted(opens, breaks, "right") - 1
        inside = (at >= 0) & (breaks < closes[at.clip(min=0)]) if len(opens) else np.zeros(len(at), bool)
        ends = breaks[~inside]
        if inside.any():
            counts = np.bincount(at[inside])
            longest = (int(counts.max()), int(opens[counts.argmax()]))
    stops = ends + 1
    if is_last and opened < 0 and len(content) > (stops[-1] if len(stops) else 0):
        stops = np.append(stops, len(content))
    starts = np.concatenate([[0], stops[:-1]]) if len(stops) else NO_SPANS
    filled = np.ones(len(starts), bool)
    short = np.flatnonzero(stops - starts <= 2)
    filled[short] = [bool(text[starts[at] : stops[at]].strip(b"\r\n")) for at in short.tolist()]
    stop = int(stops[-1]) if len(stops) else 0
    return Records(starts[filled], stop, int((~filled).sum()), opened, longest)


def _spans(content: NDArray[np.uint8], delimiter: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where quoted cells open and close. A doubled quote closes and opens again."""
    is_edge = np.zeros(256, bool)
    is_edge[[delimiter, LINE_FEED, CARRIAGE_RETURN]] = True
    at = np.flatnonzero(content == QUOTE)
    opens, closes = at[0::2], at[1::2]
    is_edge[QUOTE] = True
    before = is_edge[content[opens - 1]] | (opens == 0)
    after = is_edge[content[(closes + 1).clip(max=len(content) - 1)]] | (closes + 1 == len(content))
    if before.all() and after.all():
        return opens, closes
    is_edge[QUOTE] = False
    return _irregular_spans(content, at, is_edge)


def _irregular_spans(
    content: NDArray[np.uint8], at: NDArray[np.int64], is_edge: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same where quotes are letters, too: one after the other."""
    opens: list[int] = []
    closes: list[int] = []
    passed = -1
    for quote in at.tolist():
        if quote <= passed:
            continue
        if len(opens) == len(closes):
            if quote == 0 or is_edge[content[quote - 1]]:
                opens.append(quote)
        elif quote + 1 < len(content) and content[quote + 1] == QUOTE:
            passed = quote + 1
        elif quote + 1 == len(content) or is_edge[content[quote + 1]]:
            closes.append(quote)
        else:
            raise QuoteError(opens[-1], "something follows the quote that ends it")
    return np.array(opens, np.int64), np.array(closes, np.int64)
