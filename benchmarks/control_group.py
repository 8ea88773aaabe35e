"""ControlGroup: a limit on the memory of a process, and on what it reads, set by the kernel."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path("/sys/fs/cgroup")


class ControlGroup:
    """A control group for the time of a context, version 1 or 2. Only root can make one.

    Args:
        memory: Bytes of memory, page cache included.
        disk: Reads a second, and bytes a second, of the disk that holds this folder; None for no limit.
    """

    def __init__(self, memory: int, disk: tuple[int, int] | None = None) -> None:
        self._memory = memory
        self._disk = disk
        self._unified = (ROOT / "cgroup.controllers").exists()
        name = f"brimful-{os.getpid()}"
        self._folders = [ROOT / name] if self._unified else [ROOT / "memory" / name]
        if disk and not self._unified:
            self._folders.append(ROOT / "blkio" / name)

    def __enter__(self) -> Self:
        for folder in self._folders:
            folder.mkdir()
        device = Path.cwd().stat().st_dev
        disk = f"{os.major(device)}:{os.minor(device)}"
        if self._unified:
            (self._folders[0] / "memory.max").write_text(str(self._memory))
            if self._disk:
                (self._folders[0] / "io.max").write_text(f"{disk} riops={self._disk[0]} rbps={self._disk[1]}")
            return self
        (self._folders[0] / "memory.limit_in_bytes").write_text(str(self._memory))
        if self._disk:
            (self._folders[1] / "blkio.throttle.read_iops_device").write_text(f"{disk} {self._disk[0]}")
            (self._folders[1] / "blkio.throttle.read_bps_device").write_text(f"{disk} {self._disk[1]}")
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for folder in self._folders:
            folder.rmdir()

    @property
    def prefix(self) -> list[str]:
        """What to put before a command, so that it runs in the group."""
        enter = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in self._folders)
        return ["sh", "-c", f'{enter}; exec "$@"', "sh"]

    @property
    def peak(self) -> int:
        """The most memory that was in use, in bytes, page cache included."""
        name = "memory.peak" if self._unified else "memory.max_usage_in_bytes"
        return int((self._folders[0] / name).read_text())
