"""Page: reports as one HTML file that needs no network."""

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from brimful.feed.loader import STAGES
from brimful.pictures.charts import Series, line_chart, scatter_chart, stacked_bars
from brimful.pictures.sample import picture
from brimful.reports.report import Report

TEMPLATES = ("page.html", "style.css")
MOST_IN_MATRIX = 20  # classes
MOST_LISTED = 20  # classes by themselves
MOST_CONFUSIONS = 10
MOST_BARS = 200


def page(reports: Sequence[Report]) -> str:
    """Render reports, several of them side by side first, as an HTML document."""
    folder = files("brimful.reports") / "templates"
    environment = Environment(
        loader=DictLoader({name: (folder / name).read_text() for name in TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"picture": picture, "share": _share, "number": "{:,}".format}
    return environment.get_template("page.html").render(
        reports=reports,
        compared=_compared(reports),
        curves=_curves,
        times=_times,
        throughput=_throughput,
        points=_points,
        balance=_balance,
        most_in_matrix=MOST_IN_MATRIX,
        most_listed=MOST_LISTED,
        most_confusions=MOST_CONFUSIONS,
    )


def _compared(reports: Sequence[Report]) -> Markup | None:
    """The loss on the test data of several runs in one chart."""
    if len(reports) < 2:
        return None
    series = [
        Series(report.name, [(each.epoch, each.loss) for each in report.epochs], at % 6 + 1)
        for at, report in enumerate(reports)
    ]
    return line_chart(series, x="epoch", y="loss on the test data")


def _curves(report: Report) -> list[tuple[str, Markup]]:
    """A chart for loss and each metric: in training, and on the test data where there are any."""
    charts = []
    for name in report.metrics:
        train = [(each.epoch, each.train[name]) for each in report.epochs if name in each.train]
        test = [(each.epoch, each.test[name]) for each in report.epochs if each.test and name in each.test]
        series = [each for each in (Series("training", train, 1), Series("test", test, 2)) if each.points]
        charts.append((name, line_chart(series, x="epoch", y=name)))
    return charts


def _times(report: Report) -> Markup:
    """Seconds of each epoch: computing, and waiting for each stage that was waited for at all."""
    stages = [stage for stage in STAGES if sum(each.waited.get(stage, 0.0) for each in report.epochs) > 0]
    bars = [
        (
            str(each.epoch),
            [each.seconds - each.wait_seconds, *(each.waited.get(stage, 0.0) for stage in stages)],
        )
        for each in report.epochs[:: -(-len(report.epochs) // MOST_BARS) or 1]
    ]
    return stacked_bars(bars, ["computing", *(f"waiting: {stage}" for stage in stages)], y="seconds")


def _throughput(report: Report) -> Markup:
    """Samples a second, in intervals if there are some, or else in epochs."""
    size = report.config["batches"]["samples"]
    points = [(each.epoch - 1 + each.samples / size, each.samples_per_second) for each in report.intervals]
    points = points or [(each.epoch, each.samples / each.seconds) for each in report.epochs if each.seconds]
    return line_chart([Series("samples a second", points)], x="epoch", y="samples a second")


def _points(report: Report) -> Markup:
    """Predicted against true values."""
    points = report.judgement.points if report.judgement else []
    return scatter_chart(points, x="true", y="predicted")


def _balance(report: Report) -> Markup:
    """How many samples each class has."""
    counts = report.class_counts
    if len(counts) > 2 * MOST_LISTED:
        counts = sorted(counts, key=lambda each: -each[1])[: 2 * MOST_LISTED]
    return stacked_bars([(name, [float(count)]) for name, count in counts], [], y="samples")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
