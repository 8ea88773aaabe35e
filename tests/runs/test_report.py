"""The report: true figures, in a page that a browser shows without errors, network or sideways scrolling."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brimful as bf
from brimful.cli.main import main
from brimful.pictures.charts import ticks
from brimful.reports.judgement import Judgement
from tests.runs.conftest import COUNT, Make, network, samples
from tests.trees import Tree

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<script>document.title='taken'</script>\"'&"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
Look = Callable[[Path], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; the tests are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def look(browser: Any) -> Look:
    """Shows a page in both themes, on a phone and on a desk, and checks that nothing is wrong with it."""

    def check(path: Path) -> None:
        assert path.stat().st_size < 3e6
        grounds = set()
        for theme in ("light", "dark"):
            for width in (390, 1280):
                shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
                messages: list[str] = []
                requests: list[str] = []
                shown.on("console", lambda message, seen=messages: seen.append(message.text))
                shown.on("pageerror", lambda error, seen=messages: seen.append(str(error)))
                shown.on("request", lambda request, seen=requests: seen.append(request.url))
                shown.goto(path.resolve().as_uri())
                assert messages == []
                assert [url for url in requests if not url.startswith("data:")] == [path.resolve().as_uri()]
                assert shown.evaluate("document.documentElement.scrollWidth") <= width
                assert shown.title() != "taken"
                assert shown.evaluate("document.querySelectorAll('script').length") == 0
                broken = "[...document.images].filter(image => !image.naturalWidth).length"
                assert shown.evaluate(broken) == 0
                assert len(shown.pdf()) > 1000
                grounds.add(shown.evaluate("getComputedStyle(document.body).backgroundColor"))
                shown.close()
        assert len(grounds) == 2

    return check


def test_classes(make_run: Make, look: Look) -> None:
    """Curves, confusions, the worst judged, the sessions."""
    run, source = make_run()
    path = run.report(validation=source.batches(16))
    text = path.read_text()
    assert f"of {len(source.split(test=0.3)[0])} samples in each of 2 epochs" in text
    assert text.count("<figure>") == 36
    judgement = run.judge(source.batches(7))
    assert f"right for {judgement.accuracy:.1%}" in text
    look(path)


def test_the_judgement_is_that_of_the_model(make_run: Make) -> None:
    """Counted in a stream, and the same as of all predictions at once."""
    run, source = make_run()
    judgement = run.judge(source.batches(7))
    scores = run.best_model().predict(np.stack([source[at][0] for at in range(COUNT)]), verbose=0)
    labels = np.array([source[at][1] for at in range(COUNT)])
    guesses = scores.argmax(axis=1)
    assert judgement.samples == COUNT
    assert judgement.accuracy == pytest.approx((labels == guesses).mean())
    for label in range(3):
        for guess in range(3):
            assert judgement.pairs[label, guess] == ((labels == label) & (guesses == guess)).sum()
    losses = -np.log(scores[np.arange(COUNT), labels])
    worst = [source.keys[at] for at in np.argsort(-losses)[:36]]
    assert [each.key for each in judgement.worst] == worst
    for name, count, recall, precision in judgement.class_figures:
        assert count == (labels == int(name)).sum()
        assert recall == pytest.approx((guesses[labels == int(name)] == int(name)).mean())
        if precision is not None:
            assert precision == pytest.approx((labels[guesses == int(name)] == int(name)).mean())


def test_numbers(make_run: Make, look: Look) -> None:
    """Predicted against true."""
    run, source = make_run(network(1, None), samples(lambda at: float(at % 3) + 0.5))
    path = run.report(validation=source.batches(16))
    assert "Predicted against true" in path.read_text()
    look(path)


def test_names_that_are_html_are_shown_as_they_are(tmp_path: Path, make_run: Make, look: Look) -> None:
    """Labels, keys and folders may hold anything."""
    names = ["<b>bold</b>", "<img src=x onerror=document.title='taken'>".replace("/", ""), "a&b\"'"]
    for at in range(30):
        folder = tmp_path / "data" / names[at % 3]
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"<i>{at}.txt", np.full((4, 3), at % 3 + at / 1000))
    run, source = make_run(
        source=bf.scan(tmp_path / "data", labels="folders"), config={"model": HOSTILE, "command": HOSTILE}
    )
    path = run.report(validation=source.batches(16))
    text = path.read_text()
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold" in text
    look(path)


def test_a_run_without_epochs_and_without_labels(make_run: Make, look: Look) -> None:
    """It says what it does not know."""
    run, _ = make_run(epochs=1)
    path = run.report()
    assert "Judgement" not in path.read_text()
    look(path)
    (run.path / "log.jsonl").unlink()
    look(bf.Run(run.path).report())


def test_commands_evaluate_predict_and_report(
    make_tree: Callable[..., Tree], tmp_path: Path, capsys: pytest.CaptureFixture[str], look: Look
) -> None:
    """From a folder of text to the three, of one run and of two side by side; and after the data are gone."""
    tree = make_tree(120, (8, 8))
    runs = [str(tmp_path / name) for name in ("a", "b")]
    for seed, run in enumerate(runs):
        command = ["train", str(tree.path), "--run", run, "--epochs", "1", "--batch-size", "32"]
        assert main([*command, "--model", "dense", "--seed", str(seed)]) == 0
    capsys.readouterr()
    assert main(["evaluate", runs[0], "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metrics"]["loss"] == pytest.approx(bf.Run(runs[0]).epochs[0].loss, rel=1e-5)
    assert main(["evaluate", runs[0], str(tree.path), "--model", "last", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 120
    out = str(tmp_path / "p.csv")
    assert main(["predict", runs[0], str(tree.path), "--out", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 120
    assert main(["predict", runs[0], str(tree.path), "--out", out]) == 2
    assert "something of that name" in capsys.readouterr().err
    assert main(["report", runs[0], "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "waited" in document["runs"][0]["verdict"] or "waiting" in document["runs"][0]["verdict"]
    page = Path(document["report"])
    assert "Judgement" in page.read_text()
    assert f"brimful train {tree.path}" in page.read_text()
    look(page)
    assert main(["report", *runs, "--out", str(tmp_path / "both.html")]) == 0
    assert "2 runs" in (tmp_path / "both.html").read_text()
    look(tmp_path / "both.html")
    capsys.readouterr()
    shutil.rmtree(tree.path.with_name(f"{tree.path.name}.brim"))
    assert main(["evaluate", runs[0]]) == 1
    assert main(["report", runs[0]]) == 0
    assert "The model judged no samples" in page.read_text()
    assert main(["report", str(tmp_path)]) == 1
    assert "this is no run" in capsys.readouterr().err


def test_classes_of_other_data_are_mapped_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder in which a class does not occur is judged by the numbers of the training."""
    names = ["ant", "bee", "cat"]
    for folder, kept in (("train", names), ("other", names[1:])):
        for at in range(60):
            if names[at % 3] in kept:
                place = tmp_path / folder / names[at % 3]
                place.mkdir(parents=True, exist_ok=True)
                np.savetxt(place / f"{at}.txt", np.roll(np.eye(8, 8), at % 3) + at / 1000)
    run = str(tmp_path / "run")
    command = ["train", str(tmp_path / "train"), "--run", run, "--epochs", "30", "--batch-size", "8"]
    assert main([*command, "--model", "dense", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["evaluate", run, str(tmp_path / "other"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.9, 3.1, [1, 1.5, 2, 2.5, 3]), (-5, 95, [0, 20, 40, 60, 80])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    """From the first round number in the span to the last."""
    assert ticks(low, high) == pytest.approx(expected)


def test_nothing_is_judged_without_labels() -> None:
    """Or of several outputs."""
    assert Judgement.of(None, [], None).samples == 0
