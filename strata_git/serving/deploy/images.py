"""References to images: by digest, which names the same bytes for ever; by a tag only where that is asked for."""

from __future__ import annotations

import re

from strata_git.errors import UsageError, printable

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>[\w][\w.\-]{{0,127}}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?",
    re.ASCII,
)
"""The grammar of the OCI distribution specification."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def pinned(said: str, *, repository: str = "", allow_tag: bool = False) -> str:
    """The reference `said`, as it goes into manifests: `registry/churn@sha256:…`.

    A digest alone (`sha256:…`) means that of `repository` (`build.image`). A tag beside a digest is left out: nothing
    would read it. Raises UsageError for what is no reference, and for one without a digest unless `allow_tag`.
    """
    if _DIGEST.fullmatch(said):
        if not repository:
            raise UsageError("This digest names no image.", hint="Say NAME@sha256:…, or build.image in service.yaml.")
        match = _IMAGE.fullmatch(repository)
        said = f"{match['name'] if match else repository}@{said}"
    match = _IMAGE.fullmatch(said)
    if match is None or len(said) > 512:
        raise UsageError(f"'{printable(said[:100])}' is no reference to an image.", hint="--image NAME@sha256:…")
    if match["digest"]:
        return f"{match['name']}@{match['digest']}"
    if not allow_tag:
        raise UsageError(
            f"'{printable(said)}' names no digest: what it means can change under a running service.",
            hint="Say NAME@sha256:… (git strata service build tells it), or --allow-tag to take the tag.",
        )
    return said
