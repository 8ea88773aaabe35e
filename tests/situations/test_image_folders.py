"""Folders of images: which files are samples, and of which class."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.photos import album, photo, pixels, write

SMALL: dict[str, Any] = {"image_size": (8, 8)}


def kinds(source: bf.Source) -> list[tuple[str, int, bool]]:
    """What was noticed: kind, count, and whether it is a problem."""
    return [(finding.kind, finding.count, finding.is_problem) for finding in source.findings]


def labelled(source: Any) -> dict[str, int]:
    """The number of each key's class."""
    return {key: int(source[at][1]) for at, key in enumerate(source.keys)}


@pytest.mark.parametrize("folders", [("dogs", "cats"), ("cats", "dogs")])
def test_classes_are_numbered_by_name(folders: tuple[str, ...], tmp_path: Path) -> None:
    """Whichever folder was made first, or is named first in a table."""
    source = bf.scan(album(tmp_path / "a", *folders), **SMALL)
    assert source.schema.classes == ("cats", "dogs")
    assert kinds(source) == []
    assert all(number == key.startswith("dogs") for key, number in labelled(source).items())
    for first in ("dog", "cat"):
        other = "cat" if first == "dog" else "dog"
        root = write(tmp_path / first, {"0.jpg": photo(), "1.jpg": photo(seed=1), "2.jpg": photo(seed=2)})
        (root / "labels.csv").write_text(f"id,label\n0.jpg,{first}\n1.jpg,{other}\n2.jpg,{first}\n")
        assert bf.scan(root, **SMALL).schema.classes == ("cat", "dog")


@pytest.mark.parametrize("is_empty", [False, True])
def test_a_class_that_is_missing_moves_no_other(is_empty: bool, tmp_path: Path) -> None:
    """Its folder is not there, or holds nothing; of source and store alike."""
    train = bf.scan(album(tmp_path / "train", "0", "90", "180", "270"), **SMALL)
    album(tmp_path / "test", "0", "90", "270")
    if is_empty:
        (tmp_path / "test" / "180").mkdir()
    for like in (train, bf.pack(train, tmp_path / "train.brim")):
        test = bf.scan(tmp_path / "test", like=like)
        assert test.schema == train.schema
        assert test.known_counts() == {0: 4, 90: 4, 180: 0, 270: 4}


def test_a_class_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """With its name."""
    train = bf.scan(album(tmp_path / "train", "cat", "dog"), **SMALL)
    test = bf.scan(album(tmp_path / "test", "cat", "dog", "emu"), like=train)
    assert kinds(test) == [("unknown_label", 4, True)]
    with pytest.raises(bf.LabelError, match="emu"):
        test.batches(4)


def test_hidden_folders_and_files_are_no_data(tmp_path: Path) -> None:
    """Checkpoints of a notebook, also in a class; files of the desktop; what a zip of macOS holds."""
    album(tmp_path, "cat", "dog", ".ipynb_checkpoints", "cat/.ipynb_checkpoints")
    double = b"\0\5\x16\7" * 40
    more = {
        ".DS_Store": b"x",
        "cat/Thumbs.db": b"x",
        "__MACOSX/cat/._0000.jpg": double,
        "cat/._0000.jpg": double,
    }
    source = bf.scan(write(tmp_path, {**more, "cat/._1.heic": double}), **SMALL)
    assert source.schema.classes == ("cat", "dog")
    assert len(source) == 8
    assert kinds(source) == []
    said = "\n".join(source.facts)
    assert all(what in said for what in ("2 hidden folders", "2 hidden .jpg", "1 hidden .heic", "1 .db"))


@pytest.mark.parametrize(
    "folders",
    [("train", "test"), ("train", "val", "test"), ("train", "valid"), (".", "only"), ("only",), (".",)],
)
def test_sides_and_single_folders_are_no_classes(folders: tuple[str, ...], tmp_path: Path) -> None:
    """Nor are images at several depths; that there are no labels is said."""
    source = bf.scan(album(tmp_path, *folders), **SMALL)
    assert source.schema.target is None
    assert "no labels" in source.facts
    sides = [each for each in kinds(source) if len(folders) > 1 and "." not in folders]
    assert sides == kinds(source)
    assert all(kind == "folders_without_labels" for kind, _, _ in sides)


def test_a_name_with_the_word_test_in_it_makes_no_split(tmp_path: Path) -> None:
    """Nothing is dropped."""
    names = ("a train at dawn", "test tubes", "test_3", "train")
    source = bf.scan(
        write(tmp_path, {f"{name}.jpg": photo(seed=at) for at, name in enumerate(names)}), **SMALL
    )
    assert sorted(source.keys) == sorted(names)
    assert kinds(source) == []
    assert sum(map(len, source.split(test=0.5, split_seed=1))) == 4


@pytest.mark.parametrize("inner", [("patient1", "patient2"), ("a", "b")])
def test_two_levels_that_may_be_classes_are_a_question(inner: tuple[str, ...], tmp_path: Path) -> None:
    """As for other files: both readings, and the option for each."""
    source = bf.scan(
        album(tmp_path, *(f"{name}/{each}" for name in ("cat", "dog") for each in inner)), **SMALL
    )
    assert kinds(source) == [("doubtful_label", 16, True)]
    assert bf.scan(tmp_path, labels="folders:1", **SMALL).schema.classes == ("cat", "dog")
    assert bf.scan(tmp_path, labels="folders:2", **SMALL).schema.classes == inner


def test_every_format_is_read_whatever_its_suffix_is_like(tmp_path: Path) -> None:
    """In capitals or not; those that cannot be read are a problem, not left out in silence."""
    files = {
        "cat/1.jpg": photo(),
        "cat/2.JPEG": photo(seed=1),
        "cat/3.gif": photo("gif"),
        "dog/4.tif": photo("tiff"),
        "dog/5.webp": photo("webp"),
        "dog/6.PNG": photo("png"),
        "dog/7.Bmp": photo("bmp"),
    }
    source = bf.scan(write(tmp_path, files), **SMALL)
    assert sorted(source.keys) == sorted(name.rpartition(".")[0] for name in files)
    assert kinds(source) == []
    assert source.audit().problems == ()
    assert "of the first 7: 6 RGB, 1 P" in source.facts
    write(tmp_path, {"dog/8.heic": b"x", "dog/9.HEIC": b"x"})
    source = bf.scan(tmp_path, **SMALL)
    assert kinds(source) == [("unread_image", 2, True)]
    with pytest.raises(bf.SourceError, match=r"8\.heic"):
        source.batches(2)
    assert len(bf.scan(tmp_path, suffix=".jpg", **SMALL)) == 1


def test_files_that_are_named_wrongly_are_read_and_listed(tmp_path: Path) -> None:
    """A PNG called .jpg is a PNG."""
    files = {f"{at}.jpg": photo(seed=at) for at in range(5)}
    source = bf.scan(
        write(tmp_path, {**files, "x.jpg": photo("png", seed=9), "y.png": photo("gif")}), **SMALL
    )
    assert kinds(source) == [("wrong_suffix", 2, False)]
    examples = source.findings[0].examples
    assert any(each.endswith("x.jpg is PNG") for each in examples)
    assert any(each.endswith("y.png is GIF") for each in examples)
    whole = bf.scan(tmp_path)
    assert np.array_equal(whole[list(whole.keys).index("x")][0], pixels(seed=9))


def test_two_files_of_one_key_are_named(tmp_path: Path) -> None:
    """And which suffix is meant can be said."""
    write(tmp_path, {"photos/a.jpg": photo(), "photos/a.png": photo("png"), "photos/b.jpg": photo(seed=1)})
    with pytest.raises(bf.SourceError, match=r"photos/a\.(jpg|png) and photos/a\.(jpg|png)"):
        bf.scan(tmp_path, **SMALL)
    assert sorted(bf.scan(tmp_path, suffix=".jpg", **SMALL).keys) == ["photos/a", "photos/b"]


@pytest.mark.parametrize(
    "names",
    [
        ("images/{}.jpg", "masks/{}.png"),
        ("train/image/{}.jpg", "train/label/{}.png"),
        ("{}.jpg", "{}_mask.png"),
        ("{}.jpg", "{}-segmentation.png"),
        ("a/benign ({}).png", "a/benign ({})_mask_1.png"),
    ],
)
def test_masks_are_no_samples(names: tuple[str, str], tmp_path: Path) -> None:
    """They are a problem until it is said what they are."""
    images, masks = (
        {name.format(at): photo("jpeg" if ".jpg" in name else "png", seed=at) for at in range(8)}
        for name in names
    )
    source = bf.scan(write(tmp_path, {**images, **masks}), **SMALL)
    assert ("mask_of_another", 8, True) in kinds(source)
    with pytest.raises(bf.SourceError, match="mask of another"):
        source.batches(4)
    if "/" in names[0] and names[0][0] != "a":
        alone = bf.scan((tmp_path / names[0]).parent, **SMALL)
        assert len(alone) == 8
        assert kinds(alone) == []


def test_names_that_are_only_like_those_of_masks_are_samples(tmp_path: Path) -> None:
    """Classes about masks; single images."""
    album(tmp_path / "a", "with_mask", "without_mask")
    assert bf.scan(tmp_path / "a", **SMALL).schema.classes == ("with_mask", "without_mask")
    assert kinds(bf.scan(tmp_path / "a", **SMALL)) == []
    album(tmp_path / "b", "faces", count=9)
    source = bf.scan(write(tmp_path / "b", {"faces/0000_mask.jpg": photo()}), **SMALL)
    assert kinds(source) == []
    parts = album(tmp_path / "c", "images", "masks", count=4)
    assert bf.scan(parts, labels="folders", **SMALL).schema.classes == ("images", "masks")


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json", ".csv"])
def test_files_of_labels_beside_the_images_are_named(suffix: str, tmp_path: Path) -> None:
    """They may hold what is to be predicted; that they are left out is a warning, with the options."""
    images = {f"{at}.jpg": photo(seed=at) for at in range(6)}
    notes = {f"{at}{suffix}": f"{at % 2}\n".encode() for at in range(6)}
    write(tmp_path, {**images, **notes, "README.md": b"About"})
    source = bf.scan(tmp_path, **SMALL) if suffix == ".csv" else bf.scan(tmp_path)
    assert len(source) == 6
    assert ("label_files", 6, False) in kinds(source)
    assert kinds(bf.scan(tmp_path, labels=False, **SMALL)) == []
    if suffix == ".txt":
        asked = bf.scan(tmp_path, labels="files:*.txt")
        assert labelled(asked) == {str(at): at % 2 for at in range(6)}
        assert kinds(asked) == []


def test_a_few_plots_among_text_files_make_it_no_folder_of_images(tmp_path: Path) -> None:
    """Nor do a few notes among images make it one of text."""
    for at in range(10):
        np.savetxt(tmp_path / f"{at}.csv", np.full((3, 2), at))
    write(tmp_path, {f"plot{at}.png": photo("png", seed=at) for at in range(4)})
    assert bf.scan(tmp_path).schema.inputs == bf.schema.Field((3, 2), "float32")
    write(tmp_path / "b", {**{f"{at}.png": photo("png", seed=at) for at in range(4)}, "notes.txt": b"1 2 3"})
    assert len(bf.scan(tmp_path / "b")) == 4
    write(tmp_path, {f"more{at}.png": photo("png", seed=at) for at in range(9)})
    assert kinds(bf.scan(tmp_path)) == [("second_suffix", 10, False)]
    assert kinds(bf.scan(tmp_path, suffix=".png")) == []
    assert len(bf.scan(tmp_path, suffix=".csv")) == 10


@pytest.mark.parametrize(
    "ids", ["img{}.jpg", "img{}", "inner/img{}.jpg", "inner/img{}", "C:\\data\\inner\\img{}.jpg"]
)
def test_a_table_names_images_in_any_of_the_usual_ways(ids: str, tmp_path: Path) -> None:
    """And the way is said."""
    write(tmp_path, {f"inner/img{at}.jpg": photo(seed=at) for at in range(6)})
    lines = (f"{ids.format(at)},{'ab'[at % 2]}\n" for at in range(6))
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(lines))
    source = bf.scan(tmp_path, **SMALL)
    assert labelled(source) == {f"inner/img{at}": at % 2 for at in range(6)}
    assert any("names the samples by" in fact for fact in source.facts)
    assert kinds(source) == []


def test_a_stem_in_two_folders_is_not_joined(tmp_path: Path) -> None:
    """The table must say which is meant."""
    write(
        tmp_path,
        {"a/001.png": photo("png"), "b/001.png": photo("png", seed=1), "b/002.png": photo("png", seed=2)},
    )
    (tmp_path / "labels.csv").write_text("id,label\n001,cat\n002,dog\n")
    with pytest.raises(bf.LabelError, match=r"a/001\.png, b/001\.png"):
        bf.scan(tmp_path, **SMALL)
    (tmp_path / "labels.csv").write_text("id,label\na/001,cat\nb/001,dog\nb/002,dog\n")
    assert labelled(bf.scan(tmp_path, **SMALL)) == {"a/001": 0, "b/001": 1, "b/002": 1}


def test_images_without_labels_have_none(tmp_path: Path) -> None:
    """A folder to predict on; or files that the table does not name: never class 0."""
    train = bf.scan(album(tmp_path / "train", "cat", "dog"), **SMALL)
    test = bf.scan(album(tmp_path / "test", "."), like=train)
    assert test.schema.target is None
    assert test.schema.inputs == train.schema.inputs
    root = album(tmp_path / "some", ".", count=6)
    (root / "labels.csv").write_text("id,label\n0000.jpg,cat\n0001.jpg,dog\n0002.jpg,dog\n")
    source = bf.scan(root, **SMALL)
    assert kinds(source) == [("missing_label", 3, True)]
    with pytest.raises(bf.LabelError, match="missing label"):
        source.batches(2)
    assert sorted(bf.scan(root, on_bad="skip", **SMALL).keys) == ["0000", "0001", "0002"]


def test_one_image_is_a_folder_of_images(tmp_path: Path) -> None:
    """Of its own size."""
    source = bf.scan(write(tmp_path, {"a.jpg": photo()}))
    assert (len(source), source.schema.inputs) == (
        1,
        bf.schema.Field((37, 53, 3), "uint8", "image/rgb/bilinear/exact"),
    )


def test_a_limit_draws_the_same_images(tmp_path: Path) -> None:
    """With their labels."""
    album(tmp_path, "cat", "dog", count=20)
    few, whole = bf.scan(tmp_path, limit=9, **SMALL), bf.scan(tmp_path, **SMALL)
    assert len(few) == 9
    assert list(few.keys) == list(bf.scan(tmp_path, limit=9, **SMALL).keys)
    assert labelled(few).items() <= labelled(whole).items()
