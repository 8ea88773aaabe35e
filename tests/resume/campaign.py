"""Campaign: `python -m tests.resume.campaign --kills 300`: trainings are killed at random moments, and go on.

Each training, on each backend and in each of three ways, is killed up to five times, by the clock and not by
the batch: while it starts, trains, evaluates, or writes a checkpoint. It must end as one that was not.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

BACKENDS = ("tensorflow", "jax", "torch")
WAYS = ("keras", "fit", "train_on_batch")
KINDS = ("plain", "unseeded", "schedule", "ema", "accumulate")
MOST_KILLS = 5


def command(folder: Path, how: str, kind: str) -> list[str]:
    """A training that writes a checkpoint behind every batch."""
    return [
        sys.executable,
        "-m",
        "tests.resume.program",
        str(folder),
        "--how",
        how,
        "--kind",
        kind,
        "--every",
        "1",
    ]


def finished(folder: Path, how: str, kind: str, backend: str) -> tuple[dict[str, object], float]:
    """The result of a training that goes on to its end, and the seconds that it took."""
    began = time.perf_counter()
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        command(folder, how, kind), capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise click.ClickException(f"{backend} {how} {kind}: {done.stderr[-2000:]}")
    return json.loads(done.stdout), time.perf_counter() - began


def killed(folder: Path, how: str, kind: str, backend: str, after: float) -> bool:
    """Whether a training was still under way when it was killed, so many seconds after its start."""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    process = subprocess.Popen(
        command(folder, how, kind), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


@click.command()
@click.option("--kills", default=300, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(kills: int, seed: int) -> None:
    """Kill trainings until there were so many kills; any bit that differs at the end is an error."""
    draw = random.Random(seed)  # noqa: S311 (no secrets here)
    left, trainings = kills, 0
    expected: dict[tuple[str, str, str], tuple[dict[str, object], float]] = {}
    with tempfile.TemporaryDirectory() as place:
        while left > 0:
            backend, how, kind = BACKENDS[trainings % 3], WAYS[trainings // 3 % 3], draw.choice(KINDS)
            which = backend, how, kind
            if which not in expected:
                expected[which] = finished(Path(place) / "-".join(which), how, kind, backend)
            result, seconds = expected[which]
            folder = Path(place) / f"training-{trainings}"
            for _ in range(min(left, draw.randint(1, MOST_KILLS))):
                # most of a short training is its start: the second half of it is what matters
                left -= killed(folder, how, kind, backend, seconds * draw.uniform(0.4, 1.0))
            again, _ = finished(folder, how, kind, backend)
            if again != result:
                raise click.ClickException(f"{which}: {again} is not {result}")
            trainings += 1
            click.echo(f"{trainings} trainings, {kills - left} kills, {backend} {how} {kind}: equal")


if __name__ == "__main__":
    main()
