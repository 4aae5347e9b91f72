"""What a plugin said of its run besides measurements, as run.yaml records it: checked, made exact, free of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strata_git.contracts.layout import parse_reference
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.runs.given import exact_reference, open_path
from strata_git.runs.inputs import FILE, committed_digests
from strata_git.runs.masking import Mask, without_login
from strata_git.runs.plugin import RunResult

Facts = Mapping[str, object]


def told_by(repo: Repository, result: RunResult, facts: Facts, mask: Mask) -> dict[str, object]:
    """The entries of run.yaml that change by what a plugin handed back; `facts` is run.yaml as it is.

    Raises StrataError for what does not keep the contract of run.yaml (TFC-0003 3), or names what HEAD does not have.
    """
    changed: dict[str, list[object]] = {}
    for given in result.inputs:
        section, entry = _source(given, mask) if "uri" in given else _artifact(repo, str(given.get("ref", "")))
        changed.setdefault(section, []).append(entry)
    for prompt in result.prompts:
        changed.setdefault("prompts", []).append(_prompt(repo, prompt))
    for path in result.files:
        opened = open_path(repo, path, path.removeprefix(FILE))
        entry = {"path": opened.reference.removeprefix(FILE), "digest": opened.digest}
        changed.setdefault("files", []).append(entry)
    for export in result.exports:
        changed.setdefault("exports", []).append(_export(export, mask))
    whole: dict[str, object] = {key: _with(facts.get(key), entries) for key, entries in changed.items()}
    if result.tokens is not None:
        whole["tokens"] = {_name(name): _count(name, count) for name, count in result.tokens.items()}
    if result.counts is not None:
        whole["counts"] = {_name(name): _count(name, count) for name, count in result.counts.items()}
    if result.cost is not None:
        whole["cost"] = _cost(result.cost)
    return whole


def _prompt(repo: Repository, given: str | Mapping[str, str]) -> dict[str, object]:
    if isinstance(given, str):
        return _artifact(repo, given if "/" in given else f"prompts/{given}")[1]
    from pydantic import ValidationError

    from strata_git.contracts.run import RunPrompt

    try:
        return RunPrompt.model_validate(dict(given)).model_dump(exclude_none=True)
    except ValidationError as error:
        told = printable(error.errors()[0]["msg"])
        raise StrataError(f"The plugin names a prompt that cannot be recorded: {told}") from None


def _artifact(repo: Repository, given: str) -> tuple[str, dict[str, object]]:
    reference = exact_reference(repo, given)
    parsed = parse_reference(reference)
    artifact = parsed.artifact(parsed.kind or "")
    digest, content_hash = committed_digests(repo, artifact)
    section = "prompts" if artifact.kind == "prompt" else "inputs"
    return section, {"ref": reference, "digest": digest, "content_hash": content_hash}


def _source(given: Mapping[str, Any], mask: Mask) -> tuple[str, dict[str, object]]:
    from pydantic import ValidationError

    from strata_git.contracts.run import Source

    entry = {key: value for key, value in given.items() if value is not None}
    uri = mask.text(without_login(str(entry.get("uri", ""))))
    entry["uri"] = uri
    entry |= {key: mask.text(entry[key]) for key in ("name", "version", "etag") if isinstance(entry.get(key), str)}
    try:
        return "sources", Source.model_validate(entry).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise StrataError(
            f"The plugin says of {printable(uri)[:200]}, which it read: {place}: {printable(first['msg'])}"
        ) from None


def _export(given: Mapping[str, Any], mask: Mask) -> dict[str, object]:
    from pydantic import ValidationError

    from strata_git.contracts.run import Export

    try:
        entry = {**given, "uri": printable(mask.text(without_login(str(given.get("uri", "")))))[:2000]}
        return Export.model_validate(entry).model_dump()
    except ValidationError as error:
        told = printable(error.errors()[0]["msg"])
        raise StrataError(f"The plugin says of an export what cannot be recorded: {told}") from None


def _with(before: object, entries: list[object]) -> list[object]:
    """All entries, each once: those of the experiment first."""
    known = list(before) if isinstance(before, list) else []
    cited = {entry.get("ref") for entry in known if isinstance(entry, Mapping)} - {None}
    for entry in entries:
        if entry not in known and not (isinstance(entry, Mapping) and entry.get("ref") in cited):
            known.append(entry)
    return known


def _name(name: str) -> str:
    from strata_git.contracts.layout import NAME

    if not NAME.fullmatch(name):
        raise StrataError(f"The plugin counts tokens as '{printable(name)}', which is no name (input, output_cached).")
    return name


def _count(name: str, count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise StrataError(f"The plugin counts {printable(str(count))} tokens as '{printable(name)}'.")
    return count


def _cost(cost: tuple[float, str]) -> dict[str, object]:
    from math import isfinite

    amount, currency = cost
    if isinstance(amount, bool) or not isfinite(amount) or amount < 0 or not currency.strip():
        raise StrataError("The plugin's cost is not an amount and a currency, such as (0.25, 'USD').")
    return {"amount": float(amount), "currency": printable(currency)}
