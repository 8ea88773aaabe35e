"""Members: where the files in tar archives are, found once, so that each can be read in place."""

import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from brimful.errors import MalformedFileError, ReadError, SourceNotFoundError
from brimful.samples import EXAMPLES, Finding, Progress
from brimful.sources.peek import first_names
from brimful.sources.read_files import unreadable
from brimful.sources.walk import is_utf8

BLOCK = tarfile.BLOCKSIZE
ENDING = 2 * BLOCK  # zeros at the end of an archive
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
SHARD = re.compile(r"^(.*?)([0-9]{2,})\.tar$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: the number of the archive, where its bytes begin, and how many there are."""

    shard: int
    offset: int
    size: int


@dataclass
class Members:
    """The members of some archives.

    Attributes:
        shards: The archives.
        samples: For each key the member of each field, in the order of the archives.
        passed_over: Members that are no part of a sample, counted by what they are.
        findings: What is doubtful about the archives.
    """

    shards: list[Path]
    samples: dict[str, dict[str, Member]] = field(default_factory=dict)
    passed_over: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def place(self, member: Member) -> str:
        """Where a member is, for a person."""
        return f"{self.shards[member.shard]}, byte {member.offset:,}"


def archives_in(path: Path) -> list[Path]:
    """The tar archives that a path names: a file, or those of a folder, in the order of their names.

    Raises:
        MalformedFileError: They are compressed.
    """
    found = [path] if path.is_file() else sorted(each for each in path.iterdir() if is_archive(each))
    for each in found:
        if each.name.lower().endswith(COMPRESSED):
            raise MalformedFileError(
                f"{each}: a compressed archive cannot be read in place.",
                "Decompress it first (gunzip, unxz, unzstd): images and the like hardly become larger.",
            )
    return found


def holds_archives(path: Path) -> bool:
    """Whether a path is a tar archive, or a folder of which most files are, judging by the first ones."""
    if is_archive(path):
        return True
    are_archives = [_is_named(name) for name in first_names(path, below=False)]
    return sum(are_archives) * 2 > len(are_archives)


def is_archive(path: Path) -> bool:
    """Whether a path is a tar archive by its name."""
    return _is_named(path.name) and not path.name.startswith(".") and path.is_file()


def _is_named(name: str) -> bool:
    return name.lower().endswith((".tar", *COMPRESSED))


def members_of(shards: Sequence[Path], *, last_dot: bool, progress: Progress | None = None) -> Members:
    """Find the members of some archives.

    Args:
        shards: The archives.
        last_dot: Whether a key goes up to the last dot of a name, and not up to the first, as in WebDataset.
        progress: Called with the number of samples found so far.

    Raises:
        ReadError: An archive cannot be read.
        MalformedFileError: An archive is cut or damaged, or a member is there twice.
    """
    found = Members(list(shards))
    for number, shard in enumerate(shards):
        _add(found, number, shard, last_dot)
        if progress:
            progress(len(found.samples))
    if not found.samples:
        raise SourceNotFoundError(
            f"{shards[0]}: there are no samples in {len(shards):,} archive(s).",
            "A member of a sample is named like 000017.jpg and 000017.cls.",
        )
    found.findings += _gaps(shards)
    return found


def _add(found: Members, number: int, shard: Path, last_dot: bool) -> None:
    """Add the members of an archive."""
    by_name: dict[str, Member] = {}
    try:
        with tarfile.open(shard, "r:") as archive:
            for info in archive:
                member = _member(found, by_name, info, number)
                if member is None:
                    continue
                _refuse_odd(found, member, info)
                by_name[info.name.removeprefix("./")] = member
                key, name = split_name(info.name, last_dot=last_dot)
                if not name:
                    found.passed_over["hidden members and members without suffix"] += 1
                elif (other := found.samples.setdefault(key, {}).setdefault(name, member)) is not member:
                    first = found.place(other)
                    raise MalformedFileError(
                        f"{found.place(member)}: {info.name!r} is there twice, first in {first}.",
                        "A sample has each member once: write the archives again.",
                        kind="duplicate_member",
                    )
            end = archive.offset
    except tarfile.TarError as error:
        raise MalformedFileError(
            f"{shard}: the archive is cut or damaged: {error}.",
            "Copy it again, or leave it out.",
            kind="truncated",
        ) from error
    except OSError as error:
        raise unreadable(shard, error) from error
    _check_end(found, shard, end, by_name)


def _member(found: Members, by_name: dict[str, Member], info: tarfile.TarInfo, number: int) -> Member | None:
    """Where the bytes of a member are; None for one that has none."""
    if info.isreg():
        return Member(number, info.offset_data, info.size)
    target = info.linkname.removeprefix("./")
    if info.islnk() and target in by_name:  # a second name of a file that was there before
        return by_name[target]
    if info.islnk() or info.issym():
        example = f"{found.shards[number]}: {info.name!r} is a link to {info.linkname!r}"
        hint = "Hard links to members before them in the same archive are followed, and no others."
        found.findings.append(Finding("lost_link", 1, (example,), is_problem=True, hint=hint))
    elif not info.isdir():
        found.passed_over["devices"] += 1
    return None


def _refuse_odd(found: Members, member: Member, info: tarfile.TarInfo) -> None:
    """Refuse a member whose bytes do not lie there as they are, or whose name is no text."""
    if info.issparse():
        raise MalformedFileError(
            f"{found.place(member)}: {info.name!r} is kept with holes (tar --sparse).",
            "Write the archive without --sparse.",
        )
    if not is_utf8(info.name):
        raise MalformedFileError(
            f"{found.place(member)}: the name of a member is not UTF-8: {info.name!r}.", "Rename it."
        )


def split_name(name: str, *, last_dot: bool = False) -> tuple[str, str]:
    """The key of a member and the name of its field in small letters, which is empty if it has none."""
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, suffix = base.rpartition(".") if last_dot else base.partition(".")
    return (f"{folder}{slash}{stem}", suffix.lower()) if stem else (name, "")


def _check_end(found: Members, shard: Path, end: int, by_name: dict[str, Member]) -> None:
    """Refuse an archive that is cut in its last member, and note what tells that something is missing.

    Raises:
        MalformedFileError: Its last member is cut.
        ReadError: It cannot be read.
    """
    try:
        with shard.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(min(end, size))
            rest = file.read(ENDING)
            is_closed = len(rest) == ENDING and not any(rest)
            behind = (
                any(any(block) for block in iter(lambda: file.read(1 << 20), b"")) if is_closed else False
            )
    except OSError as error:
        raise unreadable(shard, error) from error
    if any(member.offset + member.size > size for member in by_name.values()):
        raise MalformedFileError(
            f"{shard}: the archive is cut in the middle of a member.", "Copy it again.", kind="truncated"
        )
    for is_so, kind, what in (
        (not is_closed, "unclosed_archive", "has no end of archive: its last members may be missing"),
        (behind, "bytes_behind_archive", "goes on behind its end of archive: what is there is not read"),
    ):
        if is_so:
            hint = "Write it again, or copy it again; several archives cannot be joined by `cat`."
            found.findings.append(
                Finding(kind, 1, (f"{shard}: the archive {what}",), is_problem=True, hint=hint)
            )


def _gaps(shards: Sequence[Path]) -> Iterator[Finding]:
    """The warning that the numbers of the archives have gaps."""
    numbers: dict[tuple[Path, str], list[int]] = {}
    for shard in shards:
        if match := SHARD.match(shard.name):
            numbers.setdefault((shard.parent, match[1]), []).append(int(match[2]))
    for (folder, stem), found in numbers.items():
        missing = sorted(set(range(min(found), max(found) + 1)) - set(found))
        if missing:
            examples = tuple(f"{folder / stem}: number {each} is missing" for each in missing[:EXAMPLES])
            hint = "If there are such archives, copy them, too."
            yield Finding("missing_shard", len(missing), examples, is_problem=False, hint=hint)


def contents(found: Members, members: Iterable[Member]) -> Iterator[bytes]:
    """The bytes of some members; each archive is opened once.

    Raises:
        ReadError: An archive cannot be read, or is shorter than it was.
    """
    files: dict[int, BinaryIO] = {}
    with ExitStack() as opened:
        for member in members:
            shard = found.shards[member.shard]
            try:
                if member.shard not in files:
                    files[member.shard] = opened.enter_context(shard.open("rb", buffering=0))
                content = os.pread(files[member.shard].fileno(), member.size, member.offset)
            except OSError as error:
                raise unreadable(shard, error) from error
            if len(content) < member.size:
                raise ReadError(f"{shard}: the archive has become shorter.", "Scan it again.")
            yield content
