"""Situations with tar archives: each is read right, or refused by name."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.archives import npy, sample, write_shards, write_tar


def test_shards_are_read_packed_and_delivered(tmp_path: Path) -> None:
    """Images, arrays and labels by the names of their members, from the archives and from a store."""
    source = bf.scan(write_shards(tmp_path / "shards"))
    assert len(source) == 60
    assert source.schema.classes == (0, 1, 2)
    assert {name: (f.shape, f.dtype) for name, f in source.schema.inputs.items()} == {  # type: ignore[union-attr]
        "png": ((8, 6, 3), "uint8"),
        "npy": ((4,), "float32"),
    }
    data = bf.pack(source, tmp_path / "shards.brim")
    for samples in (source, data):
        seen = set()
        for x, y, keys in samples.batches(7, include_keys=True):
            for image, array, label, key in zip(x["png"], x["npy"], y, keys, strict=True):
                number = int(key)
                assert np.array_equal(array, np.arange(4) + number)
                assert image[number % 8, number % 6].tolist() == [255] * 3
                assert image[(number + 1) % 8, 0].tolist() == [number] * 3
                assert label == number % 3
                seen.add(number)
        assert seen == set(range(60))
    assert data.verify().ok
    assert not source.audit().problems


def test_a_field_is_chosen_by_name(tmp_path: Path) -> None:
    """One input, and the label out of JSON."""
    shards = write_shards(tmp_path / "shards")
    source = bf.scan(shards, x="png", y="json.name", image_size=(4, 4))
    assert source.schema.classes == ("a", "b", "c")
    assert source.schema.inputs.shape == (4, 4, 3)  # type: ignore[union-attr]
    assert any("npy" in fact for fact in source.facts)
    values = bf.scan(shards, x="npy", y="json.label", regression=True)
    assert values.schema.target.dtype == "float32"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": "jpg"}, "there is no field 'jpg'.*png \\(60\\)"),
        ({"x": "json"}, "'json' cannot be an input"),
        ({"y": "json", "x": "npy"}, "the label is one of label, name"),
        ({"y": ("cls", "json")}, "Expected one `y`"),
        ({"labels": "folders"}, "Expected no `labels` for tar archives"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """With what there is."""
    with pytest.raises((bf.ArgumentError, bf.SourceError), match=f"(?s){message}"):
        bf.scan(write_shards(tmp_path / "shards"), **options)


def test_members_need_not_stand_together(tmp_path: Path) -> None:
    """Images first, and labels behind, also in another archive."""
    members = {number: sample(number) for number in range(30)}
    images = {f"{number}.npy": parts["npy"] for number, parts in members.items()}
    labels = {f"{number}.cls": parts["cls"] for number, parts in members.items()}
    write_tar(tmp_path / "a.tar", images)
    write_tar(tmp_path / "b.tar", labels)
    source = bf.scan(tmp_path)
    assert len(source) == 30
    for x, y, keys in source.batches(10, include_keys=True):
        assert [int(key) % 3 for key in keys] == y.tolist()
        assert np.array_equal(x[:, 0], [float(key) for key in keys])


def test_names_with_dots_are_noticed(tmp_path: Path) -> None:
    """A field for nearly every sample means that names are cut at the wrong dot."""
    members: dict[str, bytes] = {}
    for number in range(30):
        members |= {f"22.{number:02d}.npy": sample(number)["npy"], f"22.{number:02d}.cls": b"1"}
    path = write_tar(tmp_path / "a.tar", members)
    with pytest.raises(bf.ArgumentError, match=r"60 different fields.*\n.*--suffix"):
        bf.scan(path)
    source = bf.scan(path, suffix=".npy")
    assert len(source) == 30
    assert set(source.keys) == {f"22.{number:02d}" for number in range(30)}


def test_samples_without_a_member_are_problems(tmp_path: Path) -> None:
    """An input that lacks is a fault of that sample, a label that lacks a missing label; never data."""
    members: dict[str, bytes] = {}
    for number in range(30):
        parts = sample(number)
        members |= {f"{number}.{name}": parts[name] for name in ("npy", "cls")}
    del members["7.npy"], members["8.cls"]
    source = bf.scan(write_tar(tmp_path / "a.tar", members))
    problems = {problem.kind: problem for problem in source.audit().problems}
    assert {kind: problem.count for kind, problem in problems.items()} == {
        "missing_member": 1,
        "missing_label": 1,
    }
    assert "'7'" in problems["missing_member"].examples[0]
    assert "'8'" in problems["missing_label"].examples[0]
    left = bf.scan(tmp_path / "a.tar", on_bad="skip")
    assert len(left) == 28
    assert len(left.skipped) == 2


@pytest.mark.parametrize("cut", [700, 20_000, 5])
def test_an_archive_that_is_cut_is_refused(tmp_path: Path, cut: int) -> None:
    """In a member, in a header, or before its end."""
    path = write_tar(tmp_path / "a.tar", {f"{n}.npy": sample(n)["npy"] for n in range(30)})
    content = path.read_bytes()
    end = len(content.rstrip(b"\0"))
    path.write_bytes(content[: {5: end - 5, 700: end - 700}.get(cut, 10_240 + 512 - 100)])
    try:
        problems = bf.scan(path).audit().problems
    except bf.SourceError as error:
        assert "cut" in error.message  # noqa: PT017 (either is right)
    else:
        assert [problem.kind for problem in problems] == ["unclosed_archive"]


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """With both places."""
    path = write_tar(tmp_path / "a.tar", [("1.npy", npy(np.ones(3))), ("1.npy", npy(np.zeros(3)))])
    with pytest.raises(bf.SourceError, match=r"'1.npy' is there twice, first in .*byte 512"):
        bf.scan(path)


def test_archives_joined_by_cat_are_noticed(tmp_path: Path) -> None:
    """What is behind the first end of archive would be passed over."""
    one = write_tar(tmp_path / "a.tar", {f"{n}.npy": sample(n)["npy"] for n in range(5)})
    other = write_tar(tmp_path / "b.tar", {f"{n}.npy": sample(n)["npy"] for n in range(5, 9)})
    one.write_bytes(one.read_bytes() + other.read_bytes())
    other.unlink()
    assert [problem.kind for problem in bf.scan(one).audit().problems] == ["bytes_behind_archive"]


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    """A gap in their numbers."""
    write_shards(tmp_path / "shards")
    (tmp_path / "shards/train-000001.tar").unlink()
    (gap,) = (each for each in bf.scan(tmp_path / "shards").findings if each.kind == "missing_shard")
    assert gap.examples == (f"{tmp_path}/shards/train-: number 1 is missing",)


def test_hard_links_are_their_files(tmp_path: Path) -> None:
    """GNU tar writes a link for a file's second name; WebDataset passes it over."""
    path = tmp_path / "a.tar"
    write_tar(path, {"1.npy": npy(np.full(3, 7.0))})
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("2.npy")
        link.type, link.linkname = tarfile.LNKTYPE, "1.npy"
        archive.addfile(link)
    source = bf.scan(path)
    assert set(source.keys) == {"1", "2"}
    assert all(np.all(source[at][0] == 7) for at in range(2))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """Neither in an array of objects nor in a member that others unpickle."""
    path = write_tar(tmp_path / "a.tar", {"1.npy": npy(np.array([{}], object)), "1.pkl": b"x"})
    with pytest.raises(bf.SourceError, match="no array"):
        bf.scan(path)


def test_damaged_members_are_counted(tmp_path: Path) -> None:
    """Each with its archive and key; all others are read."""
    members = {f"{n}.npy": sample(n)["npy"] for n in range(30)}
    members["3.npy"] = members["3.npy"][:-4]
    members["4.npy"] = npy(np.ones(5, np.float32))
    members["5.npy"] = npy(np.array([1, np.nan, 2, 3], np.float32))
    source = bf.scan(write_tar(tmp_path / "a.tar", members))
    found = {problem.kind: problem for problem in source.audit().problems}
    assert {kind: each.count for kind, each in found.items()} == {
        "malformed": 1,
        "wrong_shape": 1,
        "non_finite": 1,
    }
    assert all(f"{tmp_path}/a.tar" in each.examples[0] for each in found.values())


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    """It has no places to read from."""
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    with pytest.raises(bf.SourceError, match="compressed archive"):
        bf.scan(tmp_path / "a.tar.gz")


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04junk",
        b"\x93NUMPY\x01\x00\x14\x00{'shape': (3L,), \n      ",
        npy(np.ones(3, np.longdouble)),
    ],
)
def test_what_is_no_array_is_a_problem_of_its_sample(tmp_path: Path, content: bytes) -> None:
    """Whatever its parser meets."""
    members = {f"{n}.npy": sample(n)["npy"] for n in range(30)}
    source = bf.scan(write_tar(tmp_path / "a.tar", {**members, "4.npy": content}))
    assert [(each.kind, each.count) for each in source.audit().problems] == [("malformed", 1)]


def test_odd_archives_are_refused_by_name(tmp_path: Path) -> None:
    """Arrays without values, names that clash, names and labels that are no text."""
    for name, members, message in (
        ("empty", {"1.npy": npy(np.zeros((0, 3)))}, "no values"),
        ("clash", {"1.a.b.npy": npy(np.ones(2)), "1.a_b.npy": npy(np.ones(2))}, "the same name"),
        ("name", {"b\udce4r.npy": npy(np.ones(2))}, "not UTF-8"),
    ):
        with pytest.raises(bf.BrimfulError, match=message):
            bf.scan(write_tar(tmp_path / f"{name}.tar", members))
    half = write_tar(tmp_path / "half.tar", {"1.npy": npy(np.ones(2)), "1.json": b'{"a": "\\ud800"}'})
    with pytest.raises(bf.BrimfulError, match="no label can be read"):
        bf.scan(half, y="json.a")


def test_members_with_holes_are_refused(tmp_path: Path) -> None:
    """Their bytes do not lie there as they are."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("1.npy")
        info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
        archive.addfile(info, io.BytesIO(bytes(512)))
    with pytest.raises(bf.SourceError, match="kept with holes"):
        bf.scan(path)


def test_links_are_followed_however_they_are_spelt(tmp_path: Path) -> None:
    """With `./` in front or not; one that leads nowhere here is a problem."""
    path = write_tar(tmp_path / "a.tar", {"./1.npy": npy(np.full(3, 7.0))})
    with tarfile.open(path, "a") as archive:
        for name, kind, target in (
            ("./2.npy", tarfile.LNKTYPE, "1.npy"),
            ("3.npy", tarfile.SYMTYPE, "1.npy"),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            archive.addfile(link)
    source = bf.scan(path)
    assert set(source.keys) == {"1", "2"}
    assert [(each.kind, each.count) for each in source.audit().problems] == [("lost_link", 1)]


def test_a_sample_in_several_archives_changes_with_each(tmp_path: Path) -> None:
    """Its fingerprint is that of all of them."""
    write_tar(tmp_path / "a.tar", {f"{n}.npy": npy(np.full(3, float(n))) for n in range(6)})
    write_tar(tmp_path / "b.tar", {f"{n}.b.npy": npy(np.full(3, float(n))) for n in range(6)})
    samples = bf.scan(tmp_path)._reader.format
    before = samples.fingerprints(np.arange(6))
    write_tar(tmp_path / "b.tar", {f"{n}.b.npy": npy(np.full(3, n + 100.0)) for n in range(6)})
    after = samples.fingerprints(np.arange(6))
    assert before is not None
    assert after is not None
    assert (before != after).any(axis=1).all()


def test_an_archive_beside_text_files_is_left_out(tmp_path: Path) -> None:
    """Someone's backup does not make a folder one of archives."""
    for number in range(12):
        (tmp_path / f"{number}.csv").write_text(f"{number},1\n")
    write_tar(tmp_path / "old.tar", {"1.npy": npy(np.ones(3))})
    source = bf.scan(tmp_path, labels=False)
    assert len(source) == 12
    assert any("1 .tar" in fact for fact in source.facts)
