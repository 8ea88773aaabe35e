"""Results of whole trainings by the command line: accuracy on three seeds, and peak memory."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.table import Table, say
from benchmarks.trees import many_files

SEEDS = (0, 1, 2)
FEW, MANY = 2_000, 200_000
BUDGET = 64_000_000
MODELS = {"lenet": (1000, 0.9455), "lenet-wide": (512, 0.9769)}

ACCURACY = """
`brimful train TREE --no-pack --epochs 5` on the story's 42,000 files, a tenth to test on. The story's
program reached 94.55 % and 97.69 %, on MNIST.
"""
MEMORY = """
`brimful train TREE --no-pack --memory 64MB --batch-size 1000 --epochs 1` on trees of 2,000 and of 200,000
files; peak resident memory of the whole process, TensorFlow included.
"""


def accuracy(tree: Path, group: str | None) -> Table:
    """Test accuracy, and what was counted."""
    columns = (
        "model, seed",
        "test accuracy",
        "the story",
        "samples",
        "distinct, fewest of all epochs",
        "wait",
    )
    table = Table("Accuracy", ACCURACY, columns)
    for model, (batch_size, story) in MODELS.items():
        for seed in SEEDS:
            options = [
                "--model",
                model,
                "--batch-size",
                str(batch_size),
                "--epochs",
                "5",
                "--seed",
                str(seed),
            ]
            document = _train(tree, *options, *(("--group", group) if group else ()))
            epochs = document["epochs"]
            wait = sum(epoch["wait_seconds"] for epoch in epochs) / sum(epoch["seconds"] for epoch in epochs)
            fewest = min(epoch["distinct_samples"] for epoch in epochs)
            row = (
                f"{model}, {seed}",
                f"{epochs[-1]['test']['accuracy']:.2%}",
                f"{story:.2%}",
                f"{document['training_samples']:,}",
                f"{fewest:,}",
                f"{wait:.1%}",
            )
            say(f"  {row}")
            table.rows.append(row)
    return table


def memory(rounds: int) -> Table:
    """Peak memory on few files and on many."""
    table = Table("Memory", MEMORY, ("files", *(f"round {turn + 1}, MB" for turn in range(rounds))))
    peaks = {
        n: [
            _train(many_files(n), "--memory", "64MB", "--batch-size", "1000", "--epochs", "1")[
                "peak_rss_bytes"
            ]
            for _ in range(rounds)
        ]
        for n in (FEW, MANY)
    }
    for n, each in peaks.items():
        table.rows.append((f"{n:,}", *(f"{peak / 1e6:,.0f}" for peak in each)))
    more = [many - few for few, many in zip(peaks[FEW], peaks[MANY], strict=True)]
    table.notes.append(
        f"{MANY:,} files take {', '.join(f'{extra / 1e6:.0f}' for extra in more)} MB more; "
        f"the bar is {BUDGET * 1.1 / 1e6:.0f} MB."
    )
    return table


def _train(tree: Path, *options: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "brimful", "train", str(tree), "--run", f"{folder}/run", "--no-pack"]
        done = subprocess.run(
            [*command, *options, "--json", "--quiet"], check=True, capture_output=True, text=True
        )
    document: dict[str, Any] = json.loads(done.stdout)
    return document
