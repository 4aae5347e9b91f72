"""Which request this is: an id of its own, and its place in a trace (W3C Trace Context, level 1)."""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_IDENTITY = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_RANDOM = random.Random(os.urandom(32))  # noqa: S311 - names, no secrets


@dataclass(frozen=True, slots=True)
class Trace:
    """`trace` and `span` in hexadecimal digits, `flags` as they came; `parent` is the asker's span, or `""`."""

    trace: str
    span: str
    flags: str = "00"
    parent: str = ""

    @property
    def header(self) -> str:
        """What `traceparent` says to whoever is asked next, and to who asked."""
        return f"00-{self.trace}-{self.span}-{self.flags}"


def continued(traceparent: str) -> Trace:
    """Our own place in the trace that `traceparent` names; a new trace where it names none that counts."""
    span = f"{_RANDOM.getrandbits(64) or 1:016x}"
    if traceparent and (found := _PARENT.match(traceparent.strip())):
        whole = found.end() == len(traceparent.strip())
        if whole or (not traceparent.startswith("00") and traceparent.strip()[found.end()] == "-"):
            return Trace(found[1], span, found[3], found[2])
    return Trace(f"{_RANDOM.getrandbits(128) or 1:032x}", span)


def request_id(said: str, trace: Trace) -> str:
    """The id that the asker gave, where it is short and plain; else the trace's."""
    return said if said and _IDENTITY.fullmatch(said) else trace.trace
