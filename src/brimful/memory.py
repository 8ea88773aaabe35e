"""Memory: `memory=` in bytes, and how much of it this process may have."""

import os
import re
from pathlib import Path

import pyarrow as pa

from brimful.errors import ArgumentError

POOL = pa.system_memory_pool()
"""The memory pool for large arrays of scans and parsers: that of the C library.

Arrow's default allocator, which only the program may change, spends a fifth of a scan clearing pages, and
keeps megabytes for each thread that ever used it.
"""

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def parse_bytes(memory: str | float) -> int:
    """Turn `"64MB"`, `"1.5 GiB"` or a number of bytes into bytes (GB = 10**9, GiB = 2**30)."""
    if isinstance(memory, (int, float)):
        return int(memory)
    match = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]*)?)\s*([a-zA-Z]*)\s*", memory)
    unit = match and (match[2].upper() or "B")
    if not match or unit not in UNITS:
        raise ArgumentError(
            f"Expected `memory` like '64MB', '1GB' or a number of bytes. Received: {memory!r}"
        )
    return int(float(match[1]) * UNITS[unit])


def format_bytes(n: int) -> str:
    """Bytes as a person writes them, rounded up, so that the text is a budget that suffices."""
    unit = next(name for name in ("GB", "MB", "KB", "B") if n >= UNITS[name] or name == "B")
    return f"{-(-n // (UNITS[unit] // 10 or 1)) * (UNITS[unit] // 10 or 1) / UNITS[unit]:g}{unit}"


CGROUP_LIMITS = (  # controller in /proc/self/cgroup, where it is mounted, the file with its limit
    ("", "sys/fs/cgroup", "memory.max"),
    ("memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes"),
)


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of memory that the machine and the control groups let this process have.

    `root` is where the file systems of the kernel are mounted.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    groups = root / "proc/self/cgroup"
    lines = groups.read_text().splitlines() if groups.exists() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller, mount, name in CGROUP_LIMITS:
            if controller in controllers.split(","):
                folder = root / mount / path.lstrip("/")
                around = (each for each in (folder, *folder.parents) if each.is_relative_to(root / mount))
                limits += [_limit(each / name) for each in around]
    return min(filter(None, limits))


def resident_bytes() -> int | None:
    """Bytes of memory that this process has resident; None where the system does not say."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if file.exists() else None


def _limit(file: Path) -> int:
    """The limit in a file; 0 where there is none."""
    try:
        text = file.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
