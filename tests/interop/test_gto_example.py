"""A repository laid out as GTO's public example is: what GTO reads in it we name, and trust none of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.gto_examples.example import EVENTS, write_example
from tests.ledger.lab import lab_in
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

NAMES = {"churn", "segment", "cv-class"}


def ask(gto: Path, repo: RepositoryBuilder, *words: str) -> Any:
    command = [str(gto), *words, "--json"]
    done = subprocess.run(command, cwd=repo.path, env=repo.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def foreign() -> list[dict[str, object]]:
    """The tags of the artifacts of which no tag at all has the name of an event of ours."""
    names = sorted(NAMES - {"churn"})
    return [{"model": n, "tags": sorted(e.tag for e in EVENTS if e.artifact == n)} for n in names]


def standing(row: Any) -> tuple[str, dict[str, str]]:
    """What GTO shows of an artifact: its latest version, and the version in each stage that has one."""
    return row["version"], {stage: version for stage, version in row["stage"].items() if version}


def told(repo: RepositoryBuilder, *words: str) -> tuple[Any, dict[str, str]]:
    """Our JSON answer, and the rule that speaks against each tag."""
    answer: Any = repo.strata(*words, "--format", "json").expect(2).json()
    return answer, {row["tag"]: row["rule"] for row in answer["complaints"]}


def test_what_gto_shows_is_named_as_unsigned_and_counts_for_nothing(builder: Builder, gto: Path) -> None:
    repo = write_example(builder().workspace())
    shown, history = ask(gto, repo, "show"), ask(gto, repo, "history")
    assert set(shown) == NAMES
    assert standing(shown["churn"]) == ("v3.1.0", {"dev": "v3.1.0", "staging": "v3.1.0", "prod": "v3.0.0"})
    assert [row["ref"] for row in reversed(history)] == [event.tag for event in EVENTS]

    stages, against = told(repo, "stages")
    assert stages["models"] == [{"model": "churn", "versions": []}]
    assert set(against) == {event.tag for event in EVENTS if event.artifact == "churn"}
    assert stages["foreign"] == foreign()
    said = repo.strata("stages").expect(2).err
    assert all(event.tag in said for event in EVENTS)
    # one name is also one of ours: it is read, found to say nothing, and shown with nobody behind it
    assert against.pop("churn@v3.0.0") == "STR-P003"
    assert against.pop("churn#staging#2") == "STR-P003"
    assert set(against.values()) == {"STR-P002"}

    events, against = told(repo, "history", "churn")
    assert [(row["tag"], row["signed"], row["signer"]) for row in events["events"]] == [
        ("churn@v3.0.0", False, ""),
        ("churn#staging#2", False, ""),
    ]
    assert set(against) == {event.tag for event in EVENTS if event.artifact == "churn"}
    assert "nobody" in repo.strata("history", "churn").expect(2).out
    unknown: Any = repo.strata("history", "cv-class", "--format", "json").expect(0).json()
    assert (unknown["events"], unknown["complaints"], unknown["foreign"]) == ([], [], ["cv-class@v0.1.13"])


@pytest.mark.heavy
def test_gto_reads_each_tag_of_the_example_as_we_say_it_does(builder: Builder, gto: Path) -> None:
    repo = write_example(builder().workspace())
    for event in EVENTS:
        read = ask(gto, repo, "check-ref", event.tag)
        assert (read["artifact"], read["event"], read["version"]) == (event.artifact, event.kind, event.version)
        assert read.get("stage") == event.stage


def test_beside_them_our_own_events_stand_as_before(builder: Builder, keys: Keys, gto: Path) -> None:
    lab = lab_in(builder(), keys)
    for _ in range(2):
        lab.promote("v1")
    before = lab.repo.strata("stages", "--format", "json").expect(0).json()
    write_example(lab.repo)
    after, against = told(lab.repo, "stages")
    ours = [model for model in after["models"] if model["model"] == "forest"]
    assert ours == before["models"]
    assert set(against) | {tag for each in after["foreign"] for tag in each["tags"]} == {e.tag for e in EVENTS}
    assert standing(ask(gto, lab.repo, "show")["forest"]) == ("v1.0.0", {"production": "v1.0.0"})
    signed: Any = lab.repo.strata("history", "forest", "--format", "json").expect(0).json()
    assert [row["ref"] for row in reversed(ask(gto, lab.repo, "history", "forest"))] == [
        row["tag"] for row in signed["events"] if row["signed"]
    ]
