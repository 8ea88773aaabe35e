"""Training and predicting from tables: words keep their numbers, and predictions join back by key."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import brimful as bf
from brimful.cli.main import main
from tests.situations.test_row_columns import people, save
from tests.situations.test_row_csv import inputs, table, write


def model_for(samples: Any) -> Any:
    """A network of numbers and a word, compiled."""
    import keras

    numbers = keras.Input((2,), name="numbers")
    color = keras.Input((), dtype="int64", name="color")
    embedded = keras.layers.Embedding(len(inputs(samples)["color"].vocabulary), 2)(color)
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Concatenate()([numbers, embedded]))
    model = keras.Model({"numbers": numbers, "color": color}, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.keras
def test_a_model_meets_no_other_numbering_of_words(tmp_path: Path) -> None:
    """What a run was trained on is known: a table that numbers words otherwise is refused."""
    source = bf.scan(save(tmp_path / "train.parquet", people(120)))
    data = bf.pack(source, tmp_path / "train.brim")
    bf.train(model_for(data), data.batches(32), run=tmp_path / "run", epochs=1)
    fewer = people(90).filter(pc.not_equal(people(90)["color"], "blue"))
    path = save(tmp_path / "test.parquet", fewer)
    run = bf.Run(tmp_path / "run")
    with pytest.raises(bf.StateError, match=r"numbered otherwise.*\n.*like="):
        run.predict(bf.scan(path).batches(32, shuffle=False), tmp_path / "p.parquet")
    run.predict(bf.scan(path, like=data).batches(32, shuffle=False), tmp_path / "p.parquet")
    predicted = pa.parquet.read_table(tmp_path / "p.parquet")
    assert sorted(predicted["key"].to_pylist()) == sorted(map(str, range(len(fewer))))


def test_the_command_line_packs_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scan, pack, verify; what is wrong with a table is exit code 1, and nothing in it is changed."""
    path = write(tmp_path / "t.csv", table("{v},{n}.5,{y}\n", rows=500))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert main(["scan", str(path), "--json"]) == 0
    assert (
        main(["pack", str(path), str(tmp_path / "t.brim"), "--target", "label", "--inputs", "b", "--json"])
        == 0
    )
    assert main(["verify", str(tmp_path / "t.brim"), "--json"]) == 0
    data = bf.open(tmp_path / "t.brim")
    assert {key: float(data[at][0][0]) for at, key in enumerate(data.keys)} == {
        str(n): n + 0.5 for n in range(500)
    }
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    spoilt = write(tmp_path / "u.csv", table("{v},{n}.5,{y}\n", rows=500).replace("7.5,", ","))
    assert main(["scan", str(spoilt), "--json"]) == 1
    assert main(["pack", str(spoilt), str(tmp_path / "u.brim"), "--fill", "0", "--json"]) == 0
    assert main(["scan", str(path), "--suffix", ".x"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_memory_of_packing_stays_small(tmp_path: Path) -> None:
    """A table that is larger than the memory is packed through piles, to the same bytes."""
    rows = people(40_000, **{f"c{n}": np.random.default_rng(n).normal(size=40_000) for n in range(20)})
    source = bf.scan(save(tmp_path / "t.parquet", rows, row_group_size=40_000))
    large = bf.pack(source, tmp_path / "large.brim")
    small = bf.pack(source, tmp_path / "small.brim", memory="60MB")
    names = [sorted(path.name for path in each.path.glob("shard*")) for each in (large, small)]
    assert names[0] == names[1]
