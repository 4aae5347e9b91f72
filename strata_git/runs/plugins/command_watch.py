"""Ends what a command started, wherever it hides: processes are known by a mark in their environment.

A group of processes can be left by whoever asks for a session of its own; the environment that a process began with
stays readable (Linux: /proc/PID/environ). This file is also a program of its own, which imports nothing of ours:

    python -I -S command_watch.py FD MARK

It waits until the pipe FD is closed by the end of whoever holds the other end, however that came about (kill -9, no
memory). Unless it was told before that all is done, it ends every process that carries MARK.
"""

from __future__ import annotations

import os
import signal
import sys
import time

DONE = b"done"
VARIABLE = "STRATA_COMMAND"
"""Carries the mark."""
_ROUNDS, _PAUSE = 100, 0.01


def marked(mark: str) -> list[int]:
    """Ids of the living processes that were started with the mark; none where there is no /proc."""
    wanted = f"{VARIABLE}={mark}".encode()
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as stream:
                if wanted in stream.read().split(b"\0"):
                    found.append(int(name))
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def end_marked(mark: str) -> int:
    """Kill every process that carries the mark, until there is none; how many there were to begin with."""
    first = left = marked(mark)
    for _ in range(_ROUNDS):
        if not left:
            break
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(_PAUSE)
        left = marked(mark)
    return len(first)


def main(arguments: list[str]) -> int:
    """Wait for the end of the pipe; then see to it that nothing is left over."""
    handle, mark = int(arguments[0]), arguments[1]
    said = b""
    while part := os.read(handle, 64):
        said += part
    if said != DONE:
        end_marked(mark)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
