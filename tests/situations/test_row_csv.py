"""CSV tables as people have them: each read right, or refused with the line and the way out."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf

ROWS = 40


def write(path: Path, text: str | bytes) -> Path:
    """A file of that content."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(form: str, header: str = "a,b,label\n", rows: int = ROWS) -> str:
    """A header and a line for each row; `n` is its number, `y` its class, `v` a number with a fraction."""
    return header + "".join(form.format(n=n, y=n % 3, v=n * 0.37 - 3) for n in range(rows))


def kinds(findings: Any) -> set[str]:
    """The kinds of some findings."""
    return {finding.kind for finding in findings}


def by_key(source: Any) -> dict[str, Any]:
    """Each sample by its key."""
    return {key: source[at] for at, key in enumerate(source.keys)}


def inputs(source: Any) -> Any:
    """The inputs of the schema."""
    return source.schema.inputs


def test_ids_are_text_to_the_byte(tmp_path: Path) -> None:
    """Nineteen digits, leading zeros, one that looks like a float: nothing is made a number."""
    ids = [f"{9007199254740993000 + n:020d}" for n in range(ROWS - 1)] + ["1e3"]
    text = "id,v,label\n" + "".join(f"{key},{n},{n % 2}\n" for n, key in enumerate(ids))
    assert sorted(bf.scan(write(tmp_path / "t.csv", text), inputs="v").keys) == sorted(ids)


def test_a_repeated_id_is_refused_with_both_places(tmp_path: Path) -> None:
    """If the user has named it; or else rows are numbered, which is a warning."""
    path = write(tmp_path / "t.csv", table("{v},{v},{y}\n").replace("a,b", "v,w"))
    text = path.read_text().splitlines()
    text = ["id," + text[0], *(f"p{n % 30}," + line for n, line in enumerate(text[1:]))]
    write(path, "\n".join(text))
    with pytest.raises(bf.SourceError, match=r"'id' holds 'p0' twice: .*t\.csv:2 and .*t\.csv:32"):
        bf.scan(path, id="id")
    source = bf.scan(path)
    assert "repeated_id" in kinds(source.findings)
    assert "0" in source.keys
    assert source.schema.inputs == bf.scan(path, inputs=["v", "w"]).schema.inputs
    write(path, path.read_text().replace("p7,", ","))
    with pytest.raises(bf.SourceError, match=r"'id' is empty in 2 rows: .*t\.csv:9 and .*t\.csv:39"):
        bf.scan(path, id="id")


def test_words_like_na_are_words_of_a_feature(tmp_path: Path) -> None:
    """And the warning says so; in a column of numbers they are missing."""
    text = table("{n},{y},{y}\n", "word,number,label\n")
    for n in range(ROWS):
        text = text.replace(f"\n{n},", f"\n{('NA', 'None', 'x')[n % 3]},", 1)
    source = bf.scan(write(tmp_path / "t.csv", text))
    assert inputs(source)["word"].vocabulary == ("NA", "None", "x")
    (warning,) = (each for each in source.findings if each.kind == "missing_word")
    assert warning.count == 27
    source = bf.scan(write(tmp_path / "u.csv", text.replace("x,1,1", "x,NA,1").replace("x,2,2", "x,n.a.,2")))
    assert [each.kind for each in source.audit().problems] == ["missing_value"]


def test_a_class_called_na_is_not_lost_quietly(tmp_path: Path) -> None:
    """It is a warning and a problem until the classes are named."""
    text = (
        table("{n}.5,{v},{y}\n").replace(",0\n", ",NA\n").replace(",1\n", ",yes\n").replace(",2\n", ",no\n")
    )
    path = write(tmp_path / "t.csv", text)
    audit = bf.scan(path).audit()
    assert {"unknown_word", "missing_label"} <= kinds(audit.findings)
    source = bf.scan(path, classes=["NA", "no", "yes"])
    assert source.audit().problems == ()
    assert source.known_counts() == {"NA": 14, "no": 13, "yes": 13}


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    """Also before a quoted header; UTF-16 is named, and refused."""
    text = '"id","v","label"\r\n' + "".join(f'"k{n}",{n * 2},{n % 2}\r\n' for n in range(ROWS))
    source = bf.scan(write(tmp_path / "t.csv", text.encode("utf-8-sig")), id="id")
    assert "k0" in source.keys
    with pytest.raises(bf.SourceError, match="UTF-16"):
        bf.scan(write(tmp_path / "t.csv", text.encode("utf-16")))


def test_a_type_is_that_of_the_whole_column(tmp_path: Path) -> None:
    """One odd value far down is a problem with its line, and the others stay as they were."""
    lines = table("{v},{n},{y}\n", rows=90_000).splitlines()
    lines[80_000] = "oops,5,1"
    source = bf.scan(write(tmp_path / "t.csv", "\n".join(lines)), inputs=["a", "b"])
    (problem,) = source.findings
    assert (problem.kind, problem.count) == ("malformed", 1)
    assert problem.examples[0].startswith(f"{tmp_path}/t.csv:80001: the column 'a' holds 'oops'")
    (problem,) = source.audit().problems
    assert (problem.kind, problem.count) == ("malformed", 1)
    good = bf.scan(tmp_path / "t.csv", inputs=["a", "b"], on_bad="skip")
    assert (len(good), [fault.key for fault in good.skipped]) == (89_999, ["79999"])


def test_no_row_is_dropped_when_a_column_changes_late(tmp_path: Path) -> None:
    """Versions that look like numbers for long are words, all of them; fractions may come late."""
    path = tmp_path / "t.csv"
    with path.open("w") as file:
        file.write("version,zero,label\n")
        for n in range(120_000):
            file.write(f"{'10.5' if n < 50_000 else f'11.0.{n % 3}'},{0 if n < 60_000 else 0.5},{n % 2}\n")
    source = bf.scan(path)
    assert len(source) == 120_000
    assert inputs(source)["version"].vocabulary == ("10.5", "11.0.0", "11.0.1", "11.0.2")
    words = inputs(source)["version"].vocabulary
    found = by_key(source.select([str(n) for n in (0, 49_999, 50_000, 119_999)]))
    assert {key: words[x["version"]] for key, (x, _) in found.items()} == {
        "0": "10.5",
        "49999": "10.5",
        "50000": "11.0.2",
        "119999": "11.0.2",
    }
    assert found["119999"][0]["numbers"].tolist() == [0.5]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_fits_all_lines(tmp_path: Path, mark: str) -> None:
    """A cell may hold the others; a change of width is an error with its line."""
    other = ";" if mark != ";" else "|"
    lines = [
        mark.join(cells)
        for cells in [
            ("a", "b", "label"),
            *((f"{n}.25", f"x{other}y{n % 2}", str(n % 3)) for n in range(ROWS)),
        ]
    ]
    source = bf.scan(write(tmp_path / "t.csv", "\n".join(lines)))
    assert inputs(source)["b"].vocabulary == (f"x{other}y0", f"x{other}y1")
    for wrong, said in ((mark.join("12345"), "expected 3 cells, got 5"), ("7", "expected 3 cells, got 1")):
        spoilt = [*lines[:20], wrong, *lines[20:]]
        with pytest.raises(bf.SourceError, match=rf"t\.csv:21: {said}"):
            bf.scan(write(tmp_path / "t.csv", "\n".join(spoilt)))


def test_a_change_of_width_far_down(tmp_path: Path) -> None:
    """In the second megabyte, too."""
    lines = table("{v},{v},{y}\n", rows=120_000).splitlines()
    lines[110_000] += ",9"
    with pytest.raises(bf.SourceError, match=r"t\.csv:110001: expected 3 cells, got 4"):
        bf.scan(write(tmp_path / "t.csv", "\n".join(lines)))


def test_the_header_is_told_by_the_columns(tmp_path: Path) -> None:
    """Words over numbers are one; numbers over numbers are a sample; words over words may be either."""
    assert len(bf.scan(write(tmp_path / "t.csv", table("{v},{n},{y}\n")))) == ROWS
    bare = bf.scan(write(tmp_path / "t.csv", table("{v},{v},{y}\n", "")), target="3")
    assert len(bare) == ROWS
    assert inputs(bare).shape == (2,)
    words = "".join(f"w{n % 5},v{n % 7}\n" for n in range(ROWS))
    path = write(tmp_path / "t.csv", words)
    with pytest.raises(bf.SourceError, match=r"may be a header or a sample: 'w0, v0'.*\n.*target='3'"):
        bf.scan(path)
    assert len(bf.scan(path, target="2")) == ROWS
    path = write(tmp_path / "t.csv", "first,second\n" + words)
    assert len(bf.scan(path, target="second")) == ROWS
    counted = "0,1,2,3\n" + "".join(f"{n}.5,{n},1,{n}\n" for n in range(9))
    assert "doubtful_header" in kinds(bf.scan(write(tmp_path / "t.csv", counted)).findings)
    assert len(bf.scan(tmp_path / "t.csv", skip_lines=1)) == 9


def test_quoted_cells_may_hold_lines(tmp_path: Path) -> None:
    """As many samples as a slow reader of the standard library finds, at every line its own."""
    path = tmp_path / "t.csv"
    random = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note", "v", "label"])
        for n in range(60_000):
            note = ("plain", 'say "hi"', "two\nlines", "a,b\n\n,c", '"')[random.integers(0, 5)]
            writer.writerow([note, n * 0.5 if n != 55_555 else "", n % 3])
    with path.open(newline="") as file:
        expected = list(csv.reader(file))[1:]
    source = bf.scan(path)
    assert len(source) == len(expected)
    words = inputs(source)["note"].vocabulary
    some = [str(n) for n in (0, 1, 2, 3, 30_000, 59_998, 59_999)]
    for key, (x, y) in by_key(source.select(some)).items():
        assert [words[x["note"]], x["numbers"][0], y] == [
            expected[int(key)][0],
            float(expected[int(key)][1]),
            int(expected[int(key)][2]),
        ]
    (fault,) = source.audit().faults
    line = path.read_bytes()[: path.read_bytes().index(b",,1")].count(b"\n") + 1
    assert fault.key == "55555"
    assert abs(int(fault.message.split(":")[1]) - line) <= 3
    assert fault.message.endswith("the column 'v' has no value.")


def test_a_lone_quote_swallows_no_rows(tmp_path: Path) -> None:
    """Within a cell it is a letter; at its beginning it must be closed, and end the cell."""
    lines = table("{v},pipe{y},{y}\n").splitlines()
    path = tmp_path / "t.csv"
    source = bf.scan(write(path, "\n".join([*lines[:10], '1.5,20" pipe,0', *lines[10:]])))
    assert len(source) == ROWS + 1
    assert '20" pipe' in inputs(source)["b"].vocabulary
    with pytest.raises(bf.SourceError, match=r"t\.csv:11: a quote opens a cell, and it is not closed"):
        bf.scan(write(path, "\n".join([*lines[:10], '1.5,"20 pipe,0', *lines[10:]])))
    with pytest.raises(bf.SourceError, match=r"t\.csv:11: a quote opens a cell, and something follows"):
        bf.scan(write(path, "\n".join([*lines[:10], '1.5,"20" pipe,0', *lines[10:]])))
    swallowed = "\n".join([*lines[:10], '1.5,"x', *(["1.5,x,0"] * 60), '",0', *lines[10:]])
    source = bf.scan(write(path, swallowed))
    assert "long_cell" in kinds(source.findings)


def test_a_delimiter_at_the_end_of_lines_shifts_nothing(tmp_path: Path) -> None:
    """An empty last column is dropped with a word; a header that lacks a name is refused."""
    path = write(tmp_path / "t.csv", table("{v},{n},{y},\n"))
    source = bf.scan(path, inputs=["a", "b"])
    assert by_key(source)["7"][0].tolist() == pytest.approx([7 * 0.37 - 3, 7])
    assert any("'column 4' is empty" in fact for fact in bf.scan(path).facts)
    with pytest.raises(bf.SourceError, match="3 names, and the lines below it have 4 cells"):
        bf.scan(write(path, table("r{n},{v},{n},{y}\n")))


def test_a_column_that_counts_the_rows_is_no_feature(tmp_path: Path) -> None:
    """Nameless or not, from 0 or from 1; it is one if it is named."""
    for header, form in ((",v,label\n", "{n},{v},{y}\n"), ("number,v,label\n", "{n},{v},{y}\n")):
        path = write(tmp_path / "t.csv", table(form, header))
        source = bf.scan(path)
        assert inputs(source).shape == (1,)
        assert "counting_column" in kinds(source.findings)
    assert inputs(bf.scan(path, inputs=["number", "v"])).shape == (2,)
    assert "counting_column" not in kinds(bf.scan(path, inputs=["number", "v"]).findings)


def test_decimal_commas_are_found_over_the_whole_column(tmp_path: Path) -> None:
    """Between semicolons, in quotes, or only far down; thousands, and what is not clear, are refused."""
    path = tmp_path / "t.csv"
    text = "a;label\n" + "".join(f"{n},5;{n % 2}\n" for n in range(ROWS))
    source = bf.scan(write(path, text))
    assert by_key(source)["3"][0].tolist() == [3.5]
    assert any("decimal commas" in fact for fact in source.facts)
    late = "a;price\n" + "1;2\n" * 200_000 + "7,25;0,5\n" * 100
    source = bf.scan(write(path, late), target="price", regression=True)
    x, y = by_key(source.select(["200050"]))["200050"]
    assert (x.tolist(), y) == ([7.25], 0.5)
    quoted = "a,label\n" + "".join(f'"{n},25",{n % 2}\n' for n in range(ROWS))
    assert by_key(bf.scan(write(path, quoted)))["3"][0].tolist() == [3.25]
    for cell, said in (("1.299,99", "between thousands"), ('"1,299"', "may have a decimal comma, or")):
        mark = "," if cell.startswith('"') else ";"
        write(path, f"a{mark}label\n" + f"{cell}{mark}1\n" * 9)
        with pytest.raises(bf.SourceError, match=said):
            bf.scan(path)
    assert by_key(bf.scan(path, decimal=","))["0"][0].tolist() == pytest.approx([1.299])


@pytest.mark.parametrize("form", ["[{n}, 2.5, 3]", "({n};2.5;3)", "{n} 2.5 3", "[ {n}  2.5\n 3. ]"])
def test_cells_of_numbers_are_vectors(tmp_path: Path, form: str) -> None:
    """If all are; refused where lengths differ, or numbers were cut short when written."""
    text = "v,label\n" + "".join(f'"{form.format(n=n)}",{n % 2}\n' for n in range(ROWS))
    source = bf.scan(write(tmp_path / "t.csv", text))
    assert inputs(source).shape == (3,)
    assert by_key(source)["7"][0].tolist() == [7, 2.5, 3]
    for cell, said in (
        (form.format(n="1 2"), "different counts of numbers"),
        ("[0.1 0.2 ... 0.9]", "cut short"),
    ):
        path = write(tmp_path / "u.csv", f'{text}"{cell}",1\n')
        with pytest.raises(bf.SourceError, match=f"'v' holds .*{said}"):
            bf.scan(path)


def test_pixels_in_a_cell_and_a_split_of_the_users(tmp_path: Path) -> None:
    """A vector, a square proposed; Usage is the split, and no feature."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (ROWS, 36))
    usage = ["Training", "PublicTest", "PrivateTest"]
    lines = [
        f"{n % 7},{' '.join(map(str, row))},{usage[n % 10 % 3]}" for n, row in enumerate(pixels.tolist())
    ]
    path = write(tmp_path / "fer.csv", "emotion,pixels,Usage\n" + "\n".join(lines))
    source = bf.scan(path, target="emotion")
    assert any("shape=(6, 6)" in fact for fact in source.facts)
    source = bf.scan(path, target="emotion", shape=(6, 6, 1))
    for key, (x, y) in by_key(source).items():
        assert np.array_equal(x.reshape(-1), pixels[int(key)])
        assert y == int(key) % 7
    sides = source._reader.sides
    assert sides is not None
    assert len(sides.present) == 3


def test_codes_with_leading_zeros_are_not_numbers_quietly(tmp_path: Path) -> None:
    """A zip code is delivered as a number, with a warning; other numbers are none, and ids stay text."""
    form = "{n:05d},{n},{v:.2f},{y}\n"
    path = write(tmp_path / "t.csv", table(form, "zip,count,b,label\n"))
    (warning,) = (each for each in bf.scan(path, target="label").findings if each.kind == "leading_zeros")
    assert warning.examples == (f"{path}: the column 'zip' holds '00000', which is delivered as 0",)
    assert "leading_zeros" not in kinds(bf.scan(path, id="zip", target="label").findings)
    assert "leading_zeros" not in kinds(
        bf.scan(write(tmp_path / "u.csv", table("{n},{v:.2f},{y}\n"))).findings
    )
