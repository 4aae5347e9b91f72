"""What is deployed, said once for every target: containers, shares of the requests, limits, provenance.

Pure: service.yaml, where its model comes from, and images go in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from strata_git.contracts.service import Service
from strata_git.errors import UsageError, printable
from strata_git.serving.image.entry import API, BUNDLE, MODEL_SOCKET, PORT, SOCKETS, api_arguments
from strata_git.serving.provenance import Provenance

CPU, MEMORY = "500m", "512Mi"
"""What a container gets where service.yaml says nothing."""
GRPC_PORT = 8081
"""Where the api-service answers over gRPC in its container, beside PORT for HTTP."""
LEAVE = 5
"""Seconds for which a container that is to stop still takes requests: until then nobody is sent to it any more."""
_UNITS: Mapping[str, Decimal | int] = {
    "": 1, "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")


@dataclass(frozen=True, slots=True)
class Share:
    """Another version beside the first: its reference, its image, and which percent of the requests it gets.

    A `canary` answers them; a `shadow` is asked as well, and its answers are compared and thrown away.
    """

    reference: str
    image: str
    mode: Literal["canary", "shadow"]
    percent: int

    @property
    def container(self) -> str:
        """Its name among containers: `canary-churn-v3`."""
        name = re.sub(r"[^a-z0-9]+", "-", self.reference.removeprefix("models/"))
        return f"{self.mode}-{name}"[:63].rstrip("-")

    @property
    def socket(self) -> str:
        """Where it answers."""
        return f"{SOCKETS}/{self.container}.sock"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A service as it is deployed.

    `image` holds the api-service and the model-service, `provenance` says of which version. `is_open`: requests of
    other machines are taken (they must say who asks). `cpu` and `memory` are those of one container, as Kubernetes
    writes them; `drain` and `timeout` are in seconds. `port` and `grpc_port` (None: no gRPC) are those the world sees.
    """

    name: str
    description: str
    image: str
    provenance: Provenance
    port: int
    is_open: bool
    replicas: int
    cpu: str
    memory: str
    drain: int
    timeout: int
    shares: tuple[Share, ...] = ()
    issuer: str = ""
    grpc_port: int | None = None

    @property
    def facts(self) -> dict[str, str]:
        """What is written beside it, under the names of the answers' headers: `strata-model`, `strata-digest`, ..."""
        return {**self.provenance.headers(), "strata-image": self.image}

    @property
    def api_command(self) -> list[str]:
        """The api-service, which asks the model-service, the canaries and the shadows through their sockets."""
        asked = [f"--{one.mode}={one.percent}:unix:{one.socket}" for one in self.shares]
        grpc = [f"--grpc-port={GRPC_PORT}"] if self.grpc_port is not None else []
        return [*API, *api_arguments(port=PORT), *grpc, *asked]

    @property
    def model_command(self) -> list[str]:
        """The model-service."""
        return served_at(MODEL_SOCKET)


def served_at(socket: str) -> list[str]:
    """The command of a model-service that answers at `socket`."""
    return ["python3", "-P", "-m", "strata_git.serving.model_service", "--bundle", BUNDLE, "--socket", socket]


def described(
    service: Service, provenance: Provenance, image: str, *, routed: Mapping[str, str] = MappingProxyType({})
) -> Deployment:
    """The deployment of `service`, which answers with the version of `provenance`.

    `routed` gives for every route of service.yaml (`churn@v3`) the image of that version. Raises UsageError where one
    has none, and for an image of a version that is no route.
    """
    routes = [(_plain(route.model), route) for route in service.routes if route.percent]
    wanted = [reference for reference, _ in routes]
    given = {_plain(reference): found for reference, found in routed.items()}
    for reference, route in routes:
        if reference not in given:
            raise UsageError(
                f"{printable(reference)} gets {route.percent} % of the requests and has no image.",
                hint=f"--route-image {printable(reference)}=NAME@sha256:… (or take it out of routes)",
            )
    for reference in given:
        if reference not in wanted:
            raise UsageError(f"{printable(reference)} is none of this service's routes.", hint=_known(wanted))
    limits = service.api.limits
    oidc = service.api.auth.oidc
    return Deployment(
        name=service.name, description=service.description or "", image=image, provenance=provenance,
        port=service.api.port, is_open=service.api.auth.required, replicas=service.resources.replicas,
        cpu=service.resources.cpu or CPU, memory=service.resources.memory or MEMORY,
        drain=-(-limits.drain_ms // 1000), timeout=max(1, -(-limits.deadline_ms // 1000)),
        shares=tuple(Share(name, given[name], route.mode, route.percent) for name, route in routes),
        issuer=oidc.issuer if oidc is not None and oidc.jwks is None else "", grpc_port=service.api.grpc_port,
    )  # fmt: skip


def amount(quantity: str) -> Decimal:
    """A quantity of Kubernetes as a number: `500m` is 0.5, `512Mi` is 536870912. ValueError for what is none."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"not a quantity: {quantity}")
    return Decimal(match[1]) * _UNITS[match[2]]


def plain_number(value: Decimal) -> str:
    """`0.5`, `2`: digits, no exponent, no needless zero."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(reference: str) -> str:
    return reference.removeprefix("models/").replace("#", "@")


def _known(routes: Sequence[str]) -> str:
    return f"There are: {', '.join(routes)}" if routes else "service.yaml has no routes."
