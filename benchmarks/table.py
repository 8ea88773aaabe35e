"""Table: one result, in markdown; and rounds, in which contenders take turns."""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """A titled table with what is to be said about it.

    Attributes:
        title: Its heading.
        text: What was measured, and how.
        columns: Heads of the columns.
        rows: Cells.
        notes: What follows from it, a line each.
    """

    title: str
    text: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The table as a section of a markdown page."""
        lines = [f"## {self.title}", "", self.text.strip(), ""]
        lines += [_line(self.columns), _line(["---", *["---:"] * (len(self.columns) - 1)])]
        lines += [_line(row) for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines).rstrip() + "\n"


def take_turns(
    contenders: dict[str, Callable[[], float]],
    rounds: int,
    *,
    before: Callable[[], None] = lambda: None,
    warm_up: bool = False,
) -> dict[str, list[float]]:
    """Let contenders take turns, so that what else the machine does strikes all of them.

    Args:
        contenders: Name -> what to run; gives its result, say samples a second.
        rounds: How often each runs.
        before: What to do before each run.
        warm_up: Whether each runs once before, uncounted.

    Returns:
        Name -> results, one a round.
    """
    results: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values() if warm_up else ():
        run()
    for turn in range(rounds):
        for name, run in contenders.items():
            gc.collect()
            before()
            results[name].append(run())
            say(f"  round {turn + 1}: {name}: {results[name][-1]:,.1f}")
    return results


def ratios(ours: Iterable[float], theirs: Iterable[float]) -> str:
    """Median of the rounds' ratios, and each of them."""
    each = [one / other for one, other in zip(ours, theirs, strict=True)]
    return f"{statistics.median(each):.2f} ({', '.join(f'{ratio:.2f}' for ratio in each)})"


def median(values: Iterable[float]) -> str:
    """The median, for people."""
    value = statistics.median(values)
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def timed(work: Callable[[], object]) -> float:
    """Seconds that work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
