"""Sizes in bytes: read from what a person writes, and written for a person to read."""

import re

from brimful.errors import ArgumentError

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


def readable(n: int) -> str:
    """Bytes as a person writes them, rounded up, so that the text is a budget that suffices."""
    unit = next(name for name in ("GB", "MB", "KB", "B") if n >= UNITS[name] or name == "B")
    return f"{-(-n // (UNITS[unit] // 10 or 1)) * (UNITS[unit] // 10 or 1) / UNITS[unit]:g}{unit}"
