"""GTO reads our ledger with its own eyes and sees what we see.

The program is found by STRATA_GTO, in `.venv-peers` (`make peers`), or on PATH; without it these tests fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.lab import Lab, lab_in
from tests.support.fixtures import ROOT, Builder
from tests.support.keys import Keys

NAMED = os.environ.get("STRATA_GTO", "")  # read before the tests' environment is sealed

Gto = Callable[..., Any]


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    return lab_in(builder(), keys)


@pytest.fixture
def gto(lab: Lab) -> Gto:
    """`gto WORDS... --json` in the lab's repository."""
    places = [NAMED, str(ROOT / ".venv-peers" / "bin" / "gto"), shutil.which("gto") or ""]
    program = next((place for place in places if place and Path(place).exists()), None)
    assert program is not None, "gto is not installed; run: make peers"

    def run(*words: str) -> Any:
        command = [str(program), *words, "--json"]
        done = subprocess.run(command, cwd=lab.repo.path, env=lab.repo.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


def theirs(gto: Gto) -> dict[str, str]:
    """Version -> stage, as GTO has it: the one assignment of the version that is active."""
    found = {}
    for version in gto("show", "forest", "--av", "-1", "--vs", "-1"):
        active = [row["stage"] for row in version["stages"] if row["is_active"]]
        assert len(active) < 2, active
        found[version["version"].removesuffix(".0.0")] = active[0] if active else "experimental"
    return found


def ours(lab: Lab) -> dict[str, str]:
    assert lab.told() == set()
    return {version: placed.stage for version, placed in lab.state().versions.items()}


STORY: list[tuple[str, str | None, dict[str, str]]] = [
    ("v1", "staging", {"v1": "staging"}),
    ("v1", "production", {"v1": "production"}),
    ("v2", "staging", {"v1": "production", "v2": "staging"}),
    ("v2", "production", {"v1": "experimental", "v2": "production"}),
    ("v2", "staging", {"v1": "experimental", "v2": "staging"}),
    ("v1", "staging", {"v1": "staging", "v2": "staging"}),
    ("v2", "production", {"v1": "staging", "v2": "production"}),
    ("v1", "archived", {"v1": "archived", "v2": "production"}),
    ("v2", "archived", {"v1": "archived", "v2": "archived"}),
]


@pytest.mark.heavy
def test_gto_sees_the_same_stages_after_every_move(lab: Lab, gto: Gto) -> None:
    for version, stage, expected in STORY:
        lab.promote(version, stage)
        assert ours(lab) == expected
        assert theirs(gto) == expected, (version, stage)


def test_gto_tells_the_same_history(lab: Lab, gto: Gto) -> None:
    for version, stage, _ in STORY:
        lab.promote(version, stage)
    kinds = {"registration": "registration", "assignment": "entering", "unassignment": "leaving"}
    told = [
        (row["ref"], kinds[row["event"]], row["version"].removesuffix(".0.0"), row["stage"] or "", row["commit"])
        for row in reversed(gto("history", "forest"))
    ]
    said = [
        (event.tag, event.name.kind, event.record.version if event.record else "", event.name.stage, event.target)
        for event in lab.state().events
    ]
    assert told == said


def test_gto_names_the_version_in_production(lab: Lab, gto: Gto) -> None:
    for version in ("v1", "v1", "v2", "v2"):
        lab.promote(version)
    shown = gto("show")
    assert shown["forest"]["stage"] == {"production": "v2.0.0"}
    assert shown["forest"]["version"] == "v2.0.0"
