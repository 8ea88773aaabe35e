"""Pixels in folders: depth, orientation, transparency, broken files: right, or refused with their names."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

import brimful as bf
from tests.photos import album, encoded, photo, pixels, tiff, turned, write

SMALL: dict[str, Any] = {"image_size": (8, 8)}


def problems(source: bf.Source) -> dict[str, int]:
    """What the audit finds wrong with the images."""
    return {each.kind: each.count for each in source.audit().problems}


def of(source: Any, key: str) -> NDArray[Any]:
    """The image of a key."""
    found: NDArray[Any] = source[list(source.keys).index(key)][0]
    return found


def middle_out(data: bytes) -> bytes:
    """A JPEG without the middle of its pixels; its end is there."""
    return data[: len(data) // 2] + data[-20:]


@pytest.mark.parametrize("kind", ["png", "tiff", "tiff of the other byte order"])
def test_16_bits_are_asked_for_or_refused(kind: str, tmp_path: Path) -> None:
    """They are never clipped to 255, and no byte is dropped."""
    deep = np.random.default_rng(0).integers(0, 40_001, (12, 9, 7)).astype(np.uint16)
    for at, x in enumerate(deep):
        if kind == "png":
            write(tmp_path, {f"{at}.png": encoded(Image.fromarray(x), "png")})
        else:
            write(tmp_path, {f"{at}.tif": tiff(x, "<" if kind == "tiff" else ">", black=1)})
    plain = bf.scan(tmp_path)
    assert problems(plain) == {"deep_color": 12}
    with pytest.raises(bf.SourceError, match="deep color"):
        plain.batches(4)
    assert any("uint16" in message for finding in plain.findings for message in finding.examples)
    source = bf.scan(tmp_path, color_mode="grayscale", dtype="uint16")
    assert problems(source) == {}
    assert source.schema.inputs == bf.schema.Field((9, 7, 1), "uint16", "image/grayscale/bilinear/exact")
    for data in (source, bf.pack(source, tmp_path.parent / "x.brim")):
        assert all(np.array_equal(of(data, str(at))[:, :, 0], x) for at, x in enumerate(deep))
    low, high = source.audit().value_range or (0, 0)
    assert (low, high) == (deep.min(), deep.max())
    with pytest.raises(bf.ArgumentError, match="grayscale"):
        bf.scan(tmp_path, dtype="uint16")


def test_photos_of_phones_stand_upright(tmp_path: Path) -> None:
    """Whatever their format; how many are turned is said, and their size is the one that is seen."""
    images = {kind: encoded(pixels((10, 16)), kind, exif=turned(6)) for kind in ("png", "tiff")}
    write(tmp_path, {f"{kind}.{kind[:4]}": data for kind, data in images.items()})
    write(tmp_path, {"jpeg.jpg": photo(size=(10, 16), exif=turned(6)), "up.png": photo("png", (16, 10))})
    source = bf.scan(tmp_path)
    assert isinstance(source.schema.inputs, bf.schema.Field)
    assert source.schema.inputs.shape == (16, 10, 3)
    assert any("3 turned by their EXIF orientation" in fact for fact in source.facts)
    for key in images:
        assert np.array_equal(of(source, key), np.rot90(pixels((10, 16)), -1))


@pytest.mark.parametrize(
    ("kind", "suffix"), [("jpeg", "jpg"), ("png", "png"), ("tiff", "tif"), ("webp", "webp")]
)
def test_the_common_size_is_the_one_that_is_seen(kind: str, suffix: str, tmp_path: Path) -> None:
    """Of turned images alone."""
    write(tmp_path, {f"{at}.{suffix}": photo(kind, (10, 16), seed=at, exif=turned(8)) for at in range(3)})
    source = bf.scan(tmp_path)
    assert source.schema.input_fields[0].shape == (16, 10, 3)
    assert problems(source) == {}


def test_moving_pictures_and_pages_are_refused(tmp_path: Path) -> None:
    """One frame is not taken for all."""
    frames = [Image.fromarray(pixels(seed=at)) for at in range(3)]
    for kind, suffix in (("gif", "gif"), ("png", "png"), ("webp", "webp"), ("tiff", "tif")):
        several = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        write(tmp_path, {f"moving {kind}.{suffix}": several})
    write(tmp_path, {f"{at}.gif": photo("gif", seed=at) for at in range(3)})
    source = bf.scan(tmp_path)
    assert problems(source) == {"several_frames": 4}
    assert all("3 frames or pages" in fault.message for fault in source.audit().faults)
    assert sorted(bf.scan(tmp_path, on_bad="skip").keys) == ["0", "1", "2"]


@pytest.mark.parametrize("is_told_to_fill", [False, True])
def test_broken_files_are_found_and_named(
    is_told_to_fill: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its kind of fault; never filled up with grey, whatever an import has told Pillow."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", is_told_to_fill)
    album(tmp_path, "cat", "dog", count=5, size=(60, 80))
    whole = photo(size=(60, 80))
    bad = {
        "half.jpg": (whole[: len(whole) // 2], "truncated"),
        "end.jpg": (whole[:-2], "truncated"),
        "middle.jpg": (middle_out(whole), "truncated"),
        "zeros.jpg": (bytes(3000), "no_image"),
        "empty.jpg": (b"", "empty"),
        "filled.jpg": (whole[:900].ljust(len(whole), b"\0"), "truncated"),
        "text.png": (b"not found\n", "no_image"),
        "short.bmp": (photo("bmp")[:-1000], "truncated"),
        "less.gif": (photo("gif")[:-1000] + b";", None),
        "little.tif": (photo("tiff", compression="tiff_lzw")[:-1000], None),
        "flipped.png": (photo("png").replace(b"IDAT", b"IDAT\1"), None),
    }
    write(tmp_path / "cat", {name: data for name, (data, _) in bad.items()})
    source = bf.scan(tmp_path, image_size=(16, 16))
    faults = {Path(fault.message.partition(": ")[0]).name: fault for fault in source.audit().faults}
    assert faults.keys() == bad.keys()
    for name, (_, kind) in bad.items():
        assert kind in (None, faults[name].kind), name
    usable = bf.scan(tmp_path, image_size=(16, 16), on_bad="skip")
    assert len(usable) == 10
    assert {fault.key.rpartition("/")[2] for fault in usable.skipped} == {name[:-4] for name in bad}
    assert sum(len(x) for x, _ in usable.batches(4)) == 10


def test_a_broken_file_stops_training_with_its_name(tmp_path: Path) -> None:
    """One that the scan did not try, and nobody audited."""
    source = bf.scan(album(tmp_path, "cat", "dog", count=5), **SMALL)
    place = Path(source._reader.format.place(3))
    place.write_bytes(middle_out(photo(size=(60, 80))))
    with pytest.raises(bf.MalformedFileError) as caught:
        list(source.batches(4))
    assert str(place) in caught.value.message
    place.unlink()
    with pytest.raises(bf.SourceError, match="cannot be read") as gone:
        list(source.batches(4))
    assert str(place) in gone.value.message


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_kept_or_refused(mode: str, tmp_path: Path) -> None:
    """It is not put on black, and no colours below it are shown."""
    image = Image.fromarray(pixels(channels=4))
    image.putalpha(Image.fromarray((pixels(channels=1) > 100).astype(np.uint8) * 255))
    file = encoded(
        image.convert("LA") if mode == "LA" else image.quantize(20) if mode == "P" else image, "png"
    )
    assert Image.open(io.BytesIO(file)).mode == mode
    write(tmp_path, {"logo.png": file, **{f"{at}.png": photo("png", seed=at) for at in range(3)}})
    source = bf.scan(tmp_path)
    assert problems(source) == {"transparent": 1}
    assert "rgba" in source.audit().faults[0].message
    assert any(f"1 {mode}" in fact for fact in source.facts)
    both = bf.scan(tmp_path, color_mode="rgba")
    assert problems(both) == {}
    wanted = np.asarray(Image.open(io.BytesIO(file)).convert("RGBA"))
    assert np.array_equal(of(both, "logo"), wanted)
    assert (of(both, "1")[:, :, 3] == 255).all()


def test_grey_among_colour_becomes_colour_and_not_the_other_way(tmp_path: Path) -> None:
    """Unless that is asked for; how many there are is said."""
    grey = encoded(pixels(channels=1), "png")
    write(tmp_path, {"grey.png": grey, **{f"{at}.png": photo("png", seed=at) for at in range(3)}})
    source = bf.scan(tmp_path)
    assert problems(source) == {}
    assert "of the first 4: 3 RGB, 1 L" in source.facts
    assert np.array_equal(of(source, "grey"), np.repeat(pixels(channels=1)[:, :, None], 3, axis=2))
    asked = bf.scan(tmp_path, color_mode="grayscale")
    assert np.array_equal(of(asked, "grey")[:, :, 0], pixels(channels=1))
    assert np.array_equal(of(asked, "1")[:, :, 0], np.asarray(Image.fromarray(pixels(seed=1)).convert("L")))


def test_sizes_that_differ_are_a_question(tmp_path: Path) -> None:
    """Nobody guesses to which one; a few of another size are named."""
    write(tmp_path, {f"{at}.png": photo("png", (20 + at, 30), seed=at) for at in range(4)})
    with pytest.raises(bf.MalformedFileError, match="no size in common") as caught:
        bf.scan(tmp_path)
    assert "--image-size" in caught.value.hint
    assert len(bf.scan(tmp_path, **SMALL)) == 4
    write(tmp_path, {f"more{at}.png": photo("png", (20, 30), seed=at) for at in range(6)})
    source = bf.scan(tmp_path)
    assert problems(source) == {"wrong_shape": 3}
    assert problems(bf.scan(tmp_path, shape=(20, 30, 3))) == {"wrong_shape": 3}
    assert problems(bf.scan(tmp_path, shape=(21, 30, 3))) == {"wrong_shape": 9}


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": (8,)},
        {"image_size": (8, 8, 3)},
        {"image_size": (8, 8), "shape": (8, 8, 3)},
        {"image_size": (8, 8), "crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True},
        {"image_size": (8, 8), "interpolation": "cubic"},
        {"image_size": (8, 8), "color_mode": "bgr"},
        {"image_size": (8, 8), "dtype": "int8"},
        {"interpolation": "bicubic"},
        {"crop_to_aspect_ratio": True},
        {"shape": (8, 8)},
        {"shape": (8, 8, 2)},
        {"shape": (8, 8, 1), "color_mode": "rgb"},
        {"image_size": (8, 8), "decimal": ","},
        {"image_size": (8, 8), "maxlen": 3},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(bf.ArgumentError):
        bf.scan(album(tmp_path, "cat", "dog"), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": (9, 7), "color_mode": "grayscale", "interpolation": "area"},
        {"image_size": (9, 7), "crop_to_aspect_ratio": True, "dtype": "float32"},
        {"image_size": (9, 7), "pad_to_aspect_ratio": True, "color_mode": "rgba"},
        {"color_mode": "grayscale"},
        {"shape": (20, 24, 1)},
    ],
)
def test_a_folder_like_another_is_resized_like_it(options: dict[str, Any], tmp_path: Path) -> None:
    """From a source and from a store; and all of it comes from there."""
    train = bf.scan(album(tmp_path / "train", "cat", "dog"), **options)
    album(tmp_path / "test", "cat", "dog", count=3)
    for like in (train, bf.pack(train, tmp_path / "train.brim")):
        test = bf.scan(tmp_path / "test", like=like)
        assert test.schema == train.schema
        alone = bf.scan(tmp_path / "test", **options)
        assert all(np.array_equal(of(test, key), of(alone, key)) for key in alone.keys)
        with pytest.raises(bf.ArgumentError, match=r"like|Expected one of"):
            bf.scan(tmp_path / "test", like=like, image_size=(3, 3))
    if "image_size" not in options:
        album(tmp_path / "other", "cat", "dog", size=(21, 24))
        assert problems(bf.scan(tmp_path / "other", like=train)) == {"wrong_shape": 8}
