"""A real repository with a model in two versions, keys, and short words for promoting and for cheating."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from strata_git.authoring.promote import Promotion, promote
from strata_git.config import Settings
from strata_git.contracts.layout import Artifact
from strata_git.doctor.verdict import Verdict
from strata_git.ledger.events import Ledger, read_ledger
from strata_git.ledger.record import Record, format_message
from strata_git.ledger.state import ModelState
from strata_git.repo.command import Repository
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder
from tests.support.keys import Keys

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
SETTINGS = Settings(repository=REPOSITORY, lfs=False)


def fine(repo: Repository, commit: str, artifact: Artifact) -> Verdict:
    """A doctor who finds nothing."""
    return Verdict("", ())


@dataclass(frozen=True, slots=True)
class Lab:
    """`forest` v1 and v2, each introduced by a commit of its own; alice signs."""

    repo: RepositoryBuilder
    keys: Keys

    def promote(self, version: str | None = None, to: str | None = None, **options: object) -> Promotion:
        """Promote with a doctor who finds nothing; options are those of `promote`."""
        given = {"key": self.keys.alice, "now": NOW, "judge": fine, **options}
        settings = given.pop("settings", SETTINGS)
        model = given.pop("model", "forest")
        repo = self.repo.repository()
        try:
            return promote(repo, settings, model, version, to, **given)  # type: ignore[arg-type]
        finally:
            repo.close()

    def ledger(self, **options: object) -> Ledger:
        given = {"repository": REPOSITORY, "now": NOW + timedelta(hours=1), **options}
        repo = self.repo.repository()
        try:
            return read_ledger(repo, **given)  # type: ignore[arg-type]
        finally:
            repo.close()

    def state(self, **options: object) -> ModelState:
        return self.ledger(**options).model("forest")

    def told(self, **options: object) -> set[tuple[str, str]]:
        """Rule and tag of every complaint."""
        return {(complaint.rule, complaint.tag) for complaint in self.state(**options).complaints}

    def oid(self, name: str) -> str:
        return self.repo.git("rev-parse", "--verify", name)

    def move_ref(self, tag: str, oid: str) -> None:
        self.repo.git("update-ref", f"refs/tags/{tag}", oid)

    def delete(self, tag: str) -> None:
        self.repo.git("update-ref", "-d", f"refs/tags/{tag}")

    def record(self, **changes: object) -> Record:
        """What an honest next event (v1 from staging to production, its first half) would say, with `changes`."""
        state = self.state()
        assert state.head is not None
        assert state.head.record is not None
        honest = replace(
            state.head.record, version="v1", origin="staging", target="production", seq=state.next_seq,
            prev=state.head.oid,
        )  # fmt: skip
        return replace(honest, **changes)  # type: ignore[arg-type]

    def forge(self, tag: str, record: Record, *, sign: bool = True, target: str = "", date: str = "") -> str:
        """A tag by stock git with whatever record; the tag object."""
        message = format_message("an event", "", record)
        signing = ["-s", "-u", self.keys.alice] if sign else ["-a"]
        when = date or f"{int(NOW.timestamp()) + 600} +0000"
        self.repo.git(
            "tag", *signing, "-F", "-", "--cleanup=verbatim", tag, target or record.commit, stdin=message,
            env={"GIT_COMMITTER_DATE": when},
        )  # fmt: skip
        return self.oid(f"refs/tags/{tag}")


def lab_in(repo: RepositoryBuilder, keys: Keys) -> Lab:
    """The lab in an empty repository."""
    repo.workspace()
    repo.model("forest", "v1")
    repo.commit("Add v1")
    repo.model("forest", "v2")
    repo.commit("Add v2")
    return Lab(repo, keys)
