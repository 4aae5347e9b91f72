"""Signals that ask a run to stop, as an exception where it works, and as silence while its record is closed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

_ASKS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop. Not an Exception: a plugin that catches everything must not swallow it."""


@contextlib.contextmanager
def signals_as_interruption() -> Iterator[Callable[[], None]]:
    """Raise Interrupted in the main thread when a signal asks; the function yielded makes further ones pass unheard.

    Call that one when the work is over and its record is being written. Handlers are put back at the end. Outside the
    main thread nothing changes: Python allows no handler there. A signal that is ignored (nohup) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {
        number: handler
        for number in _ASKS
        if (handler := signal.getsignal(number)) is not None and handler != signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, _raise)
    try:
        yield lambda: _pass_over(before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Requests to stop wait until the block is left: whatever it starts is known by then, and can be ended.

    Outside the main thread nothing changes; nobody is interrupted there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: handler for number in _ASKS if callable(handler := signal.getsignal(number))}
    for number in before:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for asked in came[:1]:
        before[signal.Signals(asked)](asked, None)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(signal.Signals(number).name)


def _pass_over(numbers: Iterable[signal.Signals]) -> None:
    for number in numbers:
        signal.signal(number, lambda *_: None)
