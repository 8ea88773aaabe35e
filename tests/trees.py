"""Trees: the story's folder on disk, in small, and what is in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tree:
    """A folder of samples and what it holds, by key."""

    path: Path
    x: dict[str, NDArray[np.float32]]
    y: dict[str, int]

    def file(self, key: str) -> Path:
        """The file of a key."""
        return self.path / f"{key}.csv"

    def content(self) -> dict[str, tuple[bytes, int]]:
        """All files, their bytes and modification times."""
        files = (path for path in sorted(self.path.rglob("*")) if path.is_file())
        return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def write_tree(path: Path, x: NDArray[Any], y: NDArray[Any]) -> Tree:
    """Write samples as the story had them: target.csv, and train/00001.csv by np.savetxt."""
    (path / "train").mkdir(parents=True)
    keys = [f"train/{number:05d}" for number in range(1, len(x) + 1)]
    for key, sample in zip(keys, x, strict=True):
        np.savetxt(path / f"{key}.csv", sample)
    lines = [f"{number},{label}\n" for number, label in enumerate(y.tolist(), start=1)]
    (path / "target.csv").write_text("".join(lines))
    inputs = {key: sample.astype(np.float32) for key, sample in zip(keys, x, strict=True)}
    return Tree(path, inputs, dict(zip(keys, y.tolist(), strict=True)))
