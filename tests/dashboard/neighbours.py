"""Repositories that know of each other: one publishes, one trained, one lies, one never answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from strata_git.config import Settings
from strata_git.dashboard.federated import FederatedSite, read_together
from strata_git.index.federate import fetch_members
from strata_git.index.members import add_member
from strata_git.index.published import publish
from tests.dashboard.malice import EVERY, PAYLOADS, line
from tests.index.federating import CITED, DATA, DESK, TRAIN, forge
from tests.support.builder import RepositoryBuilder, create

SECRET, STEP = "s3cret", 6
LOST = f"https://ada:{SECRET}@example.org/<script>window.strataCanary.push('place')</script>.git"
EVIL = "44444444-6a35-4c3e-9d55-0d7f6f2a9d01"


def neighbours(place: Path, environ: dict[str, str], key: str) -> RepositoryBuilder:
    """The repository in which all are asked; `key` signs the index of `data` and promotes here.

    `data` and this one both hold `iris@v1`, `train` and this one a model `forest@v1`; `train` read that of `data`.
    """
    data, train = (create(place / name, environ) for name in ("data", "train"))
    data.workspace(settings={"repository": DATA}).git("config", "uploadpack.allowFilter", "true")
    data.dataset("iris")
    data.commit("Iris")
    publish(data.repository(), Settings(repository=DATA), key=key)
    train.workspace(settings={"repository": TRAIN}).git("config", "uploadpack.allowFilter", "true")
    train.run(inputs=[CITED])
    train.model("forest", datasets=[CITED])
    train.commit("Forest")
    desk = create(place / "desk", environ).workspace(settings={"repository": DESK})
    desk.dataset("iris")
    desk.run(inputs=[CITED])
    desk.model("forest", datasets=[CITED])
    desk.commit("Our own")
    desk.git("config", "user.signingkey", key)
    for _ in range(2):
        desk.strata("promote", "forest@v1", "--reason", "looked at").expect(0, 1)
    return listed(desk, data, train)


def hostile_desk(place: Path, environ: dict[str, str]) -> RepositoryBuilder:
    """A repository with nothing of its own, and members that lie or never answer."""
    desk = create(place / "desk", environ).workspace(settings={"repository": DESK})
    desk.commit("Begin")
    return listed(desk)


def listed(desk: RepositoryBuilder, *members: RepositoryBuilder) -> RepositoryBuilder:
    """`desk` with these on its list, one that lies and one that never answered."""
    evil = create(desk.path.parent / "evil", desk.environ).workspace(settings={"repository": EVIL})
    evil.commit("Begin")
    forge(evil, lies(evil.head), identity=EVIL)
    for repo in (*members, evil):
        add_member(desk.repository(), str(repo.path), None, cwd=desk.path)
    assert set(fetch(desk).values()) == {""}
    add_member(desk.repository(), LOST, "lost", cwd=desk.path)
    return desk


def fetch(desk: RepositoryBuilder, *names: str) -> dict[str, str]:
    return {member.name: error for member, error in fetch_members(desk.repository(), names)}


def federated(desk: RepositoryBuilder, title: str = "All teams") -> FederatedSite:
    """The site of the federation as it is now."""
    return FederatedSite(read_together(desk.repository(), Settings(repository=DESK), title=title))


def lies(revision: str) -> dict[str, object]:
    """An index of the right form in which every text is a payload."""
    return {
        "schema": "strata/index/v1", "revision": revision, "artifacts": list(_artifacts()),
        "elsewhere": [_artifact(0, "model", "elsewhere", "v1")],
        "stages": [_event(number) for number in range(len(PAYLOADS))],
        "complaints": {EVERY[0]: [{"rule": EVERY[1], "message": EVERY[2]}]},
    }  # fmt: skip


def _artifacts() -> Iterator[dict[str, object]]:
    for number in range(0, len(PAYLOADS), STEP):
        kind = ("model", "dataset", "prompt")[number // STEP % 3]
        yield _artifact(number, kind, f"x-{number}", "v1")
    yield _artifact(5, "run", "run-2026-01-05-001", None)
    yield _artifact(1, "service", "index", None)
    yield _artifact(2, "model", "forest", "v1")  # the name of somebody else's
    yield _artifact(3, "dataset", "x" * 119, "v1")


def _artifact(number: int, kind: str, name: str, version: str | None) -> dict[str, object]:
    def said(step: int) -> str:
        return line(number + step)

    signer = {"fingerprint": said(1), "user": said(2), "status": "good"}
    return {
        "kind": kind, "name": name, "version": version, "tree": "1" * 40,
        "digest": CITED["digest"] if number < 2 * STEP else None, "description": " ".join(map(said, range(STEP))),
        "created": said(4), "status": said(5), "files": 10**15, "bytes": 2**62,
        "metrics": {said(6): 1e308, said(7): 2**900, "test_accuracy": -1e-300}, "stages": ["production"],
        "inputs": [{"ref": said(8)}, {"ref": f"datasets/{said(9)}@v1"}, {"ref": "datasets/gone@v1"}],
        "run": "run-2026-01-05-001", "outputs": [{"path": said(10), "sha256": "2" * 64}], "signers": [signer],
        "introduced": {"commit": "3" * 40, "author": said(11), "date": said(12), "subject": said(13),
                       "signature": signer},
        "file": {"path": said(14), "sha256": "4" * 64}, "judged": {"complete": True},
    }  # fmt: skip


def _event(number: int) -> dict[str, object]:
    return {
        "model": "models/x-0@v1", "action": line(number), "stage": "production", "from": line(1),
        "origin": line(number + 2), "tag": line(number + 3), "date": line(number + 4), "reason": line(number + 5),
        "sound": True, "current": True,
        "signer": {"fingerprint": line(number), "user": line(number + 1), "status": "good"},
    }  # fmt: skip


def said_by(site: FederatedSite, address: str) -> str:
    """What stands at an address, as text."""
    return site.files[address]().decode()


def names_of(site: FederatedSite) -> list[list[str]]:
    """What the search knows: names and pages."""
    text = site.files["assets/names.js"]().decode()
    rows: list[list[str]] = json.loads(text.removeprefix("window.strataNames = ").removesuffix(";\n"))
    return rows
