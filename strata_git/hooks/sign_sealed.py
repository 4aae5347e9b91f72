"""Signing at commit, where `signing.on_commit` asks for it and the key needs no prompt (DESIGN §6)."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.authoring.seal import Seal, note_sealed
from strata_git.config import load_settings
from strata_git.contracts.layout import SETTINGS, SIGNATURE
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.worktree import read_plain


def sign_sealed(repo: Repository, seals: Sequence[Seal], *, asked: bool = False) -> list[str]:
    """Put SIGNATURE.asc beside what was just sealed; sentences for the user where that was not possible.

    Nothing is signed unless `signing.on_commit` says so, or somebody `asked` for it.

    A key that wants a passphrase is no reason to refuse a commit: pre-push and promote ask again.
    """
    try:
        settings = load_settings(read_plain(repo, SETTINGS))
    except StrataError as error:
        return [f"nothing is signed: {error.message}"]
    if not (settings.signing_on_commit or asked):
        return []
    from strata_git.integrity.armor import SIZE_LIMIT, ArmorError, append_block
    from strata_git.integrity.gpg import Gpg

    told = []
    signed: dict[str, str] = {}
    for seal in seals:
        path = f"{seal.artifact.path}/{SIGNATURE}"
        try:
            key = settings.signing_key or repo.user_config("user.signingkey") or ""
            existing = read_plain(repo, path, SIZE_LIMIT)
            data = append_block(existing, Gpg(None, environ=repo.environ).sign_detached(seal.data, key))
        except (StrataError, ArmorError) as error:
            told.append(f"{seal.artifact.path} is not signed by this commit: {error}")
            continue
        signed[path] = repo.write_object("blob", data)
        write_file(repo.require_worktree() / path, data)
    if signed:
        lines = "".join(f"100644 {oid}\t{path}\0" for path, oid in signed.items())
        repo.git("update-index", "--add", "-z", "--index-info", input=lines.encode())
        note_sealed(repo, signed)
    return told
