"""A workspace with documents, a prompt and a chain, for tests of chains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from tests.support.builder import RepositoryBuilder

SUMMARISE = b'id: summarise\ntemplate: "Summarise in one sentence: ${text}"\nvariables: [text]\n'
SETTINGS: dict[str, Any] = {
    "connectors": {"docs": {"type": "local", "root": "./docs"}},
    "inference": {"default": {"provider": "offline", "model": "echo"}},
    "sinks": {"out": {"type": "files", "path": "./out", "format": "jsonl"}},
    "tracking": {"to": "none"},
}
CHAIN: dict[str, Any] = {
    "name": "summarise",
    "inputs": {"connector": "docs", "select": "**/*.md"},
    "chunking": {"by": "tokens", "max": 40, "overlap": 5},
    "concurrency": 4,
    "steps": [{"id": "summary", "prompt": "summarise#v1", "input": {"text": "${chunk.text}"}}],
    "outputs": [{"export": "out"}],
}


def prepared(repo: RepositoryBuilder, settings: Mapping[str, Any] = SETTINGS) -> RepositoryBuilder:
    """Settings, three documents and the prompt, committed."""
    said = yaml.safe_load((repo.path / "strata.yaml").read_text()) or {}
    (repo.path / "strata.yaml").write_text(yaml.safe_dump({**said, **settings}))
    repo.write({f"docs/d{number}.md": document(number) for number in range(3)})
    repo.write({"summarise.yaml": SUMMARISE})
    repo.strata("prompt", "register", "summarise.yaml#v1").expect(0)
    repo.commit("Prepare")
    return repo


def document(number: int, paragraphs: int = 4) -> bytes:
    words = " ".join(f"word{number}{place}" for place in range(12))
    return "\n\n".join([f"# Title {number}", *(f"Paragraph {place}. {words}." for place in range(paragraphs))]).encode()


def chain(repo: RepositoryBuilder, **changed: Any) -> str:
    """Write the chain, changed, and give its path."""
    repo.write({"chains/summarise.yaml": yaml.safe_dump({**CHAIN, **changed}).encode()})
    return "chains/summarise.yaml"


def outputs(repo: RepositoryBuilder, run: str) -> list[dict[str, Any]]:
    text = (repo.path / "runs" / run / "artifacts/outputs.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def record(repo: RepositoryBuilder, run: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((repo.path / "runs" / run / "run.yaml").read_text())
    return read
