"""Running programs in tests, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LIMIT = 120
"""Seconds after which a program counts as hanging."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program answered. Undecodable bytes are surrogates.

    >>> repo.strata("doctor", "--format", "json").expect(2).json()["schema"]
    'strata/doctor/v1'
    """

    command: tuple[str, ...]
    code: int
    out: str
    err: str

    def expect(self, *codes: int) -> Completed:
        """Itself, when the exit code is one of `codes` and nobody saw a traceback."""
        assert self.code in codes, f"expected exit code {codes}\n{self}"
        return self.clean()

    def clean(self) -> Completed:
        """Itself, when neither stream shows a traceback."""
        assert "Traceback" not in self.err + self.out, str(self)
        return self

    def json(self) -> dict[str, object]:
        """Standard output, which must be one JSON object."""
        value = json.loads(self.out)
        assert isinstance(value, dict), self.out
        return value

    def __str__(self) -> str:
        return f"$ {' '.join(self.command)}\nexit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


def run(
    *command: str | Path,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: bytes | None = None,
) -> Completed:
    """Run a program without a terminal, with `stdin` (or nothing) to read; never raises for its exit code."""
    words = [os.fspath(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=dict(environ), input=stdin or b"", capture_output=True, check=False, timeout=LIMIT
    )
    return Completed(tuple(words), done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))
