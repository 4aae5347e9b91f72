"""A repository that tries to run a program whenever it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.builder import RepositoryBuilder

PROGRAMS = (
    "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "core.alternateRefsCommand",
    "diff.external", "diff.x.textconv", "diff.x.command", "gpg.program", "gpg.openpgp.program", "gpg.ssh.program",
    "filter.evil.process", "filter.evil.clean", "filter.evil.smudge", "credential.helper", "alias.strata",
    "sequence.editor", "interactive.diffFilter", "uploadpack.packObjectsHook",
)  # fmt: skip
HOOKS = ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc")


@dataclass(frozen=True, slots=True)
class Canary:
    """`environ` holds the variables that try it as well."""

    hit: Path
    environ: dict[str, str]

    def assert_silent(self) -> None:
        assert not self.hit.exists(), self.hit.read_text()


def plant(repo: RepositoryBuilder, folder: Path) -> Canary:
    """Point every program a repository can name at one that leaves a mark."""
    hit, program, hooks = folder / "hit", folder / "canary", folder / "hooks"
    hooks.mkdir()
    text = f'#!/bin/sh\necho "$0 $*" >>"{hit}"\necho "[GNUPG:] GOODSIG 0 x"\n'
    for place in (program, *(hooks / name for name in HOOKS)):
        place.write_text(text)
        place.chmod(0o755)
    (folder / "included").write_text(f'[core]\n\tfsmonitor = {program}\n[diff "y"]\n\ttextconv = {program}\n')
    (repo.path / ".git/info/attributes").write_text("* filter=evil\n*.csv diff=x\n*.yaml diff=y\n")
    settings = dict.fromkeys(PROGRAMS, str(program)) | {
        "core.hooksPath": str(hooks),
        "include.path": str(folder / "included"),
        "filter.evil.required": "true",
        "log.showSignature": "true",
    }
    for key, value in settings.items():
        repo.git("config", key, value)
    hit.unlink(missing_ok=True)
    named = (("core.fsmonitor", str(program)), ("core.hooksPath", str(hooks)))
    environ = {"GIT_EXTERNAL_DIFF": str(program), "GIT_PAGER": str(program), "GIT_SSH_COMMAND": str(program)}
    environ |= {"GIT_DIR": str(folder), "GIT_INDEX_FILE": str(folder / "index"), "GIT_CONFIG_COUNT": str(len(named))}
    for at, (key, value) in enumerate(named):
        environ |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
    return Canary(hit, environ)
