"""Signals: Ctrl-C and the notice of a cluster stop a training behind the batch under way, its state kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any

from brimful.cli.console import Screen


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


@contextmanager
def stopping(screen: Screen) -> Iterator[Event]:
    """An event that the first SIGINT or SIGTERM sets; another one ends the process as it would otherwise.

    Raises:
        Terminated: In place of the KeyboardInterrupt with which the training stops, after SIGTERM.
    """
    stop, numbers = Event(), []
    usual: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }

    def ask(number: int, _: FrameType | None) -> None:
        numbers.append(number)
        stop.set()
        for each, handler in usual.items():
            signal.signal(each, handler)
        screen.say("stopping behind this batch, the state will be kept; once more to leave at once")

    before = {each: signal.signal(each, ask) for each in usual}
    try:
        yield stop
    except KeyboardInterrupt as error:
        if signal.SIGTERM in numbers:
            raise Terminated from error
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
