"""A template and its variables belong together."""

from __future__ import annotations

import pytest

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


def test_both_ways_of_writing_a_placeholder() -> None:
    assert told(with_body("template: '${text} {{ tone }} $${other}'\nvariables: [text, tone]\n")) == []
    assert told(with_body("template: '$${text}'\nvariables: [text]\n")) == ["STR-T003"]


MESSAGES = "messages:\n- {role: system, content: 'Be ${tone}.'}\n- {role: user, content: '${text}'}\n"


def test_messages_are_templates_too() -> None:
    assert told(with_body(MESSAGES + "variables: [tone, text]\n")) == []
    finding = only(judge(with_body(MESSAGES + "variables: [tone]\n")).findings)
    assert (finding.rule, finding.line, finding.message) == ("STR-T002", 3, "'text' is not declared")


def test_a_prompt_asks_one_way() -> None:
    assert told(with_body(MESSAGES + "template: x\nvariables: [tone, text]\n")) == ["STR-Y002"]


TESTED = "template: '{{ text }} {{ tone }}'\nvariables:\n- text\n- {name: tone, default: dry}\ntests:\n"


def test_a_test_fills_what_has_no_default() -> None:
    good = with_body(TESTED + "- {name: short, variables: {text: a}, contains: [a]}\n")
    assert judge(good).findings == ()
    assert judge(good).summary["required"] == ["text"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("{tone: wet}", "test 'short' does not fill 'text'"),
        ("{text: a, mood: b}", "test 'short' fills 'mood', which is not declared"),
    ],
)
def test_a_test_that_could_not_be_asked(variables: str, message: str) -> None:
    finding = only(judge(with_body(TESTED + f"- {{name: short, variables: {variables}}}\n")).findings)
    assert (finding.rule, finding.line, finding.message) == ("STR-T004", 6, message)


def test_the_id_is_the_directorys_name() -> None:
    assert told(with_body("id: summarise\ntemplate: x\n")) == []
    finding = only(judge(with_body("id: summary\ntemplate: x\n")).findings)
    assert (finding.rule, finding.line) == ("STR-T005", 1)
