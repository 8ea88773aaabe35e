"""Files: the files that arrays are read from, and what shows that they have changed."""

import os
from pathlib import Path

from brimful.errors import ReadError
from brimful.sources.read_files import NO_PRINT, Print


class Files:
    """One or several files, or the folder of a Zarr store with all that lies below it.

    All samples share them, so the fingerprint of a sample has its share of their bytes, the newest of their
    times, and the inode.
    """

    def __init__(self, *paths: Path) -> None:
        self.paths = paths
        self._places = [path.absolute() for path in paths]  # the folder of the process may change
        self._opened = self._look()
        self._is_folder = any(path.is_dir() for path in paths)

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return self._opened[0]

    def prints_as_opened(self, samples: int) -> Print:
        """The fingerprint of each sample when the files were opened."""
        return _share(self._opened, samples)

    def prints_now(self, samples: int) -> Print:
        """The fingerprint of each sample, -1 if a file is gone."""
        return _share(self._look(), samples)

    def refuse_changed(self) -> None:
        """Refuse files that have changed since they were opened; those of a folder would be too many.

        Raises:
            ReadError: One has.
        """
        if not self._is_folder and self._look() != self._opened:
            raise ReadError(
                f"{', '.join(map(str, self.paths))}: the file has changed since it was scanned, or is gone.",
                "Scan it again, when nothing writes to it any more.",
            )

    def _look(self) -> Print:
        sizes, changed, states, inodes = [], [], [], 0
        try:
            for path in self._places:
                for each in (path, *(sorted(path.rglob("*")) if path.is_dir() else ())):
                    status = os.stat(each)  # noqa: PTH116 (half the time of pathlib's)
                    sizes.append(0 if each.is_dir() else status.st_size)
                    changed.append(status.st_mtime_ns)
                    states.append(status.st_ctime_ns)
                inodes ^= os.stat(path).st_ino  # noqa: PTH116
        except OSError:
            return (NO_PRINT,) * 4
        return sum(sizes), max(changed), max(states), inodes


def _share(whole: Print, samples: int) -> Print:
    size, *others = whole
    return (size if size == NO_PRINT else -(-size // samples), *others)  # type: ignore[return-value]
