"""Files of NumPy and folders of Zarr: read as they are, or refused before memory is taken for them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import brimful as bf
from brimful.cli.main import cli
from tests.arrays import N, assert_holds, inputs, labels, write_hdf5, write_zarr, zarr


def refused(data: Any, *words: str, **options: Any) -> None:
    """Scanning is an error with these words."""
    with pytest.raises(bf.BrimfulError) as caught:
        bf.scan(data, **options)
    for word in words:
        assert word in str(caught.value)


def header(shape: str, descr: str = "<f4") -> bytes:
    """The header of a NumPy file that says anything."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_a_file_of_numpy_is_inputs(tmp_path: Path) -> None:
    """And the labels may be in another one."""
    np.save(tmp_path / "x.npy", inputs("uint8"))
    np.save(tmp_path / "y.npy", labels())
    assert_holds(bf.scan(tmp_path / "x.npy"), inputs("uint8"), None)
    pair = bf.scan({"x": tmp_path / "x.npy", "y": str(tmp_path / "y.npy")})
    assert_holds(pair, inputs("uint8"), labels())
    assert_holds(bf.pack(pair, tmp_path / "data.brim"), inputs("uint8"), labels())
    assert_holds(bf.scan({"x": np.load(tmp_path / "x.npy", mmap_mode="r")}), inputs("uint8"), None)
    refused(tmp_path / "x.npy", "`x`", x="a")
    refused({"x": tmp_path / "z.npy"}, "z.npy", "no such file")
    refused({"x": write_hdf5(tmp_path / "z.h5", x=inputs())}, "path of a .npy file")


def test_fortran_order_is_said(tmp_path: Path) -> None:
    """Reading it shuffled reads a page for each value."""
    np.save(tmp_path / "x.npy", np.asfortranarray(inputs(n=5000)))
    source = bf.scan(tmp_path / "x.npy")
    assert any("Fortran order: read shuffled, 1,024 bytes" in fact for fact in source.facts)
    assert_holds(bf.pack(source, tmp_path / "x.brim"), inputs(n=5000), None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["no NumPy file", "empty"]),
        (b"hello", ["no NumPy file", "hello"]),
        (header("(60, 4, 3)") + bytes(100), ["cut off", "3,008 bytes", "228"]),
        (header("(2, 3)") + bytes(100), ["goes on behind"]),
        (header("(4000000000, 4000000000, 3)") + bytes(100), ["cut off", "192,000,000,000,000,000,128"]),
        (header("(10**30,)") + bytes(100), ["no intact NumPy file"]),
        (header("(-2, 3)") + bytes(24), ["no intact NumPy file"]),
        (header("(2, True)") + bytes(8), ["no intact NumPy file"]),
        (header("(2, 3)", "|O") + bytes(100), ["Python objects", "unpickled"]),
        (header("(2, 3)", "nonsense") + bytes(100), ["no intact NumPy file"]),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"x" * 70_000, ["no intact NumPy file"]),
        (b"\x93NUMPY\x09\x00" + bytes(100), ["no intact NumPy file"]),
        (header("(0, 3)"), ["no samples"]),
        (header("(3, 0)"), ["no samples"]),
        (header("()") + bytes(4), ["one value"]),
    ],
)
def test_a_damaged_file_is_named(content: bytes, words: list[str], tmp_path: Path) -> None:
    """Whatever its header says, no memory is taken for it."""
    (tmp_path / "x.npy").write_bytes(content)
    refused(tmp_path / "x.npy", "x.npy", *words)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_read(save: Any, tmp_path: Path) -> None:
    """Stored members are mapped; compressed ones take memory, which is said."""
    save(tmp_path / "data.npz", x=inputs(">f4"[1:]), y=labels().astype(">i2"), other=inputs())
    source = bf.scan(tmp_path / "data.npz")
    assert_holds(source, inputs(), labels())
    facts = " ".join(source.facts)
    assert ("x is compressed: it was unpacked, which takes 2.9KB" in facts) is (save is np.savez_compressed)
    assert "not used: other" in facts
    assert_holds(bf.pack(source, tmp_path / "data.brim"), inputs(), labels())


def test_an_archive_of_sides_is_refused_with_what_there_is(tmp_path: Path) -> None:
    """As that of MNIST, which has four arrays."""
    arrays: dict[str, Any] = {
        "x_train": inputs(),
        "y_train": labels(),
        "x_test": inputs(),
        "y_test": labels(),
    }
    np.savez(tmp_path / "mnist.npz", **arrays)
    refused(tmp_path / "mnist.npz", "which array is the input", "x_train (60, 4, 3) float32", "--x images")
    assert_holds(bf.scan(tmp_path / "mnist.npz", x="x_train", y="y_train"), inputs(), labels())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_named(save: Any, tmp_path: Path) -> None:
    """One bit anywhere, a cut, objects, what is no archive."""
    path = tmp_path / "data.npz"
    save(path, x=inputs(), y=labels())
    whole = path.read_bytes()
    for at in range(100, len(whole), 97):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        path.write_bytes(damaged)
        try:
            source = bf.scan(path, x="x", y="y")
            assert_holds(source, inputs(), labels())  # a bit of a date, or of what is repeated elsewhere
        except bf.BrimfulError as error:
            assert "data.npz" in error.message  # noqa: PT017
    for content, words in (
        (whole[: len(whole) // 2], ["no intact archive"]),
        (b"PK\3\4", ["no intact archive"]),
        (b"", ["empty"]),
    ):
        path.write_bytes(content)
        refused(path, "data.npz", *words)
    save(path, x=inputs(), y=np.array([{}] * N, object))
    refused(path, "data.npz[y]", "unpickled")


def test_a_bit_of_a_stored_member_is_found(tmp_path: Path) -> None:
    """Though it is mapped, its checksum is checked."""
    np.savez(tmp_path / "data.npz", x=inputs(), y=labels())
    damaged = bytearray((tmp_path / "data.npz").read_bytes())
    damaged[1500] ^= 1
    (tmp_path / "data.npz").write_bytes(damaged)
    refused(tmp_path / "data.npz", "CRC", "x.npy")


def test_a_member_that_needs_too_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is unpacked."""
    np.savez_compressed(tmp_path / "data.npz", x=inputs())
    monkeypatch.setattr("brimful.sources.arrays.npz.memory_limit", lambda: 5000)
    refused(tmp_path / "data.npz", "data.npz[x]", "2.9KB", "np.savez")


@pytest.mark.parametrize("chunks", [(8, 4, 3), (7, 1, 3), (1, 4, 3), (60, 4, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "bool"])
def test_a_folder_of_zarr_is_read(chunks: Any, dtype: str, tmp_path: Path) -> None:
    """By path, as an open array, and from a store that is not put into it."""
    x = inputs(dtype) + (0 if dtype == "bool" else np.ones(1, dtype))
    x = x.astype(dtype)
    path = write_zarr(tmp_path / "data.zarr", chunks, x=x, y=labels())
    source = bf.scan(path)
    assert_holds(source, x, labels())
    assert_holds(bf.pack(source, tmp_path / "data.brim"), x, labels())
    group = zarr.open_group(path, mode="r")
    assert_holds(bf.scan({"x": group["x"], "y": group["y"]}), x, labels())
    with pytest.raises(bf.ArgumentError, match="in the folder of the source"):
        bf.pack(source, path / "data.brim")


def test_other_folders_of_zarr_are_read(tmp_path: Path) -> None:
    """One array, shards, the format before, groups in groups, text."""
    zarr.create_array(tmp_path / "one.zarr", data=inputs(), chunks=(8, 4, 3))
    assert_holds(bf.scan(tmp_path / "one.zarr"), inputs(), None)
    zarr.create_array(tmp_path / "shards.zarr", data=inputs(), chunks=(8, 4, 3), shards=(16, 4, 3))
    assert_holds(bf.scan(tmp_path / "shards.zarr"), inputs(), None)
    zarr.create_array(tmp_path / "old", data=inputs(), chunks=(8, 4, 3), zarr_format=2)
    assert_holds(bf.scan(tmp_path / "old"), inputs(), None)
    group = zarr.open_group(tmp_path / "deep.zarr", mode="w")
    group.create_group("train").create_array("x", data=inputs(), chunks=(8, 4, 3))
    words = np.array(["cat", "dog", "emu"])[labels()]
    group["train"].create_array("y", shape=(N,), dtype=str)[:] = words
    source = bf.scan(tmp_path / "deep.zarr")
    assert source.schema.classes == ("cat", "dog", "emu")
    assert_holds(source, inputs(), labels())


def test_a_chunk_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A warning, since Zarr does not write chunks of zeros; an array that was never written, too."""
    path = write_zarr(tmp_path / "data.zarr", x=inputs(), y=labels())
    shutil.rmtree(path / "x" / "c" / "2")
    source = bf.scan(path)
    assert [(each.kind, each.is_problem) for each in source.findings] == [("missing_chunk", False)]
    assert "1 of 8 chunks are not there, and are 0.0" in source.findings[0].examples[0]
    x = inputs()
    x[16:24] = 0
    assert_holds(source, x, labels())
    array = zarr.open_group(path, mode="r")["x"]
    assert [each.kind for each in bf.scan({"x": array}).findings] == ["missing_chunk"]
    zarr.create_array(tmp_path / "nan.zarr", shape=(N, 4), dtype="f4", chunks=(8, 4), fill_value=np.nan)
    kinds = {each.kind for each in bf.scan(tmp_path / "nan.zarr").findings}
    assert kinds == {"missing_chunk", "non_finite"}


def test_damaged_folders_of_zarr_are_named(tmp_path: Path) -> None:
    """Metadata that is none, a chunk that is cut off, numbers that mean others."""
    path = write_zarr(tmp_path / "data.zarr", x=inputs(), y=labels())
    chunk = path / "x" / "c" / "2" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    found = bf.scan(path).audit().problems
    assert [(each.kind, each.count) for each in found] == [("malformed", 8)]
    assert "data.zarr[x][16:24]" in found[0].examples[0]
    (path / "zarr.json").write_text("{")
    refused(path, "data.zarr", "cannot open")
    (tmp_path / "empty.zarr").mkdir()
    refused(tmp_path / "empty.zarr", "empty.zarr")
    scaled = write_zarr(tmp_path / "scaled.zarr", x=inputs("int16"))
    zarr.open_group(scaled)["x"].attrs["scale_factor"] = 0.5
    refused(scaled, "scale_factor=0.5", "100 or 50")


@pytest.mark.parametrize("chunks", [(8, 4, 3), None])
def test_the_command_line_scans_and_packs(chunks: Any, tmp_path: Path) -> None:
    """With the arrays by name; the store holds what the file does."""
    path = write_hdf5(tmp_path / "data.h5", chunks, images=inputs("uint16"), kinds=labels())
    run, named = CliRunner(), ["--x", "images", "--y", "kinds", "--json"]
    found = run.invoke(cli, ["scan", str(path), *named])
    assert found.exit_code == 0, found.stderr
    said = json.loads(found.stdout)
    assert (said["samples"], said["shape"], said["dtype"]) == (N, [4, 3], "uint16")
    assert said["class_counts"] == {"0": 20, "1": 20, "2": 20}
    assert said["source_bytes"] == pytest.approx(path.stat().st_size, abs=N)
    packed = run.invoke(cli, ["pack", str(path), str(tmp_path / "out.brim"), *named])
    assert packed.exit_code == 0, packed.stderr
    assert_holds(bf.open(tmp_path / "out.brim"), inputs("uint16"), labels())
    unclear = run.invoke(cli, ["scan", str(path), "--x", "nothing"])
    assert unclear.exit_code in (1, 2)
    assert "images (60, 4, 3) uint16" in str(unclear.exception)


def test_a_library_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    path = write_hdf5(tmp_path / "data.h5", x=inputs())
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(bf.DependencyError) as caught:
        bf.scan(path)
    assert "pip install 'brimful[arrays]'" in caught.value.hint
