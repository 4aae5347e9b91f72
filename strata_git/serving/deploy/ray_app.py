"""What Ray Serve imports in an image: the api-service with its model in the replica, as one deployment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def build(args: Mapping[str, str]) -> Any:
    """The application of Ray Serve (an application builder): `name` is the deployment's, `bundle` a directory."""
    from ray import serve

    def started() -> Any:
        return application(Path(args["bundle"]), os.environ)

    return serve.deployment(name=args["name"])(serve.ingress(started)()).bind()


def application(directory: Path, environ: Mapping[str, str]) -> Any:
    """The ASGI application of the bundle in `directory`, whose digest `environ` pins (STRATA_BUNDLE).

    Raises gate.NotServed where it is another one or does not answer as it must: then the replica does not start.
    """
    from strata_git.serving.api.app import create_app
    from strata_git.serving.backends.in_process import InProcess
    from strata_git.serving.bundle import load_bundle, read_bundle
    from strata_git.serving.image.entry import VARIABLE
    from strata_git.serving.router import Router

    bundle = read_bundle(directory, environ.get(VARIABLE, ""))
    loaded, service = load_bundle(bundle), bundle.service
    backend = InProcess(loaded.model, loaded.provenance, service.runtime.batch, service.api.limits)
    return create_app(service, Router(backend), card=bundle.card, golden=bundle.golden, root=directory, hosts=("*",))
