"""What is wrong with how a service's image would be made: judged by its settings alone, no engine is asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from strata_git.contracts.service import Build

_SECRET_NAME = re.compile(r"(?i)(passw|secret|token|api_?key|credential)")
_WITH_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing, at the setting `key` of service.yaml."""

    severity: Literal["error", "warning"]
    key: str
    message: str
    fix: str = ""


def judge_build(build: Build) -> Iterator[Complaint]:
    """What whoever builds should know, the worst first where there is more than one."""
    for name, value in sorted(build.args.items()):
        if _SECRET_NAME.search(name) or _WITH_PASSWORD.search(value):
            yield Complaint(
                "error", f"build.args.{name}", "a build argument stays in the image for everybody to read",
                "Fetch what needs a password beforehand (build.packages: wheelhouse).",
            )  # fmt: skip
    if build.base is not None and not _DIGEST.search(build.base):
        tag = build.base.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            yield Complaint(
                "warning", "build.base", "the base image has no tag but the newest, which is another one every week",
                "Name a tag, or better a digest: NAME@sha256:…",
            )  # fmt: skip
    if build.image is not None and (":" in build.image.rpartition("/")[2] or "@" in build.image):
        yield Complaint(
            "warning", "build.image", "the image's name has a tag of its own, which every version then takes",
            "Leave the tag out: it is the model's version.",
        )  # fmt: skip
