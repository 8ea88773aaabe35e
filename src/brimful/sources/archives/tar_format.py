"""TarFormat: a Format: samples that are members of tar archives."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from brimful.encodings.pixels import jpeg
from brimful.errors import MalformedFileError
from brimful.keys import HashedKeys
from brimful.options import ScanOptions
from brimful.samples import FINGERPRINT, INFERRED_FROM, Samples
from brimful.schema import Field, Schema
from brimful.sources.archives.fields import Roles, array_in, is_array, is_image, label_in
from brimful.sources.archives.members import Member, Members, archives_in, contents, members_of
from brimful.sources.audit import findings_in
from brimful.sources.base import BaseFormat
from brimful.sources.images.first_images import FirstImages
from brimful.sources.images.rule import OPTIONS, rule_of
from brimful.sources.index import Index, RowOrder
from brimful.sources.label_join import join_lines
from brimful.sources.label_table import LabelTable
from brimful.sources.labels import Labels
from brimful.sources.listing import counted
from brimful.sources.read_files import fingerprint

TAKEN = ("regression", "classes", "suffix", "x", "y", *OPTIONS)
"""The options that mean something for archives."""

TRIED = 64  # samples that are read when archives are scanned


class TarFormat(BaseFormat):
    """Samples in tar archives, numbered in the order of the archives.

    Args:
        path: The archive, or the folder of them.
        found: Their members.
        roles: What the fields are used for.
        options: How images are decoded.
        first: The numbers of the first samples in row order, of which the schema is inferred.
    """

    def __init__(
        self, path: Path, found: Members, roles: Roles, options: ScanOptions, first: NDArray[np.int64]
    ) -> None:
        self._path = path
        self._found = found
        self._roles = roles
        self._keys = pa.array(found.samples, pa.large_string())
        self._members = list(found.samples.values())
        self.name = str(path)
        self.root = path if path.is_dir() else None
        self.findings = tuple(found.findings)
        self.nbytes = 250 * len(self._members) * len(roles.inputs) + self._keys.nbytes
        fields = [self._field(name, options, first.tolist()) for name in roles.inputs]
        inputs = fields[0] if len(fields) == 1 else dict(zip(roles.names, fields, strict=True))
        self.schema = Schema(inputs)
        self.identity = f"tar {roles.inputs} {fields}"
        self.encoded_bytes = self._mean_bytes(first.tolist())
        self.facts = tuple(self._described())

    def __len__(self) -> int:
        return len(self._members)

    def keys(self, numbers: NDArray[np.int64]) -> pa.LargeStringArray:
        """The names of members up to the dot."""
        return self._keys.take(pa.array(numbers))

    def place(self, number: int) -> str:
        """The archive, the place in it, and the key."""
        key, members = self._keys[number].as_py(), self._members[number]
        known = next((members[name] for name in self._roles.inputs if name in members), None)
        return f"{self._found.place(known) if known else self.name}: {key!r}"

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bytes of the members, times and inode of the archive."""
        prints, of_shard = np.full((len(numbers), len(FINGERPRINT)), -1), dict[int, tuple[int, ...]]()
        for at, number in enumerate(numbers.tolist()):
            have = self._members[number]
            members = [have[name] for name in self._roles.inputs if name in have]
            shards = {member.shard for member in members}
            for shard in shards - set(of_shard):
                path = self._found.shards[shard]
                of_shard[shard] = fingerprint(path.parent, path.name)
            known = [of_shard[shard] for shard in sorted(shards)]  # a sample may lie in several archives
            if known and min(each[0] for each in known) >= 0:
                _, changed, states, inodes = zip(*known, strict=True)
                size, inode = sum(member.size for member in members), reduce(xor, inodes)
                prints[at] = (size, max(changed), max(states), inode)
        return prints

    def natural_order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The order of the archives."""
        return np.argsort(numbers, kind="stable")

    def read(self, numbers: NDArray[np.int64], prints: NDArray[np.int64] | None = None) -> Samples:
        """Read some samples, each member in its place."""
        if prints is not None:
            prints[:] = self.fingerprints(numbers)
        arrays = []
        for name, field in zip(self._roles.inputs, self.schema.input_fields, strict=True):
            values = field.empty(len(numbers))
            members = [self._member(number, name) for number in numbers.tolist()]
            for at, content in enumerate(contents(self._found, members)):
                if field.encoding:
                    values[at] = content
                else:
                    values[at] = self._array(content, int(numbers[at]), field)
            arrays.append(values)
        x, _, _ = self.schema.structured(arrays)
        return Samples(x)

    def working_bytes(self, n: int) -> int:
        """The members, and what is made of them."""
        return n * (2 * self.encoded_bytes + 2 * self.schema.nbytes) + 3 * self.schema.nbytes + 2**24

    def labels(self, order: RowOrder, options: ScanOptions) -> Labels | None:
        """The labels of some samples, in row order; None if there are none."""
        path = self._roles.target
        if not path:
            return None
        numbers = order.at(np.arange(len(order)))
        labelled = [number for number in numbers.tolist() if path[0] in self._members[number]]
        members = (self._members[number][path[0]] for number in labelled)
        words = [""] * len(self)
        for number, content in zip(labelled, contents(self._found, members), strict=True):
            words[number] = label_in(content, path, self.place(number))
        cells = pa.array([words[number] for number in numbers.tolist()], pa.large_string())
        keys = self.keys(numbers)
        name = ".".join(path)
        table = LabelTable(f"{self.name} ({name})", HashedKeys.of(keys), {name: cells}, None, 0, ())
        how = f"the member {name} is the label"
        rows = np.arange(len(order))
        return join_lines(
            table, rows, _Rows(self, numbers), how, regression=options.regression, classes=options.classes
        )

    def _member(self, number: int, name: str) -> Member:
        try:
            return self._members[number][name]
        except KeyError as error:
            has = ", ".join(self._members[number])
            raise MalformedFileError(
                f"{self.place(number)}: this sample has no {name}, only {has}.",
                "Write the archives again, or leave such samples out (on_bad='skip', --on-bad skip).",
                kind="missing_member",
            ) from error

    def _array(self, content: bytes, number: int, field: Field) -> NDArray[Any]:
        array = array_in(content, self.place(number))
        if array.shape != field.shape or array.dtype != field.dtype:
            raise MalformedFileError(
                f"{self.place(number)}: expected shape {field.shape}, {field.dtype}, as most samples have. "
                f"Found {array.shape}, {array.dtype}.",
                "Write it again, or leave such samples out (on_bad='skip', --on-bad skip).",
                kind="wrong_shape",
            )
        if not np.isfinite(array).all():
            raise MalformedFileError(f"{self.place(number)}: a number is not finite.", kind="non_finite")
        return array

    def _field(self, name: str, options: ScanOptions, first: list[int]) -> Field:
        """What most of the first samples have in a field."""
        numbers = [number for number in first if name in self._members[number]]
        read = zip(numbers, contents(self._found, (self._members[n][name] for n in numbers)), strict=True)
        if is_array(name):
            return self._array_field(read)
        seen = FirstImages(len(numbers))
        for number, content in read:
            seen.look(io.BytesIO(content), f"{self.place(number)}.{name}")
        encoding = rule_of(options, seen, self.name)
        return replace(encoding.field, encoding=encoding.name)

    def _array_field(self, read: Iterable[tuple[int, bytes]]) -> Field:
        """The shape and dtype that most of some arrays have; raises the first error if none can be read."""
        found, first_error = Counter[tuple[tuple[int, ...], str]](), None
        for number, content in read:
            try:
                array = array_in(content, self.place(number))
                found[array.shape, array.dtype.name] += 1
            except MalformedFileError as error:
                first_error = first_error or error
        if first_error and not found:
            raise first_error
        shape, dtype = found.most_common(1)[0][0]
        if 0 in shape:
            raise MalformedFileError(f"{self.name}: the arrays have no values: {shape}.", kind="empty")
        return Field(shape, dtype)

    def _mean_bytes(self, first: list[int]) -> int:
        """Mean bytes of the encoded members of the first samples."""
        names = [
            name
            for name, field in zip(self._roles.inputs, self.schema.input_fields, strict=True)
            if field.encoding
        ]
        sizes = [
            self._members[number][name].size
            for number in first
            for name in names
            if name in self._members[number]
        ]
        return int(np.ceil(sum(sizes) / len(first)))

    def _described(self) -> Iterator[str]:
        """What was found, for the user to check."""
        inputs = ", ".join(self._roles.inputs)
        shards = len(self._found.shards)
        yield f"{len(self):,} samples in {shards:,} tar archive{'s' * (shards > 1)}, inputs: {inputs}"
        if self._roles.others:
            yield f"not used: {counted(self._roles.others)}"
        if self._found.passed_over:
            yield f"left out: {counted(self._found.passed_over)}"


@dataclass(frozen=True)
class _Rows:
    """Samples of archives in row order, for messages."""

    samples: TarFormat
    numbers: NDArray[np.int64]

    @property
    def name(self) -> str:
        return self.samples.name

    def __len__(self) -> int:
        return len(self.numbers)

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        return list(map(self.samples.place, self.numbers[rows].tolist()))


def scan_archives(path: Path, options: ScanOptions) -> Index:
    """The index of a tar archive, or of a folder of them.

    Raises:
        SourceError: An archive is cut or damaged, or there are no samples.
        ArgumentError: An option does not fit, or it is not clear which fields are inputs.
    """
    options.only(TAKEN, "tar archives")
    found = members_of(archives_in(path), last_dot=options.suffix is not None, progress=options.progress)
    counts = Counter(name for members in found.samples.values() for name in members)
    roles = Roles.of(counts, len(found.samples), options, str(path))
    if any(map(is_image, roles.inputs)):
        jpeg()  # says what is missing before any long work
    keys = pa.array(found.samples, pa.large_string())
    order = RowOrder.of(len(keys), lambda numbers: keys.take(pa.array(numbers)), options.limit)
    samples = TarFormat(path, found, roles, options, order.at(np.arange(min(INFERRED_FROM, len(order)))))
    index = Index(samples, order, samples.labels(order, options))
    index.sampled_findings = findings_in(index, np.arange(min(TRIED, len(index))))
    return index
