"""A suite that is ended from outside still says what it had found, and which tests were under way then."""

from __future__ import annotations

import signal
import time

import pytest

_begun: dict[str, float] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Whoever ends a suite sends SIGTERM, of which Python would die without a word; the workers may."""
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_runtest_logstart(nodeid: str) -> None:
    _begun[nodeid] = time.monotonic()


def pytest_runtest_logfinish(nodeid: str) -> None:
    _begun.pop(nodeid, None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for nodeid, begun in _begun.items():
        terminalreporter.line(f"UNDER WAY {nodeid} for {time.monotonic() - begun:.0f} s")
