"""Predictions: each key once, in the order of the rows, with what the model says, whatever happens."""

import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import brimful as bf
from brimful.schema import Field, Schema
from brimful.storage.base import write_file
from brimful.training.predictions import check_layout
from tests.runs.conftest import COUNT, SHAPE, Make, network, samples

pytestmark = pytest.mark.keras
PART = "brimful.run.PART_ROWS"


def expected(run: bf.Run, source: bf.Source) -> Any:
    """What the best model says of all samples at once."""
    x = np.stack([source[at][0] for at in range(len(source))])
    return run.best_model().predict(x, verbose=0, batch_size=len(x))


@pytest.mark.parametrize("batch_size", [1, 7, 90, 200])
def test_each_sample_is_predicted_with_its_key(make_run: Make, tmp_path: Path, batch_size: int) -> None:
    """From shuffled batches, too; and the values do not depend on the batch size."""
    run, source = make_run()
    assert run.predict(source.batches(batch_size), tmp_path / "p.parquet") == COUNT
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["key", "prediction", "0", "1", "2", "label"]
    assert table["key"].to_pylist() == list(source.keys)
    assert table["label"].to_pylist() == [int(key) % 3 for key in source.keys]
    scores = np.stack([table[str(at)].to_numpy() for at in range(3)], axis=1)
    np.testing.assert_allclose(scores, expected(run, source), atol=1e-6)
    assert table["prediction"].to_pylist() == scores.argmax(axis=1).tolist()


def test_csv_has_the_same_values(make_run: Make, tmp_path: Path) -> None:
    """To the last bit: numbers are written in full."""
    run, source = make_run()
    for suffix in ("parquet", "csv"):
        run.predict(source.batches(16), tmp_path / f"p.{suffix}")
    table = parquet.read_table(tmp_path / "p.parquet")
    options = csv.ConvertOptions(column_types=table.schema)
    assert csv.read_csv(tmp_path / "p.csv", convert_options=options) == table


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("after", [1, 3, 5])
def test_what_was_interrupted_goes_on_to_the_same_bytes(
    make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, suffix: str
) -> None:
    """At any part; parts that are there are not predicted again; a damaged one and those behind it are."""
    monkeypatch.setattr(PART, 16)
    run, source = make_run()
    undisturbed, path = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    run.predict(source.batches(8), undisturbed)
    counts: list[int] = []

    def stop(count: int) -> None:
        counts.append(count)
        if len(counts) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.predict(source.batches(8), path, progress=stop)
    assert not path.exists()
    parts = sorted((tmp_path / f"b.{suffix}.parts").glob("*.arrow"))
    assert len(parts) == after
    if after == 3:
        content = bytearray(parts[1].read_bytes())
        content[-200] ^= 1
        parts[1].write_bytes(content)
    run.predict(source.batches(8), path, progress=counts.append)
    kept = 1 if after == 3 else after
    assert counts[after:] == [min(16 * (at + 1), COUNT) for at in range(kept, 6)]
    assert path.read_bytes() == undisturbed.read_bytes()
    assert not list(tmp_path.glob("*.parts"))


def test_what_was_killed_goes_on_to_the_same_bytes(make_run: Make, tmp_path: Path) -> None:
    """Kill -9 in another process."""
    run, source = make_run()
    program = f"""
import os, signal, brimful as bf, brimful.run
from tests.runs.conftest import samples
brimful.run.PART_ROWS = 16
source = samples(lambda at: at % 3, classes=[0, 1, 2])
kill = lambda count: os.kill(os.getpid(), signal.SIGKILL) if count == 48 else None
bf.Run({str(run.path)!r}).predict(source.batches(8), {str(tmp_path / "b.csv")!r}, progress=kill)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for name in ("a.csv", "b.csv"):
        run.predict(source.batches(8), tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_parts_of_something_else_are_not_taken(
    make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another model: all is predicted anew."""
    monkeypatch.setattr(PART, 16)
    run, source = make_run()

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.predict(source.batches(8), tmp_path / "p.csv", progress=stop)
    other = network(3)
    run.predict(source.batches(8), tmp_path / "p.csv", model=other)
    run.predict(source.batches(8), tmp_path / "q.csv", model=other)
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["cat", "dog", "eel"], ["cat", "dog", "eel"]),
        (["cat", "eel", "label"], ["class.cat", "class.eel", "class.label"]),
    ],
)
def test_names_of_classes(make_run: Make, tmp_path: Path, names: list[str], columns: list[str]) -> None:
    """Names are columns; if one of them is that of another column, all are called class.NAME."""
    for at in range(COUNT):
        folder = tmp_path / "data" / names[at % 3]
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"{at}.txt", np.full(SHAPE, at % 3 + at / 1000))
    run, source = make_run(source=bf.scan(tmp_path / "data"))
    run.predict(source.batches(16), tmp_path / "p.csv")
    table = csv.read_csv(tmp_path / "p.csv")
    assert table.column_names == ["key", "prediction", *columns, "label"]
    assert table["label"].to_pylist() == [key.split("/")[0] for key in source.keys]
    assert set(table["prediction"].to_pylist()) <= set(names)


def test_numbers_are_predicted(make_run: Make, tmp_path: Path) -> None:
    """A regression has its value as prediction; several values have a column each."""
    source = samples(lambda at: float(at % 3) + 0.5)
    run, _ = make_run(network(1, None), source)
    run.predict(source.batches(16), tmp_path / "p.parquet")
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["key", "prediction", "label"]
    np.testing.assert_allclose(table["prediction"].to_numpy(), expected(run, source)[:, 0], atol=1e-6)
    assert table["label"].to_pylist() == [int(key) % 3 + 0.5 for key in source.keys]


@pytest.mark.parametrize("logits", [False, True])
def test_one_output_for_two_classes(make_run: Make, tmp_path: Path, *, logits: bool) -> None:
    """The second class from a probability of one half on; logits become probabilities."""
    import keras

    source = samples(lambda at: int(at % 3 > 0), classes=[0, 1])
    model = network(1, None if logits else "sigmoid")
    loss = keras.losses.BinaryCrossentropy(from_logits=logits)
    model.compile("adam", loss)
    run, _ = make_run(model, source)
    run.predict(source.batches(16), tmp_path / "p.parquet")
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["key", "prediction", "0", "1", "label"]
    raw = expected(run, source)[:, 0]
    probability = 1 / (1 + np.exp(-raw)) if logits else raw
    np.testing.assert_allclose(table["1"].to_numpy(), probability, atol=1e-6)
    np.testing.assert_allclose(table["0"].to_numpy() + table["1"].to_numpy(), 1, atol=1e-6)
    assert table["prediction"].to_pylist() == [int(value >= 0.5) for value in probability]


def test_without_labels_there_is_no_label(make_run: Make, tmp_path: Path) -> None:
    """As for data that nobody has judged yet."""
    run, source = make_run()
    bare = bf.scan([(source[at][0], None) for at in range(20)])
    assert run.predict(bare.batches(16), tmp_path / "p.csv") == 20
    assert csv.read_csv(tmp_path / "p.csv").column_names == ["key", "prediction", "0", "1", "2"]


def test_what_cannot_be_written_is_refused_before_any_work(make_run: Make, tmp_path: Path) -> None:
    """A file that is there, a name that says no format; nothing of it is touched."""
    run, source = make_run()
    there = tmp_path / "there.csv"
    there.write_text("mine")
    for path, message in (
        (there, "something of that name"),
        (tmp_path / "p.txt", "ends in .parquet or .csv"),
    ):
        with pytest.raises(bf.ArgumentError, match=message):
            run.predict(source.batches(16), path)
    assert there.read_text() == "mine"
    assert run.predict(source.batches(16), there, overwrite=True) == COUNT
    other = bf.scan([(np.zeros((2, 2), "float32"), None) for _ in range(5)])
    with pytest.raises(bf.StateError, match="was trained on samples of"):
        run.predict(other.batches(4), tmp_path / "q.csv")


def test_a_full_disk_keeps_what_is_there(
    make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear error; with room again, the same call goes on."""
    monkeypatch.setattr(PART, 16)
    run, source = make_run()
    run.predict(source.batches(8), tmp_path / "a.csv")
    writes, write, place = [0], write_file, "brimful.training.prediction_file.write_file"

    def full(*arguments: Any) -> None:
        writes[0] += 1
        if writes[0] > 3:
            raise bf.WriteError("the disk is full.")
        write(*arguments)

    monkeypatch.setattr(place, full)
    with pytest.raises(bf.WriteError, match="disk is full"):
        run.predict(source.batches(8), tmp_path / "b.csv")
    monkeypatch.setattr(place, write)
    counts: list[int] = []
    run.predict(source.batches(8), tmp_path / "b.csv", progress=counts.append)
    assert counts[0] == 48
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_model_is_loaded_without_running_its_code(make_run: Make) -> None:
    """A file with code in it is refused, with what to do."""
    import keras

    run, _ = make_run()
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Lambda(lambda x: x)])
    model.save(run.path / "best.keras")
    with pytest.raises(bf.StateError, match="cannot be loaded"):
        run.best_model()


def test_several_outputs_have_their_names_in_front(tmp_path: Path) -> None:
    """Each with its label."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(inputs)
    outputs = {name: keras.layers.Dense(1, name=name)(flat) for name in ("width", "height")}
    model = keras.Model(inputs, outputs)
    source = bf.scan(
        [(np.full(SHAPE, at, "float32"), {"width": at / 2, "height": at / 4}) for at in range(9)]
    )
    bf.train(model, source.batches(4), run=tmp_path / "run", epochs=1)
    bf.Run(tmp_path / "run").predict(source.batches(4), tmp_path / "p.parquet")
    table = parquet.read_table(tmp_path / "p.parquet")
    names = [f"{name}.{what}" for name in ("width", "height") for what in ("prediction", "label")]
    assert table.column_names == ["key", *names]
    assert table["width.label"].to_pylist() == [int(key) / 2 for key in source.keys]
    assert isinstance(table["height.prediction"], pa.ChunkedArray)


def test_a_folder_of_the_users_is_left_alone(make_run: Make, tmp_path: Path) -> None:
    """One that is called like that of the parts, with something else in it."""
    run, source = make_run()
    (tmp_path / "p.csv.parts").mkdir()
    (tmp_path / "p.csv.parts" / "thesis.txt").write_text("mine")
    with pytest.raises(bf.WriteError, match="something else"):
        run.predict(source.batches(16), tmp_path / "p.csv")
    assert (tmp_path / "p.csv.parts" / "thesis.txt").read_text() == "mine"


def test_classes_that_never_occurred_have_numbers(make_run: Make, tmp_path: Path) -> None:
    """A model may have more outputs than there are classes in its data."""
    run, source = make_run(network(5))
    run.predict(source.batches(16), tmp_path / "p.csv")
    table = csv.read_csv(tmp_path / "p.csv")
    assert table.column_names == ["key", "prediction", "0", "1", "2", "3", "4", "label"]
    assert run.judge(source.batches(16)).samples == COUNT


def test_other_classes_are_not_judged(make_run: Make) -> None:
    """Numbered otherwise they would be taken for others; without labels there is nothing to judge."""
    run, _ = make_run(source=samples(lambda at: ("ant", "bee", "cat")[at % 3], classes=["ant", "bee", "cat"]))
    other = samples(lambda at: ("bee", "cat")[at % 2], classes=["bee", "cat"])
    with pytest.raises(bf.ArgumentError, match="was trained on"):
        run.judge(other.batches(16))
    with pytest.raises(bf.ArgumentError, match="was trained on"):
        run.evaluate(other.batches(16), model=network_compiled())
    bare = bf.scan([(np.zeros(SHAPE, "float32"), None) for _ in range(5)])
    with pytest.raises(bf.LabelError, match="no labels"):
        run.evaluate(bare.batches(4))
    with pytest.raises(bf.LabelError, match="no labels"):
        run.report(validation=bare.batches(4))


def network_compiled() -> Any:
    """A model from elsewhere."""
    model = network(3)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_samples_that_are_decoded_otherwise_are_refused() -> None:
    """Images that are resized another way are other inputs, of the same shape."""
    trained = Schema(Field((8, 8, 3), "uint8", "image/rgb/bilinear/stretch"))
    check_layout(trained, asdict(trained), "here")
    check_layout(Schema(Field((8, 8, 3), "uint8")), asdict(trained), "here")  # decoded when it was packed
    for other in ("image/rgb/nearest/stretch", "image/rgb/bilinear/crop"):
        with pytest.raises(bf.StateError, match=f"delivered by {other}, those of the training by"):
            check_layout(Schema(Field((8, 8, 3), "uint8", other)), asdict(trained), "here")
