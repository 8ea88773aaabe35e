"""Arrays that are given as they are: every dtype is kept, every target is what was meant, or refused."""

from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.arrays import N, assert_holds, inputs, labels

KEPT = ("bool", "uint8", "int16", "uint16", "int64", "uint64", "float16", "float32", "float64")


def refused(*words: str, data: Any, **options: Any) -> bf.BrimfulError:
    """Scanning is an error with these words."""
    with pytest.raises(bf.BrimfulError) as caught:
        bf.scan(data, **options)
    for word in words:
        assert word in str(caught.value)
    return caught.value


def kinds(source: bf.Source) -> set[str]:
    """The kinds of findings."""
    return {each.kind for each in source.findings}


@pytest.mark.parametrize("dtype", KEPT)
def test_every_dtype_is_kept(dtype: str, tmp_path: Any) -> None:
    """In batches, in the store, and in batches of that."""
    x = inputs(dtype)
    source = bf.scan({"x": x, "y": labels()})
    assert_holds(source, x, labels())
    assert_holds(bf.pack(source, tmp_path / "data.brim"), x, labels())


@pytest.mark.parametrize("dtype", [">f4", ">i2", ">u2", ">f8", ">i8"])
def test_another_byte_order_is_made_native(dtype: str) -> None:
    """Bit for bit, in C order or not."""
    for order in (np.ascontiguousarray, np.asfortranarray):
        x = order(inputs("float64") * 100).astype(dtype)
        assert_holds(bf.scan({"x": x}), x, None)


@pytest.mark.parametrize(
    ("dtype", "word"),
    [
        ("complex64", "complex64"),
        ("M8[s]", "datetime64"),
        ("O", "unpickled"),
        ("V2", "bfloat16"),
        ("S3", "text"),
        ("U3", "text"),
        ([("a", "f4"), ("b", "i4")], "'a', 'b'"),
    ],
)
def test_other_dtypes_are_refused(dtype: Any, word: str) -> None:
    """By name, and with a way out."""
    refused("x", word, data={"x": np.zeros((3, 2), dtype)})


def test_a_dtype_that_holds_every_value_is_given() -> None:
    """Integers as floats, whole floats as integers."""
    x = inputs("uint8")
    assert_holds(bf.scan({"x": x}, dtype="float32"), x.astype("float32"), None)
    assert_holds(bf.scan({"x": x.astype("float64")}, dtype="uint8"), x, None)


@pytest.mark.parametrize(
    ("value", "given", "dtype"),
    [
        (300, "int64", "uint8"),
        (-1, "int64", "uint64"),
        (2**63, "uint64", "int64"),
        (0.5, "float32", "int32"),
        (1e20, "float64", "int64"),
        (2, "uint8", "bool"),
        (1e300, "float64", "float32"),
        (1e6, "float64", "float16"),
        (np.nan, "float32", "int8"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: float, given: str, dtype: str) -> None:
    """With its place, in the sample that holds it and no other."""
    x = np.zeros((N, 3), given)
    x[17, 2] = value
    source = bf.scan({"x": x}, dtype=dtype)
    assert kinds(source) <= {"wrong_dtype", "non_finite"}
    assert "x[17, 2]" in source.findings[0].examples[0]
    assert len(bf.scan({"x": x}, dtype=dtype, on_bad="skip")) == N - 1


def test_text_is_classes() -> None:
    """Bytes, strings and objects, padded or not, are the same words."""
    words = np.array(["cat", "dog", "emu"])[labels()]
    for y in (words, words.astype("S"), words.astype(object), np.char.add(words, "  ").astype("S5")):
        source = bf.scan({"x": inputs(), "y": y})
        assert source.schema.classes == ("cat", "dog", "emu")
        assert_holds(source, inputs(), labels())


def test_text_that_is_not_utf8_is_refused() -> None:
    """With its place."""
    y = np.array([b"cat"] * N)
    y[5] = b"\xff\xfe"
    refused("y[5]", "UTF-8", data={"x": inputs(), "y": y})


def test_one_column_of_targets_is_squeezed() -> None:
    """(n, 1) is delivered as (n,), and the user is told."""
    source = bf.scan({"x": inputs(), "y": labels()[:, np.newaxis]})
    assert source.schema.target is not None
    assert any("(60, 1)" in fact for fact in source.facts)
    assert_holds(source, inputs(), labels())


def test_one_row_of_targets_is_refused() -> None:
    """(1, n)."""
    refused("x has 60 samples, y has 1", "Axis 1 of y", data={"x": inputs(), "y": labels()[np.newaxis]})


def test_floats_are_regression_values() -> None:
    """Exactly, and with a warning where they may be classes."""
    y = np.random.default_rng(1).random(N)
    source = bf.scan({"x": inputs(), "y": y})
    assert_holds(source, inputs(), y.astype("float32"))
    assert not kinds(source)
    whole = bf.scan({"x": inputs(), "y": labels().astype(float)})
    assert whole.schema.classes is None
    assert kinds(whole) == {"float_target"}
    assert not kinds(bf.scan({"x": inputs(), "y": labels().astype(float)}, regression=True))
    classes = bf.scan({"x": inputs(), "y": labels().astype(float)}, classes=[0, 1, 2])
    assert_holds(classes, inputs(), labels())


def test_a_target_that_is_nan_is_missing() -> None:
    """It is a problem of its sample, never a number."""
    y = np.random.default_rng(1).random(N)
    y[9] = np.nan
    source = bf.scan({"x": inputs(), "y": y})
    assert [(each.kind, each.examples) for each in source.audit().problems] == [("missing_label", ("y[9]",))]
    assert len(bf.scan({"x": inputs(), "y": y}, on_bad="skip")) == N - 1


def test_integers_that_do_not_count_from_0_are_numbered() -> None:
    """With a warning, as those of a label table are."""
    source = bf.scan({"x": inputs(), "y": labels() - 1})
    assert source.schema.classes == ("-1", "0", "1")
    assert kinds(source) == {"renumbered_label"}


def test_targets_of_several_axes_are_carried(tmp_path: Any) -> None:
    """Masks and boxes, with weights, also from a store that was packed in the order of the arrays."""
    masks, boxes = inputs("uint8"), inputs("float64")[:, 0]
    w = np.linspace(0, 1, N)
    for y, dtype in ((masks, "int64"), (boxes, "float32")):
        source = bf.scan({"x": inputs(), "y": y, "w": w})
        for samples in (source, bf.pack(source, tmp_path / f"{dtype}.brim")):
            for at, key in enumerate(samples.keys):
                x, target, weight = samples[at]
                assert np.array_equal(x, inputs()[int(key)])
                assert target.dtype == dtype
                assert np.array_equal(target, y[int(key)].astype(dtype))
                assert weight == np.float32(w[int(key)])


def test_several_inputs_and_targets_have_names() -> None:
    """Under x, or as keys of their own."""
    image, place = inputs("uint8"), inputs()[:, 0]
    for data in ({"x": {"image": image, "place": place}, "y": labels()}, {"image": image, "place": place}):
        source = bf.scan(data)
        x = source[3][0] if "y" in data else source[3]
        x = x[0] if isinstance(x, tuple) else x
        assert np.array_equal(x["image"], image[int(source.keys[3])])
        assert np.array_equal(x["place"], place[int(source.keys[3])])
    both = bf.scan({"x": image, "y": {"kind": labels(), "price": place}})
    assert both[0][1]["kind"] == labels()[int(both.keys[0])]


def test_weights_are_joined() -> None:
    """One for each sample; below 0 is a problem."""
    w = np.linspace(0, 1, N)
    source = bf.scan({"x": inputs(), "y": labels(), "w": w[:, np.newaxis]})
    assert source[4][2] == np.float32(w[int(source.keys[4])])
    assert bf.scan({"x": inputs(), "y": labels(), "w": -w}).audit().problems
    refused("w", "`y`", data={"x": inputs(), "w": w})
    refused("w", "weight for each sample", data={"x": inputs(), "y": labels(), "w": inputs()})


def test_shape_is_given() -> None:
    """To a single input, of as many values."""
    source = bf.scan({"x": inputs()}, shape=(12, 1))
    assert_holds(source, inputs().reshape(-1, 12, 1), None)
    refused("12 values", "(11,)", data={"x": inputs()}, shape=(11,))
    refused("several inputs", data={"x": {"a": inputs(), "b": inputs()}}, shape=(12,))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, ["x, y, w"]),
        ({1: inputs()}, ["x, y, w"]),
        ({"x": inputs(), "z": labels()}, ["'z' beside 'x'"]),
        ({"images": inputs(), "labels": labels()}, ["'labels'", "'y': labels"]),
        ({"x": [1, 2], "y": labels()}, ["x as an array", "list"]),
        ({"x": list(inputs()), "y": labels()}, ["list", "np.stack"]),
        ({"x": inputs(), "y": ["a"] * N}, ["y as an array", "list"]),
        ({"x": np.ma.masked_array(inputs())}, ["MaskedArray"]),
        ({"x": np.float32(3)}, ["one value"]),
        ({"x": inputs()[:0], "y": labels()[:0]}, ["no samples", "(0, 4, 3)"]),
        ({"x": inputs(), "y": labels()[:-1]}, ["x has 60 samples, y has 59"]),
        ({"x": inputs().T, "y": labels()}, ["Axis 2 of x", "np.moveaxis(array, 2, 0)"]),
        ({"x": inputs(), "y": np.array([{}, None] * (N // 2), object)}, ["y[0]", "dict"]),
        ({"x": {"a b": inputs()}}, ["'a b'"]),
    ],
)
def test_what_is_no_pair_of_arrays_is_refused(data: Any, words: list[str]) -> None:
    """By name."""
    refused(*words, data=data)


def test_options_of_other_formats_are_refused() -> None:
    """By name."""
    refused("`target`", data={"x": inputs()}, target="price")
    refused("`x`", data={"x": inputs()}, x="a")


def test_a_bare_array_is_inputs() -> None:
    """For predictions."""
    assert_holds(bf.scan(inputs()), inputs(), None)


def test_a_tensor_of_torch_is_refused_or_read() -> None:
    """Its dtype is none of NumPy."""
    torch = pytest.importorskip("torch")
    refused("x as an array", "Tensor", data={"x": torch.zeros(4, 3)})


def test_a_limit_draws_labels_with_inputs() -> None:
    """The classes are those of the whole."""
    y = labels()
    y[0] = 7
    source = bf.scan({"x": inputs(), "y": y}, limit=9)
    assert len(source) == 9
    assert source.schema.classes == (0, 1, 2, 7)
    for at, key in enumerate(source.keys):
        assert np.array_equal(source[at][0], inputs()[int(key)])
        assert source[at][1] == y[int(key)]


def test_an_object_that_gives_another_dtype_than_it_says_is_refused() -> None:
    """Its values would be rounded quietly."""

    class Other:
        shape, dtype = (N, 3), np.dtype("float32")

        def __getitem__(self, part: slice) -> Any:
            return np.full((N, 3), 0.1)[part]

    source = bf.scan({"x": Other()})
    assert [(each.kind, each.count) for each in source.findings] == [("unreadable", N)]
