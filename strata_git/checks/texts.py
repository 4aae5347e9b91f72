"""Texts around the artifacts that have a meaning: experiments, chains, plugins, what strata.yaml says for pipelines.

Each is judged by itself, from its path and bytes (`judge_text`, kept by blob id); what they say of each other and of
the artifacts is judged from those facts (`judge_texts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strata_git.checks.finding import Finding
from strata_git.checks.text_account import Around, TextAccount
from strata_git.contracts.layout import SETTINGS

SHIPPED = ("chain", "command", "notebook", "sklearn")
"""Plugins that come with git-strata; held against the catalog of runs by a test."""


def kind_of(path: str) -> str | None:
    """What the text at `path` is by its place: `experiment`, `chain`, `plugin`, `settings`; None for any other."""
    top, _, rest = path.partition("/")
    if path == SETTINGS:
        return "settings"
    if top == "experiments" and rest.endswith((".yaml", ".yml")):
        return "experiment"
    if top == "chains" and rest.endswith((".yaml", ".yml")) and "/" not in rest:
        return "chain"
    return "plugin" if top == "plugins" and rest.endswith(".py") else None


def judge_text(path: str, data: bytes) -> TextAccount:
    """Judge one text by what its place makes it; `kind_of` must know it."""
    kind = kind_of(path)
    if kind == "plugin":
        from strata_git.checks.plugins import judge_plugin

        return judge_plugin(path, data)
    from strata_git.checks import experiments, pipelines

    judges = {
        "experiment": experiments.judge_experiment,
        "chain": pipelines.judge_chain,
        "settings": pipelines.judge_settings,
    }
    return judges[str(kind)](path, data)


def judge_texts(accounts: Mapping[str, TextAccount], around: Around) -> Iterator[Finding]:
    """Judge what experiments and chains (by path) name."""
    for path, account in accounts.items():
        if account.kind == "experiment":
            from strata_git.checks.experiments import judge_experiment_names

            yield from judge_experiment_names(path, account.facts, around)
        elif account.kind == "chain":
            from strata_git.checks.pipelines import judge_chain_names

            yield from judge_chain_names(path, account.facts, around)
