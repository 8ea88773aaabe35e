"""Inputs of a table: which columns are features, and the fields that they are delivered as."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from brimful.errors import ArgumentError, MalformedFileError
from brimful.options import ScanOptions
from brimful.samples import Finding
from brimful.schema import NAME, Field, Fields
from brimful.sources.tables.column import EXACT, MOST_WORDS, Column
from brimful.sources.tables.table_format import Inputs
from brimful.sources.tables.values import Delivery
from brimful.sources.words import DECORATED, MISSING_WORDS

NUMBERS = "numbers"  # the name of the vector of numbers beside other inputs
FEW_WORDS = 20  # may be as many as there are rows
DISTINCT = 0.9  # of the rows: so many words are no feature
FEW_ROWS = 5  # of which a column is not taken to count them
SHOWN = 12
EXACT_AS = {"float16": 2**11, "float32": EXACT, "float64": 2**53}


def features_of(
    table: str, columns: Iterable[Column], rows: int, asked: Sequence[str]
) -> tuple[list[Column], list[Finding], list[str]]:
    """The columns that are delivered, what is doubtful about them, and what was left out, in words.

    Raises:
        MalformedFileError: A column is no feature, and was not left out by naming the others.
    """
    by_name = {column.name: column for column in columns}
    left = [by_name[name] for name in asked] or list(by_name.values())
    found, findings, facts = [], [], []
    for column in left:
        if column.kind == "empty" and not asked:
            facts.append(f"the column {column.name!r} is empty, and is not used")
        elif column.counts_rows and rows >= FEW_ROWS and not asked:
            findings.append(_counting(table, column, rows))
        else:
            _refuse(table, column, rows, [each.name for each in left], is_asked=bool(asked))
            found.append(column)
    if not found:
        raise MalformedFileError(
            f"{table}: no column is left as an input.", "Name them: inputs=[...], --inputs."
        )
    return found, [*findings, *_na_words(table, found), *_mixed(table, found, rows)], facts


def _counting(table: str, column: Column, rows: int) -> Finding:
    example = f"{table}: the column {column.name!r} counts the rows from {column.counts_from}"
    hint = f"It is not used as an input. If it is one, name all inputs; if it is the key: id={column.name!r}."
    return Finding("counting_column", rows, (example,), is_problem=False, hint=hint)


def _refuse(table: str, column: Column, rows: int, names: Sequence[str], *, is_asked: bool) -> None:
    """Refuse a column that cannot be an input."""
    others = [name for name in names if name != column.name]
    listed = f"[{', '.join(map(repr, others[:5]))}{', ...' if len(others) > 5 else ''}]"
    way_out = f"Name the inputs without it: inputs={listed}, --inputs."
    if column.kind in ("other", "empty"):
        raise MalformedFileError(
            f"{table}: the column {column.name!r} holds {column.described}, which is no input.", way_out
        )
    if column.kind != "text":
        return
    if column.words is None:
        raise MalformedFileError(
            f"{table}: the column {column.name!r} holds more than {MOST_WORDS:,} different words.",
            f"{way_out} If it names the samples: id={column.name!r}, --id.",
        )
    if len(column.words) > FEW_WORDS and len(column.words) >= DISTINCT * rows and not is_asked:
        raise MalformedFileError(
            f"{table}: the column {column.name!r} holds {len(column.words):,} different words in {rows:,} "
            f"rows, like {next(iter(column.words))[:40]!r}: it is no feature.",
            f"If it names the samples: id={column.name!r}, --id. If not: {way_out}",
        )


def _na_words(table: str, columns: Iterable[Column]) -> list[Finding]:
    """The warning that words like NA are words of their own."""
    found = [
        (f"{table}: the column {column.name!r} holds {word!r} {count:,} times", count)
        for column in columns
        if column.kind == "text"
        for word, count in (column.words or {}).items()
        if word.casefold() in MISSING_WORDS
    ]
    if not found:
        return []
    hint = "It is taken for a word like all others. If it says that there is none, leave the cell empty."
    examples = tuple(example for example, _ in found[:10])
    return [Finding("missing_word", sum(n for _, n in found), examples, is_problem=False, hint=hint)]


def _mixed(table: str, columns: Iterable[Column], rows: int) -> list[Finding]:
    """The warning that columns of words hold many numbers."""
    found = [
        f"{table}: the column {column.name!r} holds {column.numbers:,} numbers, and words in "
        f"{rows - column.missing - column.numbers:,} rows"
        for column in columns
        if column.kind == "text" and column.numbers * 2 > rows - column.missing
    ]
    found += [
        f"{table}: the column {column.name!r} holds numbers with signs, like {next(iter(column.words))!r}"
        for column in columns
        if column.kind == "text" and column.words and _are_decorated(column.words)
    ]
    if not found:
        return []
    hint = "All are taken for words. If it is a column of numbers, correct the words, or leave them empty."
    return [Finding("mixed_column", len(found), tuple(found[:10]), is_problem=False, hint=hint)]


def _are_decorated(words: Iterable[str]) -> bool:
    """Whether most of some words are numbers with a percent sign, a currency or the like."""
    found = [bool(re.match(DECORATED, each)) for each in words]
    return sum(found) * 2 > len(found)


def inputs_of(table: str, columns: Sequence[Column], options: ScanOptions) -> Inputs:
    """The fields that columns are delivered as: numbers as one vector, all others by their names.

    Raises:
        ArgumentError: They do not fit the shape, or the inputs of other samples that were asked for.
    """
    dtype = options.floats
    plain = tuple(column for column in columns if column.kind == "number" or column.is_flag)
    fields: dict[str, Field] = {}
    made_of: list[tuple[Column, ...]] = []
    if plain:
        fields[NUMBERS] = Field((len(plain),), dtype)
        made_of.append(plain)
    for column in columns:
        if column.kind != "number" and not column.is_flag:
            name = _input_name(column.name, fields)
            fields[name] = _field(column, name, dtype, options)
            made_of.append((column,))
    _reshape(table, fields, options)
    whole: Fields = fields if len(fields) > 1 else next(iter(fields.values()))
    like = options.like_inputs
    if like is not None and whole != like:
        raise ArgumentError(
            f"{table}: the inputs are {_described(whole)}, and those of `like` are {_described(like)}.",
            "Name the columns in the order of the others: inputs=[...].",
        )
    return Inputs(whole, tuple(made_of), Delivery(dtype, options.fill))


def _field(column: Column, name: str, dtype: str, options: ScanOptions) -> Field:
    if column.kind != "text":
        return Field(column.shape, dtype)
    like = options.like_inputs
    other = like.get(name) if isinstance(like, dict) else like
    if other is not None and other.vocabulary is not None:
        return Field((), "int64", vocabulary=other.vocabulary)
    words = {*(column.words or ())}
    if column.missing and options.fill is not None:
        words.add("")  # a word of its own stands for the missing ones
    return Field((), "int64", vocabulary=tuple(sorted(words)))


def _input_name(heading: str, taken: Iterable[str]) -> str:
    """The name of an input, in letters that such names may have, and unlike others."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", heading)[:60] or "_"
    name = name if NAME.fullmatch(name) else f"_{name}"
    while name in taken or name == NUMBERS:
        name += "_"
    return name


def _reshape(table: str, fields: dict[str, Field], options: ScanOptions) -> None:
    """Give the shape that was asked for to the vector of numbers, or to the only input."""
    if options.shape is None:
        return
    numeric = [name for name, each in fields.items() if each.vocabulary is None]
    name = NUMBERS if NUMBERS in fields else numeric[0] if len(numeric) == 1 else None
    if name is None or math.prod(options.shape) != fields[name].size:
        have = _described(fields if len(fields) > 1 else next(iter(fields.values())))
        raise ArgumentError(
            f"{table}: expected a `shape` of as many values as an input has: {have}. "
            f"Received: shape={options.shape}"
        )
    fields[name] = replace(fields[name], shape=options.shape)


def _described(fields: Fields) -> str:
    named = fields if isinstance(fields, dict) else {"x": fields}
    return ", ".join(
        f"{name} {each.shape if each.vocabulary is None else f'of {len(each.vocabulary)} words'}"
        for name, each in named.items()
    )


def facts_of(inputs: Inputs) -> list[str]:
    """What is delivered, a line for each input."""
    fields = inputs.fields
    named = fields if isinstance(fields, dict) else {"x": fields}
    lines = []
    for (name, each), columns in zip(named.items(), inputs.columns, strict=True):
        listed = ", ".join(column.name for column in columns[:SHOWN]) + (
            ", ..." if len(columns) > SHOWN else ""
        )
        if each.vocabulary is not None:
            few = ", ".join(map(repr, each.vocabulary[:SHOWN])) + (
                ", ..." if len(each.vocabulary) > SHOWN else ""
            )
            lines.append(f"{name}: the column {listed!r} of {len(each.vocabulary):,} words: {few}")
            continue
        side = math.isqrt(each.size)
        square = f"; as a square: shape=({side}, {side})" if side > 2 and each.shape == (side * side,) else ""
        is_vector = columns[0].kind in ("vector", "list")
        lines.append(f"{name}: {each.size} numbers of {listed}" + (square if is_vector else ""))
    return lines


def findings_in(table: str, inputs: Inputs) -> tuple[list[Finding], list[Finding]]:
    """What is wrong with cells, counted by column; and the warning that integers lose digits."""
    columns = [column for some in inputs.columns for column in some]
    problems = []
    for column in columns:
        if column.missing and inputs.how.fill is None:
            where = f", the first at {column.missing_at}" if column.missing_at else ""
            example = f"{table}: the column {column.name!r} lacks {column.missing:,} values{where}"
            hint = "fill=0, --fill 0 fills them; on_bad='skip', --on-bad skip leaves such rows out."
            problems.append(Finding("missing_value", column.missing, (example,), is_problem=True, hint=hint))
        if column.strays:
            hint = (
                "Most cells of the column are numbers. Correct them, or leave such rows out (on_bad='skip')."
            )
            problems.append(Finding("malformed", column.strays, column.strays_at, is_problem=True, hint=hint))
    most = EXACT_AS[inputs.how.dtype]
    large = [f"{table}: the column {c.name!r} holds {c.largest:.0f}" for c in columns if c.largest > most]
    hint = f"Integers above {most:,} are not exact as {inputs.how.dtype}: dtype='float64', --dtype float64."
    warning = Finding("lost_digits", len(large), tuple(large[:10]), is_problem=False, hint=hint)
    return problems, [warning] if large else []
