"""A template and its variables belong together."""

from __future__ import annotations

from tests.checks.judging import SUMMARISE, judge, only, told
from tests.support import artifacts

BODY = f"{SUMMARISE.path}/prompt.yaml"


def with_body(text: str) -> dict[str, bytes]:
    return artifacts.prompt(extra={"prompt.yaml": text.encode()})


def test_a_valid_prompt_is_silent() -> None:
    judgement = judge(with_body("template: 'Sum up {{ text }} in {{-words-}}'\nvariables:\n- text\n- name: words\n"))
    assert judgement.findings == ()
    assert judgement.summary["variables"] == ["text", "words"]


def test_a_prompt_without_its_body() -> None:
    assert told(artifacts.prompt(extra={"prompt.yaml": None})) == ["STR-T001"]


def test_a_variable_that_is_not_declared() -> None:
    finding = only(judge(with_body("template: '{{ text }} {{ tone }}'\nvariables: [text]\n")).findings)
    assert (finding.rule, finding.path, finding.line) == ("STR-T002", BODY, 1)


def test_a_variable_that_is_never_used_is_a_warning() -> None:
    finding = only(judge(with_body("template: x\nvariables:\n- text\n")).findings)
    assert (finding.rule, finding.severity, finding.line) == ("STR-T003", "warning", 3)


def test_a_body_without_a_template() -> None:
    assert told(with_body("variables: []\n")) == ["STR-Y002"]
