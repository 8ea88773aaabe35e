"""Scanning: which files are samples, what they are like, and what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import brimful as bf
from brimful.schema import Field
from tests.trees import Tree
from tests.unit.test_feed import feed_of
from tests.unit.test_labels import write_samples


def test_the_storys_tree(tree: Tree) -> None:
    """Keys are paths without suffix, values are float32(float(text)), and nothing is written."""
    before = tree.content()
    source = bf.scan(tree.path)
    assert sorted(source.keys) == sorted(tree.x)
    assert source.schema.input_fields[0].shape == (4, 3)
    for at, key in enumerate(source.keys):
        x, y = source[at]
        assert x.tobytes() == tree.x[key].tobytes()
        assert y == tree.y[key]
    assert source[-1][0].tobytes() == source[len(source) - 1][0].tobytes()
    with pytest.raises(IndexError):
        source[len(source)]
    assert tree.content() == before


def test_shape_and_dtype_are_given_if_asked_for(tree: Tree) -> None:
    """`shape` reshapes, `dtype` casts from float64; neither may lose anything."""
    source = bf.scan(tree.path, shape=(2, 6, 1), dtype="float64")
    x, _ = source[0]
    assert x.shape == (2, 6, 1)
    assert x.tobytes() == np.loadtxt(tree.file(source.keys[0])).tobytes()
    with pytest.raises(bf.ArgumentError, match=r"12 values.*\(4 x 3\)"):
        bf.scan(tree.path, shape=(5, 5))
    with pytest.raises(bf.ArgumentError, match="dtype"):
        bf.scan(tree.path, dtype="int8")


def test_what_a_folder_is_known_by_never_changes(tree: Tree) -> None:
    """Or every store and every audit of it would be made again: golden."""
    identity = bf.scan(tree.path)._reader.identity
    parsed = "Layout(delimiter=b' ', rows=4, columns=3, padded=False) float32"
    assert identity == parsed


def test_other_files_are_left_out_and_counted(tree: Tree) -> None:
    """READMEs, thumbnails, dot files and dot folders are not samples."""
    for name in ("README.txt", "notes.md", ".DS_Store", "train/._00001.csv", ".git/x.csv", "Thumbs.db"):
        path = tree.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("1 2 3")
    source = bf.scan(tree.path)
    assert len(source) == 50
    assert "left out:" in source.facts[-1]
    assert "1 .md" in source.facts[-1]


def test_names_in_any_script(tmp_path: Path) -> None:
    """Blanks, quotes, line breaks, dots, other scripts: all are keys."""
    keys = ["a b", 'it\'s "so"', "line\nbreak", "v1.0.final", "ключ", "鍵/é", "comma,semi;colon"]
    source = bf.scan(write_samples(tmp_path, *keys))
    assert sorted(source.keys) == sorted(keys)
    assert {key: int(source[at][0][0]) for at, key in enumerate(source.keys)} == {
        key: number for number, key in enumerate(keys)
    }


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """It could not be written down as a key."""
    write_samples(tmp_path, "1", "2")
    Path(str(tmp_path).encode().decode() + "/bad\udcff.csv").write_text("1 2\n")
    with pytest.raises(bf.SourceError, match="not UTF-8"):
        bf.scan(tmp_path)


def test_the_last_name_of_a_folder_is_looked_at_too(tmp_path: Path) -> None:
    """Whatever order names come in, one without UTF-8 is refused or counted, and never lost."""
    (tmp_path / "bad\udcff.csv").write_text("1 2\n")
    with pytest.raises(bf.SourceError, match="not UTF-8"):
        bf.scan(tmp_path)
    (tmp_path / "bad\udcff.csv").unlink()
    for name in ("a\udcff.md", "b\udcff.md", "c\udcff.md"):
        (tmp_path / name).write_text("notes")
    with pytest.raises(bf.SourceNotFoundError, match=r"it holds 3 \.md"):
        bf.scan(tmp_path)


def test_a_folder_whose_own_name_is_not_utf8_can_be_scanned(tmp_path: Path) -> None:
    """Keys are paths below it; its own name is only shown."""
    root = tmp_path / "b\udcff"
    write_samples(root, "1", "2")
    source = bf.scan(root)
    assert sorted(source.keys) == ["1", "2"]
    assert source.audit().samples == 2


def test_names_without_utf8_of_other_files_are_no_obstacle(tmp_path: Path) -> None:
    """They are left out as such files are."""
    write_samples(tmp_path, "1", "2")
    (tmp_path / "bad\udcff.md").write_text("notes")
    source = bf.scan(tmp_path)
    assert len(source) == 2
    assert "1 .md" in source.facts[-1]


def test_a_path_that_is_too_long_is_not_there() -> None:
    """It is an error like any other path that does not exist."""
    with pytest.raises(bf.SourceNotFoundError, match="no such folder"):
        bf.scan("x" * 5000)


def test_an_empty_folder_is_refused_without_getdents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the C library cannot list folders, Python does."""
    monkeypatch.setattr("brimful.sources._getdents._getdents64", None)
    with pytest.raises(bf.SourceNotFoundError, match="it is empty"):
        bf.scan(tmp_path)


def test_two_files_of_one_key_are_refused(tmp_path: Path) -> None:
    """x.csv and x.CSV would be one sample."""
    write_samples(tmp_path, "x")
    (tmp_path / "x.CSV").write_text("1 2\n")
    with pytest.raises(bf.SourceError, match="same key"):
        bf.scan(tmp_path)


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "no samples"])
def test_a_path_without_samples_is_refused(tmp_path: Path, kind: str) -> None:
    """What is there instead is said."""
    path = tmp_path / "x"
    if kind == "file":
        path.write_text("1 2\n")
    elif kind != "missing":
        path.mkdir()
    if kind == "no samples":
        (path / "sound.mp3").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"no such folder|is a file|it is empty|1 \.mp3") as caught:
        bf.scan(path)
    assert isinstance(caught.value, bf.SourceNotFoundError)


def test_a_bad_file_among_the_first_is_a_problem_and_no_shape(make_tree: Callable[..., Tree]) -> None:
    """The usual shape is found in spite of it; batches are refused, with its name."""
    tree = make_tree(60)
    tree.file("train/00007").write_text("1 2 3\n4 5 x\n")
    source = bf.scan(tree.path)
    assert source.schema.input_fields[0].shape == (4, 3)
    with pytest.raises(bf.SourceError, match=r"00007\.csv:2:3: expected a number, found 'x'") as caught:
        source.batches(8)
    assert caught.value.hint


def test_files_without_a_shape_in_common_are_refused(tmp_path: Path) -> None:
    """Half this, half that is no data set."""
    write_samples(tmp_path, *map(str, range(10)))
    for number in range(5):
        (tmp_path / f"{number}.csv").write_text("1 2 3\n")
    with pytest.raises(bf.MalformedFileError, match="5 of 1 x"):
        bf.scan(tmp_path)


def test_bytes_a_sample_are_stated_and_few(make_tree: Callable[..., Tree]) -> None:
    """The listing takes less than 100 bytes a sample, and says how many."""
    source = bf.scan(make_tree(300).path)
    assert source._reader.nbytes / 300 < 100
    assert f"{source._reader.nbytes / 300:.0f} bytes of memory per sample" in " ".join(source.facts)


def test_a_scan_leaves_the_process_as_it_was(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's memory pool is the program's: it is not swapped, and what is kept is not taken from it."""
    monkeypatch.setattr(pa, "set_memory_pool", None)
    before = pa.total_allocated_bytes()
    source = bf.scan(tree.path)
    assert len(source) == 50
    assert pa.total_allocated_bytes() - before < 10_000


def test_progress_is_told(tmp_path: Path) -> None:
    """A long listing tells how far it is."""
    write_samples(tmp_path, *map(str, range(2500)))
    counts: list[int] = []
    bf.scan(tmp_path, progress=counts.append)
    assert counts[-1] == 2500
    assert counts == sorted(counts)


class Pairs:
    """What a user may have: `len` and `[i]`."""

    def __len__(self) -> int:
        """Ten."""
        return 10

    def __getitem__(self, index: int) -> tuple[object, object]:
        """A pair; of another shape at 7."""
        return np.full((2, 3 if index != 7 else 4), index, "uint8"), index % 3


def test_an_object_is_a_source() -> None:
    """Its keys are indices, its values cast; a sample of another shape is an error that names it."""
    source = bf.scan(Pairs())
    assert sorted(source.keys, key=int) == [str(number) for number in range(10)]
    assert source.schema.input_fields[0].shape == (2, 3)
    at = list(source.keys).index("5")
    assert source[at][0].dtype == np.float32
    assert (source[at][0] == 5).all()
    assert source[at][1] == 2
    with pytest.raises(bf.MalformedFileError, match=r"Pairs\[7\]"):
        source[list(source.keys).index("7")]
    assert len(bf.scan(Pairs(), limit=4)) == 4


@pytest.mark.parametrize("thing", [3, {1, 2}, [], ["no pair", "at all"], [(1, 2, 3)], [(np.ones((0, 3)), 1)]])
def test_an_object_that_is_no_source_is_refused(thing: object) -> None:
    """It needs `len` and `[i] -> (x, y)`."""
    with pytest.raises(bf.ArgumentError, match="Expected"):
        bf.scan(thing)  # type: ignore[arg-type]


def test_links_and_pipes_are_counted(tree: Tree) -> None:
    """Links to folders are left out with a warning; what is named like a sample and is none is a problem."""
    (tree.path / "gone.csv").symlink_to("nowhere.csv")
    (tree.path / "self.csv").symlink_to("self.csv")
    (tree.path / "loop").symlink_to(tree.path)
    os.mkfifo(tree.path / "pipe.csv")
    (tree.path / "linked.csv").symlink_to(tree.file("train/00001"))
    (tree.path / "target.csv").unlink()
    source = bf.scan(tree.path)
    assert sorted(source.keys) == sorted([*tree.x, "linked"])
    (linked,) = (finding for finding in source.findings if finding.kind == "linked_folder")
    assert (linked.count, linked.is_problem) == (1, False)
    (finding,) = (each for each in source.findings if each.is_problem)
    assert (finding.kind, finding.count, finding.is_problem) == ("not_a_file", 3, True)


def test_a_file_of_another_shape_among_the_first_is_a_problem(tree: Tree) -> None:
    """It is well-formed, and still not trained on."""
    tree.file("train/00004").write_text("1 2\n3 4\n")
    with pytest.raises(bf.SourceError, match=r"1 x wrong shape: .*00004\.csv:1:3: expected 3 values"):
        bf.scan(tree.path).batches(8)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ((np.zeros((3, 2)), 0), "found the shape"),
        ((np.zeros((2, 3)), [0]), "found the shape"),
        ((np.full((2, 3), np.nan), 0), "not finite"),
        ((np.full((2, 3), 1e300), 0), "not finite"),
        ((np.zeros((2, 3)), "0"), "not a number"),
        ((np.zeros((2, 3)), 2**70), "not a number"),
        ((np.zeros((2, 3)), None), "not a number"),
        ((np.zeros((2, 3), complex), 0), "not a number"),
        (([[1, 2, 3], [4, 5]], 0), "inhomogeneous"),
    ],
)
def test_a_sample_that_is_unlike_the_others_is_refused(sample: tuple[object, object], message: str) -> None:
    """Never reshaped, rounded, or made up."""
    pairs: list[tuple[object, object]] = [(np.ones((2, 3)), 1)] * 300
    pairs[7] = sample
    with pytest.raises(bf.MalformedFileError, match=message):
        list(feed_of(bf.scan(pairs)))


def test_what_is_no_pair_among_the_first_is_a_fault() -> None:
    """One of many is counted and can be left out, as any other bad sample."""
    samples: list[object] = [(np.ones(3), 1)] * 20
    samples[4] = np.ones(3)
    (problem,) = bf.scan(samples).audit().problems
    assert (problem.kind, problem.count) == ("malformed", 1)
    assert "list[4]" in problem.examples[0]
    assert len(bf.scan(samples, on_bad="skip")) == 19


def test_integers_are_numbers_where_that_is_said() -> None:
    """`regression=True` gives floats."""
    source = bf.scan([(np.ones(3), 7)] * 20, regression=True)
    assert source.schema.target == Field((), "float32")
    assert source[0][1] == 7


def test_an_object_without_targets_is_unlabelled() -> None:
    """`(x, None)` is a sample to predict."""
    source = bf.scan([(np.ones(3), None)] * 20)
    assert source.schema.target is None
    assert len(source[0]) == 1


@pytest.mark.parametrize("shape", [4, "2,2", (), (-1,), (2.5, 2), (5, 5)])
def test_a_shape_that_cannot_be_is_refused(shape: object) -> None:
    """It must be a sequence of positive integers, of as many values as there are."""
    with pytest.raises(bf.ArgumentError, match="shape"):
        bf.scan([(np.ones((2, 3)), 1)] * 5, shape=shape)  # type: ignore[arg-type]
