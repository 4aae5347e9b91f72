"""What the documents say is there is there: targets, commands, files, rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from strata_git.checks.catalog import RULES
from strata_git.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [
    ROOT / name
    for name in (
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "docs/shortcomings.md",
        "docs/secret-scanning.md",
        "docs/hooks.md",
        "docs/model-signatures.md",
        "docs/trust.md",
        "docs/index.md",
        "docs/questions.md",
        "docs/dashboard.md",
        "docs/exchange.md",
        "docs/reports.md",
        "docs/federation.md",
        "docs/ci.md",
        "docs/experiments.md",
        "docs/deployment.md",
        "docs/running-services.md",
        "docs/service-images.md",
        "docs/performance.md",
    )
]
TEXTS = [*DOCUMENTS, *sorted((ROOT / "tfc").glob("*.md")), ROOT / "templates/workspace/README.md"]
SAID = re.compile(r"`git strata ([a-z][a-z-]*)")
LATER = {"retire"}
"""Commands that a contract names before they exist; told in docs/shortcomings.md."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", TEXTS, ids=lambda path: path.name)
def test_commands_named_exist(document: Path) -> None:
    named = set(SAID.findall(document.read_text()))
    assert named - set(COMMANDS) - LATER == set()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_fix_names_only_commands_that_exist(rule: object) -> None:
    assert set(SAID.findall(rule.fix)) - set(COMMANDS) == set()  # type: ignore[attr-defined]


def test_commands_told_to_be_missing_are_missing() -> None:
    assert LATER.isdisjoint(COMMANDS)
    shortcomings = (ROOT / "docs/shortcomings.md").read_text()
    assert all(f"`{name}`" in shortcomings for name in LATER)


def test_the_readmes_two_commands_are_targets() -> None:
    blocks = re.findall(r"```sh\n(make [a-z-]+)\n```", (ROOT / "README.md").read_text())
    assert blocks == ["make demo", "make test"]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {block.removeprefix("make ") for block in blocks} <= targets


def test_the_readmes_table_is_what_the_commands_take() -> None:
    """Each command in the README's table answers to its own options."""
    from importlib import import_module

    rows = re.findall(r"`git strata ([a-z]+)([^`]*)`", (ROOT / "README.md").read_text())
    for name, rest in rows:
        command = import_module(f"strata_git.cli.{COMMANDS[name][0]}").command
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z]+", rest)) <= known | subcommand_options(command), name


def subcommand_options(command: object) -> set[str]:
    commands = getattr(command, "commands", {})
    return {option for inner in commands.values() for parameter in inner.params for option in parameter.opts}


def test_every_rule_can_be_explained_from_its_anchor() -> None:
    for rule in RULES.values():
        name, _, anchor = rule.anchor.partition("#")
        assert f'<a id="{anchor}"></a>' in (ROOT / name).read_text(), rule.id
