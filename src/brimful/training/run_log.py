"""RunLog: log.jsonl of a run folder, a JSON document a line, each of one `kind`.

epoch      what an epoch did: an EpochReport
interval   what a training did in some seconds in the middle of one: an IntervalReport
session    a process began to train, or ended: an event, its time, and the position
undone     a line of what was trained behind the last checkpoint when the process was killed, and was trained
           again by the next one
"""

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from brimful.storage.base import write_file
from brimful.storage.local import LocalStorage
from brimful.training.events import EpochReport, IntervalReport

NAME = "log.jsonl"
Report = TypeVar("Report", EpochReport, IntervalReport)


@dataclass(frozen=True)
class Session:
    """One process that trained.

    Attributes:
        began: When it began, an ISO time with its offset from UTC.
        epoch: The epoch in which it began, from 1.
        samples: Samples of that epoch that had been trained on before.
        ended: When it ended; None if it was killed, or still trains.
        error: What ended it early, in words; None if nothing did.
    """

    began: str
    epoch: int
    samples: int
    ended: str | None = None
    error: str | None = None


class RunLog:
    """The lines of a log. A line that was cut off, by a kill or a full disk, counts as not written.

    Args:
        path: The run folder; without a log, there are no lines yet.

    Attributes:
        lines: The documents.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        file = path / NAME
        text = file.read_text() if file.exists() else ""
        documents = [_document(line) for line in text.splitlines()]
        self.lines: list[dict[str, Any]] = [document for document in documents if document is not None]
        self._is_torn = len(self.lines) < len(documents) or not text.endswith("\n")

    @property
    def epochs(self) -> list[EpochReport]:
        """What each epoch did."""
        return self._reports("epoch", EpochReport)

    @property
    def intervals(self) -> list[IntervalReport]:
        """What was done in the middle of epochs."""
        return self._reports("interval", IntervalReport)

    @property
    def sessions(self) -> list[Session]:
        """The processes that trained, in their order."""
        sessions: list[Session] = []
        for line in self._of("session"):
            if line["event"] == "begin":
                sessions.append(Session(line["time"], line["epoch"], line["samples"]))
            elif sessions and sessions[-1].ended is None:
                last = sessions.pop()
                sessions.append(Session(last.began, last.epoch, last.samples, line["time"], line["error"]))
        return sessions

    def append(self, kind: str, document: dict[str, Any]) -> None:
        """Add a line; what a power failure may take is only what was added since the last `write`."""
        self.lines.append({"kind": kind, **document})
        if self._is_torn:
            self.write()
            return
        self._is_torn = True  # until the line is there
        with (self._path / NAME).open("a") as file:
            file.write(json.dumps(self.lines[-1]) + "\n")
        self._is_torn = False

    def add_session(self, event: str, **document: Any) -> None:
        """Add the line of a session's event."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self.append("session", {"event": event, "time": time, **document})

    def add_epoch(self, report: EpochReport) -> None:
        """Add an epoch, and make all lines durable."""
        self.lines.append({"kind": "epoch", **report.as_dict()})
        self.write()

    def undo(self, reports: list[EpochReport], samples: int) -> None:
        """Mark as undone what lies behind a position.

        Args:
            reports: Of the epochs that had ended.
            samples: Samples of the epoch under way that had been trained on.
        """
        position = len(reports) + 1, samples
        self.lines = [self._undone(line, position) for line in self.lines]
        self.write()

    def write(self) -> None:
        """Write all lines, durably."""
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        write_file(LocalStorage(self._path), NAME, text.encode())
        self._is_torn = False

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == kind]

    def _reports(self, kind: str, report: type[Report]) -> list[Report]:
        names = [each.name for each in fields(report)]
        return [report(**{name: line[name] for name in names}) for line in self._of(kind)]

    @staticmethod
    def _undone(line: dict[str, Any], position: tuple[int, int]) -> dict[str, Any]:
        """The line, marked if it tells of what lies behind the position."""
        epoch, samples = position
        is_behind = (line["kind"] == "epoch" and line["epoch"] >= epoch) or (
            line["kind"] == "interval" and (line["epoch"], line["samples"]) > (epoch, samples)
        )
        return {"kind": "undone", "line": line} if is_behind else line


def _document(line: str) -> dict[str, Any] | None:
    """The document of a line; None if it was cut off, by a kill or a full disk."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) and "kind" in document else None
