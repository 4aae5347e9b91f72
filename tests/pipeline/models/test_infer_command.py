"""`git strata infer` and `prompt test`: one question with a registered prompt, offline."""

from __future__ import annotations

import pytest

from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PROMPT = """\
id: label
template: "Label ${text} in ${language}"
variables: [text, {name: language, default: English}]
parameters: {max_tokens: 50}
tests:
  - {name: fits, variables: {text: cats}, contains: [cats], excludes: [dogs]}
  - {name: fails, variables: {text: dogs}, contains: [cats], excludes: [dogs]}
"""


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    with open(repo.path / "strata.yaml", "a") as stream:
        stream.write("inference:\n  default: {provider: offline, model: echo}\n")
    repo.write({"label.yaml": PROMPT.encode(), "note.txt": "Ünicode ${x}".encode(), "picture.png": b"\x89PNG\xff"})
    repo.strata("prompt", "register", "label.yaml#v1").expect(0)
    return repo


def test_one_question_is_answered_and_remembered(repo: RepositoryBuilder) -> None:
    first = repo.strata("infer", "--prompt", "label#v1", "--input", "note.txt", "--format", "json").expect(0).json()
    assert first["text"] == "Label Ünicode ${x} in English"
    assert (first["remembered"], first["attempts"], first["cost"]) == (False, 1, {"amount": "0", "currency": "USD"})
    again = repo.strata("infer", "--prompt", "label#v1", "--input", "note.txt").expect(0)
    assert (again.out, again.err) == ("Label Ünicode ${x} in English\n", "1 from the cache\n")
    fresh = repo.strata("infer", "--prompt", "label#v1", "--input", "-", "--again", "--stream", stdin=b"a\n\x1bb")
    assert fresh.expect(0).out == "Label a\n\\x1bb in English\n"
    assert repo.git("status", "--porcelain", "runs") == ""


def test_a_recording_answers_in_place_of_a_model(repo: RepositoryBuilder) -> None:
    asked = ("infer", "--prompt", "label#v1", "--var", "text=cats")
    repo.strata(*asked, "--record", "answers.jsonl").expect(0)
    recorded = ("--set", "inference.default={provider: recorded, model: answers.jsonl}")
    assert repo.strata(*asked, "--again", *recorded).expect(0).out == "Label cats in English\n"
    refused = repo.strata("infer", "--prompt", "label#v1", "--var", "text=dogs", "--again", *recorded)
    assert "has no answer" in refused.expect(3).err


def test_a_prompts_own_tests(repo: RepositoryBuilder) -> None:
    tried = repo.strata("prompt", "test", "label#v1").expect(2)
    assert "fits   passed" in tried.out
    assert "does not contain 'cats'; contains 'dogs'" in tried.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--prompt", "label#v1"), 64, "'text' is missing"),
        (("--prompt", "label#v1", "--var", "text=a", "--input", "note.txt"), 64, "--input fills one variable"),
        (("--prompt", "label#v1", "--input", "picture.png"), 64, "is not UTF-8"),
        (("--prompt", "label#v1", "--input", "none.txt"), 64, "could not be read"),
        (("--prompt", "label#v2", "--var", "text=a"), 3, "There is no prompt"),
        (("--prompt", "label#v1", "--var", "text=a", "--inference", "defualt"), 3, "Did you mean 'default'"),
    ],
)
def test_what_is_wrong_is_told(repo: RepositoryBuilder, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in repo.strata("infer", *words).expect(code).err
