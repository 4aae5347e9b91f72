"""The model card of a version that answers, as the commit that released it has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.contracts.layout import CHECKSUMS, Artifact
from strata_git.errors import StrataError

if TYPE_CHECKING:
    from strata_git.serving.provenance import Provenance

CARD = "card.md"
_LIMIT = 1 << 20


def card_reader(root: Path, environ: Mapping[str, str]) -> Callable[[Provenance], str]:
    """Tells the text of a version's card (`""`: it has none that its list names), each read once."""
    known: dict[str, str] = {}

    def told(provenance: Provenance) -> str:
        if provenance.digest not in known:
            try:
                known[provenance.digest] = _read(root, environ, provenance)
            except (StrataError, KeyError, ValueError):
                return ""
        return known[provenance.digest]

    return told


def _read(root: Path, environ: Mapping[str, str], provenance: Provenance) -> str:
    import hashlib

    from strata_git.integrity import checksums
    from strata_git.repo.command import Repository
    from strata_git.repo.tree import commit_tree

    place = Artifact("model", provenance.model, provenance.version).path
    repo = Repository.discover(root, environ)
    try:
        tree = commit_tree(repo, provenance.commit, [f"{place}/{CARD}", f"{place}/{CHECKSUMS}"])
        entries = [tree.get(f"{place}/{name}") for name in (CHECKSUMS, CARD)]
        listed, card = (tree.read(one, _LIMIT) if one is not None else b"" for one in entries)
    finally:
        repo.close()
    if checksums.digest(listed) != provenance.digest:
        return ""
    expected = checksums.parse(listed).get(CARD)
    return card.decode(errors="replace") if hashlib.sha256(card).hexdigest() == expected else ""
