"""Cell: a few samples, and how many there are of each class, as HTML for the cell of a notebook."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from brimful.errors import BrimfulError
from brimful.pictures.charts import stacked_bars
from brimful.pictures.sample import picture
from brimful.samples import Reader
from brimful.schema import flatten

SHOWN = 8
MOST_CLASSES = 40
STYLE = Markup(
    "<style>.brimful{--1:#2563b0;--2:#c2570c;--3:#2a8a4a;--4:#9b3fb5}"
    ".brimful svg text{font:11px sans-serif;fill:currentColor}.brimful .grid{stroke:currentColor;opacity:.2}"
    ".brimful polyline{fill:none;stroke:var(--1);stroke-width:1.8}.brimful rect.f1{fill:var(--1)}"
    ".brimful figure{display:inline-block;margin:.3rem;font-size:.8rem}.brimful img{width:72px;"
    "image-rendering:pixelated}.brimful .spark{width:96px}.brimful .chart{width:100%;max-width:480px}</style>"
)


def cell(title: str, reader: Reader, rows: NDArray[np.int64], counts: dict[Any, int]) -> str:
    """HTML for a cell.

    Args:
        title: What is shown, in a line.
        reader: Access to the samples.
        rows: Some rows, of which the first few are shown.
        counts: How many samples there are of each class; empty if that is not known.
    """
    bars = [(str(name), [float(count)]) for name, count in list(counts.items())[:MOST_CLASSES]]
    chart = stacked_bars(bars, [], y="samples") if bars else Markup("")
    return str(
        Markup('<div class="brimful">{}<p><code>{}</code></p><div>{}</div>{}</div>').format(
            STYLE, title, Markup("").join(_figures(reader, rows[:SHOWN])), chart
        )
    )


def _figures(reader: Reader, rows: NDArray[np.int64]) -> Iterator[Markup]:
    """Each sample as a picture with its key and label; none if one of them cannot be read."""
    try:
        keys, samples = reader.keys(rows), reader.read(rows)
    except BrimfulError:
        return
    classes, labels = reader.schema.classes, samples.y
    for at, key in enumerate(keys):
        label = ""
        if labels is not None and not isinstance(labels, dict) and labels.ndim == 1:
            is_named = classes is not None and isinstance(classes[0], str)
            label = str(classes[int(labels[at])] if classes and is_named else labels[at])
        yield Markup("<figure>{}<figcaption>{}<br><b>{}</b></figcaption></figure>").format(
            picture(flatten(samples.x)[0][at]), key, label
        )
