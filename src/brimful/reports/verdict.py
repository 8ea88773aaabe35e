"""Verdict: who waited for whom in a training, which setting to change, and how much that would give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brimful.memory import format_bytes
from brimful.training.events import EpochReport

MOST = 0.99
LITTLE = 0.03  # share of the time that is not worth a change
COLD = 2  # a first epoch that waits for so many times the share of the others was reading for the first time


@dataclass(frozen=True)
class Verdict:
    """What a training waited for.

    Attributes:
        wait_share: Share of the time that the model waited for data, in the epochs judged.
        stage: What it waited for longest, one of `brimful.feed.loader.STAGES`; None if it hardly waited.
        setting: What to change: "memory", "pack", "transform", "disk", "batch_size"; None for nothing.
        text: The same in a sentence for a person.
    """

    wait_share: float
    stage: str | None
    setting: str | None
    text: str

    @classmethod
    def of(cls, epochs: Sequence[EpochReport], feeding: dict[str, Any]) -> "Verdict":
        """Judge the epochs of a training, the first one, which is cold, left out if there are others.

        Args:
            epochs: What each did.
            feeding: The entry `feeding` of the run's configuration.
        """
        judged = list(epochs[1:] or epochs)
        seconds = sum(report.seconds for report in judged)
        share = sum(report.wait_seconds for report in judged) / seconds if seconds else 0.0
        share = min(share, MOST)  # clocks are read one after the other
        if not judged:
            return cls(0.0, None, None, "No epoch has ended yet, so there is nothing to judge.")
        if share < LITTLE:
            return cls(share, None, None, _busy(share, epochs))
        waited: dict[str, float] = {}
        for report in judged:
            for stage, value in report.waited.items():
                waited[stage] = waited.get(stage, 0.0) + value
        stage = max(waited, key=waited.__getitem__)
        setting, advice = _advice(stage, feeding)
        text = (
            f"The model waited for data {share:.0%} of the time, mostly for {WHAT[stage]}: {advice} Without "
            f"the wait an epoch would take {(1 - share) * seconds / len(judged):,.1f} s in place of "
            f"{seconds / len(judged):,.1f} s, {1 / (1 - share):.1f} times as fast."
        )
        return cls(share, stage, setting, text)


WHAT = {
    "read": "reading",
    "verify": "checking what was read",
    "decode": "making arrays of what was read",
    "transform": "the transform",
    "queue": "the handing over of batches",
}


def _busy(share: float, epochs: Sequence[EpochReport]) -> str:
    first = ""
    if len(epochs) > 1 and epochs[0].wait_share > max(LITTLE, COLD * share):
        first = (
            f" The first epoch, which read the data for the first time, waited {epochs[0].wait_share:.0%}."
        )
    return (
        f"The model was never kept waiting for long: {share:.1%} of the time. What would make this training "
        f"faster is a smaller model or a faster processor, not another way to feed it.{first}"
    )


def _advice(stage: str, feeding: dict[str, Any]) -> tuple[str, str]:
    """The setting to change, and how."""
    memory, whole = feeding["memory"], feeding["whole_memory"]
    if stage == "transform":
        return "transform", (
            f"{feeding['transform'] or 'it'} takes longer than the model. Do its constant part once, before "
            "packing, or make it part of the model as layers."
        )
    if stage == "decode" and feeding.get("is_encoded"):
        return "decode", (
            "pack the data decoded (brimful pack --decode, bf.pack(decode=True)): a larger store, but its "
            "batches take no time to decode; or take a processor with more cores."
        )
    if whole is None and stage != "queue":
        return "pack", "pack the data, which are read and parsed anew in every epoch as they are."
    if stage != "queue" and memory < whole:
        return "memory", (
            f"give it memory={format_bytes(whole)!r} in place of {format_bytes(memory)!r} (--memory), and "
            "all data stay in memory after the first epoch; or put the store on a faster disk."
        )
    if stage in ("read", "verify"):
        return "disk", "put the store on a faster disk."
    return "batch_size", "take larger batches (--batch-size), or a processor with more cores."
