"""Batches in Keras' seat, on whichever backend runs: fit, evaluate, predict, and both ways to train."""

import json
import os
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import brimful as bf
from brimful.training.events import EpochReport, Listener, Training
from brimful.training.loop import Method
from tests.pairs import Pairs
from tests.trees import Tree, write_tree

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")

SIDE = 8
METHODS: tuple[Method, ...] = ("fit", "train_on_batch")


@pytest.fixture
def squares(tmp_path: Path) -> Tree:
    """240 images of 8 x 8 that are bright in one of four quarters: easy to learn."""
    random = np.random.default_rng(0)
    y = random.integers(0, 4, 240)
    x = random.random((240, SIDE, SIDE)) * 0.3
    for image, quarter in zip(x, y, strict=True):
        row, column = divmod(int(quarter), 2)
        image[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 0.7
    return write_tree(tmp_path / "squares", x, y)


def build(outputs: int = 4) -> Any:
    """A small model, compiled, its weights the same each time."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(outputs, activation="softmax")]
    model = keras.Sequential([keras.Input((SIDE, SIDE)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def arrays(batches: Iterable[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """All of a pass as two arrays."""
    x, y = zip(*batches, strict=True)
    return np.concatenate(x), np.concatenate(y)


def test_keras_takes_batches_as_they_are(tree: Tree) -> None:
    """The seat is there: Keras does not wrap, shuffle or queue."""
    from keras.src.trainers.data_adapters import get_data_adapter

    batches = bf.scan(tree.path).batches(8)
    assert get_data_adapter(batches, shuffle=True) is batches
    assert batches.num_batches == len(batches) == 7
    assert batches.has_partial_batch
    assert batches.partial_batch_size == 2


def test_fit_trains_on_every_sample_of_every_epoch(squares: Tree) -> None:
    """What fit was given, by epoch, is each sample once, in a new order; and it learns."""
    train, test = bf.scan(squares.path).split(test=0.25)
    batches = train.batches(32, seed=5)
    seen: list[list[float]] = []

    class Spy(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """Note what was counted."""
            seen.append([batches.stats.epoch, batches.stats.samples, batches.stats.distinct_samples])

    model = build()
    history = model.fit(
        batches, validation_data=test.batches(32, shuffle=False), epochs=12, verbose=0, callbacks=[Spy()]
    )
    assert seen == [[epoch, len(train), len(train)] for epoch in range(12)]
    assert history.history["val_accuracy"][-1] > 0.9
    assert batches.state_dict()["epoch"] == 12


def test_fit_is_the_same_as_train_on_batch(squares: Tree) -> None:
    """Both ways of the story see the same batches in the same order: the same weights."""
    train, _ = bf.scan(squares.path).split(test=0.25)
    fitted, looped = build(), build()
    fitted.fit(train.batches(50, seed=1), epochs=2, verbose=0)
    batches = train.batches(50, seed=1)
    for _ in range(2):
        for x, y in batches:
            looped.train_on_batch(x, y)
    for one, other in zip(fitted.get_weights(), looped.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_evaluate_and_predict_are_those_of_arrays(squares: Tree) -> None:
    """The same figures as from arrays in memory, however often; predictions in row order."""
    source = bf.scan(squares.path)
    batches = source.batches(32, shuffle=False)
    x, y = arrays(batches)
    model = build()
    expected = model.evaluate(x, y, verbose=0)
    for _ in range(2):
        np.testing.assert_allclose(model.evaluate(batches, verbose=0), expected, rtol=1e-4)
    np.testing.assert_allclose(model.predict(batches, verbose=0), model.predict(x, verbose=0), rtol=1e-4)


def test_an_unlabelled_source_can_be_predicted(squares: Tree) -> None:
    """Without labels a batch is `(x,)`; training says what is missing."""
    (squares.path / "target.csv").unlink()
    batches = bf.scan(squares.path).batches(32, shuffle=False)
    assert build().predict(batches, verbose=0).shape == (240, 4)
    with pytest.raises(bf.LabelError, match="no labels"):
        bf.train(build(), batches, run=squares.path.parent / "run")


def test_keras_refuses_keys(squares: Tree) -> None:
    """Keys would be taken for sample weights."""
    batches = bf.scan(squares.path).batches(32, include_keys=True)
    with pytest.raises(bf.ArgumentError, match="keys"):
        build().fit(batches, verbose=0)


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("verb", ["fit", "evaluate", "predict"])
def test_a_bad_file_is_an_error_that_names_it(squares: Tree, verb: str) -> None:
    """Also through the backend: the error is ours, with file, line and column."""
    source = bf.scan(squares.path)
    batches = source.batches(16, shuffle=False)
    squares.file(source.keys[200]).write_text("1 2 oops\n")
    with pytest.raises(bf.MalformedFileError, match=r"\.csv:1:3: expected a number, found 'oops'"):
        getattr(build(), verb)(batches, verbose=0)


@pytest.mark.parametrize("method", METHODS)
def test_train_keeps_a_run(squares: Tree, tmp_path: Path, method: Method) -> None:
    """Reports, log, configuration and a model that loads and predicts as the one in memory."""
    train, test = bf.scan(squares.path).split(test=0.25)
    validation = test.batches(16, shuffle=False)
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    model = keras.Sequential([keras.Input((SIDE, SIDE)), *layers])
    reports = bf.train(
        model, train.batches(32), run=tmp_path / "run", epochs=3, validation=validation, method=method
    )
    assert [report.epoch for report in reports] == [1, 2, 3]
    for report in reports:
        assert report.samples == report.distinct_samples == len(train)
        assert 0 <= report.wait_seconds <= report.seconds
        assert set(report.train) == {"loss", "accuracy"}
        assert report.test is not None
        assert set(report.test) == {"loss", "accuracy"}
    assert reports[-1].train["loss"] < reports[0].train["loss"]
    run = bf.Run(tmp_path / "run")
    assert run.epochs == reports
    assert run.history["val_loss"] == [report.loss for report in reports]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["method"] == method
    kept = keras.models.load_model(tmp_path / "run" / "model.keras")
    kept_figures = kept.evaluate(validation, verbose=0, return_dict=True)
    assert kept_figures == pytest.approx(reports[-1].test, rel=1e-3)
    with pytest.raises(bf.RunExistsError, match="begun with"):
        bf.train(model, train.batches(16), run=tmp_path / "run", method=method)


class Heard(Listener):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_train_begin(self, training: Training) -> None:
        """Note how much there is to do."""
        self.events.append(f"train of {training.epochs} x {training.samples}")

    def on_epoch_begin(self, epoch: int) -> None:
        """Note it."""
        self.events.append(f"epoch {epoch}")

    def on_batch_end(self, samples: int, wait_seconds: float) -> None:
        """Note it."""
        self.events.append(f"batch to {samples}")

    def on_evaluation_begin(self) -> None:
        """Note it."""
        self.events.append("evaluation")

    def on_epoch_end(self, report: EpochReport) -> None:
        """Note it."""
        self.events.append(f"end of {report.epoch}")

    def on_train_end(self, error: BaseException | None) -> None:
        """Note it."""
        self.events.append(f"end: {error}")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("evaluates", [True, False])
def test_listeners_hear_the_same_from_both_methods(
    squares: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: Method, evaluates: bool
) -> None:
    """Every event in order; and nothing is printed where the listeners are given."""
    source, heard = bf.scan(squares.path), Heard()
    bf.train(
        build(),
        source.batches(100),
        run=tmp_path / "run",
        epochs=2,
        validation=source.batches(100, shuffle=False) if evaluates else None,
        method=method,
        listeners=[heard],
    )
    batches = [f"batch to {samples}" for samples in (100, 200, 240)] + ["evaluation"] * evaluates
    assert heard.events == [
        "train of 2 x 240",
        *("epoch 1", *batches, "end of 1"),
        *("epoch 2", *batches, "end of 2"),
        "end: None",
    ]
    assert "epoch" not in capsys.readouterr().err


@pytest.mark.parametrize("method", METHODS)
def test_a_line_per_epoch_is_printed_by_default(
    squares: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: Method
) -> None:
    """On stderr."""
    batches = bf.scan(squares.path).batches(100)
    reports = bf.train(build(), batches, run=tmp_path / "run", epochs=2, method=method)
    assert capsys.readouterr().err == "".join(f"{report}\n" for report in reports)


def test_both_methods_report_the_same_figures(squares: Tree, tmp_path: Path) -> None:
    """Loss and accuracy over the epoch, whichever way it was trained."""
    train, _ = bf.scan(squares.path).split(test=0.25)
    fitted, looped = (
        bf.train(build(), train.batches(50), run=tmp_path / method, epochs=2, method=method)[-1].train
        for method in METHODS
    )
    assert fitted == pytest.approx(looped, rel=1e-3)


def test_train_says_a_bad_file(squares: Tree, tmp_path: Path) -> None:
    """`bf.train` raises the error itself, even if it strikes the very first batch."""
    source = bf.scan(squares.path)
    for key in source.keys:
        squares.file(key).write_text("1 2 oops\n")
    with pytest.raises(bf.MalformedFileError, match="oops"):
        bf.train(build(), source.batches(16), run=tmp_path / "run")


def test_regression_gets_its_loss(tmp_path: Path) -> None:
    """An object with float targets: mean squared error, and no accuracy."""
    random = np.random.default_rng(0)
    pairs = [(x := random.random(3), float(x.sum())) for _ in range(200)]
    source = bf.scan(pairs)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    reports = bf.train(model, source.batches(20), run=tmp_path / "run", epochs=2)
    assert set(reports[-1].train) == {"loss"}
    assert reports[-1].test is None


@pytest.mark.parametrize(("name", "parameters"), [("lenet", 105_166), ("lenet-wide", 1_256_080)])
def test_built_in_models_are_the_storys(name: str, parameters: int) -> None:
    """Exactly as many parameters, with and without an axis for channels."""
    from brimful.training.models import find_model

    for shape in ((28, 28), (28, 28, 1)):
        model = find_model(name)(shape, 10)
        assert model.count_params() == parameters
    with pytest.raises(bf.ArgumentError, match="images"):
        find_model(name)((784,), 10)


def test_models_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """package.module:function of what can be imported; a typing error is answered with a guess."""
    from brimful.training.models import find_model

    (tmp_path / "mynets.py").write_text(
        "def tiny(input_shape, num_classes):\n    return input_shape, num_classes\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = list(sys.path)
    assert find_model("mynets:tiny")((4,), 2) == ((4,), 2)
    for name, hint in (("lenett", "'lenet'"), ("mynets:huge", ""), ("nowhere:f", "PYTHONPATH")):
        with pytest.raises(bf.ArgumentError) as caught:
            find_model(name)
        assert hint in caught.value.hint
    assert sys.path == path


def test_the_backend_is_the_one_asked_for() -> None:
    """So that a run on every backend is one."""
    assert keras.backend.backend() == os.environ.get("KERAS_BACKEND", "tensorflow")


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("batch_size", [16, 200, 240])
def test_fit_goes_on_where_the_position_says(squares: Tree, batch_size: int, built: bool) -> None:
    """A loaded position is trained from, on every backend, whether or not Keras builds the model first."""
    source = bf.scan(squares.path)
    before = source.batches(batch_size, seed=3)
    batches = iter(before)
    next(batches)
    state = before.state_dict()
    after = source.batches(batch_size, seed=3)
    after.load_state_dict(state)
    model = build() if built else keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras on a first epoch that is shorter than the others
        model.fit(after, epochs=1, verbose=0)
    assert after.stats.samples == after.stats.distinct_samples == (240 - batch_size or 240)
    assert after.state_dict()["position"] == 0
    assert after.state_dict()["epoch"] == (1 if batch_size < 240 else 2)


def test_the_position_in_fit_is_that_of_the_batches_trained_on(squares: Tree) -> None:
    """No backend draws ahead: a callback sees the exact position after every batch."""
    batches = bf.scan(squares.path).batches(16)
    positions: list[int] = []

    class Spy(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Note the position."""
            positions.append(batches.state_dict()["position"])

    build().fit(batches, epochs=2, verbose=0, callbacks=[Spy()])
    assert positions == [*range(16, 240, 16), 0] * 2


def test_epochs_of_one_batch_are_epochs(squares: Tree) -> None:
    """All data in one batch: two epochs are two, and each has all of them."""
    batches = bf.scan(squares.path).batches(1000)
    epochs: list[int] = []

    class Spy(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """Note what was counted."""
            epochs.append(batches.stats.epoch)
            assert batches.stats.distinct_samples == 240

    build().fit(batches, epochs=3, verbose=0, callbacks=[Spy()])
    assert epochs == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("label", [-1, 20240101])
def test_labels_that_no_classifier_counts_to_are_numbered(squares: Tree, tmp_path: Path, label: int) -> None:
    """Negative, or a date as class: a fifth class with a warning, not twenty million outputs."""
    lines = (f"{n},{label if n == 1 else n % 4}\n" for n in range(1, 241))
    (squares.path / "target.csv").write_text("".join(lines))
    source = bf.scan(squares.path)
    assert [finding.kind for finding in source.findings] == ["renumbered_label"]
    with pytest.raises(bf.ArgumentError, match="tells 4 classes apart"):
        bf.train(build(4), source.batches(240), run=tmp_path / "four", epochs=1)
    bf.train(build(5), source.batches(16), run=tmp_path / "five", epochs=1)


def test_keys_are_not_trained_on(squares: Tree, tmp_path: Path) -> None:
    """Either way to train says so."""
    batches = bf.scan(squares.path).batches(16, include_keys=True)
    with pytest.raises(bf.ArgumentError, match="include_keys"):
        bf.train(build(), batches, run=tmp_path / "run", method="train_on_batch")


def test_a_run_without_an_epoch_may_be_begun_anew(squares: Tree, tmp_path: Path) -> None:
    """A bad file ends the first epoch; once it is mended, the same call works."""
    source = bf.scan(squares.path)
    file = squares.file(source.keys[100])
    good = file.read_bytes()
    file.write_text("oops\n")
    with pytest.raises(bf.MalformedFileError):
        bf.train(build(), source.batches(16), run=tmp_path / "run", epochs=1)
    file.write_bytes(good)
    reports = bf.train(build(), source.batches(16), run=tmp_path / "run", epochs=1)
    assert reports[0].distinct_samples == 240


def test_waiting_is_part_of_the_time(squares: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a slow source the wait is large, and never more than the time that an epoch took."""
    batches = bf.scan(squares.path).batches(60)
    read = batches.feed.reader.read

    def slowly(rows: Any) -> Any:
        time.sleep(0.2)
        return read(rows)

    monkeypatch.setattr(batches.feed.reader, "read", slowly)
    for report in bf.train(build(), batches, run=tmp_path / "run", epochs=2):
        assert 0.15 < report.wait_seconds < report.seconds


@pytest.mark.parametrize("method", METHODS)
def test_weights_and_regression_reach_the_model(tmp_path: Path, method: Method) -> None:
    """Half of the samples are nonsense of weight 0: the others are learnt, and no accuracy is made up."""
    random = np.random.default_rng(0)
    x = random.random((200, 2, 2))
    tree = write_tree(tmp_path / "data", x, np.zeros(200))
    well = np.arange(200) % 2 == 0
    targets = np.stack([np.where(well, x.sum(axis=(1, 2)), 100), np.where(well, x[:, 0, 0], -100)], axis=1)
    lines = (
        f"{at + 1},{a!r},{b!r},{int(fit)}\n"
        for at, ((a, b), fit) in enumerate(zip(targets.tolist(), well, strict=True))
    )
    (tree.path / "target.csv").write_text("id,a,b,weight\n" + "".join(lines))
    batches = bf.scan(tree.path, target=["a", "b"]).batches(20)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.05), "mean_squared_error")
    reports = bf.train(model, batches, run=tmp_path / "run", epochs=40, method=method)
    assert reports[-1].train.keys() == {"loss"}
    assert reports[-1].distinct_samples == 200
    error = np.abs(model.predict(x[well], verbose=0) - targets[well]).mean()
    assert error < 0.1


def test_one_hot_targets_get_the_loss_that_fits(squares: Tree, tmp_path: Path) -> None:
    """`one_hot=True` and an uncompiled model: categorical cross-entropy, and accuracy."""
    batches = bf.scan(squares.path).batches(32, one_hot=True)
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    model = keras.Sequential([keras.Input((SIDE, SIDE)), *layers])
    reports = bf.train(model, batches, run=tmp_path / "run", epochs=30)
    assert reports[-1].train["accuracy"] > 0.9


def test_several_inputs_and_outputs_train(tmp_path: Path) -> None:
    """A model of two named inputs and two named outputs, from a store, by `fit` and by the loop."""
    store = tmp_path / "pairs.brim"
    data = bf.pack(bf.scan(Pairs()), store)
    image, place = keras.Input((3, 2), name="image"), keras.Input((4,), name="place")
    both = keras.layers.Concatenate()([keras.layers.Flatten()(image), place])
    outputs = {
        "kind": keras.layers.Dense(5, "softmax", name="kind")(both),
        "price": keras.layers.Dense(2, name="price")(both),
    }
    for method in METHODS:
        model = keras.Model({"image": image, "place": place}, outputs)
        train, test = data.split(test=0.3)
        (report,) = bf.train(
            model,
            train.batches(8),
            run=tmp_path / method,
            epochs=1,
            validation=test.batches(8, shuffle=False),
            method=method,
        )
        assert report.distinct_samples == len(train)
        assert np.isfinite(report.train["loss"])
        predictions = model.predict(test.batches(8, shuffle=False), verbose=0)
        assert predictions["price"].shape == (len(test), 2)


class Steps(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
    """Notes epoch by epoch where the position is after each batch trained on, in batches of 30."""

    def __init__(self, batches: Any, stop_at: int | None = None) -> None:
        super().__init__()
        self.batches, self.stop_at = batches, stop_at
        self.epochs: list[list[tuple[int, int]]] = []
        self.tested: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Another epoch."""
        self.epochs.append([])
        self.tested.append(0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note where it is."""
        state = self.batches.state_dict() if hasattr(self.batches, "state_dict") else None
        self.epochs[-1].append((state["epoch"], state["position"] // 30) if state else (0, 0))
        if batch + 1 == self.stop_at:
            self.model.stop_training = True

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count it."""
        self.tested[-1] += 1


def whole(epoch: int) -> list[tuple[int, int]]:
    """The positions of an epoch of 8 batches, all of it trained on."""
    return [*((epoch, batch) for batch in range(1, 8)), (epoch + 1, 0)]


def steps(model: Any, batches: Any, *data: Any, stop_at: int | None = None, **arguments: Any) -> Steps:
    """What `fit` trains on, and where."""
    spy = Steps(batches, stop_at)
    model.fit(batches, *data, verbose=0, callbacks=[spy], **arguments)
    return spy


def test_several_fits_go_on_epoch_by_epoch(squares: Tree) -> None:
    """Whatever Keras calls its epochs, and whoever stopped early: none is left out, and none comes twice."""
    batches, model = bf.scan(squares.path).batches(30, seed=3), build()
    assert steps(model, batches, epochs=2).epochs == [whole(0), whole(1)]
    assert steps(model, batches, initial_epoch=5, epochs=6).epochs == [whole(2)]
    stopped = steps(model, batches, epochs=3, stop_at=4)
    assert stopped.epochs == [[(3, batch) for batch in range(1, 5)]]
    assert steps(model, batches).epochs == [whole(3)]  # a pass that was left early is begun anew


def test_validation_is_whole_as_often_as_asked_for(squares: Tree) -> None:
    """Beside training that goes on as without it."""
    source = bf.scan(squares.path)
    validation = source.batches(30, shuffle=False)
    spy = steps(build(), source.batches(30), epochs=4, validation_freq=2, validation_data=validation)
    assert spy.epochs == [whole(epoch) for epoch in range(4)]
    assert spy.tested == [0, 8, 0, 8]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_steps_per_epoch_are_those_of_arrays(squares: Tree) -> None:
    """An epoch of fewer batches goes on where the one before ended; where a pass ends, Keras ends it, too."""
    batches, model = bf.scan(squares.path).batches(30, seed=3), build()
    x, y = arrays(bf.scan(squares.path).batches(30))
    spy = steps(model, batches, steps_per_epoch=5, epochs=3)
    assert spy.epochs == [whole(0)[:5], whole(0)[5:], whole(1)[:5]]
    of_arrays = steps(build(), x, y, batch_size=30, steps_per_epoch=5, epochs=3)
    assert list(map(len, of_arrays.epochs)) == list(map(len, spy.epochs))
    assert steps(build(), bf.scan(squares.path).batches(30), steps_per_epoch=8, epochs=2).epochs == [
        whole(0),
        whole(1),
    ]
