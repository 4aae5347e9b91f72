"""Lineage as Mermaid and as Graphviz: whatever names say, they stay labels."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.index.drawing import dot_label, lineage_dot, lineage_mermaid, mermaid_label
from strata_git.index.lineage import trace
from strata_git.index.records import Introduction
from tests.index.test_lineage import COMMIT, FOREST, IRIS, PROMOTED, PROMPT, RUN, index_of

HOSTILE = (
    '"]; click n0 "javascript:alert(1)"', "</script><img src=x onerror=alert(1)>", "a --> b", "%%{init: {}}%%",
    "\n  evil -> evil", '\\" , URL="http://x', "#quot;", "&quot;", "`code`", "end", "subgraph x", "\\N \\G", "\x1b[31m",
    ']:::x\nclassDef x fill:red', "{{x}}", "||",
)  # fmt: skip
NODE = re.compile(
    r'    n[0-9]+(?:\[\(|\[\[|\(\[|\[/|\{\{|\(|>|\[)"[A-Za-z0-9 @./_,:#;-]*"(?:\)\]|\]\]|\]\)|/\]|\}\}|\)|\]):::[a-z]+'
)
LINK = re.compile(r'    n[0-9]+ (?:-->|-\.->)\|"[A-Za-z0-9 @./_,:#;-]*"\| n[0-9]+')
STYLE = re.compile(
    r"    (?:classDef [a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}|style n[0-9]+ stroke-width:3px)"
)


def drawn(subject: str) -> tuple[str, str]:
    history = {COMMIT: Introduction(COMMIT, "Ada", "2026-01-05T12:00:00Z", subject)}
    index = replace(index_of(IRIS, PROMPT, RUN, FOREST, events=(PROMOTED,)), commits=history)
    lineage = trace(index, FOREST)
    return lineage_mermaid(lineage), lineage_dot(lineage)


def test_every_line_of_mermaid_is_of_its_grammar() -> None:
    for subject in ("Add", *HOSTILE):
        first, *lines = drawn(subject)[0].split("\n")
        assert first == "flowchart LR"
        assert [
            line for line in lines if not (NODE.fullmatch(line) or LINK.fullmatch(line) or STYLE.fullmatch(line))
        ] == []
        assert len(lines) == 6 + 6 + 6 + 1


def test_a_broken_edge_is_drawn_as_one() -> None:
    wrong = replace(IRIS, content_hash=f"sha256:{'9' * 64}")
    lineage = trace(index_of(wrong, PROMPT, RUN, FOREST), FOREST)
    assert '-.->|"trained NOT AS RECORDED"|' in lineage_mermaid(lineage)
    assert "style=dashed" in lineage_dot(lineage)


def test_graphviz_draws_what_was_meant(tmp_path: object) -> None:
    program = shutil.which("dot")
    assert program, "run: scripts/system-tools.sh"
    every = "\n".join(drawn(subject)[1] for subject in HOSTILE)
    done = subprocess.run([program, "-Tplain"], input=every.encode(), capture_output=True, check=True)
    rows = [line for line in done.stdout.decode().split("\n") if line.startswith(("node ", "edge "))]
    assert len([row for row in rows if row.startswith("node ")]) == 6 * len(HOSTILE)
    assert len([row for row in rows if row.startswith("edge ")]) == 6 * len(HOSTILE)
    svg = subprocess.run([program, "-Tsvg"], input=every.encode(), capture_output=True, check=True).stdout.decode()
    assert svg.count("<a ") == svg.count("onerror=alert(1)>") == svg.count("<script") == svg.count('"javascript:') == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_hold_no_quote_and_no_line(text: str) -> None:
    for label in (mermaid_label(text), dot_label(text)):
        assert '"' not in label
        assert "\n" not in label
        assert "\\" not in label


@given(st.text(max_size=120))
@settings(max_examples=100)
def test_any_text_is_a_label(text: str) -> None:
    assert re.fullmatch(r"(?:[A-Za-z0-9 @./_,:-]|#[0-9]+;)*", mermaid_label(text))
    assert not set(dot_label(text)) & set('"<>\\\n')
