"""The way out: what cannot be is said before long work, and the command that is offered works."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main


def folder(root: Path, shape: tuple[int, ...], *, regression: bool = False) -> Path:
    """Forty samples of a shape, and a table."""
    root.mkdir()
    random = np.random.default_rng(0)
    for number in range(40):
        np.savetxt(root / f"{number}.csv", random.normal(number % 2, 0.1, shape))
    label = "{:.2f}" if regression else "{:.0f}"
    lines = (f"{n},{label.format(n % 2 + (n / 100 if regression else 0))}\n" for n in range(40))
    (root / "labels.csv").write_text("id,label\n" + "".join(lines))
    return root


@pytest.mark.keras
@pytest.mark.parametrize(("model", "shape"), [("lenet", (16, 3)), ("lenet", (20,)), ("conv1d", (4, 3))])
def test_a_model_that_does_not_fit_is_refused_before_packing(
    model: str, shape: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is packed, and the models that fit are named."""
    root = folder(tmp_path / "data", shape)
    assert main(["train", str(root), "--run", str(tmp_path / "run"), "--model", model]) == 2
    assert "--model dense" in capsys.readouterr().err
    assert not (tmp_path / "data.brim").exists()


@pytest.mark.keras
@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize(
    ("model", "shape"), [("dense", (16, 3)), ("dense", (20,)), ("conv1d", (16, 3)), ("conv1d", (20,))]
)
def test_there_is_a_model_for_every_shape(
    model: str, shape: tuple[int, ...], regression: bool, tmp_path: Path
) -> None:
    """Vectors and signals, classes and numbers."""
    root = folder(tmp_path / "data", shape, regression=regression)
    assert main(["train", str(root), "--run", str(tmp_path / "run"), "--model", model, "--epochs", "1"]) == 0


@pytest.mark.keras
@pytest.mark.parametrize("name", ["./mynets.py:build", "mynets.py:build", "nets/mine.py:build", "..x:build"])
def test_a_path_is_no_module(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said how to name it."""
    root = folder(tmp_path / "data", (8, 8))
    assert main(["train", str(root), "--run", str(tmp_path / "run"), "--model", name]) == 2
    assert "not a path" in capsys.readouterr().err


@pytest.mark.parametrize("copied", [lambda each: pickle.loads(pickle.dumps(each)), copy.deepcopy])  # noqa: S301
def test_data_can_be_sent_to_another_process(copied: Any, tmp_path: Path) -> None:
    """A source, a store, parts of them, and batches with their position."""
    source = bf.scan(folder(tmp_path / "data", (4, 4)))
    store = bf.pack(source, tmp_path / "data.brim")
    for data in (source, store, *store.split(test=0.3)):
        other = copied(data)
        assert list(other.keys) == list(data.keys)
        assert np.array_equal(other[3][0], data[3][0])
        batches = data.batches(8, seed=2)
        next(iter(batches))
        again = copied(batches)
        assert again.state_dict() == batches.state_dict()
        for one, two in zip(copied(data.batches(8, seed=2)), data.batches(8, seed=2), strict=True):
            assert np.array_equal(one[0], two[0])


@pytest.mark.parametrize("spelling", [".", "../data", "{root}/../data", "link"])
def test_a_folder_spelt_otherwise_is_the_same(
    spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read again."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the files were old
    root = folder(tmp_path / "data", (4, 4))
    (tmp_path / "link").symlink_to(root)
    store = tmp_path / "data.brim"
    bf.pack(bf.scan(root), store)
    monkeypatch.chdir(tmp_path if spelling == "link" else root)
    assert bf.scan(spelling.format(root=root)).is_packed_in(store)


READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
"""Makes a folder read-only, as another system would mount it, and runs a command then."""


def with_read_only(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of brimful in a name space of its own, in which a folder is read-only."""
    ways = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh", str(folder)]
    return subprocess.run([*ways, *command], check=False, capture_output=True, text=True)


@pytest.mark.keras
def test_data_in_a_read_only_place_are_trained_on_elsewhere(tmp_path: Path) -> None:
    """What cannot be written is said before anything is packed, and where it could be."""
    place = tmp_path / "input"
    place.mkdir()
    folder(place / "data", (4, 3))
    try:
        is_possible = with_read_only(place, "true").returncode == 0
    except FileNotFoundError:
        is_possible = False
    if not is_possible:
        pytest.skip("this machine lets nobody mount a folder")

    def train(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "brimful", "train", str(place / "data"), "--model", "dense"]
        return with_read_only(place, *command, "--epochs", "1", *options)

    beside = train("--run", str(tmp_path / "a"))
    assert beside.returncode == 1
    assert "Read-only file system" in beside.stderr
    assert "--store" in beside.stderr
    assert "--no-pack" in beside.stderr
    store = tmp_path / "data.brim"
    inside = train("--run", str(place / "run"), "--store", str(store))
    assert inside.returncode == 1
    assert "Name a folder elsewhere for the run" in inside.stderr
    assert not store.exists()
    for number, options in enumerate([("--store", str(store)), ("--no-pack",)]):
        assert train("--run", str(tmp_path / f"run{number}"), *options).returncode == 0
