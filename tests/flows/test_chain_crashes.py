"""A chain of 500 chunks is killed again and again: it comes to the same outputs, and nothing that was received is paid
for twice.

What a provider answered to a process that was already dead nobody received: those calls, never more than are under way
at once, are asked again. The endpoint counts.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.chain.working import CHAIN, SETTINGS, chain, prepared
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.llm_server import Endpoint, serving

pytestmark = pytest.mark.heavy
AT_ONCE = 8


def workspace(builder: Builder, name: str, endpoint: Endpoint) -> RepositoryBuilder:
    inference = {"provider": "openai", "model": "gpt-4o", "endpoint": f"{endpoint.url}/v1"}
    repo = prepared(builder(name).workspace(), {**SETTINGS, "inference": {"default": inference}})
    for number in range(5):
        lines = [f"Line {place} of document {number} says something of its own." for place in range(100)]
        repo.write({f"docs/d{number}.md": "\n".join(lines).encode()})
    repo.git("add", "-A")
    repo.commit("Documents")
    return repo


def path_of(repo: RepositoryBuilder) -> str:
    return chain(repo, chunking={"by": "lines", "max": 1}, concurrency=AT_ONCE, steps=CHAIN["steps"])


def started(repo: RepositoryBuilder, path: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "strata_git", "run", "--chain", path, "--format", "json"], cwd=repo.path,
        env=repo.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def finished(repo: RepositoryBuilder, path: str) -> bytes:
    process = started(repo, path)
    told, noted = process.communicate(timeout=300)
    assert process.returncode == 0, noted
    return (repo.path / "runs" / json.loads(told)["id"] / "artifacts/outputs.jsonl").read_bytes()


def questions(endpoint: Endpoint) -> Counter[str]:
    return Counter(request["body"]["messages"][-1]["content"] for request in endpoint.requests)


def remembered(repo: RepositoryBuilder) -> int:
    place: Path = repo.path / ".strata/local/answers.sqlite"
    if not place.exists():
        return 0
    with sqlite3.connect(place) as line:
        count: int = line.execute("SELECT count(*) FROM answer").fetchone()[0]
    return count


def test_killed_at_random_it_pays_nothing_twice_and_ends_the_same(builder: Builder) -> None:
    dice, kills = random.Random("chain"), int(os.environ.get("CHAIN_KILLS", "5"))
    with serving() as endpoint:
        endpoint.delay = 0.01
        whole = workspace(builder, "whole", endpoint)
        expected = finished(whole, path_of(whole))
        assert (len(endpoint.requests), set(questions(endpoint).values())) == (500, {1})
        endpoint.requests.clear()
        repo = workspace(builder, "killed", endpoint)
        path, lost = path_of(repo), 0
        for _ in range(kills):
            before = len(endpoint.requests)
            until = before + dice.randint(1, max(2, (500 - before) // 4))
            process = started(repo, path)
            while len(endpoint.requests) < until and process.poll() is None:
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            time.sleep(0.1)  # what was under way arrives at the endpoint
            lost += AT_ONCE
            assert remembered(repo) >= len(endpoint.requests) - lost
        known = remembered(repo)
        asked = len(endpoint.requests)
        assert finished(repo, path) == expected
        assert len(endpoint.requests) - asked == 500 - known
        assert len(endpoint.requests) <= 500 + lost
        repo.strata("doctor").expect(0, 1)


def test_an_endpoint_that_stops_answering_is_taken_up_later(builder: Builder) -> None:
    with serving() as endpoint:
        repo = workspace(builder, "stopped", endpoint)
        path = path_of(repo)
        endpoint.plan = [*["ok"] * 200, 401]
        process = started(repo, path)
        told, _ = process.communicate(timeout=300)
        outcome: dict[str, Any] = json.loads(told)
        assert (process.returncode, outcome["status"]) == (3, "failed")
        assert "status 401" in outcome["error"]
        asked = len(endpoint.requests)
        assert remembered(repo) == 200
        endpoint.plan = ["ok"]
        assert len(finished(repo, path).splitlines()) == 500
        assert len(endpoint.requests) - asked == 300
