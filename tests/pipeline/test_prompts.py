"""Prompts as they are used: verified before they are read, their variables filled in once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.authoring.prompt import register_prompt
from strata_git.contracts.base import parse
from strata_git.contracts.prompt import PromptBody
from strata_git.errors import StrataError, UsageError
from strata_git.load import load_yaml
from strata_git.pipeline.prompts import complaints, open_prompt, rendered
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

ASKED = b"""\
id: ask
messages:
  - {role: system, content: "Answer in {{ language }}, $${text} stays."}
  - {role: user, content: "${text}"}
variables: [text, {name: language, default: English}, {name: limit, type: integer, default: 3}]
"""


def body(data: bytes = ASKED) -> PromptBody:
    return parse(PromptBody, load_yaml(data))


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    register_prompt(repo.repository(), ASKED, file="ask.yaml")
    return repo


def test_messages_keep_their_roles_and_defaults_are_filled_in() -> None:
    system, user = rendered(body(), {"text": "Hello"})
    assert (system.role, system.content) == ("system", "Answer in English, ${text} stays.")
    assert (user.role, user.content) == ("user", "Hello")


@given(st.text())
def test_a_value_is_never_read_as_a_template(text: str) -> None:
    hostile = f"{text}${{language}}{{{{ text }}}}$${{x}}"
    assert rendered(body(), {"text": hostile})[1].content == hostile


def test_values_that_are_no_text_are_json() -> None:
    prompt = body(b"template: '${items}'\nvariables: [items]\n")
    assert rendered(prompt, {"items": {"b": [1, None], "a": "é"}})[0].content == '{"a": "é", "b": [1, null]}'


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "'text' is missing"),
        ({"text": None}, "'text' is missing"),
        ({"text": "x", "more": 1}, "'more' is not declared"),
        ({"text": "x", "limit": "three"}, "'limit' is no integer"),
        ({"text": "x", "limit": True}, "'limit' is no integer"),
    ],
)
def test_what_does_not_fit_is_told(values: dict[str, object], told: str) -> None:
    assert complaints(body(), values) == [told]
    with pytest.raises(UsageError, match=told):
        rendered(body(), values)


def test_all_that_is_wrong_is_told_at_once() -> None:
    undeclared = body(b"template: '${a} ${b}'\nvariables: [a, c]\n")
    assert complaints(undeclared, {"d": 1}) == [
        "'b' is used and not declared", "'a' is missing", "'c' is missing", "'d' is not declared",
    ]  # fmt: skip


@pytest.mark.parametrize("reference", ["ask#v1", "ask@v1", "prompts/ask@v1"])
def test_a_version_has_one_digest_under_all_its_names(repo: RepositoryBuilder, reference: str) -> None:
    prompt = open_prompt(repo.repository(), reference)
    assert prompt.reference == "prompts/ask@v1"
    repo.commit("Add ask@v1")
    assert prompt.digest == repo.strata("show", "prompts/ask@v1", "--format", "json").json()["digest"]
    assert prompt.content_hash in (repo.path / "prompts/ask/v1/metadata.yaml").read_text()


@pytest.mark.parametrize("reference", ["ask", "models/ask@v1", "ask#v1/../../x", "../ask#v1"])
def test_only_a_version_of_a_prompt_is_opened(repo: RepositoryBuilder, reference: str) -> None:
    with pytest.raises(UsageError):
        open_prompt(repo.repository(), reference)


def test_an_unknown_version_says_how_it_is_made(repo: RepositoryBuilder) -> None:
    with pytest.raises(StrataError, match="There is no prompt ask#v2"):
        open_prompt(repo.repository(), "ask#v2")


def test_a_changed_prompt_is_refused(repo: RepositoryBuilder) -> None:
    (repo.path / "prompts/ask/v1/prompt.yaml").write_bytes(ASKED.replace(b"English", b"German"))
    with pytest.raises(StrataError, match=r"is not what CHECKSUMS\.txt says"):
        open_prompt(repo.repository(), "ask#v1")


def test_a_link_out_of_the_repository_is_not_followed(repo: RepositoryBuilder) -> None:
    target = repo.path.parent / "outside.yaml"
    target.write_bytes(ASKED)
    place = repo.path / "prompts/ask/v1/prompt.yaml"
    place.unlink()
    place.symlink_to(target)
    with pytest.raises(StrataError):
        open_prompt(repo.repository(), "ask#v1")
