"""HDF5: what it gives without a word for what is not there, or means otherwise, is refused by name."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.sources.arrays.hdf5 import Hdf5Column
from tests.arrays import N, assert_holds, h5py, inputs, labels, write_hdf5, write_matlab


def refused(data: Any, *words: str, **options: Any) -> None:
    """Scanning is an error with these words."""
    with pytest.raises(bf.BrimfulError) as caught:
        bf.scan(data, **options)
    for word in words:
        assert word in str(caught.value)


def problems(source: bf.Source) -> dict[str, int]:
    """The problems that reading all of it finds."""
    return {each.kind: each.count for each in source.audit().problems}


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list to which the first sample of everything that is read is added."""
    asked: list[int] = []
    read = Hdf5Column.read

    def noted(column: Hdf5Column, start: int, stop: int) -> Any:
        asked.append(start)
        return read(column, start, stop)

    monkeypatch.setattr(Hdf5Column, "read", noted)
    return asked


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the process, since HDF5 looks for external files there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("chunks", [(8, 4, 3), (8, 1, 3), (60, 4, 3), (1, 4, 3), None])
@pytest.mark.parametrize("dtype", ["uint8", ">f4", "bool", "float16"])
def test_every_layout_gives_what_was_written(chunks: Any, dtype: str, folder: Path) -> None:
    """By path, as an open dataset, and from a store."""
    x = inputs(dtype.strip(">")).astype(dtype)
    path = write_hdf5(folder / "data.h5", chunks, images=x, labels=labels())
    source = bf.scan(path)
    assert_holds(source, x, labels())
    assert_holds(bf.pack(source, folder / "data.brim"), x, labels())
    with h5py.File(path) as file:
        assert_holds(bf.scan({"x": file["images"], "y": file["labels"]}), x, labels())


def test_arrays_are_named_by_path_or_by_custom(folder: Path) -> None:
    """Groups for the sides of a split are never mixed."""
    both = {
        f"{side}/{name}": values
        for side in ("train", "test")
        for name, values in (("x", inputs()), ("y", labels()))
    }
    path = write_hdf5(folder / "data.h5", **both)
    refused(path, "test/x (60, 4, 3) float32", "train/y (60,) int64", "--x images")
    for x in ("train/x", "/train/x"):
        assert_holds(bf.scan(path, x=x), inputs(), labels())
    assert_holds(bf.scan(path, x="train/x", y="test/y", labels=False), inputs(), labels())
    assert bf.scan(path, x="train/x", labels=False).schema.target is None
    refused(path, "no array 'nope'", "train/x", x="nope")
    refused(path, "two of x, y", x="train/x", y="train/x")
    refused(path, "`labels`", labels="labels.csv")
    two = write_hdf5(folder / "two.h5", image=inputs(), place=inputs(), y=labels())
    several = bf.scan(two, x=["image", "place"])
    assert set(several[0][0]) == {"image", "place"}


def test_other_arrays_are_said_to_be_unused(folder: Path) -> None:
    """And weights are found by their usual names, not by doubtful ones."""
    path = write_hdf5(folder / "a.h5", x=inputs(), y=labels(), weights=inputs()[:, 0, 0], w=np.ones(N))
    source = bf.scan(path)
    assert any("not used: weights" in fact for fact in source.facts)
    assert source[0][2] == 1


def test_chunks_that_were_never_written_are_no_zeros(folder: Path) -> None:
    """A problem, with the samples in them; left out, or taken for the fill value, if asked for."""
    with h5py.File(folder / "data.h5", "w") as file:
        x = file.create_dataset("x", (N, 4), "f4", chunks=(8, 4))
        x[:16] = 1
        x[24:] = 2
        file["y"] = labels()
    source = bf.scan("data.h5")
    assert {each.kind: each.count for each in source.findings} == {"missing_chunk": 8}
    assert problems(source) == {"missing_chunk": 8}
    with pytest.raises(bf.BrimfulError, match="missing chunk"):
        bf.pack(source, folder / "no.brim")
    left = bf.scan("data.h5", on_bad="skip")
    assert sorted(set(range(N)) - set(map(int, left.keys))) == list(range(16, 24))
    filled = bf.scan("data.h5", fill=0)
    assert not problems(filled)
    assert [each.kind for each in filled.findings] == ["missing_chunk"]
    with h5py.File("data.h5") as file:
        assert_holds(filled, file["x"][:], labels())
        assert problems(bf.scan({"x": file["x"]})) == {"missing_chunk": 8}
    refused("data.h5", "gives 0.0", "fill=1", fill=1)


def test_a_part_of_a_row_of_chunks_may_be_missing(folder: Path) -> None:
    """Where chunks cut samples up, and after a dataset was shrunk and grown."""
    with h5py.File(folder / "cut.h5", "w") as file:
        file.create_dataset("x", (N, 4), "f4", chunks=(8, 2))[:, :2] = 1
    assert problems(bf.scan("cut.h5")) == {"missing_chunk": N}
    with h5py.File(folder / "grown.h5", "w") as file:
        x = file.create_dataset("x", data=inputs(), chunks=(8, 4, 3), maxshape=(None, 4, 3))
        x.resize(32, axis=0)
        x.resize(N, axis=0)
    assert problems(bf.scan("grown.h5")) == {"missing_chunk": 28}
    with h5py.File(folder / "never.h5", "w") as file:
        file.create_dataset("x", (N, 4), "f4")
    assert problems(bf.scan("never.h5")) == {"missing_chunk": N}


def test_labels_that_were_never_written_are_refused(folder: Path) -> None:
    """They would all be of class 0."""
    with h5py.File(folder / "data.h5", "w") as file:
        file["x"] = inputs()
        file.create_dataset("y", (N,), "i8", chunks=(8,))[:40] = 1
    refused("data.h5", "data.h5[y]", "20 labels")


def test_a_virtual_dataset_needs_its_sources(folder: Path) -> None:
    """A source that is gone, one that is not whole, and a place without a source."""
    write_hdf5(folder / "part.h5", d=inputs())
    layout = h5py.VirtualLayout((N, 4, 3), "f4")
    layout[:] = h5py.VirtualSource("part.h5", "d", (N, 4, 3))
    half = h5py.VirtualLayout((2 * N, 4, 3), "f4")
    half[:N] = h5py.VirtualSource("part.h5", "d", (N, 4, 3))
    with h5py.File(folder / "whole.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    with h5py.File(folder / "half.h5", "w") as file:
        file.create_virtual_dataset("x", half)
    assert_holds(bf.scan("whole.h5"), inputs(), None)
    refused("half.h5", "720 of its 1,440 values")
    before = bf.scan("whole.h5")._reader.fingerprints(np.arange(1))
    os.utime("part.h5", (1, 1))
    assert (bf.scan("whole.h5")._reader.fingerprints(np.arange(1)) != before).any()
    with h5py.File("part.h5", "w") as file:
        file.create_dataset("d", (N, 4, 3), "f4", chunks=(8, 4, 3))[:8] = 1
    refused("whole.h5", "part.h5", "never written")
    os.remove("part.h5")  # noqa: PTH107
    refused("whole.h5", "part.h5", "cannot be opened")


def test_an_external_file_must_be_whole(folder: Path) -> None:
    """HDF5 gives zeros for what was cut off."""
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("x", (N, 4), "f4", external=[("raw.bin", 0, N * 16)])[:] = 1
    assert_holds(bf.scan("data.h5"), np.ones((N, 4), "f4"), None)
    os.truncate("raw.bin", 100)
    refused("data.h5", "raw.bin", "100 bytes")
    os.remove("raw.bin")  # noqa: PTH107
    refused("data.h5", "raw.bin", "not there")


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"scale_factor": 0.1, "add_offset": 5.0}, ["scale_factor=0.1", "100 or 15"]),
        ({"_FillValue": np.array([-32767], "i2")}, ["_FillValue=-32767"]),
        ({"scale_factor": 1.0, "add_offset": 0.0, "_FillValue": np.float32("nan")}, []),
    ],
)
def test_numbers_that_mean_others_are_refused(attributes: Any, words: list[str], folder: Path) -> None:
    """With both readings; given as an open dataset, they are raw, and the user is warned."""
    path = write_hdf5(folder / "data.h5", x=inputs("int16"))
    with h5py.File(path, "r+") as file:
        file["x"].attrs.update(attributes)
    if not words:
        assert_holds(bf.scan(path), inputs("int16"), None)
        return
    refused(path, "data.h5[x]", *words)
    with h5py.File(path) as file:
        source = bf.scan({"x": file["x"]})
        assert [each.kind for each in source.findings] == ["scaled_values"]
        assert_holds(source, inputs("int16"), None)


def test_files_of_matlab_are_turned(folder: Path) -> None:
    """Axes come in reverse; the samples, which are last in MATLAB, first; the user is told."""
    x = np.random.default_rng(0).random((4, 3, 2, N))  # height, width, channels, samples
    path = write_matlab(folder / "data.mat", x=x, y=labels().astype(float)[np.newaxis])
    source = bf.scan(path, classes=[0, 1, 2])
    said = {each.kind: each.examples[0] for each in source.findings}
    assert "(4, 3, 2, 60) in MATLAB" in said["matlab_axes"]
    assert_holds(source, np.moveaxis(x, -1, 0), labels())
    column = write_matlab(folder / "column.mat", x=x, y=labels().astype(float)[:, np.newaxis])
    assert_holds(bf.scan(column, classes=[0, 1, 2]), np.moveaxis(x, -1, 0), labels())
    rows = write_matlab(folder / "rows.mat", x=np.ones((N, 7)), y=labels()[:, np.newaxis])
    refused(rows, "x] has 7 samples", "Axis 1 of", "last in MATLAB")


def test_older_files_of_matlab_are_refused(folder: Path) -> None:
    """They are not HDF5, and keep numbers in dtypes that differ from file to file."""
    (folder / "old.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(128) + bytes(100))
    refused("old.mat", "before 7.3", "mat_dtype=True")


def test_reading_goes_chunk_by_chunk_in_rising_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk once, x and y by the same index, repeats allowed, in the order asked for."""
    source = bf.scan(write_hdf5(folder / "data.h5", x=inputs(), y=labels()))
    samples = source._reader.format
    asked = counting(monkeypatch)
    numbers = np.array([59, 3, 40, 3, 0, 33, 58])
    assert np.array_equal(samples.read(numbers).x, inputs()[numbers])
    assert asked == [0, 32, 40, 56]
    assert any("8 bytes are read for each byte used; pack it" in fact for fact in source.facts)


def test_packing_reads_each_chunk_about_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each sample in it, and with masks as targets likewise."""
    n = 3000
    x = np.arange(n * 12, dtype="f4").reshape(n, 12)
    source = bf.scan(write_hdf5(folder / "data.h5", (100, 12), x=x, y=x.astype("i8")))
    asked = counting(monkeypatch)
    data = bf.pack(source, folder / "data.brim")
    assert len(asked) < 4 * 2 * n // 100  # estimated and read, x and y
    for at in range(0, n, 100):
        assert np.array_equal(data[at][0], x[int(data.keys[at])])
        assert np.array_equal(data[at][1], x[int(data.keys[at])])


def test_text_labels_are_decoded(folder: Path) -> None:
    """Of any length and of a fixed one, padded by blanks or not."""
    words = np.array(["cat", "dög", "emu"])[labels()]
    for name, y in (
        ("any", np.array(list(words), h5py.string_dtype())),
        ("fixed", np.char.encode(words, "utf-8")),
        ("padded", np.char.ljust(np.char.encode(words, "utf-8"), 9)),
    ):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["x"], file["y"] = inputs(), y
        source = bf.scan(folder / f"{name}.h5")
        assert source.schema.classes == ("cat", "dög", "emu")
        assert_holds(source, inputs(), labels())


def test_a_process_of_its_own_opens_the_file_anew(folder: Path) -> None:
    """Handles of before a fork give wrong numbers."""
    source = bf.scan(write_hdf5(folder / "data.h5", x=inputs(), y=labels()))
    samples = source._reader.format
    mine = samples.read(np.arange(N)).x
    context, read = multiprocessing.get_context("fork"), _Read(samples)
    with context.Pool(2) as pool:
        theirs = pool.map(read, [np.arange(start, start + 20) for start in (0, 20, 40)])
    assert np.array_equal(np.concatenate(theirs), mine)


class _Read:
    """Reads in a process that was forked: what it reads with is not pickled."""

    held: Any = None

    def __init__(self, samples: Any) -> None:
        _Read.held = samples

    def __call__(self, numbers: Any) -> Any:
        x: Any = _Read.held.read(numbers).x
        return x


def test_damage_is_named(folder: Path) -> None:
    """A file that is cut off, empty, something else; a bit that flipped; a compression that is not there."""
    path = write_hdf5(folder / "data.h5", x=inputs(), y=labels())
    whole = path.read_bytes()
    for content, words in (
        (whole[: len(whole) // 2], ["bad.h5", "truncated"]),
        (b"", ["bad.h5", "empty"]),
        (b"version https://git-lfs.github.com/spec/v1\n", ["git lfs pull"]),
        (b"id,label\n1,2\n", ["no HDF5 file", "id,label"]),
    ):
        (folder / "bad.h5").write_bytes(content)
        refused("bad.h5", *words)
    refused("nowhere.h5", "no such file")
    with h5py.File(path) as file:
        place = file["x"].id.get_chunk_info(2)
    damaged = bytearray(whole)
    damaged[place.byte_offset + place.size // 2] ^= 0xFF
    path.write_bytes(damaged)
    found = bf.scan(path).audit().problems
    assert [(each.kind, each.count) for each in found] == [("malformed", 8)]
    assert "data.h5[x][16:24]" in found[0].examples[0]
    assert len(bf.scan(path, on_bad="skip")) == N - 8


def test_a_compression_that_is_not_there_is_named(folder: Path) -> None:
    """Before a value is read."""
    with h5py.File(folder / "data.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((8, 4))
        properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))  # Zstandard
        space = h5py.h5s.create_simple((N, 4))
        h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_FLOAT, space, properties)
    if h5py.h5z.filter_avail(32015):
        pytest.skip("it is there")
    refused("data.h5", "data.h5[x]", "32015", "hdf5plugin")


def test_a_file_that_changed_is_not_read_on(folder: Path) -> None:
    """Half of one and half of the other would be delivered."""
    path = write_hdf5(folder / "data.h5", x=inputs(), y=labels())
    source = bf.scan(path)
    write_hdf5(path, x=inputs() + 1, y=labels())
    with pytest.raises(bf.ReadError, match="has changed"):
        source[0]


def test_what_is_no_array_of_numbers_is_refused(folder: Path) -> None:
    """Text, structures and references, by name; a name is no guess about it."""
    with h5py.File(folder / "data.h5", "w") as file:
        file["text"] = np.array([b"a"] * N)
        file["pairs"] = np.zeros(N, [("a", "f4"), ("b", "i4")])
        file.create_dataset("ragged", (N,), h5py.vlen_dtype("f4"))
        file["one"] = 3.0
    for name, word in (("text", "text"), ("pairs", "'a', 'b'"), ("ragged", "objects")):
        refused("data.h5", f"data.h5[{name}]", word, x=name)
    refused("data.h5", "which array is the input", "pairs (60,)")


def test_a_store_is_packed_beside_the_file_and_brought_up_to_date(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unchanged file is not packed again; a changed one is."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the file were old
    path = write_hdf5(folder / "data.h5", x=inputs(), y=labels())
    bf.pack(bf.scan(path), folder / "data.brim")
    assert bf.scan(path).is_packed_in(folder / "data.brim")
    x = inputs()
    x[5] = 9
    write_hdf5(path, x=x, y=labels())
    assert not bf.scan(path).is_packed_in(folder / "data.brim")
    assert_holds(bf.pack(bf.scan(path), folder / "data.brim"), x, labels())


def test_a_dataset_of_a_closed_file_is_refused(folder: Path) -> None:
    """With what to do instead; a whole file or group that is open has its arrays by name."""
    with h5py.File(write_hdf5(folder / "data.h5", x=inputs(), y=labels())) as file:
        assert_holds(bf.scan(file), inputs(), labels())
        x = file["x"]
    refused({"x": x}, "file that is closed", "by its path")
