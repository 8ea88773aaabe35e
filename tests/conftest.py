"""What tests share: small trees on disk, made anew for each test."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests.trees import Tree, write_tree

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 (a tmpfs on Linux)
ROOM = 2 * 2**30  # bytes

if (
    "TMPDIR" not in os.environ
    and os.access(MEMORY_DISK, os.W_OK)
    and shutil.disk_usage(MEMORY_DISK).free > ROOM
):  # bringing thousands of small files to a disk would take half of the time
    os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY_DISK)
    tempfile.tempdir = None  # look again

settings.register_profile("untimed", deadline=None)  # no test is about speed: machines are shared
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of each test's own: nothing of the user's is touched."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """A folder on a disk, for what a tmpfs does otherwise."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent, prefix=".disk-") as folder:
        yield Path(folder)


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Tree]:
    """A function that writes a story's tree of n samples and returns it."""

    def make(n: int = 50, shape: tuple[int, int] = (4, 3), classes: int = 5) -> Tree:
        random = np.random.default_rng(n)
        return write_tree(tmp_path / "data", random.random((n, *shape)), random.integers(0, classes, n))

    return make


@pytest.fixture
def tree(make_tree: Callable[..., Tree]) -> Tree:
    """A story's tree of 50 samples of 4 x 3 numbers in 5 classes."""
    return make_tree()
