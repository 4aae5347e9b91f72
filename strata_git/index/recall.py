"""`impact`: from what somebody asks about to everything that came of it, with the branches that have it."""

from __future__ import annotations

import re
from dataclasses import replace

from strata_git.checks.plain import dig, items, text
from strata_git.contracts.layout import parse_reference
from strata_git.errors import StrataError
from strata_git.index.contents import read_documents
from strata_git.index.impact import Impact, everything, impact, key_of
from strata_git.index.places import read_places
from strata_git.index.records import ArtifactRecord, Index
from strata_git.index.select import select_anywhere
from strata_git.index.whois import whois
from strata_git.repo.command import Repository

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")


def recall(repo: Repository, index: Index, asked: str) -> Impact:
    """What descends from `asked`: a reference, or (the beginning of) the SHA-256 of a file or of an artifact.

    A version that the revision lacks is found on other branches and in the past; of several contents under one name all
    are meant. Raises StrataError where nothing is.
    """
    origins = _origins(repo, index, asked)
    services = [record for record in everything(index) if record.artifact.kind == "service"]
    served = {record.reference: _models(repo, record) for record in services}
    found = impact(index, asked, origins, served=served)
    away = [one.record for one in (*found.origins, *found.descendants) if not one.here]
    places = read_places(repo, away, tags=True) if away else {}
    told = [
        tuple(replace(one, places=places.get(key_of(one.record), ())) for one in part)
        for part in (found.origins, found.descendants)
    ]
    return replace(found, origins=told[0], descendants=told[1])


def _origins(repo: Repository, index: Index, asked: str) -> list[ArtifactRecord]:
    match = _DIGEST.fullmatch(asked.lower())
    if match is not None:
        holders = whois(repo, index, match[1])
        if not holders:
            raise StrataError(
                f"Nothing here holds {asked}, on any branch or in the past.",
                hint="git strata whois FILE    looks for the bytes of a file",
            )
        return list({key_of(one.record): one.record for one in holders}.values())
    try:
        return [select_anywhere(index, asked)]
    except StrataError:
        reference = parse_reference(asked) if _is_reference(asked) else None
        named = [
            record
            for record in index.elsewhere
            if reference is not None
            and record.artifact.name == reference.name
            and reference.kind in (None, record.artifact.kind)
            and record.artifact.version == (reference.version or "")
        ]
        if not named or len({record.reference for record in named}) > 1:
            raise
        return named


def _is_reference(text_: str) -> bool:
    try:
        parse_reference(text_)
    except ValueError:
        return False
    return True


def _models(repo: Repository, service: ArtifactRecord) -> list[str]:
    """The models that a service answers with, as `models/NAME@VERSION` or `models/NAME@STAGE`."""
    said = read_documents(repo, service, ["service.yaml"]).get("service.yaml", {})
    named = [text(dig(said, "model")), *(text(dig(route, "model")) for route in items(dig(said, "routes")))]
    found = []
    for name in named:
        try:
            reference = parse_reference(name or "", kind="model")
        except ValueError:
            continue
        if mark := reference.version or reference.stage:
            found.append(f"models/{reference.name}@{mark}")
    return found
