"""Experiments by themselves, and what they name."""

from __future__ import annotations

import pytest

from strata_git.checks.finding import Finding
from strata_git.checks.text_account import Around
from strata_git.checks.texts import SHIPPED, judge_text, judge_texts, kind_of
from tests.checks.judging import only, rules

PATH = "experiments/forest.yaml"


def around(*plugins: str, present: bool = True) -> Around:
    return Around(frozenset({*SHIPPED, *plugins}), {}, lambda _: present, lambda _: None)


def alone(text: str, path: str = PATH) -> tuple[Finding, ...]:
    return judge_text(path, text.encode()).findings


def names(text: str, known: Around) -> list[Finding]:
    return list(judge_texts({PATH: judge_text(PATH, text.encode())}, known))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("experiments/a.yaml", "experiment"), ("experiments/deep/er.yml", "experiment"), ("experiments/a.csv", None),
        ("chains/a.yaml", "chain"), ("chains/old/a.yaml", None), ("plugins/a.py", "plugin"),
        ("plugins/a/b/c.py", "plugin"), ("plugins/README.md", None), ("strata.yaml", "settings"), ("x.yaml", None),
        ("docs/experiments/a.yaml", None),
    ],
)  # fmt: skip
def test_a_text_is_what_its_place_makes_it(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind


def test_a_valid_experiment_is_silent() -> None:
    text = "plugin: sklearn\nseed: 7\ndataset_id: iris@v1\nparams: {C: 1}\n"
    assert alone(text) == ()
    assert names(text, around()) == []


def test_the_name_is_the_files_when_left_out() -> None:
    assert alone("plugin: sklearn\n") == ()
    finding = only(alone("plugin: sklearn\n", "experiments/My Forest.yaml"))
    assert finding.rule == "STR-E002"
    assert "experiment: must be" in finding.message
    assert alone("plugin: sklearn\nexperiment: forest\n", "experiments/My Forest.yaml") == ()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("plugin: sklearn\nlearning_rate: 1\n", 2, "learning_rate: is not a key of this contract"),
        ("plugin: sklearn\nseed: -1\n", 2, "seed: must be at least 0"),
        ("plugin: 7\n", 1, "plugin: must be text; put it in quotes"),
        ("plugin: sklearn\ndataset_id: iris\n", 2, "dataset_id: must name a version, such as iris@v1"),
    ],
)
def test_what_breaks_the_contract(text: str, line: int, says: str) -> None:
    finding = only(alone(text))
    assert (finding.rule, finding.severity, finding.line, finding.message) == ("STR-E002", "error", line, says)


@pytest.mark.parametrize("text", ["a: &a 1\nb: *a\n", "- 1\n", "defaults: [db]\nlr: 0.1\n", "", "\0"])
def test_what_is_no_experiment_is_a_warning(text: str) -> None:
    finding = only(alone(text))
    assert (finding.rule, finding.severity) == ("STR-E001", "warning")


def test_a_plugin_that_nobody_knows() -> None:
    finding = only(names("experiment: a\nplugin: magic\n", around()))
    assert (finding.rule, finding.severity, finding.line) == ("STR-E003", "warning", 2)
    assert finding.message == f"there is no plugin 'magic' ({', '.join(SHIPPED)})"
    assert names("plugin: magic\n", around("magic")) == []


def test_a_dataset_that_is_not_there_yet_is_information() -> None:
    finding = only(names("plugin: sklearn\ndataset_id: iris@v1\n", around(present=False)))
    assert (finding.rule, finding.severity, finding.line) == ("STR-E004", "info", 2)
    assert names("plugin: sklearn\ndataset_id: 'sklearn:iris'\n", around(present=False)) == []


def test_a_broken_experiment_names_what_can_be_read() -> None:
    text = "plugin: 7\ndataset_id: Iris@v1\n"
    assert rules(alone(text)) == ["STR-E002", "STR-E002"]
    assert names(text, around(present=False)) == []
