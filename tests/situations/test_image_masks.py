"""Situations with masks: an image whose target is another image."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import brimful as bf

SIDES = (12, 16)
NUMBERS = (0, 2, 6, 7, 10)


def mask_of(number: int) -> NDArray[np.uint8]:
    """A mask whose numbers are no classes in a row, unlike for each image."""
    columns = (np.arange(SIDES[1]) + number) // 4 % len(NUMBERS)
    return np.broadcast_to(np.array(NUMBERS, np.uint8)[columns], SIDES).copy()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Thirty images, and the mask of each in another folder."""
    for number in range(30):
        for folder, pixels in (
            ("images", np.full((*SIDES, 3), number, np.uint8)),
            ("masks", mask_of(number)),
        ):
            path = tmp_path / folder / f"{'ab'[number % 2]}/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path


def test_masks_are_targets_by_name(folders: Path) -> None:
    """From the folders and from a store: int64, in the size of the images."""
    source = bf.scan(folders / "images", y=str(folders / "masks"))
    assert source.schema.target.shape == SIDES  # type: ignore[union-attr]
    data = bf.pack(source, folders / "data.brim")
    for samples in (source, data):
        seen = set()
        for x, y, keys in samples.batches(7, include_keys=True):
            assert y.dtype == np.int64
            for image, mask, key in zip(x, y, keys, strict=True):
                number = int(key.rpartition("/")[2])
                assert (image == number).all()
                assert np.array_equal(mask, mask_of(number))
                seen.add(number)
        assert len(seen) == 30
    assert data.verify().ok
    assert not source.audit().problems


@pytest.mark.parametrize("options", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}])
def test_masks_are_resized_without_new_numbers(folders: Path, options: dict[str, Any]) -> None:
    """To the nearest pixel, cropped and padded as the images are."""
    source = bf.scan(folders / "images", y=str(folders / "masks"), image_size=(7, 7), **options)
    for x, y in source.batches(30):
        assert x.shape == (30, 7, 7, 3)
        assert y.shape == (30, 7, 7)
        assert set(np.unique(y)) <= set(NUMBERS)


def test_a_palette_is_its_indices(folders: Path) -> None:
    """Not the colours that they stand for."""
    for path in (folders / "masks").rglob("*.png"):
        image = Image.open(path).copy()
        image.putpalette([255, 0, 0, 0, 255, 0] * 128)
        image.save(path)
    source = bf.scan(folders / "images", y=str(folders / "masks"))
    assert {tuple(np.unique(y)) for _, y in source.batches(30)} == {NUMBERS}


def test_names_with_an_affix_are_paired(folders: Path) -> None:
    """3_mask.png is the mask of 3.png, whatever the order of the listings."""
    for path in list((folders / "masks").rglob("*.png")):
        path.rename(folders / "masks" / f"{path.stem}_mask.png")
    source = bf.scan(folders / "images", y=str(folders / "masks"))
    assert any("by stem and affix" in fact for fact in source.facts)
    for x, y in source.batches(10):
        assert all(
            np.array_equal(mask, mask_of(int(image[0, 0, 0]))) for image, mask in zip(x, y, strict=True)
        )


def test_what_has_no_partner_is_named(folders: Path) -> None:
    """An image without mask is a problem, a mask without image a warning."""
    (folders / "masks/a/4.png").unlink()
    (folders / "images/b/5.png").unlink()
    source = bf.scan(folders / "images", y=str(folders / "masks"))
    audit = source.audit()
    assert [(each.kind, each.count) for each in audit.problems] == [("missing_label", 1)]
    assert "images/a/4.png" in audit.problems[0].examples[0]
    assert ("orphan_label", 1) in [(each.kind, each.count) for each in audit.warnings]
    assert len(bf.scan(folders / "images", y=str(folders / "masks"), on_bad="skip")) == 28


def test_doubtful_masks_are_named(folders: Path) -> None:
    """0 and 255, scattered numbers, another size."""
    masks = sorted((folders / "masks").rglob("*.png"))
    for path in masks:
        Image.fromarray(mask_of(1).astype(bool).astype(np.uint8) * 255).save(path)
    kinds = {each.kind for each in bf.scan(folders / "images", y=str(folders / "masks")).findings}
    assert "binary_mask" in kinds
    for at, path in enumerate(masks):
        Image.fromarray(np.full((SIDES[0], SIDES[1] + at % 2), 5 * at + 1, np.uint8)).save(path)
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 255, SIDES, np.uint8)).save(masks[0])
    found = {each.kind for each in bf.scan(folders / "images", y=str(folders / "masks")).findings}
    assert {"lossy_mask", "unlike_mask"} <= found


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("colours", "colored mask"),
        ("names", "not named like"),
        ("twice", "several masks are named"),
        ("none", "no such"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(folders: Path, how: str, message: str) -> None:
    """By name."""
    masks = folders / "masks"
    if how == "colours":
        for path in masks.rglob("*.png"):
            Image.fromarray(np.zeros((*SIDES, 3), np.uint8)).save(path)
    elif how == "names":
        for path in masks.rglob("*.png"):
            path.rename(path.with_name(f"x{path.name}"))
    elif how == "twice":
        for path in list(masks.rglob("*.png")):
            (masks / "c").mkdir(exist_ok=True)
            Image.open(path).save(masks / "c" / path.name)
            path.rename(masks / path.name)
    else:
        masks = folders / "nowhere"
    with pytest.raises(bf.SourceError, match=message):
        bf.pack(bf.scan(folders / "images", y=str(masks)), folders / "data.brim")


def test_options_for_labels_are_refused(folders: Path) -> None:
    """Masks are the only target then."""
    with pytest.raises(bf.ArgumentError, match="labels"):
        bf.scan(folders / "images", y=str(folders / "masks"), labels="folders")


def test_a_changed_mask_is_packed_again(folders: Path) -> None:
    """Its own file shows that it has changed."""
    source = bf.scan(folders / "images", y=str(folders / "masks"))
    before = source._reader.fingerprints(np.arange(30))
    Image.fromarray(mask_of(9)).save(folders / "masks/a/2.png")
    after = source._reader.fingerprints(np.arange(30))
    changed = (before != after).any(axis=1)
    assert [key for key, is_changed in zip(source.keys, changed, strict=True) if is_changed] == ["a/2"]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_keeps_its_numbers(folders: Path, bits: int) -> None:
    """A decoder stretches them to 0 to 255."""
    numbers = np.arange(SIDES[0] * SIDES[1]).reshape(SIDES) % 2**bits
    rows = np.packbits(
        ((numbers[..., None] >> np.arange(bits)[::-1]) & 1).reshape(SIDES[0], -1).astype(np.uint8), axis=1
    )
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in (
        (b"IHDR", struct.pack(">IIBBBBB", SIDES[1], SIDES[0], bits, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))),
        (b"IEND", b""),
    ):
        checksum = zlib.crc32(name + content)
        parts += [struct.pack(">I", len(content)), name, content, struct.pack(">I", checksum)]
    for path in (folders / "masks").rglob("*.png"):
        path.write_bytes(b"".join(parts))
    for _, y in bf.scan(folders / "images", y=str(folders / "masks")).batches(30):
        assert all(np.array_equal(mask, numbers) for mask in y)
