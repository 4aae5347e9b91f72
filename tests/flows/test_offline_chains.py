"""Documents, a chain and an export where there is no way out; and secrets that were planted for a chain to spill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.test_offline_runs import alone, strata
from tests.pipeline.chain.working import SETTINGS, chain, prepared
from tests.pipeline.test_canaries import assert_silent
from tests.support.fixtures import Builder
from tests.support.llm_server import serving

pytestmark = pytest.mark.heavy
CANARY = "canary-7f3a/provider+key=91"
OTHER = "canary-4471-of-another-provider"


def test_nothing_leaves(builder: Builder) -> None:
    repo = prepared(builder().workspace())
    path = chain(repo)
    lost, done = alone(
        repo,
        strata("process", "--connector", "docs", "--select", "**/*.md", "--tracking", "none"),
        strata("run", "--chain", path, "--tracking", "none", "--format", "json"),
    )
    assert [(code, err) for code, _, err in done if code != 0] == []
    outputs = f"runs/{json.loads(str(done[1][1]))['id']}/artifacts/outputs.jsonl"
    more, exported = alone(repo, strata("export", "--sink", "out", "--input", outputs))
    assert (exported[0][0], lost + more) == (0, 0)


def test_no_secret_of_a_chain_is_seen_anywhere(builder: Builder, tmp_path: Path) -> None:
    with serving() as endpoint:
        settings = {
            **SETTINGS,
            "tracking": {"to": "files"},
            "keys": {"first": {"from": "env", "name": "FIRST_KEY"}, "second": {"from": "dotenv", "name": "SECOND_KEY"}},
            "inference": {
                "default": {"provider": "openai", "model": "gpt-4o", "endpoint": f"{endpoint.url}/v1", "key": "first",
                            "retry": {"attempts": 2, "wait_ms": 1}},
                "other": {"provider": "azure-openai", "model": "gpt-4o", "endpoint": endpoint.url, "key": "second"},
            },
        }  # fmt: skip
        repo = prepared(builder().workspace(), settings)
        (repo.path / ".env").write_text(f"SECOND_KEY={OTHER}\n")
        repo.environ["FIRST_KEY"] = CANARY
        endpoint.text = f"You said {CANARY} and {OTHER}."
        endpoint.plan = [*["ok"] * 4, 500, 401]  # answers, a retry, a refusal
        steps = [
            {"id": "a", "prompt": "summarise#v1", "input": {"text": "${chunk.text}"}},
            {"id": "b", "prompt": "summarise#v1", "input": {"text": "${a}"}, "inference": "other"},
        ]
        told = ""
        for plan in ([*["ok"] * 4, 500, 401], ["ok"]):
            endpoint.plan, before = plan, len(endpoint.requests)
            del endpoint.requests[:before]
            done = subprocess.run(
                [sys.executable, "-m", "strata_git", "run", "--chain", chain(repo, steps=steps), "--tracking", "none"],
                cwd=repo.path, env=repo.environ, capture_output=True, text=True, check=False,
            )  # fmt: skip
            told += done.stdout + done.stderr
        assert done.returncode == 0, done.stderr
        sent = json.dumps([request["headers"] for request in endpoint.requests])
        assert CANARY in sent
        assert OTHER in sent
        records = [path for path in (repo.path / "runs").rglob("*") if path.is_file() and path.name != "outputs.jsonl"]
        assert_silent(told + "".join(path.read_text(errors="replace") for path in records), CANARY, OTHER)
        repo.git("add", "runs")
        refused = repo.strata("doctor", "--staged")
        assert_silent(refused.out + refused.err, CANARY, OTHER)
