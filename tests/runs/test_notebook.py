"""What a notebook shows of samples, batches and runs."""

from pathlib import Path

import numpy as np

import brimful as bf
from tests.runs.conftest import Make, samples


def test_samples_are_shown_as_pictures(tmp_path: Path) -> None:
    """Images as images, series as plots; with keys and labels, whose text is no HTML."""
    for at in range(12):
        folder = tmp_path / "data" / f"<b>{at % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"{at}.txt", np.full((8, 8), at))
    source = bf.scan(tmp_path / "data", labels="folders")
    for thing in (source, bf.pack(source, tmp_path / "data.brim"), source.batches(4)):
        html = thing._repr_html_()
        assert html.count("<img") == 8
        assert "<b><b>" not in html
        assert "&lt;b&gt;" in html
    assert source._repr_html_().count("<rect") == 2
    series = samples(lambda at: at / 2)
    assert series._repr_html_().count("<polyline") == 8 * 3


def test_showing_batches_does_not_move_them() -> None:
    """The next batch is the one that it would have been."""
    batches, others = (samples(lambda at: at % 3).batches(8) for _ in range(2))
    next(iter(batches))
    assert batches._repr_html_()
    np.testing.assert_array_equal(next(iter(batches))[0], next(iter(others))[0])


def test_what_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    """A notebook shows the rest."""
    (tmp_path / "data").mkdir()
    for at in range(12):
        np.savetxt(tmp_path / "data" / f"{at}.txt", np.full((8, 8), at))
    source = bf.scan(tmp_path / "data")
    for path in (tmp_path / "data").iterdir():
        path.write_text("nonsense")
    assert "12 samples" in source._repr_html_()


def test_a_run_is_shown(make_run: Make) -> None:
    """As its report, in a frame of its own."""
    run, _ = make_run(epochs=1)
    assert "srcdoc=" in run._repr_html_()
    assert "1 of 1 epochs" in repr(run)


def test_numbers_and_long_series_are_plots() -> None:
    """Inputs that are single numbers, and series of several channels."""
    source = bf.scan([({"a": float(at), "b": 1.0}, at % 2) for at in range(9)])
    assert source._repr_html_().count("<svg") >= 8
    series = bf.scan([(np.zeros((128, 9), "float32"), at % 2) for at in range(9)])
    assert "<img" not in series._repr_html_()
