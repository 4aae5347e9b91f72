"""What lies in the archive for people: VERIFY.md, and the script that does what it says."""

from __future__ import annotations

from pathlib import Path

from strata_git.exchange.subject import Subject

_WORDS = """# Evidence for {reference}

What is claimed of `{reference}` stands in `evidence.json`; `artifacts/` holds the records, `lineage.json` how they hang
together. All of it can be verified without the software that wrote it: with git (2.34 or newer), sha256sum, gpg, and
ssh-keygen where SSH keys signed.

    sh verify.sh                        # everything, in a temporary folder; 0: all of it holds
    sh verify.sh -k FINGERPRINT ...     # the same, and nobody else may have signed

**Two things only you can know.** Whether `verify.sh` is the one you trust: read it, it is short, or take it from a copy
you know and give it this folder (`sh verify.sh DIR`). And whose keys these are: they came along with the archive, so
compare the fingerprints that the script prints with what you know from elsewhere, and give them with `-k`.

## By hand

    sha256sum --strict -c SHA256SUMS

    export GNUPGHOME=$(mktemp -d /tmp/gpg.XXXXXX); gpg --import {keys}
    git init --bare /tmp/evidence.git{object_format}
    git -C /tmp/evidence.git bundle unbundle "$PWD/repository.bundle" |
      while read -r oid ref; do git -C /tmp/evidence.git update-ref "$ref" "$oid"; done
    git -C /tmp/evidence.git config gpg.ssh.allowedSignersFile "$PWD/keys/allowed_signers"
    git -C /tmp/evidence.git tag --list | while read -r tag; do git -C /tmp/evidence.git verify-tag "$tag"; done
    git -C /tmp/evidence.git cat-file tag 'TAG'     # the event: Strata-Record names commit, tree, digest, prev, policy
    git -C /tmp/evidence.git show COMMIT:PATH/CHECKSUMS.txt | sha256sum     # is the digest in the record

    cd artifacts/{path}
    sha256sum --strict {missing}-c CHECKSUMS.txt
    gpg --verify SIGNATURE.asc CHECKSUMS.txt
    ssh-keygen -Y verify -f ../../../../keys/allowed_signers -I NAME -n strata-checksums -s BLOCK < CHECKSUMS.txt

`SIGNATURE.asc` holds one block a signer; gpg stops at the first bad one, so look at each block for itself.

## What it proves

- The digest of an artifact is the SHA-256 of its CHECKSUMS.txt, which lists every file; a Git LFS pointer in the bundle
  names the SHA-256 of the file it stands for.
- Every event of the model is a signed tag that names its predecessor (`prev`), the commit that introduced the version,
  and the digest; `refs/strata/ledger/` holds the last one. An event taken out of the middle is missed.
- Each record names what it was made from by digest: the script follows these from the model to run and data.
- `policy/` holds every version of the trust policy with the signatures of its roots. Which signers it asks for, and how
  many, is to be read there; `evidence.json` says how the writer of this archive judged it.

It cannot prove that no later event exists in the repository, that a run computed what it recorded, or whose a key is.
{data}"""
_WITHOUT = """
Files that are not records (data, weights) are not in this archive; their digests are.
"""
_WITH = """
All files are in this archive.
"""


def instructions(subject: Subject, *, with_data: bool, governed: bool) -> str:
    """VERIFY.md; `governed`: there are versions of a trust policy in the archive."""
    return _WORDS.format(
        reference=subject.artifact.reference,
        path=subject.artifact.path,
        keys="keys/gpg/*.asc policy/*/keys/*.asc" if governed else "keys/gpg/*.asc",
        missing="" if with_data else "--ignore-missing ",
        object_format="" if len(subject.revision) == 40 else " --object-format=sha256",
        data=_WITH if with_data else _WITHOUT,
    )


def script() -> bytes:
    """verify.sh, which lies beside this module."""
    return Path(__file__).with_name("verify.sh").read_bytes()
