"""Labels are joined by name, in every way that people name their samples, and never by position."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brimful as bf
from brimful.feed.rows import RowLoader
from brimful.schema import Field
from brimful.source import Source
from tests.feeds import make_feed
from tests.trees import Tree


def write_samples(root: Path, *keys: str) -> Path:
    """A folder with a sample for each key, whose value is its position here."""
    for number, key in enumerate(keys):
        file = root / f"{key}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number} 0\n")
    return root


def labels_of(source: Source) -> dict[str, int]:
    """The label delivered for each key."""
    return {key: int(source[at][1]) for at, key in enumerate(source.keys)}


def test_the_storys_table_is_joined_by_integer(tree: Tree) -> None:
    """Id 1 is 00001.csv, and the plan says so."""
    source = bf.scan(tree.path)
    assert labels_of(source) == tree.y
    assert any("integer" in fact and "'1' matches 'train/00001.csv'" in fact for fact in source.facts)


@pytest.mark.parametrize(
    ("ids", "way"),
    [
        (["a/x1", "b/x2"], "key"),
        (["a/x1.csv", "b/x2.csv"], "path"),
        (["x1", "x2"], "stem"),
        (["x1.csv", "x2.csv"], "file name"),
    ],
)
@pytest.mark.parametrize("header", ["", "id,label\n", "\ufefffile;digit\n"])
def test_ids_name_samples_in_many_ways(tmp_path: Path, ids: list[str], way: str, header: str) -> None:
    """Key, path, stem or file name; with and without a header; with a mark, and semicolons."""
    root = write_samples(tmp_path, "a/x1", "b/x2")
    mark = ";" if ";" in header else ","
    (root / "target.csv").write_text(header + f'{ids[1]}{mark}"7"\n{ids[0]}{mark}3\n')
    source = bf.scan(root)
    assert labels_of(source) == {"a/x1": 3, "b/x2": 7}
    assert f"by {way}" in " ".join(source.facts)
    assert source.schema.classes == (3, 7)
    assert source.schema.num_classes == 8
    assert not source.findings


def test_position_in_the_table_means_nothing(make_tree: Callable[..., Tree]) -> None:
    """A table in another order gives the same labels."""
    tree = make_tree(30)
    table = tree.path / "target.csv"
    table.write_text("\n".join(reversed(table.read_text().split())))
    assert labels_of(bf.scan(tree.path)) == tree.y


def test_string_labels_are_classes_in_alphabetical_order(tmp_path: Path) -> None:
    """Names are delivered as their position among the classes."""
    root = write_samples(tmp_path, "1", "2", "3")
    (root / "labels.csv").write_text("id,animal\n1,cat\n2,ape\n3,cat\n")
    source = bf.scan(root)
    assert source.schema.classes == ("ape", "cat")
    assert labels_of(source) == {"1": 1, "2": 0, "3": 1}


def test_folders_are_classes_where_there_is_no_table(tmp_path: Path) -> None:
    """The folder that a file lies in names its class; ten folders of digits are integers."""
    source = bf.scan(write_samples(tmp_path / "a", "train/cat/1", "train/dog/1", "test/cat/2"))
    assert source.schema.classes == ("cat", "dog")
    assert labels_of(source) == {"train/cat/1": 0, "train/dog/1": 1, "test/cat/2": 0}
    source = bf.scan(write_samples(tmp_path / "b", "10/x", "9/x"))
    assert source.schema.classes == (9, 10)
    assert labels_of(source) == {"10/x": 10, "9/x": 9}


def test_one_folder_is_no_class(tmp_path: Path) -> None:
    """Without table and classes a sample is `(x,)`; asked for by name, the one folder is a class."""
    root = write_samples(tmp_path, "train/1", "train/2")
    assert len(bf.scan(root)[0]) == 1
    assert bf.scan(root).schema.target is None
    assert bf.scan(root, labels="folders").schema.classes == ("train",)


def test_a_table_elsewhere_is_no_sample(tmp_path: Path) -> None:
    """A table given by path is joined, and left out of the samples if it lies among them."""
    root = write_samples(tmp_path / "data", "1", "2")
    table = root / "answers.csv"
    table.write_text("1,5\n2,6\n")
    assert labels_of(bf.scan(root, labels=table)) == {"1": 5, "2": 6}


def test_what_the_join_notices_is_counted(tmp_path: Path) -> None:
    """Orphans and repeated labels are warnings; missing and conflicting ones forbid training."""
    root = write_samples(tmp_path, *map(str, range(1, 31)))
    lines = [f"{number},1" for number in range(1, 19)]  # 12 missing
    lines += ["1,1", "2,1", "3,2", "77,1", "78,1", "79,1"]  # 2 duplicate, 1 conflicting, 3 orphans
    (root / "target.csv").write_text("\n".join(lines))
    source = bf.scan(root)
    counts = {finding.kind: (finding.count, finding.is_problem) for finding in source.findings}
    assert counts == {
        "orphan_label": (3, False),
        "duplicate_label": (2, False),
        "conflicting_label": (1, True),
        "missing_label": (12, True),
        "one_class": (17, False),
    }
    examples = {finding.kind: finding.examples for finding in source.findings}
    assert examples["orphan_label"][0] == f"{root / 'target.csv'}:22 (77)"
    assert examples["conflicting_label"] == (f"{root / 'target.csv'}:21 (3)",)
    assert len(examples["missing_label"]) == 10
    with pytest.raises(bf.LabelError, match="conflicting label"):
        source.batches(4)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("aa,7\nbb,8\n", "none of its 2 ids names a sample"),
        ("1\n2\n", "expected at least two columns"),
        ("1,2,3\n2,3,4\n", "which column is the target"),
        ("id,a,b\n1,2,3\n", "which column is the target. There are 'a', 'b'"),
        ("id,a,a\n1,2,3\n", "the same name"),
        ("1,1\n2\n", "not a label table"),
        ("", "not a label table"),
    ],
)
def test_a_table_that_cannot_be_joined_is_refused(tmp_path: Path, table: str, message: str) -> None:
    """The error says what is wrong with it, and what to do."""
    root = write_samples(tmp_path, "1", "2")
    (root / "target.csv").write_text(table)
    with pytest.raises(bf.LabelError, match=message) as caught:
        bf.scan(root)
    assert caught.value.hint


def test_an_id_that_names_two_files_is_refused(tmp_path: Path) -> None:
    """Equal stems in two folders are told apart by key, or not at all."""
    root = write_samples(tmp_path, "a/1", "b/1", "b/2")
    (root / "target.csv").write_text("1,0\n2,1\n")
    with pytest.raises(bf.LabelError, match="that of several") as caught:
        bf.scan(root)
    assert "'a/1'" in caught.value.hint
    (root / "target.csv").write_text("a/1,0\nb/1,1\nb/2,1\n")
    assert labels_of(bf.scan(root)) == {"a/1": 0, "b/1": 1, "b/2": 1}


def test_a_label_that_no_sample_has_is_no_class(tmp_path: Path) -> None:
    """A stray line does not renumber the classes."""
    root = write_samples(tmp_path, *map(str, range(12)))
    (root / "target.csv").write_text("".join(f"{n},{n}\n" for n in range(12)) + "99,unknown\n")
    source = bf.scan(root)
    assert source.schema.classes == tuple(range(12))
    assert labels_of(source) == {str(n): n for n in range(12)}


def test_a_word_among_integer_labels_is_a_problem(tmp_path: Path) -> None:
    """It neither renumbers the classes nor is trained on."""
    root = write_samples(tmp_path, *map(str, range(12)))
    (root / "target.csv").write_text("".join(f"{n},{'x' if n == 5 else n}\n" for n in range(12)))
    source = bf.scan(root)
    assert source.schema.classes == tuple(n for n in range(12) if n != 5)
    kinds = {finding.kind: finding.examples for finding in source.findings}
    assert kinds["malformed"] == (f"{root / 'target.csv'}:6 (5): 'x' is not an integer",)
    with pytest.raises(bf.SourceError):
        source.batches(4)


def test_signs_and_versions_are_understood(tmp_path: Path) -> None:
    """+1 is 1, as id and as label; 1.0.0 is a name."""
    root = write_samples(tmp_path, "01", "02")
    (root / "target.csv").write_text("+1,+7\n2,3\n")
    assert labels_of(bf.scan(root)) == {"01": 7, "02": 3}
    (root / "target.csv").write_text("1,1.0.0\n2,1.0.1\n")
    assert bf.scan(root).schema.classes == ("1.0.0", "1.0.1")


def test_folders_that_spell_one_class_in_two_ways_are_refused(tmp_path: Path) -> None:
    """1 and 01 would be one class without a word."""
    with pytest.raises(bf.LabelError, match="1 and 01"):
        bf.scan(write_samples(tmp_path, "1/a", "01/b", "2/c"))


def test_other_tables_are_no_samples(tmp_path: Path) -> None:
    """Whichever table is joined, one with a table's name is not a sample; nor is a link to one."""
    root = write_samples(tmp_path / "data", "a/1", "b/2")
    (root / "target.csv").write_text("1,5\n2,6\n")
    (root / "labels.csv").write_text("1,cat\n2,dog\n")
    mine = root / "mine.csv"
    mine.write_text("1,8\n2,9\n")
    assert labels_of(bf.scan(root, labels=mine)) == {"a/1": 8, "b/2": 9}
    mine.unlink()
    with pytest.raises(bf.LabelError, match=r"2 label tables, and they differ: target.csv, labels.csv"):
        bf.scan(root)
    assert labels_of(bf.scan(root, labels=root / "target.csv")) == {"a/1": 5, "b/2": 6}
    assert bf.scan(root, labels="folders").schema.classes == ("a", "b")
    (root / "target.csv").rename(tmp_path / "elsewhere.csv")
    (root / "target.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert labels_of(bf.scan(root, labels=root / "target.csv")) == {"a/1": 5, "b/2": 6}


def table(root: Path, text: str) -> Path:
    """Three samples and their table."""
    write_samples(root, "1", "2", "3")
    (root / "labels.csv").write_text(text)
    return root


def test_numbers_with_fractions_are_regression(tmp_path: Path) -> None:
    """They are delivered as float32, and there are no classes."""
    source = bf.scan(table(tmp_path, "id,price\n1,0.1\n2,-2e3\n3,7\n"))
    assert source.schema.classes is None
    assert source.schema.target == Field((), "float32")
    got = {key: source[at][1] for at, key in enumerate(source.keys)}
    assert got == {"1": np.float32(0.1), "2": np.float32(-2000), "3": np.float32(7)}
    assert "1 number to predict" in " ".join(source.facts)
    assert source.audit().class_counts is None


def test_integers_are_regression_where_that_is_said(tmp_path: Path) -> None:
    """Ages and counts are integers, and no classes; a few fractions among them are no slips then."""
    root = write_samples(tmp_path, *map(str, range(100)))
    lines = [f"{number},{number % 60}" for number in range(99)]
    (root / "target.csv").write_text("\n".join([*lines, "99,30.5"]))
    (problem,) = bf.scan(root).findings
    assert problem.examples[0].endswith("target.csv:100 (99): '30.5' is not an integer")
    assert "regression=True" in problem.hint
    source = bf.scan(root, regression=True)
    assert not source.findings
    assert source.schema.target == Field((), "float32")
    assert source.schema.classes is None
    assert source[list(source.keys).index("99")][1] == 30.5
    (root / "target.csv").unlink()
    with pytest.raises(bf.ArgumentError, match="no label table to take numbers from"):
        bf.scan(root, regression=True)


def test_several_columns_are_predicted_together(tmp_path: Path) -> None:
    """In the order asked for; what is not used is said."""
    root = table(tmp_path, "note;x;file;y\na;1;2;3\nb;4;1;6.5\nc;7;3;9\n")
    source = bf.scan(root, target=["y", "x"])
    assert source.schema.target == Field((2,), "float32")
    assert {key: source[at][1].tolist() for at, key in enumerate(source.keys)} == {
        "1": [6.5, 4],
        "2": [3, 1],
        "3": [9, 7],
    }
    assert "not used: note" in " ".join(source.facts)


def test_weights_come_with_the_batches(tmp_path: Path) -> None:
    """A column called weight, or named, is the third array of a batch; below 0 it is a problem."""
    root = table(tmp_path, "id,label,weight,extra\n1,0,0.5,x\n2,1,2,x\n3,1,1,x\n")
    source = bf.scan(root)
    x, y, w, keys = next(iter(source.batches(3, include_keys=True)))
    assert (x.shape, y.dtype, w.dtype) == ((3, 2), np.int64, np.float32)
    assert dict(zip(keys, w.tolist(), strict=True)) == {"1": 0.5, "2": 2, "3": 1}
    assert bf.scan(root, target="extra").schema.classes == ("x",)
    (root / "labels.csv").write_text("id,label,weight\n1,0,0.5\n2,1,-2\n3,1,\n")
    source = bf.scan(root)
    assert {finding.kind: finding.examples for finding in source.audit().problems} == {
        "malformed": (f"{root / 'labels.csv'}:3 (2): '-2' is below 0",),
        "missing_label": (str(root / "3.csv"),),
    }


def test_columns_are_named_or_counted(tmp_path: Path) -> None:
    """By the header, or by number where there is none; a slip of the pen is understood."""
    root = table(tmp_path, "a,1,x\nb,2,y\nc,3,x\n")
    assert labels_of(bf.scan(root, id="2", target="3")) == {"1": 0, "2": 1, "3": 0}
    (root / "labels.csv").write_text("digit,nr\n5,1\n6,2\n7,3\n")
    assert labels_of(bf.scan(root, id="nr")) == {"1": 5, "2": 6, "3": 7}
    with pytest.raises(bf.ArgumentError, match="no column 'digits'") as caught:
        bf.scan(root, id="nr", target="digits")
    assert "Did you mean 'digit'?" in caught.value.hint
    with pytest.raises(bf.ArgumentError, match="cannot be two"):
        bf.scan(root, id="nr", target="nr")
    (root / "labels.csv").unlink()
    with pytest.raises(bf.ArgumentError, match="no label table"):
        bf.scan(root, target="digit")


def test_quoted_cells(tmp_path: Path) -> None:
    """Delimiters, quotes and line breaks inside quotes belong to the cell."""
    write_samples(tmp_path, "a,b", "line\nbreak", 'q"q')
    (tmp_path / "labels.csv").write_text('"a,b","x, y"\n"line\nbreak",z\n"q""q",z\n')
    source = bf.scan(tmp_path)
    assert source.schema.classes == ("x, y", "z")
    assert labels_of(source) == {"a,b": 0, "line\nbreak": 1, 'q"q': 1}


@pytest.mark.parametrize(
    ("cell", "kind"), [("x", "malformed"), ("1e999", "malformed"), ("", "missing_label")]
)
def test_a_target_that_is_no_number_is_a_problem(tmp_path: Path, cell: str, kind: str) -> None:
    """Among numbers, a word, an infinity, or nothing at all is not trained on."""
    source = bf.scan(table(tmp_path, f"1,0.5\n2,{cell}\n3,1.5\n"))
    assert [(finding.kind, finding.count) for finding in source.audit().problems] == [(kind, 1)]
    assert len(bf.scan(tmp_path, on_bad="skip")) == 2


def test_one_hot_on_request(tree: Tree) -> None:
    """A 1 at the class, float32, for as many classes as there are outputs."""
    source = bf.scan(tree.path)
    _, y, keys = next(iter(source.batches(50, one_hot=True, include_keys=True)))
    assert (y.shape, y.dtype) == ((50, 5), np.float32)
    assert (y.sum(axis=1) == 1).all()
    assert dict(zip(keys, y.argmax(axis=1).tolist(), strict=True)) == tree.y
    table = tree.path / "target.csv"
    table.write_text(table.read_text().replace(",4\n", ",5000\n"))  # 5,001 outputs
    many = bf.scan(tree.path)
    wide = make_feed(many._reader, many._view, 5, memory="1MB", one_hot=True)
    assert isinstance(wide.loader, RowLoader)
    rows = wide.loader.budget.depth * wide.loader.budget.block_rows + 2 * 5
    assert rows * wide.schema.nbytes <= 10**6
    with pytest.raises(bf.ArgumentError, match="one_hot"):
        bf.scan([(np.ones(2), 0.5)] * 3).batches(2, one_hot=True)


def numbered(root: Path, lines: list[str], n: int = 40) -> Path:
    """Samples 0 to n-1 and a table of these lines."""
    write_samples(root, *map(str, range(n)))
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def test_a_column_number_is_no_cell(tmp_path: Path) -> None:
    """target="2" is the second column, whatever stands in the first line."""
    root = numbered(tmp_path, [f"{n},{(n + 2) % 40},{n * 10}" for n in range(40)])
    for target in ("2", 2):
        assert labels_of(bf.scan(root, target=target)) == {str(n): (n + 2) % 40 for n in range(40)}
    assert labels_of(bf.scan(root, target=3))["7"] == 70


def test_a_cell_like_a_usual_name_makes_no_header(tmp_path: Path) -> None:
    """Y and n are labels too: no sample is lost to a header that is none."""
    root = numbered(tmp_path, [f"{n},{'y' if n % 2 == 0 else 'n'},0.5" for n in range(40)])
    source = bf.scan(root, target=2)
    assert not source.findings
    assert source.schema.classes == ("n", "y")


def test_a_header_of_two_columns_says_which_is_which(tmp_path: Path) -> None:
    """label,id is understood, in this order too."""
    root = numbered(tmp_path, ["label,id", *(f"{39 - n},{n}" for n in range(40))])
    assert labels_of(bf.scan(root)) == {str(n): 39 - n for n in range(40)}


def test_letters_and_digits_are_names(tmp_path: Path) -> None:
    """Where many labels are no integers, none of them is a slip."""
    root = numbered(tmp_path, [f"{n},{n % 10 if n < 24 else 'abcdefghijklmnop'[n - 24]}" for n in range(40)])
    source = bf.scan(root)
    assert not source.findings
    assert len(source.schema.classes or ()) == 26


def test_a_line_break_in_the_first_row(tmp_path: Path) -> None:
    """Its cells are text like all others, also those behind it."""
    write_samples(tmp_path, "a", "b")
    (tmp_path / "target.csv").write_text('a,"q\nr",1,2\nb,"z\ny",3,4\n')
    source = bf.scan(tmp_path, target="3")
    assert {key: source[at][1] for at, key in enumerate(source.keys)} == {"a": 1, "b": 3}


def test_a_target_may_be_called_weight_or_name(tmp_path: Path) -> None:
    """What is asked for as target is neither id nor weight."""
    root = numbered(tmp_path, ["id,height,weight", *(f"{n},{n}.5,{n}.25" for n in range(40))])
    source = bf.scan(root, target="weight")
    assert source.schema.weight is None
    assert source[0][1] == float(source.keys[0]) + 0.25


def test_folders_have_no_columns(tmp_path: Path) -> None:
    """Asking for one is an error, not forgotten."""
    root = write_samples(tmp_path, "a/1", "b/2")
    (root / "labels.csv").write_text("id,age\n1,3\n2,4\n")
    with pytest.raises(bf.ArgumentError, match="no label table"):
        bf.scan(root, labels="folders", target="age")


def test_what_was_not_drawn_is_no_problem(tmp_path: Path) -> None:
    """With `limit`, findings are those of the samples drawn."""
    root = numbered(tmp_path, [f"{n},{n % 3}" for n in range(40)])
    drawn = set(bf.scan(root, limit=10).keys)
    missing = next(str(n) for n in range(40) if str(n) not in drawn)
    also = next(iter(drawn))
    (root / "labels.csv").write_text("".join(f"{n},{n % 3}\n" for n in range(40) if str(n) != missing))
    assert not bf.scan(root, limit=10).findings
    (root / "labels.csv").write_text("".join(f"{n},{n % 3}\n" for n in range(40) if str(n) != also))
    assert [(found.kind, found.count) for found in bf.scan(root, limit=10).findings] == [("missing_label", 1)]


def test_an_orphan_in_the_first_line_is_no_header(tmp_path: Path) -> None:
    """Numbers under a number: it is counted, not swallowed."""
    root = numbered(tmp_path, ["99,0.7", *(f"{n},{n}.5" for n in range(40))])
    assert [(found.kind, found.count) for found in bf.scan(root).findings] == [("orphan_label", 1)]


def test_classes_of_samples_left_out_are_no_outputs(tmp_path: Path) -> None:
    """A label that only a conflict has does not widen the model; the list says what each fault was."""
    lines = [f"{n},{'ape' if n % 2 else 'cat'}" for n in range(39)]
    root = numbered(tmp_path, [*lines, "5,bee"])
    source = bf.scan(root, on_bad="skip")
    assert source.schema.classes == ("ape", "cat")
    assert {fault.key: fault.kind for fault in source.skipped} == {
        "5": "conflicting_label",
        "39": "missing_label",
    }
    assert labels_of(source) == {str(n): (n + 1) % 2 for n in range(39) if n != 5}
