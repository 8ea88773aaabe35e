"""Disk: a disk that writes down what is done to it, fails when told to, or loses power.

It stands between packing and the system: the calls of `brimful.storage.local` go through it and are carried
out. What it wrote down can be replayed up to any call, into another folder, as a disk would look after the
power went: what was not brought to it is gone.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Call:
    """One call that changes the disk: its name, the path it is about, and what else it was given."""

    name: str
    path: str
    data: bytes = b""
    to: str = ""


@dataclass
class Disk:
    """The `os` that `brimful.storage.local` sees.

    Attributes:
        before: Called before each call that changes something, with its number; may raise, or kill.
        calls: What was done.
    """

    before: Callable[[int], None] = lambda _: None
    calls: list[Call] = field(default_factory=list)
    _paths: dict[int, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        """Open a file; to write, or a folder to bring it to the disk."""
        if flags & os.O_CREAT:
            self._do("open", path)
        descriptor = os.open(path, flags, mode)
        self._paths[descriptor] = str(path)
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write, at most 1000 bytes at a time."""
        data = data[:1000]
        self._do("write", self._paths[descriptor], data=bytes(data))
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        """Bring a file or the names in a folder to the disk. Here nothing needs to be."""
        self._do("fsync", self._paths[descriptor])

    def rename(self, path: Any, to: Any) -> None:
        """Give a file another name."""
        self._do("rename", path, to=str(to))
        os.rename(path, to)  # noqa: PTH104 (as it was called)

    def unlink(self, path: Any) -> None:
        """Remove a file."""
        self._do("unlink", path)
        os.unlink(path)  # noqa: PTH108

    def mkdir(self, path: Any) -> None:
        """Make a folder."""
        self._do("mkdir", path)
        os.mkdir(path)  # noqa: PTH102

    def _do(self, name: str, path: Any, **more: Any) -> None:
        self.before(len(self.calls))
        self.calls.append(Call(name, str(path), **more))


def after_power_loss(
    before: dict[str, bytes], calls: list[Call], folder: str, *, names_are_lost: bool
) -> dict[str, bytes] | None:
    """What a folder holds when the power went after some calls.

    Args:
        before: What it held before them, by name.
        calls: The calls.
        folder: Which folder.
        names_are_lost: Whether what was made, renamed and removed is so only once the folder was brought to
            the disk; otherwise it is so at once, though the content may not be there.

    Returns:
        Its files, by name; None if it is not there itself.
    """
    content = {f"{folder}/{name}": data for name, data in before.items()}
    written, durable_content = dict(content), dict(content)  # by path, with names as the process sees them
    names = {path: path for path in content}  # name -> the file it leads to, by the path it was made under
    durable_names = dict(names)
    exists = durable_exists = bool(before)
    for number, call in enumerate(calls):
        if call.name == "mkdir":
            exists = True
        elif call.name == "open":
            inode = f"{call.path}#{number}"
            names[call.path], written[inode], durable_content[inode] = inode, b"", b""
        elif call.name == "write":
            written[names[call.path]] += call.data
        elif call.name == "rename":
            names[call.to] = names.pop(call.path)
        elif call.name == "unlink":
            names.pop(call.path)
        elif call.path == folder:
            durable_names = dict(names)
        elif call.path == str(Path(folder).parent):
            durable_exists = exists
        else:
            inode = names[call.path]
            durable_content[inode] = written[inode]
    if not (durable_exists if names_are_lost else exists):
        return None
    seen = durable_names if names_are_lost else names
    return {Path(path).name: durable_content[inode] for path, inode in seen.items()}
