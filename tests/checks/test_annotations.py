"""Marks beside lines: no name and no message can end a workflow command or begin another."""

from __future__ import annotations

import json
import os
import re

from hypothesis import given
from hypothesis import strategies as st

from strata_git.checks.annotations import to_github, to_gitlab
from strata_git.checks.finding import Finding, found

ERROR = found("STR-C005", "datasets/iris/v1/train.csv", "differs")
WARNING = found("STR-D003", "datasets/iris/v1/metadata.yaml", "100% shared: a, b", line=7, commit="c" * 40)
INFO = found("STR-L014", ".", "no runs/ yet")
COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::([^\r\n]*)")


def read(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Workflow commands as the runner reads them."""
    rows = []
    for line in text.split("\n")[:-1]:
        match = COMMAND.fullmatch(line)
        assert match, line
        pairs = [pair.partition("=")[::2] for pair in match[2].split(",")]
        rows.append((match[1], {key: plain(value, inside=True) for key, value in pairs}, plain(match[3])))
    return rows


def plain(text: str, *, inside: bool = False) -> str:
    if inside:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_github() -> None:
    rows = read(to_github([ERROR, WARNING, INFO]))
    assert [kind for kind, _, _ in rows] == ["notice", "warning", "error"]
    assert rows[0][1] == {"title": "STR-L014"}
    assert rows[1][1] == {"file": "datasets/iris/v1/metadata.yaml", "line": "7", "title": "STR-D003"}
    assert rows[1][2].startswith(
        "datasets/iris/v1/metadata.yaml: 100% shared: a, b (commit cccccccccccc)\nWhat to do: "
    )
    assert "%25 shared" in to_github([WARNING])
    assert "%0AWhat to do" in to_github([WARNING])
    assert to_github([]) == ""


def test_github_is_told_what_was_not_judged() -> None:
    assert to_github([], unjudged=("half\nof it",)) == "::warning title=not judged::half\\nof it\n"


@given(st.text(), st.text())
def test_nothing_breaks_out_of_a_command(name: str, message: str) -> None:
    finding = Finding("STR-L001", "error", f"datasets/{name}", 3, message, "fix it")
    ((kind, properties, told),) = read(to_github([finding]))
    assert kind == "error"
    assert properties.keys() == {"file", "line", "title"}
    assert told.count("\n") == 1


def test_a_name_made_to_be_a_command() -> None:
    finding = found("STR-L001", "datasets/x\n::set-output name=a::b,line=9::%0A::error::", "bad")
    text = to_github([finding])
    assert text.count("\n") == 1
    assert "::set-output" not in text.partition("title=")[0]


def test_gitlab() -> None:
    odd = found("STR-L002", os.fsdecode(b"datasets/\xff"), "is not UTF-8")
    rows = json.loads(to_gitlab([ERROR, WARNING, INFO, odd, WARNING]))
    assert [row["check_name"] for row in rows] == ["STR-L014", "STR-D003", "STR-C005", "STR-L002"]
    assert [row["severity"] for row in rows] == ["info", "minor", "critical", "critical"]
    assert rows[1]["location"] == {"path": "datasets/iris/v1/metadata.yaml", "lines": {"begin": 7}}
    assert rows[2]["location"]["lines"] == {"begin": 1}
    assert rows[3]["location"]["path"] == "datasets/\\udcff"
    assert len({row["fingerprint"] for row in rows}) == 4
    assert all(row.keys() == {"description", "check_name", "fingerprint", "severity", "location"} for row in rows)
    assert json.loads(to_gitlab([])) == []
