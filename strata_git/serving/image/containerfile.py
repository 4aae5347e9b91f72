"""The Containerfile of a service, rendered from values: pure text, the same for every engine.

What changes most seldom comes first: packages, the program, the bundle. Where packages are copied as they are installed
nothing is run while the image is built, so that it can be built where no container can be started. Nothing in the image
belongs to the user it runs as, and it holds no secret: what is pushed for whom is no affair of the image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strata_git.serving.image.entry import (
    API,
    BUNDLE,
    ENVIRONMENT,
    HEALTH,
    PACKAGES,
    PORT,
    USER,
    VARIABLE,
    api_arguments,
)
from strata_git.serving.provenance import Provenance

NAME = "Containerfile"
FROM_INDEX, WHEELHOUSE, INSTALLED = "index", "wheelhouse", "installed"
_PIP = "python3 -m pip install --no-cache-dir --no-compile --no-deps --disable-pip-version-check"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is made of.

    `base` is the image it starts from, `packages` where Python packages come from, `with_hashes` whether their list has
    hashes. `system` are Debian packages, `arguments` build arguments (name -> value). `labels` and `bundle` (its
    digest) say what is in it.
    """

    base: str
    packages: str
    labels: Mapping[str, str]
    bundle: str
    with_hashes: bool = False
    system: Sequence[str] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)


def default_base(minor: int) -> str:
    """The image that a service starts from unless it says otherwise: a Debian with this minor version of Python 3."""
    return f"python:3.{minor}-slim-bookworm"


def render(recipe: Recipe) -> str:
    """The text. It expects the context that `context.write_context` lays out beside it."""
    arguments = "".join(f"ARG {name}\n" for name in sorted(recipe.arguments))
    title = recipe.labels.get("org.opencontainers.image.title", "a service")
    programs = "one image, two programs (api-service, model-service). Made by git strata service build."
    parts = [f"# {title}: {programs}\nARG BASE={recipe.base}\n"]
    if recipe.packages != INSTALLED:
        parts.append(f"FROM ${{BASE}} AS packages\n{arguments}{_install(recipe)}")
    parts.append(f"FROM ${{BASE}}\n{arguments}{_system(recipe.system)}")
    source = "packages" if recipe.packages == INSTALLED else f"--from=packages {PACKAGES}"
    parts.append(f"COPY {source} {PACKAGES}\nCOPY program {PACKAGES}\nCOPY bundle {BUNDLE}\n")
    variables = ENVIRONMENT | {VARIABLE: recipe.bundle}
    parts.append("ENV " + " \\\n    ".join(f"{name}={_quoted(value)}" for name, value in sorted(variables.items())))
    parts.append(
        "LABEL " + " \\\n      ".join(f"{name}={_quoted(value)}" for name, value in sorted(recipe.labels.items()))
    )
    parts.append(
        f"WORKDIR {BUNDLE}\nUSER {USER}:{USER}\nEXPOSE {PORT}\nSTOPSIGNAL SIGTERM\n"
        f"HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD {json.dumps(list(HEALTH))}\n"
        f"ENTRYPOINT {json.dumps(list(API))}\nCMD {json.dumps(api_arguments(model=''))}\n"
    )
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def labels_of(provenance: Provenance, *, service: str, bundle: str, commit: str, created: str, description: str = ""
              ) -> dict[str, str]:  # fmt: skip
    """Who is in the image, in the words of the OCI image specification (annotations) and in ours."""
    told = {
        "org.opencontainers.image.title": service,
        "org.opencontainers.image.description": description,
        "org.opencontainers.image.version": provenance.version,
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.created": created,
        "strata.service": service,
        "strata.model": provenance.reference,
        "strata.stage": provenance.stage,
        "strata.commit": provenance.commit,
        "strata.run": provenance.run,
        "strata.digest": provenance.digest,
        "strata.event": provenance.event,
        "strata.signer": provenance.signer,
        "strata.format": provenance.format,
        "strata.bundle": bundle,
    }
    return {name: _plain(value) for name, value in told.items() if value}


def _install(recipe: Recipe) -> str:
    """Packages from the index or from wheels, into a directory of their own."""
    hashes = " --require-hashes" if recipe.with_hashes else ""
    wheels = " --no-index --find-links /tmp/wheels" if recipe.packages == WHEELHOUSE else ""
    copied = "COPY wheels /tmp/wheels\n" if recipe.packages == WHEELHOUSE else ""
    return (
        f"{copied}COPY requirements.txt /tmp/requirements.txt\n"
        f"RUN {_PIP}{wheels}{hashes} \\\n      --target {PACKAGES} --requirement /tmp/requirements.txt\n"
    )


def _system(packages: Sequence[str]) -> str:
    """Debian's packages, in the versions that the base image's suite has."""
    if not packages:
        return ""
    return (
        "# hadolint ignore=DL3008\n"
        f"RUN apt-get update \\\n && apt-get install --yes --no-install-recommends {' '.join(sorted(packages))} \\\n"
        " && rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/aux-cache /var/log/*.log /var/log/apt\n"
    )


def _quoted(value: str) -> str:
    """A word as the Containerfile's grammar has it, in which `$` would begin a variable."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


def _plain(value: str) -> str:
    """One line of printable text."""
    return "".join(one if one.isprintable() else " " for one in value)[:1000].strip()
