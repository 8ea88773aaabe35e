"""Audit: reads every sample once, and counts everything that is wrong with any of them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.errors import LabelError, SourceError
from brimful.prefetch import Prefetch, reading_threads
from brimful.samples import EXAMPLES, FINGERPRINT, Fault, Finding, Progress
from brimful.schema import MOST_CLASSES, Field, Schema, numbers_of, to_json
from brimful.sources import audit_cache
from brimful.sources.audit_cache import Observations
from brimful.sources.index import Index

BLOCK_ROWS = 256  # few, since a block with a fault is read again in parts
BLOCK_BYTES = 64_000_000  # most memory for reading a block, unless a single sample takes more
HINT = "Repair the files or take them out, or leave these samples out (on_bad='skip', --on-bad skip)."
MISSING_HINT = (
    "Where values are missing, say what stands for them: missing='mean', '0' or 'nan', or leave such samples "
    "out: 'skip' (--missing)."
)
MORE_HINTS = {
    "malformed": MISSING_HINT,
    "non_finite": MISSING_HINT,
    "missing_value": "In a table, fill=0 (--fill 0) fills them.",
}


@dataclass(frozen=True)
class Audit:
    """What is known of a source.

    Attributes:
        samples: Number of samples, faulty ones included.
        schema: What every sample should have.
        findings: What was noticed, each kind once, counted in full, problems first.
        faults: The samples that cannot be used, in row order, each with its first fault; empty unless
            `complete`.
        class_counts: Samples of each class; None if classes are not known.
        value_range: Least and greatest input value of the samples read; None if none was read.
        source_bytes: Bytes that the samples take in the source; None if that is not known.
        complete: Whether every sample was read, not only those that the schema was inferred from.
        packed_bytes: Bytes that a store will take, estimated from a few samples; None if they cannot be read.
        packing_seconds: How long packing will take, estimated likewise.
    """

    name: str
    samples: int
    schema: Schema
    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...]
    class_counts: dict[int, int] | dict[str, int] | None
    value_range: tuple[float, float] | None
    source_bytes: int | None
    seconds: float
    complete: bool
    packed_bytes: int | None = None
    packing_seconds: float | None = None

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Findings that must be repaired, or left out, before training."""
        return tuple(finding for finding in self.findings if finding.is_problem)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that the user should know, but that do not prevent training."""
        return tuple(finding for finding in self.findings if not finding.is_problem)

    def refusal(self) -> SourceError:
        """The error for samples that cannot be used, with the count of every kind of problem."""
        kinds = {finding.kind for finding in self.problems}
        error = LabelError if all(kind.endswith("label") for kind in kinds) else SourceError
        hints = " ".join(dict.fromkeys(finding.hint for finding in self.problems if finding.hint))
        return error(f"{self.name}: {'; '.join(map(str, self.problems))}", hints)

    def as_dict(self) -> dict[str, Any]:
        """All of it except the single faults, fit for JSON."""
        counts = self.class_counts
        return {
            "name": self.name,
            "samples": self.samples,
            **to_json(self.schema.inputs),
            "classes": None if self.schema.classes is None else list(self.schema.classes),
            "class_counts": None if counts is None else {str(name): n for name, n in counts.items()},
            "value_range": None if self.value_range is None else list(self.value_range),
            "source_bytes": self.source_bytes,
            "decoded_bytes": self.samples * self.schema.nbytes,
            "packed_bytes": self.packed_bytes,
            "packing_seconds": self.packing_seconds,
            "seconds": self.seconds,
            "complete": self.complete,
            **{
                name: [
                    {"kind": each.kind, "count": each.count, "examples": list(each.examples)}
                    for each in findings
                ]
                for name, findings in (("problems", self.problems), ("warnings", self.warnings))
            },
        }

    def __str__(self) -> str:
        how = "every sample read" if self.complete else "only the first samples read"
        lines = [f"{self.name}: {self.samples:,} samples of {self.schema.described}; {how}"]
        if self.source_bytes is not None:
            lines.append(f"  {self.source_bytes / 1e6:,.1f} MB, in {self.seconds:.1f} s")
        if self.packed_bytes is not None and self.packing_seconds is not None:
            packed, decoded = self.packed_bytes, self.samples * self.schema.nbytes
            lines.append(
                f"  packed about {packed / 1e6:,.1f} MB, in about {self.packing_seconds:,.1f} s; "
                f"{decoded / 1e6:,.1f} MB as delivered"
            )
        if self.value_range:
            lines.append(f"  values from {self.value_range[0]:g} to {self.value_range[1]:g}")
        if self.class_counts:
            counts = self.class_counts
            few = ", ".join(f"{name}: {n:,}" for name, n in islice(counts.items(), 12))
            lines.append(f"  {len(counts):,} classes: {few}{', ...' if len(counts) > 12 else ''}")
        lines += [f"  {'problem' if each.is_problem else 'warning'}: {each}" for each in self.findings]
        if not self.problems:
            lines.append("  no problems")
        return "\n".join(lines)


def audit(
    reader: Index,
    rows: NDArray[np.int64],
    progress: Progress | None = None,
    *,
    cached: bool = True,
    estimate: Callable[[], dict[str, float]] = dict,
) -> Audit:
    """Read some rows of a source, ascending, usually all of them, and note whatever is wrong.

    Args:
        reader: The source.
        rows: The rows.
        progress: Called with the number of samples seen so far.
        cached: Whether to use what an earlier audit saw of files that have not changed, and to keep what this
            one sees.
        estimate: Measures what packing takes per sample, `bytes` and `seconds`; called unless that is known.
    """
    began, clock = time.time(), time.perf_counter()
    seen = Observations.none(len(rows))
    known = audit_cache.recall(reader, rows, seen) if cached else np.zeros(len(rows), bool)
    for done in _read_all(reader, rows, np.flatnonzero(~known), seen):
        if progress:
            progress(done)
    if not seen.packing:
        seen.packing.update(estimate())
    if cached and len(rows) == len(reader) and not known.all():
        audit_cache.keep(reader, seen, began)
    return _summary(reader, rows, seen, time.perf_counter() - clock)


def _summary(reader: Index, rows: NDArray[np.int64], seen: Observations, seconds: float) -> Audit:
    """The audit of rows that were all read."""
    unreadable = _faults(reader, rows, seen.kinds, seen.messages)
    unlabelled = reader.label_faults(rows)
    labels = {at: f"its label: {kind.replace('_', ' ')}" for at, kind in unlabelled.items()}
    faults = _faults(reader, rows, {**unlabelled, **seen.kinds}, {**labels, **seen.messages})
    counts = reader.class_counts(rows) or _count(reader, seen)
    intact = ~np.isnan(seen.low)
    return Audit(
        reader.name,
        len(rows),
        reader.schema,
        _merged((*reader.findings, *_counted(unreadable), *_one_class(counts))),
        faults,
        counts,
        (float(seen.low[intact].min()), float(seen.high[intact].max())) if intact.any() else None,
        int(seen.prints[:, 0].clip(min=0).sum()) if reader.is_fingerprinted else None,
        seconds,
        complete=True,
        packed_bytes=int(len(rows) * seen.packing["bytes"]) if seen.packing else None,
        packing_seconds=len(rows) * seen.packing["seconds"] if seen.packing else None,
    )


def glance(reader: Index, rows: NDArray[np.int64]) -> Audit:
    """What is known without reading more than the scan has read."""
    counts = reader.class_counts(rows)
    findings = _merged((*reader.findings, *reader.sampled_findings, *_one_class(counts)))
    return Audit(reader.name, len(rows), reader.schema, findings, (), counts, None, None, 0.0, complete=False)


def findings_in(reader: Index, rows: NDArray[np.int64]) -> tuple[Finding, ...]:
    """What is wrong with the inputs of a few samples, which are read in this thread."""
    seen = Observations.none(len(rows))
    _observe(reader, rows, seen, np.arange(len(rows)))
    return tuple(_counted(_faults(reader, rows, seen.kinds, seen.messages)))


def _count(reader: Index, seen: Observations) -> dict[int, int] | dict[str, int] | None:
    """How many samples are of each class, by the integers that they carry; None if they carry none."""
    if not seen.targets or reader.is_fingerprinted:
        return None
    values, counts = np.unique(np.concatenate(seen.targets), return_counts=True)
    by_value = dict(zip(values.tolist(), counts.tolist(), strict=True))
    if reader.schema.classes is None:
        return by_value if len(by_value) <= MOST_CLASSES else None
    return {
        name: by_value.get(number, 0)
        for name, number in zip(
            reader.schema.classes, numbers_of(reader.schema.classes).values(), strict=True
        )
    }  # type: ignore[return-value]


def _merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding per kind, problems first."""
    kinds: dict[tuple[str, bool], Finding] = {}
    for finding in sorted(findings, key=lambda each: not each.is_problem):
        other = kinds.setdefault((finding.kind, finding.is_problem), finding)
        if other is not finding:
            examples = (*other.examples, *finding.examples)[:EXAMPLES]
            count = other.count + finding.count
            hints = " ".join(dict.fromkeys(filter(None, (other.hint, finding.hint))))
            both = replace(other, count=count, examples=examples, hint=hints)
            kinds[finding.kind, finding.is_problem] = both
    return tuple(kinds.values())


def _read_all(
    reader: Index, rows: NDArray[np.int64], unread: NDArray[np.int64], seen: Observations
) -> Iterator[int]:
    """Read the samples at some positions of rows, in threads; yields how many are done."""
    if reader.is_sequential and (order := reader.disk_order(rows[unread])) is not None:
        unread = unread[order]
    size = BLOCK_ROWS
    while size > 1 and reader.working_bytes(size) > BLOCK_BYTES:
        size //= 2
    blocks = (unread[start : start + size] for start in range(0, len(unread), size))
    done = len(rows) - len(unread)
    yield done
    read, threads = partial(_observe, reader, rows, seen), reading_threads()
    with Prefetch(read, blocks, threads=threads, depth=2 * threads + 1) as counts:
        for count in counts:
            done += count
            yield done


def _observe(reader: Index, rows: NDArray[np.int64], seen: Observations, at: NDArray[np.int64]) -> int:
    """Read the samples at some positions of rows; if that fails, one half and then the other."""
    try:
        prints = np.full((len(at), len(FINGERPRINT)), -1)
        samples = reader.read(rows[at], targets=reader.has_own_targets, prints=prints)
    except SourceError as error:
        if len(at) == 1:
            seen.prints[at] = reader.fingerprints(rows[at])
            seen.kinds[int(at[0])], seen.messages[int(at[0])] = error.kind, error.message
            return 1
        middle = len(at) // 2
        return sum(_observe(reader, rows, seen, half) for half in (at[:middle], at[middle:]))
    (seen.low[at], seen.high[at]), seen.prints[at] = samples.ranges, prints
    if reader.schema.target == Field((), "int64") and reader.has_own_targets:
        seen.targets.append(samples.y)
    return len(at)


def _faults(
    reader: Index, rows: NDArray[np.int64], kinds: dict[int, str], messages: dict[int, str]
) -> tuple[Fault, ...]:
    """The faulty ones of some rows, in row order."""
    at = sorted(kinds)
    keys = reader.keys(rows[at])
    return tuple(
        Fault(key, kinds[position], messages[position]) for key, position in zip(keys, at, strict=True)
    )


def _counted(faults: Sequence[Fault]) -> Iterator[Finding]:
    """A finding for each kind of fault."""
    kinds: dict[str, list[str]] = {}
    for fault in faults:
        kinds.setdefault(fault.kind, []).append(fault.message)
    for kind, messages in kinds.items():
        hint = f"{HINT} {MORE_HINTS[kind]}" if kind in MORE_HINTS else HINT
        yield Finding(kind, len(messages), tuple(messages[:EXAMPLES]), is_problem=True, hint=hint)


def _one_class(counts: dict[int, int] | dict[str, int] | None) -> Iterator[Finding]:
    """The warning that all samples are of one class."""
    present = [name for name, n in (counts or {}).items() if n]
    if counts and len(present) == 1:
        yield Finding(
            "one_class", sum(counts.values()), (f"every label is {present[0]!r}",), is_problem=False
        )
