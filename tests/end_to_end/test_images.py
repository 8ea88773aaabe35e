"""Images from end to end: packed, delivered, verified, trained on, by the library and by the commands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import brimful as bf
from brimful.cli.main import main
from tests.photos import album, photo, write

RESIZED: dict[str, Any] = {"image_size": (32, 32)}
SIZED = ("--image-size", "32,32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of several formats and sizes in folders of three classes."""
    root = album(tmp_path / "photos", "cat", "dog", "emu", count=12, size=(40, 52))
    for at, kind in enumerate(("png", "webp", "gif", "bmp", "tiff")):
        write(root / "dog", {f"{kind}.{kind}": photo(kind, (90 + at, 70), seed=at)})
    return root


def middle_out(file: Path) -> None:
    """Take the middle of a JPEG's pixels out; its end is there, and packing does not see it."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] + data[-20:])


def batches(data: Any, **options: Any) -> list[tuple[Any, ...]]:
    """All batches of two epochs."""
    found = data.batches(7, include_keys=True, **options)
    return [batch for _ in range(2) for batch in found]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"color_mode": "grayscale", "interpolation": "lanczos3"},
        {"crop_to_aspect_ratio": True, "dtype": "float32"},
        {"pad_to_aspect_ratio": True, "color_mode": "rgba", "interpolation": "nearest"},
    ],
)
def test_a_store_delivers_what_the_folder_does(options: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    """Bit for bit, batch by batch; it keeps every file as it was."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    source = bf.scan(folder, **RESIZED, **options)
    assert source.audit().problems == ()
    packed = bf.pack(source, tmp_path / "photos.brim")
    assert packed.verify().ok
    for data in (packed, bf.open(tmp_path / "photos.brim")):
        assert data.schema == source.schema
        assert list(data.keys) == list(source.keys)
        for one, other in zip(batches(source), batches(data), strict=True):
            assert [each.tobytes() for each in one[:2]] == [each.tobytes() for each in other[:2]]
            assert one[2] == other[2]
        for side, other_side in zip(source.split(test=0.3), data.split(test=0.3), strict=True):
            assert list(side.keys) == list(other_side.keys)
    kept: dict[str, bytes] = {}
    for shard in (tmp_path / "photos.brim").glob("shard-*"):
        with pa.ipc.open_file(shard) as file:
            table = file.read_all()
            kept.update(zip(table["key"].to_pylist(), table["x"].to_pylist(), strict=True))
    assert kept == {str(path.relative_to(folder).with_suffix("")): data for path, data in before.items()}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_little_memory_is_enough_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """Fewer images are in memory at a time."""
    source = bf.scan(folder, **RESIZED)
    data = bf.pack(source, tmp_path / "photos.brim")
    wanted = [x.tobytes() for x, *_ in batches(source, memory="1GB")]
    for each in (source, data):
        assert [x.tobytes() for x, *_ in batches(each, memory="8MB")] == wanted


def test_an_image_whose_damage_packing_does_not_see_is_named_by_the_batch(
    folder: Path, tmp_path: Path
) -> None:
    """With its key; the store itself is as it was packed."""
    source = bf.scan(folder, **RESIZED)
    middle_out(folder / "cat" / "0003.jpg")
    data = bf.pack(source, tmp_path / "photos.brim")
    assert data.verify().ok
    for shuffle in (True, False):
        with pytest.raises(bf.BrimfulError, match="cat/0003"):
            list(data.batches(7, shuffle=shuffle))
    with pytest.raises(bf.BrimfulError, match="cat/0003"):
        data[list(data.keys).index("cat/0003")]
    others = data.select([key for key in data.keys if key != "cat/0003"])
    assert sum(len(x) for x, _ in others.batches(7)) == len(source) - 1


def test_a_cut_image_is_not_packed(folder: Path, tmp_path: Path) -> None:
    """One that has changed since the scan, too; or it is left out."""
    source = bf.scan(folder, **RESIZED)
    file = folder / "cat" / "0003.jpg"
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(bf.BrimfulError, match=r"0003\.jpg"):
        bf.pack(source, tmp_path / "photos.brim")
    usable = bf.scan(folder, on_bad="skip", **RESIZED)
    data = bf.pack(usable, tmp_path / "photos.brim")
    assert len(data) == len(source) - 1
    assert data.verify().ok


def test_a_store_is_brought_up_to_date(folder: Path, tmp_path: Path) -> None:
    """A changed, a new and a removed image."""
    bf.pack(bf.scan(folder, **RESIZED), tmp_path / "photos.brim")
    write(folder / "cat", {"0001.jpg": photo(seed=77), "new.png": photo("png", seed=78)})
    (folder / "emu" / "0200.jpg").unlink(missing_ok=True)
    source = bf.scan(folder, **RESIZED)
    data = bf.pack(source, tmp_path / "photos.brim")
    assert list(data.keys) == list(source.keys)
    assert [x.tobytes() for x, *_ in batches(data)] == [x.tobytes() for x, *_ in batches(source)]
    with pytest.raises(bf.BrimfulError, match="16"):
        bf.pack(bf.scan(folder, image_size=(16, 16)), tmp_path / "photos.brim")
    other = bf.pack(bf.scan(folder, image_size=(16, 16)), tmp_path / "photos.brim", overwrite=True)
    assert other[0][0].shape == (16, 16, 3)


def brimful(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    """Run a command with --json: its exit code, document, and what it says."""
    code = main([*map(str, arguments), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out else None, said.err


def test_scan_lists_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File and kind; exit code 1; nothing wrong: 0; a wrong option: 2."""
    code, found, said = brimful(capsys, "scan", folder, *SIZED)
    assert (code, found["samples"], found["shape"], found["dtype"]) == (0, 41, [32, 32, 3], "uint8")
    assert found["class_counts"] == {"cat": 12, "dog": 17, "emu": 12}
    assert (found["problems"], found["warnings"]) == ([], [])
    assert found["source_bytes"] == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert "41 images (36 jpg" in said
    middle_out(folder / "cat" / "0003.jpg")
    code, found, said = brimful(capsys, "scan", folder, *SIZED)
    assert code == 1
    assert [(each["kind"], each["count"]) for each in found["problems"]] == [("truncated", 1)]
    assert str(folder / "cat" / "0003.jpg") in found["problems"][0]["examples"][0]
    assert "0003.jpg" in said
    assert brimful(capsys, "scan", folder, *SIZED, "--color-mode", "bgr")[0] == 2
    assert brimful(capsys, "scan", folder, "--interpolation", "area")[0] in (1, 2)


@pytest.mark.keras
def test_the_commands_from_scan_to_training(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pack, info, verify and train, of the folder and of the store; and predictions of other images."""
    store = tmp_path / "photos.brim"
    code, packed, _ = brimful(capsys, "pack", folder, store, *SIZED)
    assert (code, packed["samples"], packed["skipped"]) == (0, 41, 0)
    code, info, _ = brimful(capsys, "info", store)
    assert (code, info["samples"], info["shape"], info["dtype"]) == (0, 41, [32, 32, 3], "uint8")
    assert brimful(capsys, "verify", store)[0] == 0
    losses = []
    for number, data in enumerate(((store,), (folder, *SIZED, "--no-pack"), (folder, *SIZED))):
        run = tmp_path / f"run{number}"
        command = ("train", *data, "--run", run, "--model", "lenet", "--epochs", 2, "--batch-size", 8)
        code, trained, said = brimful(capsys, *command)
        assert code == 0, said
        assert [epoch["distinct_samples"] for epoch in trained["epochs"]] == [trained["training_samples"]] * 2
        losses.append([epoch["train"]["loss"] for epoch in trained["epochs"]])
    assert np.isfinite(losses).all()
    assert losses[0] == losses[1] == losses[2]
    new = album(tmp_path / "new", ".", count=5, size=(50, 44))
    code, _, said = brimful(capsys, "predict", tmp_path / "run1", new, "--out", tmp_path / "predictions.csv")
    assert code == 0, said
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 6
    middle_out(folder / "cat" / "0003.jpg")
    assert (
        brimful(capsys, "pack", folder, tmp_path / "b.brim", *SIZED, "--on-bad", "skip")[1]["samples"] == 40
    )


def test_images_import_nothing_of_keras(folder: Path) -> None:
    """Batches of NumPy arrays need no framework."""
    program = (
        "import sys, brimful as bf; "
        f"print(sum(len(x) for x, _ in bf.scan({str(folder)!r}, image_size=(8, 8)).batches(8))); "
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("41\n", 0), done.stderr
