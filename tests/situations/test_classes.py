"""Classes: their numbers agree between folders, stores and models, and never reach a model unmapped."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from tests.situations.models import SHAPE

NAMES = ("cat", "dog", "emu")


def folders(root: Path, names: tuple[str, ...], count: int = 10) -> Path:
    """A folder for each class; the values of a sample are about the place of its class in NAMES."""
    random = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(count):
            values = random.normal(NAMES.index(name) if name in NAMES else 9, 0.1, SHAPE)
            np.savetxt(root / name / f"{name}{number}.csv", values)
    return root


def labelled(root: Path, labels: list[Any]) -> Path:
    """A folder with a table of these labels."""
    root.mkdir()
    for number in range(len(labels)):
        np.savetxt(root / f"{number}.csv", np.full(SHAPE, number))
    (root / "labels.csv").write_text("id,label\n" + "".join(f"{n},{one}\n" for n, one in enumerate(labels)))
    return root


def numbers(data: Any) -> list[int]:
    """The distinct numbers that are delivered."""
    return sorted({int(y) for batch in data.batches(8) for y in batch[1]})


@pytest.mark.parametrize("names", [("cat", "emu"), ("emu",), ("dog", "emu")])
@pytest.mark.parametrize("given", ["classes", "like", "store"])
def test_a_folder_without_a_class_is_numbered_as_the_other(
    names: tuple[str, ...], given: str, tmp_path: Path
) -> None:
    """By the names themselves, by another source, or by a store."""
    train = bf.scan(folders(tmp_path / "train", NAMES))
    test = folders(tmp_path / "test", names)
    if given == "classes":
        source = bf.scan(test, classes=NAMES)
    else:
        source = bf.scan(test, like=train if given == "like" else bf.pack(train, tmp_path / "train.brim"))
    assert source.schema.classes == train.schema.classes == NAMES
    assert numbers(source) == [NAMES.index(name) for name in names]
    assert source.audit().class_counts == {name: 10 * (name in names) for name in NAMES}


def test_a_class_that_was_not_given_is_a_problem(tmp_path: Path) -> None:
    """Counted, with its samples; and training is refused."""
    source = bf.scan(folders(tmp_path / "data", ("cat", "yak")), classes=NAMES)
    problem = source.findings[0]
    assert (problem.kind, problem.count, problem.is_problem) == ("unknown_label", 10, True)
    assert "yak" in problem.examples[0]
    with pytest.raises(bf.LabelError, match="unknown label"):
        source.batches(4)
    assert len(bf.scan(tmp_path / "data", classes=NAMES, on_bad="skip")) == 10


@pytest.mark.parametrize("classes", [(), "cat", ("cat", "cat"), (1, "1"), (1, "a"), (None,), 3])
def test_classes_that_are_none_are_refused(classes: Any, tmp_path: Path) -> None:
    """With what was given."""
    with pytest.raises(bf.ArgumentError, match="classes"):
        bf.scan(folders(tmp_path / "data", NAMES), classes=classes)


@pytest.mark.parametrize(
    ("labels", "names", "delivered"),
    [
        ([-1, 1], ("-1", "1"), [0, 1]),
        ([-2, -1, 0, 5], ("-2", "-1", "0", "5"), [0, 1, 2, 3]),
        ([20240101, 20240102], ("20240101", "20240102"), [0, 1]),
        ([10_000, 2], ("2", "10000"), [0, 1]),
        ([0, 1, 2], (0, 1, 2), [0, 1, 2]),
        ([1, 2, 7], (1, 2, 7), [1, 2, 7]),
    ],
)
def test_integers_that_do_not_count_from_0_are_numbered(
    labels: list[int], names: tuple[Any, ...], delivered: list[int], tmp_path: Path
) -> None:
    """And that is a warning; integers that do are delivered as they are, without one."""
    source = bf.scan(labelled(tmp_path / "data", labels * 6))
    assert source.schema.classes == names
    assert numbers(source) == delivered
    warned = [finding.kind for finding in source.findings]
    assert warned == (["renumbered_label"] if isinstance(names[0], str) else [])
    if warned:
        assert re.search(rf"{min(labels)} is delivered as 0", source.findings[0].examples[0])


def test_class_folders_that_are_integers_are_numbered(tmp_path: Path) -> None:
    """As in a table."""
    root = tmp_path / "data"
    for name in ("-1", "1"):
        (root / name).mkdir(parents=True)
        np.savetxt(root / name / "a.csv", np.ones(SHAPE))
    source = bf.scan(root)
    assert source.schema.classes == ("-1", "1")
    assert numbers(source) == [0, 1]


def test_a_store_keeps_its_numbers_when_classes_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that is first in the alphabet comes last; one that goes leaves its number free."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the files were old
    root = folders(tmp_path / "data", ("cat", "emu"))
    store = tmp_path / "data.brim"
    assert bf.pack(bf.scan(root), store).schema.classes == ("cat", "emu")
    folders(root, ("ant", "dog"))
    data = bf.pack(bf.scan(root), store)
    assert data.schema.classes == ("cat", "emu", "ant", "dog")
    by_class = {y: {key.split("/")[0] for key in keys} for y, keys in _keys_by_class(data).items()}
    assert by_class == {0: {"cat"}, 1: {"emu"}, 2: {"ant"}, 3: {"dog"}}
    for file in (root / "cat").iterdir():
        file.unlink()
    (root / "cat").rmdir()
    assert bf.pack(bf.scan(root), store).schema.classes == ("cat", "emu", "ant", "dog")
    assert bf.scan(root).is_packed_in(store)
    assert bf.pack(bf.scan(root), store, overwrite=True).schema.classes == ("ant", "dog", "emu")


def _keys_by_class(data: bf.Dataset) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for _, y, keys in data.batches(8, include_keys=True):
        for one, key in zip(y.tolist(), keys, strict=True):
            found.setdefault(one, []).append(key)
    return found


@pytest.mark.parametrize("labels", [[0, 1, 2], [1, 2, 3], [-1, 1]])
def test_objects_know_their_classes(labels: list[int], tmp_path: Path) -> None:
    """Counted in the audit, kept by the store, or given."""
    pairs = [(np.full(SHAPE, at), labels[at % len(labels)]) for at in range(30)]
    source = bf.scan(pairs)
    count = {label: 30 // len(labels) for label in labels}
    assert source.audit().class_counts == count
    assert bf.pack(source, tmp_path / "data.brim").schema.classes == tuple(labels)
    given = bf.scan(pairs, classes=labels)
    assert list(map(int, given.schema.classes or ())) == labels
    assert numbers(given) == (labels if labels[0] >= 0 else [0, 1])
    assert numbers(bf.pack(given, tmp_path / "given.brim")) == numbers(given)
    assert next(iter(given.batches(4, one_hot=True)))[1].shape == (4, max(2, max(numbers(given)) + 1))
    assert len(next(iter(given.batches(4, class_weight="balanced")))) == 3


def test_objects_may_have_names_as_labels() -> None:
    """If these are given; one that is not is an error that names the sample."""
    pairs: list[Any] = [(np.full(SHAPE, at), NAMES[at % 3]) for at in range(30)]
    source = bf.scan(pairs, classes=NAMES)
    assert numbers(source) == [0, 1, 2]
    pairs[7] = (pairs[7][0], "yak")
    with pytest.raises(bf.MalformedFileError, match=r"list\[7\].*'yak'.*none of the classes"):
        list(source.batches(4))


def test_the_command_line_takes_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Between commas."""
    folders(tmp_path / "data", ("cat", "emu"))
    assert main(["scan", str(tmp_path / "data"), "--classes", "cat,dog,emu", "--json", "--quiet"]) == 0
    assert '"classes": ["cat", "dog", "emu"]' in capsys.readouterr().out.replace("\n", "").replace("  ", "")


@pytest.mark.keras
def test_a_model_is_not_judged_by_other_numbers(tmp_path: Path) -> None:
    """By evaluate, by validation data, by `bf.train`: refused with both; equal numbers are judged."""
    from tests.situations.models import network

    train = bf.scan(folders(tmp_path / "train", NAMES, 30))
    folders(tmp_path / "test", ("cat", "emu"))
    other, same = bf.scan(tmp_path / "test"), bf.scan(tmp_path / "test", like=train)
    model = network()
    model.fit(train.batches(16), epochs=30, verbose=0)
    with pytest.raises(bf.ArgumentError, match=r"'emu' as 2.*'emu' as 1"):
        model.evaluate(other.batches(16), verbose=0)
    with pytest.raises(bf.ArgumentError, match="'emu' as 2"):
        model.fit(train.batches(16), validation_data=other.batches(16), verbose=0)
    for method in ("fit", "train_on_batch"):
        with pytest.raises(bf.ArgumentError, match="'emu' as 2"):
            bf.train(
                network(),
                train.batches(16),
                run=tmp_path / method,
                validation=other.batches(16),
                method=method,
            )
    assert model.evaluate(same.batches(16), verbose=0, return_dict=True)["accuracy"] > 0.8
    fewer = bf.scan(folders(tmp_path / "fewer", ("cat", "dog")))
    assert model.evaluate(fewer.batches(16), verbose=0, return_dict=True)["accuracy"] > 0.8


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("labels", [[-1, 1], [0, 1, 5], [1, 2, 3]])
@pytest.mark.parametrize("where", ["object", "store"])
def test_targets_that_the_model_does_not_know_are_refused(
    labels: list[int], where: str, tmp_path: Path
) -> None:
    """JAX would leave them out of the loss without a word."""
    from tests.situations.models import network

    source: Any = bf.scan([(np.full(SHAPE, at), labels[at % len(labels)]) for at in range(30)])
    data = bf.pack(source, tmp_path / "data.brim") if where == "store" else source
    with pytest.raises(bf.ArgumentError, match=r"targets from .* tells 3 classes apart"):
        network().fit(data.batches(16), verbose=0)


@pytest.mark.parametrize("rare", [1, 2])
def test_a_class_that_a_side_lacks_is_a_warning(rare: int, tmp_path: Path) -> None:
    """Nothing could be learnt or said of it; where each side has all classes, there is none."""
    folders(tmp_path, ("cat", "dog"), 60)
    source = bf.scan(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source.split(test=0.3)
    for number in range(60 - rare):
        (tmp_path / "dog" / f"dog{number}.csv").unlink()
    with pytest.warns(UserWarning, match="none of the class dog"):
        bf.scan(tmp_path).split(test=0.02)
