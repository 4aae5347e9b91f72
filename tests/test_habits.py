"""How this project is worked on: hooks on ourselves, a changelog of fragments, decisions on record."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import LONGEST
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder
from tests.support.process import Completed, run

CONFIG = ROOT / ".pre-commit-config.yaml"
HOOKS = {hook["id"]: hook for repo in yaml.safe_load(CONFIG.read_text())["repos"] for hook in repo["hooks"]}
OFFERED = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
FRAGMENTS = ROOT / "changelog.d"
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
KINDS = [
    kind["directory"] for kind in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
]


def program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


# --- hooks on ourselves


@pytest.mark.parametrize("name", ["pre-commit", "prek"])
def test_the_configuration_is_valid(name: str, hermetic: dict[str, str]) -> None:
    run(program(name), "validate-config", CONFIG, cwd=ROOT, environ=hermetic).expect(0)


def test_we_use_our_hooks_as_we_offer_them() -> None:
    ours = {identity: hook for identity, hook in HOOKS.items() if identity.startswith("strata")}
    assert set(ours) == {"strata", "strata-seal-sync", "strata-trailers", "strata-commit-msg", "strata-verify"}
    for identity, hook in ours.items():
        for key in ("entry", "always_run", "pass_filenames", "stages"):
            assert hook.get(key) == OFFERED[f"{identity}-system"].get(key), (identity, key)


def test_every_linter_of_make_lint_is_a_hook() -> None:
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    for word in ("ruff format --check", "ruff check", "lint-imports", "mypy", "codespell"):
        assert word in lint
        assert any(hook["entry"].startswith(word) for hook in HOOKS.values()), word


def test_the_files_that_are_begun_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []


@pytest.fixture
def checkout(builder: Builder) -> RepositoryBuilder:
    """A small project with our configuration, one commit old."""
    made = builder().workspace()
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, made.path / name)
    shutil.copytree(FRAGMENTS, made.path / "changelog.d")
    made.write({"good.py": '"""Fine."""\n', "CHANGELOG.md": "<!-- released -->\n"})
    made.commit("All is well")
    return made


def hooks(checkout: RepositoryBuilder, *words: str) -> Completed:
    environ = checkout.environ | {"SKIP": "mypy,imports"}  # they look at the package, which is not here
    return run(program("prek"), "run", "--color=never", *words, cwd=checkout.path, environ=environ).clean()


def test_the_local_hooks_run_and_pass(checkout: RepositoryBuilder) -> None:
    hooks(checkout, "--all-files").expect(0)


@pytest.mark.parametrize(
    ("hook", "path", "text"),
    [
        ("ruff-format", "bad.py", "x=1\n"),
        ("ruff", "bad.py", "import os\n"),
        ("spelling", "bad.md", "We re" + "cieve it.\n"),
        ("changelog", "changelog.d/+bad.nonsense.md", "x\n"),
        ("strata", "datasets/iris/v1/train.csv", "x\n"),
    ],
)
def test_each_hook_can_fail(checkout: RepositoryBuilder, hook: str, path: str, text: str) -> None:
    checkout.write({path: text})
    checkout.git("add", "--all")
    assert f"hook id: {hook}\n" in hooks(checkout).expect(1).out


# --- the changelog


def test_fragments_are_named_and_shown() -> None:
    names = [path.name for path in FRAGMENTS.iterdir() if path.name not in ("README.md", "template.md.jinja")]
    assert [name for name in names if not re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(KINDS)})\.md", name)] == []
    words = [program("towncrier"), "build", "--draft", "--version", "9.9.9", "--date", "2026-01-05"]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.startswith("## 9.9.9 (2026-01-05)\n\n### ")
    assert "===" not in said
    for name in names:
        assert (FRAGMENTS / name).read_text().split("\n")[0][:60] in said, name


def test_a_release_writes_the_changelog_and_takes_the_fragments_away(checkout: RepositoryBuilder) -> None:
    head = (ROOT / "CHANGELOG.md").read_text().partition("<!-- released -->")
    checkout.write({"CHANGELOG.md": "".join(head[:2]) + "\n\n## 0.0.1 (2026-01-04)\n\n- Old.\n"})
    words = ("build", "--yes", "--version", "0.1.0", "--date", "2026-01-05")
    checkout.git("add", "--all")
    run(program("towncrier"), *words, cwd=checkout.path, environ=checkout.environ).expect(0)
    text = checkout.read("CHANGELOG.md").decode()
    assert text.startswith(head[0])
    assert text.index("## 0.1.0 (2026-01-05)") < text.index("## 0.0.1 (2026-01-04)")
    left = [path.name for path in (checkout.path / "changelog.d").iterdir()]
    assert sorted(left) == ["README.md", "template.md.jinja"]


# --- decisions


def test_decisions_are_numbered_short_and_linked() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    for number, path in enumerate(DECISIONS, 1):
        text = path.read_text()
        title = text.split("\n")[0]
        assert title.startswith(f"# {number}. ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name
        assert 8 <= len(text.splitlines()) <= 25, path.name
        assert f"{number}. [{title.removeprefix(f'# {number}. ')}](docs/decisions/{path.name})" in architecture
