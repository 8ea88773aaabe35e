"""Charts: inline SVG without scripts, in the colours of the page, so that they follow its theme."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 34
MOST_NAMES = 14  # below the bars of a chart
MOST_DOTS = 1_000
SPARK_WIDTH, SPARK_HEIGHT, SPARK_LINES, SPARK_POINTS = 96, 64, 4, 200

Points = Sequence[tuple[float, float]]


class Series(NamedTuple):
    """Points of one colour, from left to right; those that are not finite are left out."""

    name: str
    points: Points
    colour: int = 1


class _Scale(NamedTuple):
    """A span of values on a span of pixels."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)


def line_chart(series: Sequence[Series], *, x: str, y: str) -> Markup:
    """Lines with a point for each value.

    Args:
        series: What to draw.
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
    """
    series = [
        each._replace(points=[point for point in each.points if np.isfinite(point).all()]) for each in series
    ]
    points = [point for each in series for point in each.points]
    if not points:
        return Markup('<p class="none">There is nothing to draw yet.</p>')
    across, up = _scales(points)
    marks = [
        Markup('<g class="c{}"><polyline points="{}"/>{}</g>').format(
            each.colour,
            " ".join(f"{across.at(a):.1f},{up.at(b):.1f}" for a, b in each.points),
            _dots(each, across, up),
        )
        for each in series
    ]
    return _framed(marks, across, up, x, y) + _legend(series)


def scatter_chart(points: Points, *, x: str, y: str) -> Markup:
    """Points, and the line on which both values are equal."""
    values = [value for point in points for value in point if math.isfinite(value)]
    if not values:
        return Markup('<p class="none">There is nothing to draw.</p>')
    low, high = _widened(min(values), max(values))
    across, up = _Scale(low, high, LEFT, WIDTH - RIGHT), _Scale(low, high, HEIGHT - BOTTOM, TOP)
    equal = Markup('<path class="rule" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(
        across.at(low), up.at(low), across.at(high), up.at(high)
    )
    return _framed(
        [equal, Markup('<g class="c1 faint">{}</g>').format(_dots(Series("", points), across, up))],
        across,
        up,
        x,
        y,
    )


def stacked_bars(bars: Sequence[tuple[str, Sequence[float]]], names: Sequence[str], *, y: str) -> Markup:
    """A bar for each name, of one part on the other.

    Args:
        bars: The name of each, and its parts from the bottom up.
        names: What the parts are.
        y: Name of the vertical axis.
    """
    top = max((sum(parts) for _, parts in bars), default=0.0) or 1.0
    up = _Scale(0.0, top * 1.05, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    shapes = []
    for at, (name, parts) in enumerate(bars):
        left, base = LEFT + at * step + step * 0.12, 0.0
        for number, part in enumerate(parts):
            if part > 0:
                shapes.append(
                    Markup('<rect class="f{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                        number + 1, left, up.at(base + part), step * 0.76, up.at(base) - up.at(base + part)
                    )
                )
            base += part
        if len(bars) <= MOST_NAMES or at % math.ceil(len(bars) / MOST_NAMES) == 0:
            shapes.append(_text(left + step * 0.38, HEIGHT - BOTTOM + 14, name[:12], "middle"))
    colours = [Series(name, (), at + 1) for at, name in enumerate(names)]
    return _framed(shapes, None, up, "", y) + _legend(colours, "f")


def sparkline(lines: NDArray[Any]) -> Markup:
    """A few lines of values, without axes."""
    lines = np.nan_to_num(lines[:SPARK_LINES].astype(np.float64))
    width = lines.shape[1]
    if width > SPARK_POINTS:
        lines = lines[:, np.linspace(0, width - 1, SPARK_POINTS).astype(int)]
    low, high = _widened(float(lines.min()), float(lines.max()))
    up = _Scale(low, high, SPARK_HEIGHT - 3, 3)
    across = _Scale(0, max(lines.shape[1] - 1, 1), 2, SPARK_WIDTH - 2)
    drawn = [
        Markup('<g class="c{}"><polyline points="{}"/></g>').format(
            at + 1, " ".join(f"{across.at(i):.1f},{up.at(v):.1f}" for i, v in enumerate(line.tolist()))
        )
        for at, line in enumerate(lines)
    ]
    return Markup('<svg class="spark" viewBox="0 0 {} {}">{}</svg>').format(
        SPARK_WIDTH, SPARK_HEIGHT, Markup("").join(drawn)
    )


def ticks(low: float, high: float, most: int = 5, *, whole: bool = False) -> list[float]:
    """Round numbers from low to high, at most so many and one; integers if only they mean something."""
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _scales(points: Points) -> tuple[_Scale, _Scale]:
    left, right = _widened(min(a for a, _ in points), max(a for a, _ in points))
    low, high = _widened(min(b for _, b in points), max(b for _, b in points))
    return _Scale(left, right, LEFT, WIDTH - RIGHT), _Scale(low, high, HEIGHT - BOTTOM, TOP)


def _widened(low: float, high: float) -> tuple[float, float]:
    """A span with room around it, also if both are one value."""
    room = (high - low) * 0.04 or abs(low) * 0.1 or 1.0
    return low - room, high + room


def _dots(series: Series, across: _Scale, up: _Scale) -> Markup:
    if len(series.points) > MOST_DOTS:
        return Markup("")
    drawn = (
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.6"><title>{} {:.6g}</title></circle>').format(
            across.at(a), up.at(b), series.name, b
        )
        for a, b in series.points
        if math.isfinite(a) and math.isfinite(b)
    )
    return Markup("").join(drawn)


def _framed(marks: Sequence[Markup], across: _Scale | None, up: _Scale, x: str, y: str) -> Markup:
    """Marks inside axes."""
    lines = []
    for value in ticks(up.low, up.high):
        at = up.at(value)
        lines.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, at, WIDTH - RIGHT))
        lines.append(_text(LEFT - 6, at + 4, f"{value:.6g}", "end"))
    if across is not None:
        lines += [
            _text(across.at(v), HEIGHT - BOTTOM + 14, f"{v:.6g}", "middle")
            for v in ticks(across.low, across.high, 8, whole=x == "epoch")
        ]
    lines.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x, "middle"))
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        WIDTH, HEIGHT, y, Markup("").join(lines), Markup("").join(marks)
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def _legend(series: Sequence[Series], kind: str = "c") -> Markup:
    named = [
        Markup('<span class="key {}{}">{}</span>').format(kind, each.colour, each.name)
        for each in series
        if each.name
    ]
    return Markup('<p class="legend">{}</p>').format(Markup(" ").join(named)) if named else Markup("")
