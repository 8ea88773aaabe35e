"""brimful bench: measures what a store delivers and what a model takes, and which of them waits."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from brimful.cli.backend import start_keras
from brimful.cli.console import Screen, screen_options
from brimful.cli.options import memory_option
from brimful.dataset import open as open_store
from brimful.feed.benchmark import ROUNDS, Speed
from brimful.memory import format_bytes
from brimful.training.batches import Batches

if TYPE_CHECKING:
    from brimful.training.benchmark import ModelSpeed
    from brimful.training.models import BuildModel

WAIT = 0.02  # share of a model's time; less is not worth a change

LIMITS = {
    "read": "the disk: put the store on a faster one",
    "verify": "checking checksums: more cores would be faster",
    "decode": "decoding: more cores would be faster",
    "queue": "handing batches over: make them larger, --batch-size",
}


@click.command("bench")
@click.argument("store", metavar="STORE")
@click.option("--batch-size", type=click.IntRange(1), default=512, show_default=True)
@memory_option("Memory for feeding.")
@click.option(
    "--model", metavar="NAME", help="Also measure a model: lenet, lenet-wide or package.module:function."
)
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Time to measure."
)
@screen_options
def bench(
    store: str, batch_size: int, memory: str, model: str | None, seconds: float, as_json: bool, quiet: bool
) -> None:
    """Measure what STORE delivers on this machine, and name what limits it.

    The rate is that of shuffled batches to a loop that does nothing else, beside that of batches gathered
    from arrays in memory. With --model, also what a model takes, and how long it waits.
    """
    screen = Screen(as_json, quiet)
    data = open_store(store)
    build = start_keras(model, seed=0) if model else None
    screen.say(repr(data), "bold")
    with screen.bar("measuring", ROUNDS) as bar:
        speed = data.speed(batch_size, memory=memory, seconds=seconds, progress=bar)
    screen.say(f"  {speed.plan}")
    _say(screen, speed)
    document = {
        "store": str(data.path),
        "batch_size": batch_size,
        "memory": memory,
        "rows_per_second": speed.rows_per_second,
        "bytes_per_second": speed.bytes_per_second,
        "memory_rows_per_second": speed.memory_rows_per_second,
        "ratio": speed.ratio,
        "waited": speed.waited,
        "limit": speed.limit,
        "model": None,
    }
    verdict = f"A loop that only takes batches waits for {_limit(speed, speed.limit)}."
    if build:
        fed = _of_model(data.batches(batch_size, memory=memory), str(model), build, seconds, screen)
        document["model"] = {"name": model, **asdict(fed)}
        verdict = _verdict(speed, fed)
    screen.say(verdict, "bold")
    screen.result({**document, "verdict": verdict})


def _say(screen: Screen, speed: Speed) -> None:
    """Print the figures as a table."""
    rows = (
        ("from the store", f"{speed.rows_per_second:,.0f}", f"{speed.bytes_per_second / 1e6:,.0f}"),
        ("x[idx] from arrays in memory", f"{speed.memory_rows_per_second:,.0f}", ""),
        ("ratio", f"{speed.ratio:.2f}", ""),
    )
    screen.table("Batches", ("", "samples/s", "MB/s as delivered"), rows)
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in speed.waited.items() if share)
    screen.say(f"  waited for: {shares}")


def _of_model(
    batches: Batches, name: str, build: "BuildModel", seconds: float, screen: Screen
) -> "ModelSpeed":
    """Measure the model, and print the figures as a table."""
    from brimful.training.benchmark import measure_model
    from brimful.training.loop import check_trainable
    from brimful.training.models import build_model, compile_for

    check_trainable(batches.feed.reader.name, batches.schema)
    model = build_model(build, batches.schema)
    compile_for(model, batches.schema)
    fed = measure_model(model, batches, seconds)
    rows = (
        ("trained on arrays in memory", f"{fed.rows_per_second:,.0f}"),
        ("trained from the store", f"{fed.fed_rows_per_second:,.0f}"),
        ("waiting for data", f"{fed.wait_share:.1%}"),
    )
    screen.table(f"{name}, {model.count_params():,} parameters", ("", "samples/s"), rows)
    return fed


def _verdict(speed: Speed, fed: "ModelSpeed") -> str:
    """Whether the data or the model waits, and what to change."""
    share = f"{fed.wait_share:.1%} of its time"
    if fed.wait_share < WAIT:
        times = speed.rows_per_second / fed.rows_per_second
        return (
            f"The data wait for the model, which waits for them {share}: the store delivers "
            f"{times:,.1f} times what the model takes. There is nothing to change."
        )
    return f"The model waits for the data {share}, for {_limit(speed, fed.waited_for)}."


def _limit(speed: Speed, stage: str) -> str:
    """The name of a stage, and what to change."""
    if speed.is_resident:
        return LIMITS[stage]
    return f"{LIMITS[stage]}, or keep all of it in memory, --memory {format_bytes(speed.memory_for_all)}"
