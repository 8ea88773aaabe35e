"""brimful bench: figures of this machine, so it is their relations that are checked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from brimful.feed.benchmark import Speed
from brimful.options import PackOptions
from brimful.store.pack import pack
from tests.trees import Tree

FIGURES = ("rows_per_second", "bytes_per_second", "memory_rows_per_second", "ratio", "waited", "limit")


@pytest.fixture
def store(make_tree: Callable[..., Tree], tmp_path: Path) -> Path:
    """A store of 300 images of 12 x 12 in 3 classes, in many chunks."""
    source = bf.scan(make_tree(300, (12, 12), 3).path)
    options = PackOptions(chunk_bytes=10_000, shard_bytes=60_000)
    return Path(pack(source._reader, np.arange(300), tmp_path / "x.brim", options).name)


@pytest.mark.parametrize(("memory", "resident"), [("100MB", True), ("0.2MB", False)])
def test_figures_and_verdict(
    store: Path,
    memory: str,
    resident: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The JSON that is promised; the limiting stage named; what to change."""
    command = ["bench", str(store), "--memory", memory, "--batch-size", "10", "--seconds", "0.3", "--json"]
    speeds: list[Speed] = []
    measure = bf.Dataset.speed

    def noted(*args: Any, **options: Any) -> Speed:
        speeds.append(measure(*args, **options))
        return speeds[0]

    monkeypatch.setattr(bf.Dataset, "speed", noted)
    assert main(command) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    rate = document["rows_per_second"]
    (speed,) = speeds
    assert {name: document[name] for name in FIGURES} == {name: getattr(speed, name) for name in FIGURES}
    assert f"ratio {speed.ratio:.2f}" in " ".join(err.replace("│", " ").split())
    assert document["bytes_per_second"] == pytest.approx(rate * (144 * 4 + 8))
    assert sum(document["waited"].values()) == pytest.approx(1)
    assert document["waited"][document["limit"]] == max(document["waited"].values())
    assert document["verdict"] in err
    assert ("keep all of it in memory, --memory" in err) != resident


def test_with_a_model(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it takes from memory and when fed, and who waits for whom."""
    command = ["bench", str(store), "--seconds", "1", "--model", "lenet", "--batch-size", "50", "--json"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    model = json.loads(out)["model"]
    assert model["rows_per_second"] > 100
    assert model["fed_rows_per_second"] > 100
    assert 0 <= model["wait_share"] < 1
    assert "waiting for data" in err


def test_what_cannot_be_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No store; no such model."""
    assert main(["bench", str(tmp_path)]) == 1
    assert "hint: " in capsys.readouterr().err
