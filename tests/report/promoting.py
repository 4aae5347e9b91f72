"""Bringing a model into production in a few lines, at a chosen moment."""

from __future__ import annotations

from datetime import datetime

from strata_git.integrity.checksums import digest
from strata_git.integrity.gpg import Gpg, GpgSigner
from strata_git.ledger.events import read_ledger
from strata_git.ledger.writing import Author, Draft, write_events
from strata_git.repo.command import Repository
from strata_git.repo.refs import read_ref
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.keys import Keys

MOVES = (("experimental", None, False), ("staging", "experimental", False), ("production", "staging", True),
         ("production", "staging", False))  # fmt: skip


def promote(
    repo: RepositoryBuilder, keys: Keys, model: str = "forest", version: str = "v1", *, at: str, commit: str = "HEAD"
) -> None:
    """Bring a version that `commit` introduced into production, signed by Alice."""
    inner = Repository.discover(repo.path, repo.environ)
    try:
        head = repo.git("rev-parse", commit)
        state = read_ledger(inner).model(model)
        drafts = [_draft(repo, model, version, head, *move) for move in MOVES]
        if (other := state.production) is not None:
            left = state.versions[other].since.target
            drafts.insert(-1, _draft(repo, model, other, left, "experimental", "production", True))
        gpg = Gpg(None, environ=repo.environ)
        author = Author(GpgSigner(gpg, keys.alice), gpg, artifacts.REPOSITORY, head, datetime.fromisoformat(at), "good")
        write_events(inner, state, drafts, author, recorded=read_ref(inner, f"refs/strata/ledger/{model}"))
    finally:
        inner.close()


def _draft(
    repo: RepositoryBuilder, model: str, version: str, commit: str, target: str, origin: str | None, leaving: bool
) -> Draft:
    place = f"models/{model}/{version}"
    tree = repo.git("rev-parse", f"{commit}:{place}")
    seal = digest(repo.git("show", f"{commit}:{place}/CHECKSUMS.txt").encode() + b"\n")
    return Draft(version, origin, target, commit, tree, seal, leaving)
