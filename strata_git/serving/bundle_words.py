"""What VERIFY.md tells: how a bundle is followed back to its signers with tools that everybody has."""

from __future__ import annotations

from strata_git.serving.provenance import Provenance


def verify_text(provenance: Provenance, *, signed: bool, event: str) -> str:
    """The text for one bundle; `event` is the id of its event's tag object."""
    listed = provenance.digest.removeprefix("sha256:")
    signature = (
        "    (cd model && gpg --verify SIGNATURE.asc CHECKSUMS.txt)\n"
        if signed
        else "Nobody has signed the version itself; its event (below) is signed.\n"
    )
    return f"""# How to check this by hand

This is {provenance.reference}, as it was in {provenance.stage} by the event {provenance.event}.
Where another form of the model is not in the bundle, `--ignore-missing` passes it over.

The files are those that the version lists, and the list is the one that the event signs ({listed}):

    (cd model && sha256sum --strict --ignore-missing -c CHECKSUMS.txt)
    sha256sum model/CHECKSUMS.txt
    grep -o '"digest":"sha256:[0-9a-f]*"' event/payload

The event is a tag object of Git ({event}), signed by {_line(provenance.signer)}.
With the signer's key in your keyring (OpenPGP), or in a file of allowed signers (SSH):

    gpg --verify event/signature.asc event/payload
    ssh-keygen -Y verify -f ALLOWED_SIGNERS -I SIGNER -n git -s event/signature.asc <event/payload
    git hash-object -t tag event/tag

{signature}
Every file of this directory, with its SHA-256, is in bundle.json. The SHA-256 of bundle.json is the bundle's digest:

    sha256sum bundle.json

In an image it is the label `strata.bundle` and the variable `STRATA_BUNDLE`; a service that finds anything else does
not start.
"""


def _line(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
