"""Story: the files that brimful's first user had on disk, and the figures that their own loop reached.

data/target.csv               id,label, no header
data/train/00001.csv ...      one image per file, pixels k/255 as np.savetxt writes them
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from brimful.demo.digits import SIDE, Images
from brimful.errors import WriteError
from brimful.samples import Progress

WORDS = [b"%.18e" % (level / 255) for level in range(256)]  # np.savetxt's default format
FILE_BYTES = SIDE * SIDE * (len(WORDS[0]) + 1)
DISK_BLOCK = 4096
INTRODUCTION = (
    "The story: someone's data, one CSV file per sample, did not fit into memory. Their loop of np.loadtxt "
    "and train_on_batch, tried on MNIST, was slow, and trained on 6 % of the samples without anyone "
    "noticing. "
    "Here is the same task with brimful."
)
WHY = (
    "They differ because the story's loop sliced its files with i * n_batches in place of i * batch_size, "
    "so that each batch began soon after the start of the one before, and the rest was never read; "
    "its author did not notice."
)


class StoryFigures(NamedTuple):
    """What the story's own program reached with a network on MNIST: 42,000 files, a tenth to test on.

    `distinct_samples` were ever seen of the training samples (measured by running the program again); the
    accuracy is the one that its author noted.
    """

    batch_size: int
    epochs: int
    samples: int
    distinct_samples: int
    test_accuracy: float


STORY = {
    "lenet": StoryFigures(1000, 5, 37_800, 2_332, 0.9455),
    "lenet-wide": StoryFigures(512, 5, 37_800, 5_768, 0.9769),
}


def disk_bytes(n: int) -> int:
    """Bytes that the files of n images take on disk."""
    return n * -(-FILE_BYTES // DISK_BLOCK) * DISK_BLOCK


def write_tree(folder: Path, images: Images, progress: Progress) -> None:
    """Write the files; the folder, which must not exist, appears only when it is complete.

    Raises:
        WriteError: The disk has too little room.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if free < disk_bytes(len(images)):
        raise WriteError(
            f"{folder.parent}: {disk_bytes(len(images)) / 1e6:,.0f} MB are needed, "
            f"{free / 1e6:,.0f} MB are free.",
            "Give another --workdir, or fewer --samples.",
        )
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "train").mkdir(parents=True)
    for count, (stem, image) in enumerate(zip(images.stems, images.pixels, strict=True), start=1):
        text = b"".join(b" ".join([WORDS[level] for level in row]) + b"\n" for row in image.tolist())
        (partial / "train" / f"{stem}.csv").write_bytes(text)
        if count % 100 == 0:
            progress(count)
    ids = [str(int(stem)) if stem.isdigit() else stem for stem in images.stems]
    lines = (f"{name},{label}\n" for name, label in zip(ids, images.labels.tolist(), strict=True))
    (partial / "target.csv").write_text("".join(lines))
    partial.rename(folder)
