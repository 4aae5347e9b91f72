"""A prompt version as it is used: read, checked against its CHECKSUMS.txt, its variables filled in (TFC-0011 3).

Values are put in once and in one pass: what a document holds is text, whatever it looks like.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from strata_git.contracts.layout import CHECKSUMS, Artifact, parse_reference
from strata_git.contracts.prompt import PLACEHOLDER, PromptBody, Variable, placeholders
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository

PROMPT = "prompt.yaml"
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
}
"""JSON Schema's words for types, where a variable names one; other words are for people."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a model: `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt version: `digest` is the artifact's identity, `content_hash` its payload's, as a record cites them."""

    artifact: Artifact
    digest: str
    content_hash: str
    body: PromptBody

    @property
    def reference(self) -> str:
        return self.artifact.reference


def open_prompt(repo: Repository, reference: str) -> Prompt:
    """The version `summarise#v1` of the work tree, once its files are what its CHECKSUMS.txt says.

    Raises UsageError for a reference that names no version, StrataError where there is no such version, where a file
    differs from the list, and where it breaks its contract.
    """
    from strata_git.contracts.base import ContractError, parse
    from strata_git.load import Unloadable, load_yaml

    artifact = _artifact(reference)
    files = _verified(repo, artifact)
    digest, data, content_hash = files
    try:
        body = parse(PromptBody, load_yaml(data))
    except (Unloadable, ContractError) as error:
        raise StrataError(
            f"{artifact.path}/{PROMPT}: {printable(str(error))}.", hint=f"git strata doctor {artifact.path}"
        ) from None
    return Prompt(artifact, digest, content_hash, body)


def _artifact(reference: str) -> Artifact:
    try:
        parsed = parse_reference(reference, kind="prompt")
    except ValueError as error:
        raise UsageError(f"{error}.", hint="Such as summarise#v1") from None
    if parsed.version is None:
        raise UsageError(f"'{printable(reference)}' names no version.", hint=f"Such as {parsed.name}#v1")
    return parsed.artifact("prompt")


def _verified(repo: Repository, artifact: Artifact) -> tuple[str, bytes, str]:
    """The version's digest, the bytes of prompt.yaml and the content hash."""
    import hashlib

    from strata_git.integrity import checksums
    from strata_git.repo.worktree import WorkTree

    tree = WorkTree(repo, {f"{artifact.path}/{name}" for name in (CHECKSUMS, PROMPT)})
    listed, prompt = (tree.get(f"{artifact.path}/{name}") for name in (CHECKSUMS, PROMPT))
    if prompt is None:
        raise StrataError(
            f"There is no prompt {artifact.name}#{artifact.version}.",
            hint=f"git strata prompt register {artifact.name}.yaml#{artifact.version}, or: git strata list prompts",
        )
    if listed is None:
        raise StrataError(f"{artifact.path} has no {CHECKSUMS}.", hint=f"git strata checksum {artifact.path}")
    text, data = tree.read(listed), tree.read(prompt)
    try:
        sums = checksums.parse(text)
    except checksums.ChecksumError as error:
        raise StrataError(f"{artifact.path}/{CHECKSUMS}: {error.message}.") from None
    found = hashlib.sha256(data).hexdigest()
    if sums.get(PROMPT) != found:
        raise StrataError(
            f"{artifact.path}/{PROMPT} is not what {CHECKSUMS} says: a version never changes.",
            hint="Register what it says now as another version: git strata prompt register FILE#vN",
        )
    payload = {name: sha256 for name, sha256 in sums.items() if name != "metadata.yaml"}
    return checksums.digest(text), data, checksums.content_hash(payload, kind="prompt")


def rendered(body: PromptBody, values: Mapping[str, object]) -> tuple[Message, ...]:
    """The messages with every variable's value in its place; a `template` is one message of the user.

    Text stands as it is, other values as JSON. Raises UsageError that names every variable that is missing, unknown or
    of another type than declared.
    """
    told = complaints(body, values)
    if told:
        raise UsageError(f"The prompt's variables do not fit: {'; '.join(told)}.", hint=_declared(body))
    known = {one.name: values.get(one.name, one.default) for one in body.variables}
    if body.template is not None:
        return (Message("user", _filled(body.template, known)),)
    return tuple(Message(one.role, _filled(one.content, known)) for one in body.messages)


def complaints(body: PromptBody, values: Mapping[str, object]) -> list[str]:
    """What is wrong with `values` for this prompt, a phrase each; empty when all is well."""
    declared = {one.name: one for one in body.variables}
    used = [name for text in body.texts for name in placeholders(text) if name not in declared]
    strange = [f"'{name}' is used and not declared" for name in dict.fromkeys(used)]
    missing = [f"'{name}' is missing" for name, one in declared.items() if values.get(name, one.default) is None]
    unknown = [f"'{printable(name)}' is not declared" for name in values if name not in declared]
    wrong = [
        f"'{name}' is no {one.type}"
        for name, one in declared.items()
        if values.get(name) is not None and not _fits(values[name], one)
    ]
    return [*strange, *missing, *unknown, *wrong]


def _fits(value: object, variable: Variable) -> bool:
    kinds = TYPES.get(variable.type or "")
    return kinds is None or (isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)))


def _declared(body: PromptBody) -> str:
    words = (one.name if one.default is None else f"{one.name} (has a default)" for one in body.variables)
    return f"It has: {', '.join(words) or 'no variables'}"


def _filled(template: str, values: Mapping[str, object]) -> str:
    """One pass over the template: a value is never looked at for placeholders."""
    return PLACEHOLDER.sub(
        lambda found: _text(values, found[1] or found[2]) if found[1] or found[2] else "${", template
    )


def _text(values: Mapping[str, object], name: str) -> str:
    value = values[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
