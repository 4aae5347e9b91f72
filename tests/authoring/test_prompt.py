"""Registering prompts: the same again changes nothing, other content never takes a taken name."""

from __future__ import annotations

import subprocess

import pytest

from strata_git.authoring.prompt import register_prompt
from strata_git.errors import StrataError, UsageError
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

SUMMARISE = b'id: summarise\ntemplate: "Summarise in one sentence: ${text}"\nvariables: [text]\n'


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return builder().workspace()


def test_the_file_becomes_a_version_that_stock_tools_check(repo: RepositoryBuilder) -> None:
    made = register_prompt(repo.repository(), SUMMARISE, file="summarise.yaml", version="v1")
    home = repo.path / "prompts/summarise/v1"
    assert (home / "prompt.yaml").read_bytes() == SUMMARISE
    assert made.new
    assert made.artifact.reference == "prompts/summarise@v1"
    subprocess.run(["sha256sum", "--strict", "-c", "CHECKSUMS.txt"], cwd=home, check=True, capture_output=True)
    repo.strata("doctor", "prompts").expect(0)


def test_registered_twice_is_registered_once(repo: RepositoryBuilder) -> None:
    first = register_prompt(repo.repository(), SUMMARISE, file="summarise.yaml")
    again = register_prompt(repo.repository(), SUMMARISE, file="elsewhere.yaml", version="v1")
    assert (again.new, again.digest, again.artifact) == (False, first.digest, first.artifact)
    repo.commit("Add summarise@v1")
    assert not register_prompt(repo.repository(), SUMMARISE, file="summarise.yaml").new


def test_other_content_gets_the_next_version(repo: RepositoryBuilder) -> None:
    register_prompt(repo.repository(), SUMMARISE, file="summarise.yaml")
    other = SUMMARISE.replace(b"one sentence", b"two sentences")
    with pytest.raises(StrataError, match="exists with other content") as refused:
        register_prompt(repo.repository(), other, file="summarise.yaml", version="v1")
    assert "summarise.yaml#v2" in refused.value.hint
    assert register_prompt(repo.repository(), other, file="summarise.yaml").artifact.version == "v2"


def test_a_removed_versions_name_is_never_used_again(repo: RepositoryBuilder) -> None:
    register_prompt(repo.repository(), SUMMARISE, file="summarise.yaml")
    repo.commit("Add summarise@v1")
    repo.git("rm", "-rq", "prompts")
    repo.commit("Remove it")
    other = SUMMARISE.replace(b"one sentence", b"two sentences")
    assert register_prompt(repo.repository(), other, file="summarise.yaml").artifact.version == "v2"
    with pytest.raises(StrataError, match="exists with other content"):
        register_prompt(repo.repository(), other, file="summarise.yaml", version="v1")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"id: summarise\nvariables: [text]\n", "must have a template"),
        (b"id: summarise\ntemplate: ${text}\nvariables: []\n", "'text' is not declared"),
        (b"id: summarise\ntemplate: ${text}\nvariables: [text]\nsecret: 1\n", "secret"),
        (b"id: [\n", "summarise.yaml:"),
        (b"\x00", "summarise.yaml"),
    ],
)
def test_what_the_hooks_would_refuse_is_not_written(repo: RepositoryBuilder, data: bytes, told: str) -> None:
    with pytest.raises(StrataError) as refused:
        register_prompt(repo.repository(), data, file="summarise.yaml")
    assert told in f"{refused.value.message}\n{refused.value.hint}"
    assert not (repo.path / "prompts").exists()


@pytest.mark.parametrize("version", ["1", "v0", "v1.0", "../v1", "v01"])
def test_versions_are_v_and_a_number(repo: RepositoryBuilder, version: str) -> None:
    with pytest.raises(UsageError, match="is not a version"):
        register_prompt(repo.repository(), SUMMARISE, file="summarise.yaml", version=version)


def test_a_name_stays_inside_prompts(repo: RepositoryBuilder) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        register_prompt(repo.repository(), SUMMARISE, file="summarise.yaml", name="../../etc")


def test_on_the_command_line(repo: RepositoryBuilder) -> None:
    repo.write({"summarise.yaml": SUMMARISE})
    made = repo.strata("prompt", "register", "summarise.yaml#v1", "--format", "json").expect(0).json()
    assert (made["reference"], made["new"]) == ("prompts/summarise@v1", True)
    again = repo.strata("prompt", "register", "summarise.yaml#v1").expect(0)
    assert "nothing was written" in again.err
    shown = repo.strata("prompt", "render", "summarise#v1", "--set", "text=${text} \x1b[2J").expect(0)
    assert shown.out == "Summarise in one sentence: ${text} \\x1b[2J\n"
    assert "'text' is missing" in repo.strata("prompt", "render", "summarise#v1").expect(64).err
    repo.strata("prompt", "register", "nothing.yaml#v1").expect(64)
