"""Peers: the story's `np.loadtxt` loop into another library's format. Runs in an environment of its own.

`python benchmarks/peers.py WRITER TREE N OUT` prints the seconds that it took.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def samples(tree: Path, n: int) -> Iterator[tuple[str, np.ndarray, int]]:
    """The first samples of a tree, read as the story did."""
    labels = dict(line.split(",") for line in (tree / "target.csv").read_text().splitlines())
    for path in sorted((tree / "train").iterdir())[:n]:
        label = labels.get(path.stem) or labels[str(int(path.stem))]
        yield path.stem, np.loadtxt(path).astype(np.float32), int(label)


def _rows(tree: Path, n: int) -> Iterator[dict[str, Any]]:
    return ({"x": x, "y": y} for _, x, y in samples(tree, n))


def hf_datasets(tree: Path, n: int, out: Path) -> None:
    """Hugging Face datasets: from_generator, save_to_disk."""
    from datasets import Array2D, Dataset, Features, Value

    features = Features({"x": Array2D((28, 28), "float32"), "y": Value("int64")})
    said = {"tree": tree, "n": n}
    data = Dataset.from_generator(_rows, features=features, gen_kwargs=said, cache_dir=str(out / "cache"))
    data.save_to_disk(str(out / "data"))


def mosaicml(tree: Path, n: int, out: Path) -> None:
    """MosaicML Streaming: MDSWriter."""
    from streaming import MDSWriter

    with MDSWriter(out=str(out / "data"), columns={"x": "ndarray:float32:28,28", "y": "int"}) as writer:
        for _, x, y in samples(tree, n):
            writer.write({"x": x, "y": y})


def webdataset(tree: Path, n: int, out: Path) -> None:
    """WebDataset: ShardWriter."""
    from webdataset import ShardWriter

    with ShardWriter(str(out / "data-%06d.tar"), verbose=0) as writer:
        for key, x, y in samples(tree, n):
            writer.write({"__key__": key, "x.npy": x, "y.cls": y})


def tfrecord(tree: Path, n: int, out: Path) -> None:
    """TensorFlow: tf.io.TFRecordWriter."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(out / "data.tfrecord")) as writer:
        for _, x, y in samples(tree, n):
            features = {
                "x": tf.train.Feature(bytes_list=tf.train.BytesList(value=[x.tobytes()])),
                "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[y])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


WRITERS = {
    "HF datasets, from_generator": hf_datasets,
    "MosaicML, MDSWriter": mosaicml,
    "WebDataset, ShardWriter": webdataset,
    "tf.io.TFRecordWriter": tfrecord,
}


def main(writer: str, tree: str, n: str, out: str) -> None:
    """Write once, and print the seconds."""
    (Path(out) / "few").mkdir(parents=True)
    WRITERS[writer](Path(tree), 8, Path(out) / "few")  # everything imported
    (Path(out) / "all").mkdir()
    began = time.perf_counter()
    WRITERS[writer](Path(tree), int(n), Path(out) / "all")
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
