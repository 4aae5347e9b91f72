"""`sign --oms`: a signature in the OpenSSF Model Signing format beside the others (TFC-0008 section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strata_git.authoring.checksum import is_released
from strata_git.authoring.sign import true_list
from strata_git.contracts.layout import CHECKSUMS, MODEL_SIG, Artifact
from strata_git.errors import StrataError, printable
from strata_git.integrity import checksums
from strata_git.integrity.oms import SIZE_LIMIT, OmsError, read_bundle, write_bundle, write_statement
from strata_git.integrity.oms_keys import SigningKey, load_private_key
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.worktree import read_plain


@dataclass(frozen=True, slots=True)
class ModelSigned:
    """An artifact with its model.sig. `hint` names the key, `added` is False when that key had signed it before."""

    artifact: Artifact
    digest: str
    hint: str
    added: bool
    released: bool


def sign_models(
    repo: Repository, artifacts: Sequence[Artifact], *, key: bytes, passphrase: bytes | None = None
) -> list[ModelSigned]:
    """Write model.sig for each artifact of the work tree, when all of them can be signed.

    `key` is a private EC key in PEM. What is signed are the files of CHECKSUMS.txt and the list itself, so large files
    are read once, to see that the list is true. Raises StrataError when a list does not match its directory, when the
    key cannot be used, or when somebody else's signature is there: the format holds only one.
    """
    root = repo.require_worktree()
    signer = load_private_key(key, passphrase)
    done: list[ModelSigned] = []
    files: dict[Artifact, bytes] = {}
    for artifact in artifacts:
        listed = true_list(repo, artifact)
        existing = read_plain(repo, f"{artifact.path}/{MODEL_SIG}", SIZE_LIMIT)
        made = model_signature(artifact, listed, signer)
        if existing is not None and existing != made and not _is_superseded(repo, artifact, existing, signer):
            raise StrataError(
                f"{artifact.path}/{MODEL_SIG} is there already, signed otherwise; the format holds one signature.",
                hint=f"See what it says: git strata verify {artifact.reference}\n"
                f"More signers: git strata sign {artifact.reference}",
            )
        added = existing != made
        if added:
            files[artifact] = made
        done.append(ModelSigned(artifact, checksums.digest(listed), signer.hint, added, is_released(repo, artifact)))
    for artifact, data in files.items():
        write_file(root / artifact.path / MODEL_SIG, data)
    return done


def model_signature(artifact: Artifact, listed: bytes, signer: SigningKey) -> bytes:
    """The bytes of model.sig for an artifact whose CHECKSUMS.txt is `listed`; the same for the same key and list."""
    sums = checksums.parse(listed)
    payload = write_statement(artifact.short, {**sums, CHECKSUMS: checksums.digest(listed).removeprefix("sha256:")})
    return write_bundle(payload, signer.sign(payload), signer.hint)


def _is_superseded(repo: Repository, artifact: Artifact, existing: bytes, signer: SigningKey) -> bool:
    """Whether what is there may be replaced: our own key's, over a list that has changed before release."""
    try:
        bundle = read_bundle(existing)
    except OmsError as error:
        raise StrataError(
            f"{artifact.path}/{MODEL_SIG} is no model signature: {printable(str(error))}.",
            hint=f"Remove it first: rm {artifact.path}/{MODEL_SIG}",
        ) from None
    return bundle.hint == signer.hint and not is_released(repo, artifact)
