"""Control group: a limit on the memory of processes, and on what they read, set by the kernel."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
UNIFIED = (ROOT / "cgroup.controllers").exists()  # version 2, in which one folder has all limits


@dataclass(frozen=True)
class ControlGroup:
    """A control group that there is.

    Attributes:
        folders: Its folders; in version 1 the first is that of memory.
    """

    folders: list[Path]

    @property
    def prefix(self) -> list[str]:
        """What to put before a command, so that it runs in the group."""
        enter = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in self.folders)
        return ["sh", "-c", f'{enter}; exec "$@"', "sh"]

    @property
    def peak(self) -> int:
        """The most memory that was in use, in bytes, page cache included."""
        name = "memory.peak" if UNIFIED else "memory.max_usage_in_bytes"
        return int((self.folders[0] / name).read_text())


@contextmanager
def control_group(memory: int, disk: tuple[int, int] | None = None) -> Iterator[ControlGroup]:
    """A control group for the time of a context, version 1 or 2. Only root can make one.

    Args:
        memory: Bytes of memory, page cache included.
        disk: Reads a second, and bytes a second, of the disk that holds this folder; None for no limit.
    """
    device = Path.cwd().stat().st_dev
    number, (reads, rate) = f"{os.major(device)}:{os.minor(device)}", disk or (0, 0)
    if UNIFIED:
        limits = [("", "memory.max", f"{memory}"), ("", "io.max", f"{number} riops={reads} rbps={rate}")]
    else:
        limits = [
            ("memory", "memory.limit_in_bytes", f"{memory}"),
            ("blkio", "blkio.throttle.read_iops_device", f"{number} {reads}"),
            ("blkio", "blkio.throttle.read_bps_device", f"{number} {rate}"),
        ]
    limits = limits if disk else limits[:1]
    folders = {each: ROOT / each / f"brimful-{os.getpid()}" for each, _, _ in limits}
    for folder in folders.values():
        folder.mkdir()
    try:
        for each, name, limit in limits:
            (folders[each] / name).write_text(limit)
        yield ControlGroup(list(folders.values()))
    finally:
        for folder in folders.values():
            folder.rmdir()
