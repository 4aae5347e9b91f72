"""A real browser: `drive.cjs` opens pages and tells what happened."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
MODULES = ROOT / ".tools" / "node" / "node_modules"
LIMIT = 300
"""Seconds after which a browser counts as hanging."""

Step = Mapping[str, object]
Told = dict[str, Any]


def drive(steps: Sequence[Step], environ: Mapping[str, str]) -> list[Told]:
    """What came of each step (`drive.cjs` says what a step may hold). A step that failed fails the test."""
    assert MODULES.is_dir(), "run: scripts/node-tools.sh"
    program = subprocess.run([ROOT / "scripts" / "browser.sh", "--which"], capture_output=True, text=True, check=False)
    assert program.returncode == 0, program.stderr
    with tempfile.NamedTemporaryFile("w", suffix=".json") as job:
        json.dump({"browser": program.stdout.strip(), "modules": str(MODULES), "steps": list(steps)}, job)
        job.flush()
        done = subprocess.run(
            ["node", Path(__file__).parent / "drive.cjs", job.name],
            env=dict(environ), capture_output=True, text=True, check=False, timeout=LIMIT,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: list[Told] = json.loads(done.stdout)
    failed = [(step["url"], one["failed"]) for step, one in zip(steps, told, strict=True) if "failed" in one]
    assert failed == [], failed
    return told


def strangers(told: Told, site: str) -> list[str]:
    """Requests that went anywhere but into the site."""
    return [url for url in told["requests"] if not url.startswith(site)]
