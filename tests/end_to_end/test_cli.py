"""The command line as a user sees it: output, exit codes, JSON, and errors without tracebacks."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brimful.demo.digits import GROUP, embedded, mnist
from brimful.demo.story import STORY, write_tree
from brimful.errors import SourceError
from tests.trees import Tree

BRIMFUL = [sys.executable, "-m", "brimful"]


def brimful(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    command = [*BRIMFUL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=300)


@pytest.fixture
def images(make_tree: Callable[..., Tree]) -> Tree:
    """A story's tree of 60 images of 12 x 12."""
    return make_tree(60, (12, 12), 3)


def test_train_trains_and_says_so(images: Tree, tmp_path: Path) -> None:
    """The command of the README: one JSON document on stdout, plan and epochs on stderr, a run folder."""
    run = tmp_path / "run"
    done = brimful(
        "train", images.path, "--no-pack", "--run", run, "--epochs", "2", "--batch-size", "20", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["samples"] == 60
    assert document["parameters"] > 10_000
    assert document["peak_rss_bytes"] > 10**7
    assert document["resumed_from"] is None
    assert [epoch["epoch"] for epoch in document["epochs"]] == [1, 2]
    for epoch in document["epochs"]:
        assert epoch["samples"] == epoch["distinct_samples"] == document["training_samples"]
        assert set(epoch["train"]) == set(epoch["test"]) == {"loss", "accuracy"}
        assert epoch["wait_seconds"] <= epoch["seconds"]
    assert "names the samples by integer" in done.stderr
    assert "epoch 2" in done.stderr
    assert (run / "model.keras").stat().st_size > 10_000
    again = brimful("train", images.path, "--run", run)
    assert again.returncode == 1
    assert "error: " in again.stderr
    assert "batch_size=20, not 512" in again.stderr
    assert "name another folder" in again.stderr


def test_the_same_seed_gives_the_same_training(images: Tree, tmp_path: Path) -> None:
    """`--seed` is shuffle and weights: the same figures, to the last digit; another one, others."""
    losses = [
        json.loads(
            brimful(
                "train", images.path, "--run", tmp_path / name, "--epochs", "1", "--seed", seed, "--json"
            ).stdout
        )["epochs"][0]["train"]["loss"]
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
    ]
    assert losses[0] == losses[1] != losses[2]


def test_quiet_and_without_test_data(images: Tree, tmp_path: Path) -> None:
    """Nothing on stderr, nothing held back for a test, and the other way to train."""
    options = ("--test", "0", "--method", "train_on_batch", "--epochs", "1", "--quiet", "--json")
    done = brimful("train", images.path, "--run", tmp_path / "run", *options)
    assert (done.returncode, done.stderr) == (0, "")
    epoch = json.loads(done.stdout)["epochs"][0]
    assert epoch["samples"] == epoch["distinct_samples"] == 60
    assert epoch["test"] is None


def test_own_model_and_folder_labels(tmp_path: Path) -> None:
    """`--model module:function` from the working directory, classes by folder, vectors as samples.

    The program finds the module also where Python does not look there by itself (-P), as for `brimful`.
    """
    for number in range(40):
        file = tmp_path / "data" / ("odd" if number % 2 else "even") / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number % 2}, {number / 40}\n")
    (tmp_path / "nets.py").write_text(
        "import keras\n"
        "def tiny(input_shape, num_classes):\n"
        "    output = keras.layers.Dense(num_classes, 'softmax')\n"
        "    return keras.Sequential([keras.Input(input_shape), output])\n"
    )
    options = ("--model", "nets:tiny", "--epochs", "1", "--batch-size", "8", "--json")
    command = [sys.executable, "-P", "-m", "brimful", "train", "data", "--run", "runs/one", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"] == 6


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "nowhere", "--run", "r"], 1, "there is no such folder"),
        (["train", "."], 2, "--run"),
        (["train", ".", "--run", "r", "--epochs", "0"], 2, "--epochs"),
        (["train", ".", "--run", "r", "--shape", "28;28"], 2, "28,28,1"),
        (["trian"], 2, "trian"),
        (["demo", "--model", "vgg"], 2, "lenet"),
        (["demo", "--mnist", "nowhere"], 2, "nowhere"),
    ],
)
def test_errors_are_short_and_coded(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    """1 for bad data, 2 for a wrong command line; no traceback."""
    done = brimful(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("option", "value", "code", "message"),
    [
        ("--memory", "10KB", 1, "hint: Give at least memory="),
        ("--memory", "x", 2, "error: Expected `memory` like"),
        ("--model", "lenett", 2, "hint: Did you mean 'lenet'?"),
        ("--model", "builtins:callable", 2, "hint: Write it as: def build(input_shape, num_classes)"),
        ("--test", "0.0001", 2, "error: A side of the split would be empty"),
        ("--group", "[", 2, "error: Expected `group` as a regular expression"),
    ],
)
def test_bad_options_are_errors_that_help(
    images: Tree, tmp_path: Path, option: str, value: str, code: int, message: str
) -> None:
    """What an option cannot be is said before anything is made."""
    done = brimful("train", images.path, "--run", tmp_path / "run", option, value)
    assert done.returncode == code
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_bad_file_ends_training_with_its_name(images: Tree, tmp_path: Path) -> None:
    """file:line:column, exit 1, no traceback; with --debug, one."""
    images.file("train/00033").write_text("1 2 3 oops\n")
    done = brimful("train", images.path, "--run", tmp_path / "run")
    assert done.returncode == 1
    assert "00033.csv:1:4: expected a number, found 'oops'" in done.stderr
    assert "Traceback" not in done.stderr
    done = brimful("train", images.path, "--run", tmp_path / "run2", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_full_disk_is_an_error_that_says_so(images: Tree, tmp_path: Path) -> None:
    """The model cannot be written: exit 1, what and where, no traceback."""
    run = tmp_path / "run"
    program = f"ulimit -f 100; exec {sys.executable} -m brimful train {images.path} --run {run} --epochs 1"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False, timeout=300)  # noqa: S607
    assert done.returncode == 1, done.stderr
    assert f"error: {run}: the run cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run / "model.keras").exists()


def test_ctrl_c_ends_with_130(make_tree: Callable[..., Tree], tmp_path: Path) -> None:
    """Interrupted in the middle: exit 130, no traceback, no hang."""
    tree = make_tree(200, (12, 12))
    command = [*BRIMFUL, "train", str(tree.path), "--run", str(tmp_path / "run"), "--epochs", "100000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        log = tmp_path / "run" / "log.jsonl"
        deadline = time.monotonic() + 120
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors


def test_peak_memory_is_that_of_the_process_itself() -> None:
    """A child of a process that holds 600 MB does not report its parent's memory as its own."""
    child = "from brimful.cli.train import peak_rss_bytes; print(peak_rss_bytes())"
    parent = (
        "import subprocess, sys\n"
        "held = b'x' * 600_000_000\n"
        f"sys.exit(subprocess.run([sys.executable, '-c', {child!r}]).returncode)"
    )
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 10_000_000 < int(done.stdout) < 400_000_000


def test_demo_tells_the_story(tmp_path: Path) -> None:
    """In small: writes the tree, trains on all of it, compares; a second demo reuses the files."""
    done = brimful("demo", "--samples", "2000", "--epochs", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["samples"] == 2000
    assert document["parameters"] == 105_166
    epoch = document["epochs"][0]
    assert epoch["distinct_samples"] == epoch["samples"] == document["training_samples"]
    assert "not MNIST" in done.stderr
    assert "2,332" in done.stderr
    files = list(Path(tmp_path, document["data"], "train").iterdir())
    assert len(files) == 2000
    again = brimful(
        "demo", "--samples", "2000", "--epochs", "1", "--json", "--method", "train_on_batch", cwd=tmp_path
    )
    assert json.loads(again.stdout)["run"] != document["run"]
    assert "exists from an earlier demo" in again.stderr


def test_the_tree_is_what_savetxt_writes(tmp_path: Path) -> None:
    """Byte for byte, so that the demo reads what the story read."""
    images = embedded(3)
    write_tree(tmp_path / "data", images, lambda _: None)
    for stem, pixels in zip(images.stems, images.pixels, strict=True):
        np.savetxt(tmp_path / "expected.csv", pixels / 255)
        assert (tmp_path / "data" / "train" / f"{stem}.csv").read_bytes() == (
            tmp_path / "expected.csv"
        ).read_bytes()


def test_variations_carry_their_origin() -> None:
    """The stem names the digit, the first of each is unvaried, the others differ, labels follow."""
    images = embedded(1797 * 2 + 5)
    assert images.stems[:2] == ["digit0000-00", "digit0001-00"]
    assert images.stems[-1] == "digit0004-02"
    assert images.group == GROUP
    assert (images.labels[:5] == images.labels[-5:]).all()
    assert not np.array_equal(images.pixels[0], images.pixels[1797])
    assert images.pixels.max() == 255


def write_mnist(folder: Path, kind: str) -> tuple[Path, Any, Any]:
    """A few images in one of the files that MNIST comes in."""
    random = np.random.default_rng(0)
    x, y = random.integers(0, 256, (30, 28, 28), np.uint8), random.integers(0, 10, 30, np.uint8)
    if kind == "npz":
        np.savez(folder / "mnist.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
        return folder / "mnist.npz", x, y
    ending = ".gz" if kind.endswith("gz") else ""
    opening = gzip.open if ending else open
    if kind.startswith("csv"):
        head = ",".join(["label", *(f"pixel{at}" for at in range(784))])
        rows = "\n".join(
            ",".join(map(str, [label, *image.ravel()])) for image, label in zip(x, y, strict=True)
        )
        with opening(folder / f"train.csv{ending}", "wb") as file:
            file.write(f"{head}\n{rows}\n".encode())
        return folder / f"train.csv{ending}", x, y
    for name, array in (("train-images-idx3-ubyte", x), ("train-labels-idx1-ubyte", y)):
        with opening(folder / (name + ending), "wb") as file:
            file.write(
                bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
            )
    return folder, x, y


@pytest.mark.parametrize("kind", ["npz", "csv", "csv.gz", "idx", "idx.gz"])
def test_mnist_is_read_in_the_forms_it_comes_in(tmp_path: Path, kind: str) -> None:
    """mnist.npz, Kaggle's train.csv, the idx files, gzipped or not; a draw of fewer is of those."""
    path, x, y = write_mnist(tmp_path, kind)
    images = mnist(path, 100)
    assert np.array_equal(images.pixels, x)
    assert np.array_equal(images.labels, y)
    assert images.stems[0] == "00001"
    assert images.group is None
    few = mnist(path, 7)
    assert len(few) == 7
    assert all(any(np.array_equal(pixels, image) for image in x) for pixels in few.pixels)
    if kind == "idx":
        assert np.array_equal(mnist(path / "train-images-idx3-ubyte", 100).pixels, x)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\0\0\x08\x03"])
def test_what_is_not_mnist_is_refused(tmp_path: Path, content: bytes) -> None:
    """With the forms that are read."""
    for name in ("train.csv", "mnist.npz", "train-images-idx3-ubyte"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match="cannot be read as MNIST"):
            mnist(tmp_path / name, 10)


def test_the_storys_figures_are_consistent() -> None:
    """What the table says of the story is what its loop does: re-run it on indices."""
    for figures in STORY.values():
        n_batches = figures.samples // figures.batch_size
        seen: set[int] = set()
        for at in range(n_batches):
            start = at * n_batches
            seen.update(range(start, min(start + figures.batch_size, figures.samples)))
        assert len(seen) == figures.distinct_samples
