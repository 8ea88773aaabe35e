"""Samples of unequal lengths: padded and cut as `keras.utils.pad_sequences` does, kept as they are."""

import gzip
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import brimful as bf
from brimful.encodings.base import UndecodableError
from brimful.encodings.ragged import RaggedEncoding
from brimful.schema import Field

Recordings = dict[str, NDArray[np.float32]]


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Path, Recordings]:
    """Sixty recordings of three channels, in two classes, and what they hold by key."""
    random, made = np.random.default_rng(5), {}
    for number in range(60):
        key = f"{'walk' if number % 2 else 'run'}/{number:03d}"
        made[key] = random.normal(size=(int(random.integers(1, 30)), 3)).astype(np.float32)
        path = tmp_path / "recordings" / f"{key}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, made[key], delimiter=",")
    return tmp_path / "recordings", made


def padded(values: NDArray[Any], maxlen: int, padding: str, truncating: str, value: float) -> NDArray[Any]:
    """A sample as Keras pads and cuts it."""
    from keras.utils import pad_sequences

    options = {"padding": padding, "truncating": truncating, "value": value}
    return pad_sequences([values], maxlen, values.dtype, **options)[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(("padding", "truncating"), product(("pre", "post"), repeat=2))
def test_samples_are_padded_and_cut_as_keras_does(
    recordings: tuple[Path, Recordings], padding: Any, truncating: Any
) -> None:
    """From the files, and from a store of them, in every batch."""
    root, made = recordings
    source = bf.scan(root, maxlen=12, padding=padding, truncating=truncating, value=-1)
    assert source.schema.inputs == Field((12, 3), "float32", f"ragged/{padding}/{truncating}/-1.0")
    data = bf.pack(source, root.with_suffix(".brim"))
    for samples in (source, data):
        seen: Recordings = {}
        for x, _, keys in samples.batches(7, include_keys=True, seed=3):
            seen.update(zip(keys, x, strict=True))
        assert set(seen) == set(made)
        for key, x in seen.items():
            assert np.array_equal(x, padded(made[key], 12, padding, truncating, -1))


def test_a_store_holds_samples_without_padding(recordings: tuple[Path, Recordings]) -> None:
    """Other readers of Arrow see lists of their own lengths."""
    root, made = recordings
    data = bf.pack(bf.scan(root, maxlen=5), root.with_suffix(".brim"))
    (shard,) = data.path.glob("shard-*.arrow")
    table = pa.ipc.open_file(shard).read_all()
    for key, x in zip(table["key"].to_pylist(), table["x"].to_pylist(), strict=True):
        assert np.array_equal(np.array(x, np.float32).reshape(-1, 3), made[key])
    assert data.verify().ok


def test_packing_again_gives_the_same_bytes(recordings: tuple[Path, Recordings]) -> None:
    """And with another recording, that one is replaced."""
    root, made = recordings
    store = root.with_suffix(".brim")
    bf.pack(bf.scan(root, maxlen=12), store)
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    bf.pack(bf.scan(root, maxlen=12), store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before
    longer = np.ones((40, 3), np.float32)
    np.savetxt(root / "run/000.csv", longer, delimiter=",")
    data = bf.pack(bf.scan(root, maxlen=12), store)
    at = list(data.keys).index("run/000")
    assert np.array_equal(data[at][0], padded(longer, 12, "pre", "pre", 0))
    other = list(data.keys).index("run/002")
    assert np.array_equal(data[other][0], padded(made["run/002"], 12, "pre", "pre", 0))


def test_without_maxlen_the_lengths_are_named(recordings: tuple[Path, Recordings]) -> None:
    """With the options that choose."""
    with pytest.raises(bf.SourceError, match=r"differ in length alone: they are 1 to 29 long.*maxlen="):
        bf.scan(recordings[0])


def test_what_is_cut_is_a_warning(recordings: tuple[Path, Recordings]) -> None:
    """Counted, with the length that would keep all."""
    root, made = recordings
    (cut,) = (each for each in bf.scan(root, maxlen=12).findings if each.kind == "cut_sample")
    assert cut.count == sum(len(values) > 12 for values in made.values())
    assert "29" in cut.hint
    assert not [each for each in bf.scan(root, maxlen=29).findings if each.kind == "cut_sample"]


def test_files_of_one_line_are_vectors(tmp_path: Path) -> None:
    """A number is a step; also where files are compressed."""
    made = {f"{n}": np.arange(n, dtype=np.float32) for n in range(1, 20)}
    for name, values in made.items():
        text = " ".join(map(str, values.tolist()))
        (tmp_path / f"{name}.txt.gz").write_bytes(gzip.compress(text.encode()))
    source = bf.scan(tmp_path, maxlen=8, labels=False, suffix=".txt.gz")
    assert source.schema.inputs.shape == (8,)  # type: ignore[union-attr]
    for at, key in enumerate(source.keys):
        x = source[at][0] if isinstance(source[at], tuple) else source[at]
        assert np.array_equal(np.asarray(x).reshape(-1), padded(made[key], 8, "pre", "pre", 0))


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("1,2,3\n4,x,6\n", "malformed", ":2:2"),
        ("1,2,3\n4,5\n", "wrong_shape", ":2"),
        ("1,2,3\n4,inf,6\n", "non_finite", ":2:2"),
        ("", "empty", ""),
    ],
)
def test_a_bad_recording_is_named(
    recordings: tuple[Path, Recordings], text: str, kind: str, place: str
) -> None:
    """With its line; all others are read, and skipping leaves out this one alone."""
    root, made = recordings
    (root / "walk/005.csv").write_text(text)
    source = bf.scan(root, maxlen=12)
    (problem,) = source.audit(cached=False).problems
    assert (problem.kind, problem.count) == (kind, 1)
    assert f"{root}/walk/005.csv{place}" in problem.examples[0]
    assert len(bf.scan(root, maxlen=12, on_bad="skip")) == len(made) - 1
    with pytest.raises(bf.SourceError, match=kind.replace("_", " ")):
        bf.pack(source, root.with_suffix(".brim"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maxlen": 0}, "maxlen"),
        ({"maxlen": "batch"}, "Expected `maxlen` as a number"),
        ({"maxlen": 5, "padding": "both"}, "padding"),
        ({"maxlen": 5, "shape": (5, 3)}, "shape"),
        ({"padding": "post"}, "padding"),
        ({"maxlen": 5, "value": 70_000.0, "dtype": "float16"}, "value"),
        ({"maxlen": 5, "image_size": (4, 4)}, "no `maxlen` for a folder of images"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    recordings: tuple[Path, Recordings], options: dict[str, Any], message: str
) -> None:
    """By name."""
    with pytest.raises((bf.ArgumentError, bf.SourceError), match=message):
        bf.scan(recordings[0], **options)


@given(
    st.integers(1, 9),
    st.integers(1, 20),
    st.sampled_from(["pre", "post"]),
    st.sampled_from(["pre", "post"]),
    st.sampled_from(["float16", "float32", "float64", "uint8", "int64"]),
)
def test_an_encoding_gives_back_what_it_was_given(
    maxlen: int, length: int, padding: str, truncating: str, dtype: str
) -> None:
    """Every length, dtype and end; its name stands for it."""
    field = Field((maxlen, 2), dtype)
    encoding = RaggedEncoding(field, padding, truncating, 1.0)
    assert RaggedEncoding.parse(encoding.name, field) == encoding
    values = np.arange(2 * length).reshape(length, 2).astype(dtype)
    out = np.empty(field.shape, dtype)
    encoding.decode(encoding.encode(values), out)
    assert np.array_equal(out, padded(values, maxlen, padding, truncating, 1.0))
    with pytest.raises(UndecodableError, match="no steps"):
        encoding.decode(encoding.encode(values)[:-1], out)


def test_a_store_may_hold_samples_as_delivered(recordings: tuple[Path, Recordings]) -> None:
    """`decode=True`: the same batches, of arrays of one shape."""
    root, _ = recordings
    source = bf.scan(root, maxlen=12)
    kept = bf.pack(source, root.with_name("kept.brim"))
    decoded = bf.pack(source, root.with_name("decoded.brim"), decode=True)
    assert decoded.schema.inputs == Field((12, 3), "float32")
    for one, other in zip(kept.batches(16, seed=2), decoded.batches(16, seed=2), strict=True):
        assert all(map(np.array_equal, one, other))
    assert source.decoded().decoded() is not None
    assert bf.pack(source.decoded(), root.with_name("again.brim")).schema == decoded.schema


def test_like_others_means_padded_like_them(recordings: tuple[Path, Recordings]) -> None:
    """A test folder, or a store, gets the length and the ends of the training data."""
    root, _ = recordings
    source = bf.scan(root, maxlen=12, padding="post", value=-1)
    assert bf.scan(root, like=source).schema == source.schema
    assert bf.scan(root, like=bf.pack(source, root.with_suffix(".brim"))).schema == source.schema
    with pytest.raises(bf.ArgumentError, match="maxlen"):
        bf.scan(root, like=source, maxlen=5)


def test_lines_that_end_otherwise_do_not_shift_the_samples_behind_them(tmp_path: Path) -> None:
    """Blank lines in one file and the ends of lines of another must not make up for one another."""
    texts = {"a": b"1\n\n\n\n2\n", "b": b"3\r4\r5\r6\n", "c": b"7\r\n8\r\n", "d": b"9\n10"}
    for key, text in texts.items():
        (tmp_path / f"{key}.csv").write_bytes(text)
    source = bf.scan(tmp_path, maxlen=4, padding="post", labels=False)
    found = {
        key: x[x > 0].tolist()
        for x, key in zip(*next(iter(source.batches(4, include_keys=True))), strict=True)
    }
    assert found == {"a": [1, 2], "b": [3, 4, 5, 6], "c": [7, 8], "d": [9, 10]}


@pytest.mark.parametrize(
    ("texts", "options", "expected"),
    [
        (("1,,3", "4,5", "6,7,8,9"), {"missing": "0"}, ([1, 0, 3], [4, 5], [6, 7, 8, 9])),
        (("1\t\t3", "4\t5", "6\t7\t8"), {"missing": "mean"}, ([1, 2, 3], [4, 5], [6, 7, 8])),
        (('"1,5","2"', '"4,5","5","6"', '"7"'), {"decimal": ","}, ([1.5, 2], [4.5, 5, 6], [7])),
        (("# a\n1,2", "# a\n3", "# a\n4,5,6"), {}, ([1, 2], [3], [4, 5, 6])),
    ],
)
def test_single_lines_are_read_as_files_of_several_are(
    tmp_path: Path, texts: tuple[str, ...], options: dict[str, Any], expected: tuple[list[float], ...]
) -> None:
    """With their empty cells, quotes and comments."""
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.csv").write_text(text + "\n")
    source = bf.scan(tmp_path, maxlen=4, padding="post", value=-1, labels=False, **options)
    x, keys = next(iter(source.batches(9, include_keys=True)))
    assert {key: row[row >= 0].tolist() for key, row in zip(keys, x, strict=True)} == {
        str(number): values for number, values in enumerate(expected)
    }


def test_an_empty_cell_in_a_single_line_is_an_error(tmp_path: Path) -> None:
    """It moves nothing up."""
    for number, text in enumerate(("1,,3", "4,5", "6,7,8,9")):
        (tmp_path / f"{number}.csv").write_text(text)
    (problem,) = bf.scan(tmp_path, maxlen=4, labels=False).audit(cached=False).problems
    assert (problem.kind, problem.count) == ("malformed", 1)
    with pytest.raises(bf.ArgumentError, match="columns"):
        bf.scan(tmp_path, maxlen=4, labels=False, columns="2-")


@pytest.mark.parametrize("behind", [b"", b"\0" * 512])
def test_a_gz_of_several_parts_is_read_to_its_end(tmp_path: Path, behind: bytes) -> None:
    """As `cat a.gz b.gz` makes them; zeros behind them are no matter, all else is refused."""
    for number in range(3):
        packed = gzip.compress(b"1,2\n") + gzip.compress(b"3,4\n") + behind
        (tmp_path / f"{number}.csv.gz").write_bytes(packed)
    for options, shape in (({}, (2, 2)), ({"maxlen": 2}, (2, 2))):
        source = bf.scan(tmp_path, labels=False, **options)  # type: ignore[arg-type]
        assert source.schema.inputs.shape == shape  # type: ignore[union-attr]
        assert all((x == [[1, 2], [3, 4]]).all() for (x,) in source.batches(1))
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(b"1,2\n3,4\n") + b"junk")
    assert [each.kind for each in bf.scan(tmp_path, labels=False).audit(cached=False).problems] == [
        "malformed"
    ]
