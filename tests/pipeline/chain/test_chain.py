"""Chains as runs, offline: what the record says, what is left out, what is told before anybody is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipeline.chain.working import CHAIN, SETTINGS, chain, document, outputs, prepared, record
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

pytestmark = pytest.mark.heavy


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return prepared(builder().workspace())


def run(repo: RepositoryBuilder, *words: str, code: int = 0, **changed: Any) -> dict[str, Any]:
    path = chain(repo, **changed)
    return repo.strata("run", "--chain", path, "--format", "json", *words).expect(code).json()


def test_the_record_names_all_that_went_in(repo: RepositoryBuilder) -> None:
    outcome = run(repo, "--commit")
    said = record(repo, outcome["id"])
    assert [one["ref"] for one in said["prompts"]] == ["prompts/summarise@v1"]
    assert [one["name"] for one in said["sources"]] == ["d0.md", "d1.md", "d2.md"]
    assert all(len(one["sha256"]) == 64 for one in said["sources"])
    rows = outputs(repo, outcome["id"])
    assert said["counts"] == {"documents": 3, "chunks": len(rows), "outputs": len(rows), "calls": len(rows)}
    assert said["tokens"]["input"] > 0
    assert said["cost"] == {"amount": 0.0, "currency": "USD"}
    for row in rows:
        text = document(int(row["document"][1])).decode()
        assert row["summary"] == f"Summarise in one sentence: {text[row['start'] : row['end']]}"
    repo.strata("doctor").expect(0)
    lineage = repo.strata("lineage", outcome["id"]).expect(0).out
    assert "summarise@v1" in lineage


def test_once_more_costs_nothing_and_gives_the_same(repo: RepositoryBuilder) -> None:
    first, again = run(repo), run(repo)
    one, other = ((repo.path / "runs" / one["id"] / "artifacts/outputs.jsonl").read_bytes() for one in (first, again))
    assert one == other
    counts = record(repo, again["id"])["counts"]
    assert (counts.get("calls", 0), counts["cached"]) == (0, counts["chunks"])
    files = {path: path.read_bytes() for path in (repo.path / "out").rglob("*") if path.is_file()}
    path = f"runs/{again['id']}/artifacts/outputs.jsonl"
    assert "nothing was written" in repo.strata("export", "--sink", "out", "--input", path).expect(0).out
    assert files == {path: path.read_bytes() for path in (repo.path / "out").rglob("*") if path.is_file()}
    fresh = record(repo, run(repo, "--again")["id"])["counts"]
    assert fresh["calls"] == fresh["chunks"]


def test_an_edited_document_is_all_that_is_asked_about(repo: RepositoryBuilder) -> None:
    before = record(repo, run(repo)["id"])["counts"]["chunks"]
    repo.write({"docs/d1.md": document(1) + b"\n\nOne more paragraph of quite other words than all of those above."})
    counts = record(repo, run(repo)["id"])["counts"]
    assert 0 < counts["calls"] <= 2
    assert counts["cached"] >= before - 1


def test_steps_gather_answer_in_json_and_are_left_out(repo: RepositoryBuilder) -> None:
    label = {
        "id": "label", "template": "${text}", "variables": ["text"],
        "parameters": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
    }  # fmt: skip
    repo.write({"label.yaml": json.dumps(label).encode()})
    repo.strata("prompt", "register", "label.yaml#v1", "--commit").expect(0)
    steps = [
        {"id": "label", "prompt": "label#v1", "input": {"text": "${doc.name}"}},
        {"id": "summary", "prompt": "summarise#v1", "input": {"text": "${chunk.text}"},
         "when": {"value": "${document.name}", "equals": "d1.md"}},
        {"id": "report", "prompt": "summarise#v1", "input": {"text": '${join(all.summary, " | ")}'}},
        {"id": "closing", "prompt": "summarise#v1", "input": {"text": "${steps.label.n} of ${report}"}},
    ]  # fmt: skip
    saved = [{"save": "report-${run.id}.md", "from": "report", "as": "text"}, {"save": "all.csv"}, {"export": "out"}]
    outcome = run(repo, steps=steps, outputs=saved)
    rows = outputs(repo, outcome["id"])
    home = repo.path / "runs" / outcome["id"] / "artifacts"
    report = (home / f"report-{outcome['id']}.md").read_text()
    summaries = [row["summary"] for row in rows if row["document"] == "d1.md"]
    assert report == f"Summarise in one sentence: {' | '.join(summaries)}\n"
    assert {row["summary"] for row in rows if row["document"] != "d1.md"} == {None}
    assert all(row["label"] == {"n": 0} for row in rows)
    assert rows[0]["closing"] == f"Summarise in one sentence: 0 of {report.rstrip()}"
    assert len((home / "all.csv").read_text().splitlines()) > len(rows)
    assert record(repo, outcome["id"])["counts"]["calls"] < 3 * len(rows)  # one label a document, not one a chunk


def test_a_dry_run_asks_nobody(repo: RepositoryBuilder) -> None:
    path = chain(repo)
    priced = ("--set", "inference.default.price_as=gpt-4o", "--set", "inference.default.provider=openai",
              "--set", "inference.default.endpoint=http://127.0.0.1:9/v1")  # fmt: skip
    estimate = repo.strata("run", "--chain", path, "--dry-run", "--format", "json", *priced).expect(0).json()
    step = estimate["steps"][0]  # type: ignore[index]
    assert step["calls"] == estimate["chunks"]
    assert float(estimate["cost"]["amount"]) > 0  # type: ignore[index]
    assert not (repo.path / "runs").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"inputs": {"connector": "dcos"}}, "Did you mean 'docs'"),
        ({"inputs": {"connector": "docs", "select": "*.pdf"}}, "Nothing in the connector docs fits"),
        ({"outputs": [{"export": "uot"}]}, "Did you mean 'out'"),
        ({"steps": [{**CHAIN["steps"][0], "inference": "large"}]}, "has no inference 'large'"),
        ({"steps": [{**CHAIN["steps"][0], "prompt": "summarise#v9"}]}, "There is no prompt summarise#v9"),
        ({"steps": [{**CHAIN["steps"][0], "input": {"txt": "x"}}]}, "input lacks 'text'"),
        ({"steps": [{**CHAIN["steps"][0], "input": {"text": "${chunk.txt}"}}]}, "a chunk has"),
        ({"steps": [{**CHAIN["steps"][0], "when": {"value": "${nobody}", "equals": 1}}]}, "nor an earlier step"),
    ],
)
def test_what_is_wrong_is_told_before_anybody_is_asked(
    repo: RepositoryBuilder, changed: dict[str, Any], told: str
) -> None:
    done = repo.strata("run", "--chain", chain(repo, **changed)).expect(3)
    assert told in done.err
    assert not (repo.path / ".strata/local/answers.sqlite").exists() or "calls" not in done.err


def test_all_that_is_wrong_is_told_at_once(repo: RepositoryBuilder) -> None:
    path = chain(repo, outputs=[{"export": "nowhere"}], steps=[
        {"id": "a", "prompt": "summarise#v8", "input": {"text": "x"}},
        {"id": "b", "prompt": "summarise#v1", "input": {"text": "x"}, "inference": "nobody"},
    ])  # fmt: skip
    told = repo.strata("run", "--chain", path, "--dry-run").expect(3).err
    assert all(part in told for part in ("3 reasons", "summarise#v8", "'nobody'", "'nowhere'"))


def test_a_spent_budget_stops_and_is_taken_up(repo: RepositoryBuilder) -> None:
    stopped = run(repo, budget={"max_tokens": 100}, concurrency=1, code=3)
    assert "budget of 100 tokens" in stopped["error"]
    rest = record(repo, run(repo)["id"])["counts"]
    assert rest["cached"] > 0
    assert rest["cached"] + rest["calls"] == rest["chunks"]


@pytest.mark.parametrize(("policy", "code"), [("fail", 3), ("skip", 0), ("default", 0)])
def test_answers_that_cannot_be_had(repo: RepositoryBuilder, policy: str, code: int) -> None:
    step = {**CHAIN["steps"][0], "format": "json", "on_error": policy, "default": {"none": True}}
    outcome = run(repo, steps=[step], code=code)
    if policy == "fail":
        assert "d0.md, chunk 0, step 'summary': The answer is no JSON" in outcome["error"]
        return
    rows = outputs(repo, outcome["id"])
    assert [row["summary"] for row in rows] == ([] if policy == "skip" else [{"none": True}] * len(rows))
    report = json.loads((repo.path / "runs" / outcome["id"] / "artifacts/report.json").read_text())
    assert len(report["chunks_left_out"]) == (report["chunks"] if policy == "skip" else 0)


def test_a_broken_document_is_named_and_the_rest_goes_on(repo: RepositoryBuilder) -> None:
    repo.write({"docs/broken.pdf": b"%PDF-1.7\nnothing"})
    outcome = run(repo, inputs={"connector": "docs"})
    report = json.loads((repo.path / "runs" / outcome["id"] / "artifacts/report.json").read_text())
    assert [one["document"] for one in report["documents_left_out"]] == ["broken.pdf"]
    assert report["documents"] == 3


def test_a_sink_that_refuses_leaves_the_answers(repo: RepositoryBuilder) -> None:
    repo.write({"out": b"a file where a directory should be"})
    outcome = run(repo, code=3)
    assert "All answers are in the record" in outcome["error"]
    assert outputs(repo, outcome["id"])
    assert SETTINGS["sinks"]["out"]["path"] == "./out"
