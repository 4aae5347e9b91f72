"""A service's service.yaml and golden predictions (TFC-0012): which model answers, how, to whom, within what limits.

Only what a person decides stands here. What is derived from the model (columns, types, versions) is read from it.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from strata_git.contracts.base import (
    Checked,
    Contract,
    Day,
    InsidePath,
    Label,
    Many,
    Name,
    Number,
    Sha256,
    Text,
    reference,
    whole,
)
from strata_git.contracts.layout import NAME, STAGES, VERSION, parse_reference

SERVICE_SCHEMA = "strata/service/v1"
GOLDEN_SCHEMA = "strata/golden/v1"


def _served(value: str) -> str:
    try:
        parsed = parse_reference(value, kind="model")
    except ValueError as error:
        raise ValueError(f"is no model: {error}") from None
    if parsed.version is None and parsed.stage is None:
        raise ValueError(f"must name a version or a stage, such as {parsed.name}@production")
    return value


_MODEL = f"(?:models/)?{NAME.pattern}(?:[@#]{VERSION.pattern}|@(?:{'|'.join(STAGES)}))"
ServedModel = Annotated[
    str,
    Checked(_served, whole(_MODEL, f"models/{NAME.pattern}/{VERSION.pattern}/*"), "a model's version or stage"),
]
"""`churn@v2`, always that version; or `churn@production`, whatever version is in that stage."""
Port = Annotated[int, Field(ge=1, le=65535)]
_HOST = re.compile(r"[A-Za-z0-9:._\-]{1,253}")
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@\-]{0,254}")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SECRET = re.compile(r"\$\{secret:[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}\}")
_ISSUER = re.compile(r"https://[^\s@?#]+")


def _matching(pattern: re.Pattern[str], what: str) -> Checked:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return Checked(check, whole(pattern.pattern), what)


Image = Annotated[str, _matching(IMAGE, "the name of an image")]
BuildArgument = Annotated[str, _matching(_ARGUMENT, "the name of a build argument")]


class ApiKey(Contract):
    """Somebody who may ask. Only the SHA-256 of the key is kept; `expires` is the last day it is taken."""

    name: Name
    sha256: Sha256
    expires: Day | None = None


class Oidc(Contract):
    """Tokens of an identity provider: who must have issued them, for whom, and (offline) a file with its keys."""

    issuer: Annotated[str, _matching(_ISSUER, "an https address without a password or query")]
    audience: Label
    jwks: InsidePath | None = None
    scopes: Many[Label] = ()


class Auth(Contract):
    """Who may ask: whoever holds one of the keys, or a token of the provider. Neither: everybody (loopback only)."""

    keys: Many[ApiKey] = ()
    oidc: Oidc | None = None

    @property
    def required(self) -> bool:
        """Whether a request must say who asks."""
        return bool(self.keys) or self.oidc is not None


class Limits(Contract):
    """What one request may cost. Beyond: 413 (`body_bytes`, `rows`), 504 (`deadline_ms`), 429 (`queue`)."""

    body_bytes: int = Field(default=8 << 20, ge=1024, le=1 << 30)
    rows: int = Field(default=10_000, ge=1)
    deadline_ms: int = Field(default=10_000, ge=1, le=3_600_000)
    queue: int = Field(default=256, ge=1, le=1_000_000)
    drain_ms: int = Field(default=10_000, ge=0, le=3_600_000)


class Api(Contract):
    """Where the service listens and to whom it answers."""

    host: Annotated[str, _matching(_HOST, "a host name or address")] = "127.0.0.1"
    port: Port = 8080
    grpc_port: Port | None = None
    auth: Auth = Auth()
    limits: Limits = Limits()
    metrics: bool = True


class Batch(Contract):
    """How requests that wait are put together; 0 ms: whatever waits when the model is free, nobody waits for more."""

    rows: int = Field(default=64, ge=1)
    wait_ms: int = Field(default=0, ge=0, le=1000)


class Runtime(Contract):
    """What the model runs in."""

    mode: Literal["local", "split", "compose"] = "local"
    backend: Literal["auto", "local", "grpc", "http-oip"] = "auto"
    format: Literal["auto", "onnx", "skops", "mlflow", "rds"] = "auto"
    workers: int = Field(default=1, ge=1, le=256)
    threads: int = Field(default=1, ge=1, le=1024)
    nan: Literal["refuse", "pass"] = "refuse"
    batch: Batch = Batch()


class GoldenCheck(Contract):
    """The predictions that must come out again before any request is answered, and how nearly."""

    file: InsidePath = "tests/golden.json"
    absolute: Annotated[Number, Field(ge=0)] = 1e-6
    relative: Annotated[Number, Field(ge=0)] = 1e-5


class Route(Contract):
    """Another version beside the first: it answers `percent` of the requests, or (shadow) sees them and is compared."""

    model: Annotated[str, reference("model")]
    mode: Literal["canary", "shadow"]
    percent: int = Field(ge=0, le=100)


class Resources(Contract):
    """What a container may use, as Kubernetes writes it."""

    cpu: Annotated[str, _matching(_QUANTITY, "an amount such as 500m or 2")] | None = None
    memory: Annotated[str, _matching(_QUANTITY, "an amount such as 512Mi")] | None = None
    replicas: int = Field(default=1, ge=0, le=10_000)


class PredictionLog(Contract):
    """Whether requests and answers are kept (for drift), which share of them, and which columns never."""

    enabled: bool = False
    percent: int = Field(default=100, ge=0, le=100)
    omit: Many[Label] = ()


class Drift(Contract):
    """What the requests are compared with: a split of one of the model's datasets, and when that is worth a word."""

    split: Name = "train"
    statistic: Literal["psi", "ks"] = "psi"
    threshold: Annotated[Number, Field(gt=0)] = 0.2


class Task(Contract):
    """A command of the project: words, never a line for a shell."""

    run: Many[Text] = Field(min_length=1)
    description: Label | None = None


class Registry(Contract):
    """Who hands images to a registry. The password is never here, only its name among the secrets of strata.yaml."""

    username: Label
    password: Annotated[str, _matching(_SECRET, "the name of a secret, as ${secret:registry}")]


class Build(Contract):
    """How images are made: from which image (`base`), with which packages, for whom.

    `packages` are taken from the package index, from a directory of wheels (`wheelhouse`), or as they are `installed`
    here. `checks` are tasks that must pass first; `coverage` is the percent of own Python code that tests must run
    (null: nobody asks).
    """

    image: Image | None = None
    engine: Literal["auto", "buildah", "podman", "docker"] = "auto"
    base: Image | None = None
    args: dict[BuildArgument, Text] = Field(default_factory=dict)
    packages: Literal["index", "wheelhouse", "installed"] = "index"
    wheelhouse: InsidePath = "wheelhouse"
    registry: Registry | None = None
    checks: Many[Name] = ()
    coverage: int | None = Field(default=95, ge=0, le=100)

    @model_validator(mode="after")
    def _keeps_no_secret(self) -> Self:
        if named := next((name for name, value in self.args.items() if "${secret:" in value), None):
            raise ValueError(f"args.{named}: a build argument stays in the image for everybody to read")
        return self


class Service(Contract):
    """service.yaml: the whole of a service, in one file."""

    schema_id: Literal["strata/service/v1"] = Field(alias="schema")
    name: Name
    description: Text | None = None
    model: ServedModel
    lang: Literal["python", "r"] = "python"
    interface: Literal["oip-v2"] = "oip-v2"
    api: Api = Api()
    runtime: Runtime = Runtime()
    golden: GoldenCheck = GoldenCheck()
    routes: Many[Route] = ()
    resources: Resources = Resources()
    log: PredictionLog = PredictionLog()
    drift: Drift | None = None
    tasks: dict[Name, Task] = Field(default_factory=dict)
    build: Build = Build()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.api.port == self.api.grpc_port:
            raise ValueError("api.grpc_port: must not be the port of HTTP")
        names = [key.name for key in self.api.auth.keys]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"api.auth.keys: '{min(twice)}' is declared twice")
        if sum(route.percent for route in self.routes if route.mode == "canary") > 100:
            raise ValueError("routes: canaries take more than 100 percent")
        if absent := set(self.build.checks) - self.tasks.keys():
            raise ValueError(f"build.checks: there is no task '{min(absent)}'")
        if self.runtime.format != "auto" and (self.lang == "r") != (self.runtime.format == "rds"):
            raise ValueError(f"runtime.format: '{self.runtime.format}' is not loaded by lang '{self.lang}'")
        return self


class GoldenTable(Contract):
    """Rows of named values; null is a missing one."""

    columns: Many[Label] = Field(min_length=1)
    rows: Many[Many[JsonValue]] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns: one is declared twice")
        for place, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"rows.{place}: has {len(row)} values for {len(self.columns)} columns")
        return self


class GoldenPredictions(Contract):
    """tests/golden.json: what went into the model version, and what came out of it, row by row."""

    schema_id: Literal["strata/golden/v1"] = Field(alias="schema")
    model: Annotated[str, reference("model")]
    inputs: GoldenTable
    outputs: GoldenTable

    @model_validator(mode="after")
    def _answers_every_row(self) -> Self:
        if len(self.inputs.rows) != len(self.outputs.rows):
            raise ValueError(f"outputs.rows: has {len(self.outputs.rows)} rows for {len(self.inputs.rows)} of inputs")
        return self
