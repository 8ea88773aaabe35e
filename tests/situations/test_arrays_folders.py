"""Folders with an array per file: of NumPy, or of any kind that a function reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.arrays import inputs, labels, write_folder


def assert_folder(samples: bf.Source | bf.Dataset, x: Any, y: Any = None) -> None:
    """Each file has its row of the arrays, by the number in its name."""
    for at, key in enumerate(samples.keys):
        sample = samples[at]
        number = int(key.rpartition("/")[2])
        assert sample[0].dtype == x.dtype
        assert np.array_equal(sample[0], x[number])
        if y is not None:
            assert sample[1] == y[number]


def problems(source: bf.Source) -> dict[str, int]:
    """The problems that reading all of it finds."""
    return {each.kind: each.count for each in source.audit().problems}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int64", "float64"])
def test_a_folder_of_arrays_keeps_their_dtype(dtype: str, tmp_path: Path) -> None:
    """With the label table, or folders as labels, as text has them."""
    root = write_folder(tmp_path / "data", inputs(dtype), np.save)
    source = bf.scan(root)
    assert_folder(source, inputs(dtype), labels())
    assert_folder(bf.pack(source, tmp_path / "data.brim"), inputs(dtype), labels())
    for number, sample in enumerate(inputs(dtype)):
        folder = tmp_path / "classes" / "abc"[labels()[number]]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{number}.npy", sample)
    by_folder = bf.scan(tmp_path / "classes")
    assert by_folder.schema.classes == ("a", "b", "c")
    assert_folder(by_folder, inputs(dtype), labels())


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    """Each kind by itself; order and byte order are no faults."""
    x = inputs()
    root = write_folder(tmp_path / "data", x, np.save)
    train = root / "train"
    np.save(train / "003.npy", x[3].astype("f8"))
    np.save(train / "004.npy", x[4].T)
    (train / "005.npy").write_bytes((train / "006.npy").read_bytes()[:-3])
    np.save(train / "007.npy", np.array([{}], object))
    (train / "008.npy").write_bytes(b"")
    np.save(train / "009.npy", np.asfortranarray(x[9]))
    np.save(train / "010.npy", x[10].astype(">f4"))
    np.save(train / "011.npy", np.full((4, 3), np.nan, "f4"))
    (train / "012.npy").write_text("1 2 3")
    np.save(train / "013.npy", np.zeros((400, 300), "f4"))
    source = bf.scan(root)
    expected = {"wrong_dtype": 2, "wrong_shape": 2, "malformed": 2, "empty": 1, "non_finite": 1}
    assert problems(source) == expected
    for finding in source.audit().problems:
        assert all(str(train) in example for example in finding.examples)
    left = bf.scan(root, on_bad="skip")
    assert len(left) == len(x) - 8
    assert_folder(left, x, labels())


def test_dtype_makes_one_of_many(tmp_path: Path) -> None:
    """MATLAB's smallest integers, which differ from file to file."""
    x = inputs("float64")
    x[::2] = np.floor(x[::2] * 100)
    root = write_folder(tmp_path / "data", x, np.save)
    for number in range(0, len(x), 2):
        np.save(root / "train" / f"{number:03d}.npy", x[number].astype("uint8"))
    assert problems(bf.scan(root)) == {"wrong_dtype": 30}
    source = bf.scan(root, dtype="float64")
    assert not problems(source)
    assert_folder(source, x, labels())


def test_archives_may_hold_their_target(tmp_path: Path) -> None:
    """X and y; a table beside them is asked about."""
    x = inputs()

    def save(path: Path, sample: Any) -> None:
        y = labels()[int(path.stem)]
        np.savez_compressed(path.with_suffix(".npz"), x=sample, y=y)

    root = write_folder(tmp_path / "data", x, save)
    with pytest.raises(bf.LabelError, match="label table"):
        bf.scan(root)
    assert_folder(bf.scan(root, labels=root / "target.csv"), x, labels())
    (root / "target.csv").unlink()
    source = bf.scan(root, classes=[0, 1, 2])
    assert_folder(source, x, labels())
    assert source.schema.classes == (0, 1, 2)
    assert problems(bf.scan(root, classes=[0, 1])) == {"unknown_label": 20}
    damaged = bytearray((root / "train" / "004.npz").read_bytes())
    damaged[100] ^= 4
    (root / "train" / "004.npz").write_bytes(damaged)
    found = bf.scan(root).audit().problems
    assert [each.kind for each in found] == ["malformed"]
    assert "004.npz" in found[0].examples[0]


def test_a_plain_archive_of_a_sample_is_read(tmp_path: Path) -> None:
    """One array, compressed or not."""
    for name, how in (("a", np.savez), ("b", np.savez_compressed)):

        def save(path: Path, sample: Any, how: Any = how) -> None:
            how(path.with_suffix(".npz"), sample)

        root = write_folder(tmp_path / name, inputs(), save)
        assert_folder(bf.scan(root), inputs(), labels())


def test_a_mix_of_arrays_and_text_is_asked_about(tmp_path: Path) -> None:
    """The suffix says which; a stray file is no mix."""
    root = write_folder(tmp_path / "data", inputs(), np.save)
    (root / "train" / "notes.txt").write_text("nothing")
    assert len(bf.scan(root)) == 60
    for number, sample in enumerate(inputs()):
        np.savetxt(root / "train" / f"{number:03d}.csv", sample)
    with pytest.raises(bf.SourceError, match="either may be the samples"):
        bf.scan(root)
    assert bf.scan(root, suffix=".npy").schema.inputs == bf.scan(root, suffix=".csv").schema.inputs


def test_a_function_reads_any_file(tmp_path: Path) -> None:
    """By the most frequent suffix; what it raises is a problem of the file."""

    def save(path: Path, sample: Any) -> None:
        path.with_suffix(".raw").write_bytes(sample.tobytes())

    def read(path: str) -> Any:
        return np.fromfile(path, "f4").reshape(4, 3)

    root = write_folder(tmp_path / "data", inputs(), save)
    source = bf.scan(root, read=read)
    assert_folder(source, inputs(), labels())
    assert_folder(bf.pack(source, tmp_path / "data.brim"), inputs(), labels())
    (root / "train" / "003.raw").write_bytes(b"123")
    found = bf.scan(root, read=read).audit().problems
    assert [each.kind for each in found] == ["malformed"]
    assert "003.raw" in found[0].examples[0]
    assert "ValueError: cannot reshape" in found[0].examples[0]


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda _: (1, 2), "returned tuple"),
        (lambda _: None, "returned NoneType"),
        (lambda _: [[1], [1, 2]], "returned no array"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: "text", "text"),
    ],
)
def test_a_function_that_gives_no_array_is_named(read: Any, words: str, tmp_path: Path) -> None:
    """With the file."""
    root = write_folder(tmp_path / "data", inputs(), np.save)
    with pytest.raises(bf.BrimfulError) as caught:
        bf.scan(root, read=read)
    assert words in str(caught.value)
    assert str(root) in str(caught.value)


def test_a_function_gets_the_suffix_that_is_asked_for(tmp_path: Path) -> None:
    """Of a folder with two kinds of files, as many of each."""
    root = write_folder(tmp_path / "data", inputs(), np.save)
    for number in range(60):
        (root / "train" / f"{number:03d}.raw").write_bytes(b"")
    with pytest.raises(bf.SourceError, match="which files are the samples"):
        bf.scan(root, read=np.load)
    assert_folder(bf.scan(root, read=np.load, suffix=".npy"), inputs(), labels())
