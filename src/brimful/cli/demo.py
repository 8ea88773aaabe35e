"""brimful demo: writes data of its own, and trains and checks a model on them."""

from pathlib import Path
from typing import Any

import click
from xxhash import xxh3_64_hexdigest

from brimful.cli.backend import start_keras
from brimful.cli.console import Screen, screen_options
from brimful.cli.options import say_source
from brimful.cli.train import TrainingOptions, origin_of, packed, store_beside, train_on
from brimful.demo.digits import Images, embedded, mnist
from brimful.demo.shapes import SIZE, write_shapes
from brimful.demo.story import INTRODUCTION, STORY, WHY, StoryFigures, disk_bytes, write_tree
from brimful.source import scan
from brimful.training.events import EpochReport

FILES, IMAGES = 42_000, 6_000  # how many the demo writes


@click.command()
@click.option(
    "--workdir", default="brimful-demo", show_default=True, metavar="DIR", help="Folder for its files."
)
@click.option(
    "--mnist",
    "mnist_path",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="MNIST to use: mnist.npz, Kaggle's train.csv or idx files.",
)
@click.option(
    "--images", "has_images", is_flag=True, help="Images in a folder per class, not the story's files."
)
@click.option(
    "--samples",
    type=click.IntRange(min=10),
    metavar="N",
    help="Number of files.  [default: 42,000; 6,000 images]",
)
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--model", type=click.Choice(list(STORY)), default="lenet", show_default=True)
@click.option("--method", type=click.Choice(["fit", "train_on_batch"]), default="fit", show_default=True)
@screen_options
def demo(
    workdir: str,
    mnist_path: Path | None,
    has_images: bool,
    samples: int | None,
    model: str,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Write one file per sample, thousands of them, and train on them from disk."""
    screen = Screen(as_json, quiet)
    if has_images:
        _images(Path(workdir), samples or IMAGES, model, screen, **options)
        return
    samples = samples or FILES
    screen.say(INTRODUCTION)
    screen.say("Making the images ..." if mnist_path is None else f"Reading {mnist_path} ...")
    images = mnist(mnist_path, samples) if mnist_path else embedded(samples)
    screen.say(f"The data: {images.origin}")
    folder = _tree(Path(workdir), images, screen)
    with screen.counting(f"listing {folder}:") as count:
        source = scan(folder, progress=count)
    say_source(screen, source)
    figures = STORY[model]
    how = TrainingOptions(
        run=str(_free_run(Path(workdir) / "runs", model)),
        model=model,
        batch_size=figures.batch_size,
        group=images.group,
        **options,
    )
    build = start_keras(how.model, how.seed)
    data = packed(source, store_beside(folder), how, screen)
    reports, document = train_on(
        data, how, build, screen, source.skipped, {"source": source.name, "scan": {}, **origin_of(source)}
    )
    _compare(figures, reports[-1], document, screen)
    screen.say(
        f"{WHY}" + ("" if mnist_path else " And its digits were those of MNIST, these are scikit-learn's.")
    )
    screen.say(f"The files are in {folder}, packed in {data.path}, the model is in {how.run}/model.keras.")
    screen.result({**document, "data": str(folder), "store": str(data.path), "origin": images.origin})


def _images(workdir: Path, samples: int, model: str, screen: Screen, **options: Any) -> None:
    """Write images into a folder per class, and train on them from disk."""
    folder = workdir / f"shapes-{samples}" / "data"
    if not folder.exists():
        screen.say(f"Drawing {samples:,} images of circles, squares and triangles into {folder}")
        with screen.bar("drawing", samples) as progress:
            write_shapes(folder, samples, progress)
    source = scan(folder, image_size=SIZE)
    say_source(screen, source)
    how = TrainingOptions(
        run=str(_free_run(workdir / "runs", f"{model}-images")), model=model, batch_size=64, **options
    )
    build = start_keras(how.model, how.seed)
    data = packed(source, store_beside(folder), how, screen)
    scanned = {"image_size": SIZE}
    told = {"source": source.name, "scan": scanned, **origin_of(source)}
    _, document = train_on(data, how, build, screen, source.skipped, told)
    screen.say(f"The images are in {folder}, packed in {data.path}, the model is in {how.run}/model.keras.")
    screen.result({**document, "data": str(folder), "store": str(data.path)})


def _tree(workdir: Path, images: Images, screen: Screen) -> Path:
    """The folder of these images, written unless an earlier demo has left it."""
    content = xxh3_64_hexdigest(images.pixels.tobytes() + images.labels.tobytes())
    folder = workdir / f"{'digits' if images.group else 'mnist'}-{len(images)}-{content[:8]}" / "data"
    if folder.exists():
        screen.say(f"{folder} exists from an earlier demo.")
        return folder
    screen.say(f"Writing {len(images):,} files, {disk_bytes(len(images)) / 1e6:,.0f} MB, into {folder}")
    with screen.bar("writing", len(images)) as progress:
        write_tree(folder, images, progress)
    return folder


def _free_run(folder: Path, model: str) -> Path:
    numbers = (number for number in range(1, 1_000_000) if not (folder / f"{model}-{number:03d}").exists())
    return folder / f"{model}-{next(numbers):03d}"


def _compare(story: StoryFigures, report: EpochReport, document: dict[str, Any], screen: Screen) -> None:
    """Print the figures of the story beside those of this training."""
    samples, seen = document["training_samples"], report.distinct_samples
    rows = [
        ("training samples", f"{story.samples:,}", f"{samples:,}"),
        ("of them ever seen", f"{story.distinct_samples:,}", f"{seen:,}"),
        ("share seen", f"{story.distinct_samples / story.samples:.1%}", f"{seen / samples:.1%}"),
        ("test accuracy", f"{story.test_accuracy:.2%}", f"{(report.test or {}).get('accuracy', 0):.2%}"),
        ("epochs", str(story.epochs), str(report.epoch)),
        ("batch size", f"{story.batch_size:,}", f"{story.batch_size:,}"),
        ("labels joined by", "position in a listing", "key"),
        ("shuffled", "never again", "every epoch"),
        ("last, partial batch", "dropped", "trained on"),
        ("waited for data", "not known", f"{report.wait_share:.1%} of the time"),
    ]
    screen.table("The story and this training", ("", "the story, on MNIST", "this training"), rows)
