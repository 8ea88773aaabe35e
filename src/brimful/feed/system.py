"""System: how much memory there is for the page cache."""

import os
from pathlib import Path

CGROUP_LIMITS = (  # controller in /proc/self/cgroup, where it is mounted, the file with its limit
    ("", Path("/sys/fs/cgroup"), "memory.max"),
    ("memory", Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
)


def memory_limit() -> int:
    """Bytes of memory that this process may have: of the machine, or of the control groups it is in."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    groups = Path("/proc/self/cgroup")
    lines = groups.read_text().splitlines() if groups.exists() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller, mount, name in CGROUP_LIMITS:
            if controller in controllers.split(","):
                folder = mount / path.lstrip("/")
                around = (each for each in (folder, *folder.parents) if each.is_relative_to(mount))
                limits += [_limit(each / name) for each in around]
    return min(filter(None, limits))


def _limit(file: Path) -> int:
    """The limit in a file; 0 where there is none."""
    try:
        text = file.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
