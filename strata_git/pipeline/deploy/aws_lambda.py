"""What AWS Lambda calls: an event in, a run of a chain, a JSON answer out (docs/deployment.md).

Only the scratch directory is written to. The record goes to the sink `records`, answers where the chain says; what the
function says is lines of JSON with the request's id, and neither they nor the answer hold a secret.

Variables of the function: STRATA_WORKSPACE (the repository in the image; `workspace` beside the code), STRATA_CHAIN
(for events that name none), STRATA_RECORDS (a sink's name), STRATA_PROFILE (aws_lambda), settings as STRATA_A__B__C.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, printable
from strata_git.pipeline.deploy.event import Order, is_unheard, ordered

if TYPE_CHECKING:
    from strata_git.pipeline.deploy.records import Records
    from strata_git.pipeline.settings import Configured
    from strata_git.runs.masking import Mask
    from strata_git.runs.spec import RunSpec

SCHEMA = "strata/lambda-answer/v1"
PROFILE = "aws_lambda"
_AFTERWARDS_S = (5.0, 30.0)
"""What is kept of the time for closing and sending the record: a tenth, at least and at most so much."""


class Unsuccessful(RuntimeError):
    """The answer, as an error: a platform that calls for nobody repeats what fails, or sets it aside."""


def handler(event: object, context: object) -> dict[str, Any]:
    """The function. Returns the answer; raises Unsuccessful for a failure that only the platform would hear of."""
    return answer(event, context, dict(os.environ))


def answer(event: object, context: object, environ: Mapping[str, str]) -> dict[str, Any]:
    """The same, of any environment. `context` has `aws_request_id` and `get_remaining_time_in_millis()`, or not."""
    from strata_git.pipeline.observability.logging import LEVELS, logged, logger, own_stderr
    from strata_git.pipeline.observability.redact import Redactor
    from strata_git.runs.masking import Mask

    request = str(getattr(context, "aws_request_id", "") or "")
    mask = Mask.of(environ)
    redactor, level = Redactor(mask), environ.get("STRATA_LOG_LEVEL", "")
    level = level if level in LEVELS else "info"
    told = _told(request)
    with _alone(), own_stderr() as stream, logged("json", level, redactor, stream, {"request": request}):
        say = logger("lambda")
        try:
            order = ordered(event, environ.get("STRATA_CHAIN", ""))
            told |= _done(order, request, context, environ, mask) if order else {"status": "ignored"}
        except StrataError as error:
            told |= _failed(error)
            say.error(error.message, hint=error.hint)
        except Exception as error:  # noqa: BLE001 - the last catch: a bug of ours, told as one
            told |= {"status": "failed", "error": {"kind": "bug", "message": type(error).__name__, "retryable": False}}
            say.exception("this is a bug of git-strata")
        said: dict[str, Any] = redactor.plain(told)
        say.info("answered", **{key: value for key, value in said.items() if key in ("run", "status", "counts")})
    if is_unheard(event) and said["status"] not in ("succeeded", "ignored"):
        raise Unsuccessful(json.dumps(said, ensure_ascii=False))
    return said


def _told(request: str) -> dict[str, Any]:
    """An answer before anything is known."""
    return {
        "schema": SCHEMA, "request": request, "run": None, "status": "failed", "counts": {}, "tokens": {}, "cost": None,
        "record": None, "error": None,
    }  # fmt: skip


def _failed(error: StrataError) -> dict[str, Any]:
    message, hint = printable(error.message)[:2000], printable(error.hint)[:2000]
    kind, again = getattr(error, "kind", "invalid"), bool(getattr(error, "retryable", False))
    return {"status": "failed", "error": {"kind": kind, "message": message, "hint": hint, "retryable": again}}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a function works: the repository as it was baked, its settings, what it was called with."""

    baked: Path
    settings: Configured
    environ: Mapping[str, str]
    profile: str
    context: object
    request: str
    mask: Mask

    @property
    def scratch(self) -> Path:
        """The directory that may be written to."""
        path = Path(self.settings.pipelines.execution.scratch or gettempdir())
        path.mkdir(parents=True, exist_ok=True)
        return path

    def seconds(self) -> float | None:
        """How long work may go on from now; None where nobody says."""
        limit, left = self.settings.pipelines.execution.time_limit_s, self._left()
        if left is None:
            return limit
        ours = left - min(max(left / 10, _AFTERWARDS_S[0]), _AFTERWARDS_S[1])
        if ours < 1:
            raise StrataError(
                f"There are {left:.0f} s left, too few to begin.", hint="Give the function a longer timeout."
            )
        return ours if limit is None else min(limit, ours)

    def _left(self) -> float | None:
        remaining = getattr(self.context, "get_remaining_time_in_millis", None)
        return None if remaining is None else float(remaining()) / 1000


def _done(order: Order, request: str, context: object, environ: Mapping[str, str], mask: Mask) -> dict[str, Any]:
    """What came of an order. Raises StrataError for what is wrong before there is a run."""
    from strata_git.pipeline.deploy.records import SINK, open_records
    from strata_git.pipeline.deploy.workspace import copied
    from strata_git.pipeline.secrets.resolve import Secrets
    from strata_git.pipeline.settings import load

    baked = Path(environ.get("STRATA_WORKSPACE") or Path(environ.get("LAMBDA_TASK_ROOT", "."), "workspace")).resolve()
    profile = environ.get("STRATA_PROFILE") or PROFILE
    place = _Place(baked, load(baked, environ, (), profile), environ, profile, context, request, mask)
    pipelines = place.settings.pipelines
    spec = _spec(order, place)
    if spec is None:
        return {"status": "ignored"}
    if order.dry_run:
        with TemporaryDirectory(prefix="order-", dir=place.scratch) as name:
            return _estimated(spec, copied(baked, Path(name) / "workspace"), _environ(environ, name), mask)
    secrets = Secrets(pipelines.keys, environ, baked, mask)
    records = open_records(pipelines, environ.get("STRATA_RECORDS") or SINK, secrets, environ)
    earlier = records.answered(request)
    if earlier is not None:
        return {**earlier, "repeated": True}
    with TemporaryDirectory(prefix="order-", dir=place.scratch) as name:
        told = _run(spec, copied(baked, Path(name) / "workspace"), _environ(environ, name), place, records)
    if told["status"] == "succeeded":
        records.remember(request, told)
    return told


def _spec(order: Order, place: _Place) -> RunSpec | None:
    """The run that an order asks for; None when the chain does not want what came to be."""
    from strata_git.pipeline.chain.spec import chain_of, load_chain
    from strata_git.pipeline.deploy.selection import require_kept, selected

    path = place.baked / order.chain
    if not path.is_file() or not path.resolve().is_relative_to(place.baked):
        raise StrataError(f"There is no chain {printable(order.chain)} in the image.")
    changes = list(order.changes)
    tags = [f"{name}={text}" for name, text in order.tags.items()]
    tags += [f"request={place.request}"] if place.request and "request" not in order.tags else []

    def loaded() -> RunSpec:
        return load_chain(path.read_bytes(), file=order.chain, overrides=changes, tags=tags, profile=place.profile)

    spec = loaded()
    chain = chain_of(spec)
    require_kept(chain, place.settings.pipelines)
    if not order.objects:
        return spec
    names = selected(order.objects, chain, place.settings.pipelines)
    if not names:
        return None
    changes.append(f"inputs.select={json.dumps(names, ensure_ascii=False)}")
    return loaded()


def _run(spec: RunSpec, root: Path, environ: Mapping[str, str], place: _Place, records: Records) -> dict[str, Any]:
    """Run it and send its record."""
    from strata_git.load import load_yaml
    from strata_git.pipeline.models.memory import PLACE
    from strata_git.repo.command import Repository
    from strata_git.runs.execute import execute
    from strata_git.runs.tracking_choice import choose

    seconds = place.seconds()
    settings, paid = place.settings.settings, root / PLACE
    if (left := records.unfinished(place.request)) is not None:
        paid.parent.mkdir(parents=True, exist_ok=True)
        paid.write_bytes(left)
    outcome = execute(
        Repository.discover(root, environ), settings,
        replace(spec, resources={"time_limit_s": seconds} if seconds else {}), environ,
        open_tracker=choose(settings, environ, "none").open, claim=records.claim, mask=place.mask,
    )  # fmt: skip
    record: Any = load_yaml((root / outcome.path / "run.yaml").read_bytes()).value
    told = {
        "run": outcome.id, "status": outcome.status, "record": records.keep(root / outcome.path),
        **{name: record[name] for name in ("counts", "tokens", "cost") if name in record},
    }  # fmt: skip
    if outcome.status != "succeeded" and paid.is_file():
        records.leave(place.request, paid.read_bytes())
    if outcome.error is not None:
        told["error"] = {"kind": "run", "message": outcome.error[:2000], "retryable": False}
    return told


def _estimated(spec: RunSpec, root: Path, environ: Mapping[str, str], mask: Mask) -> dict[str, Any]:
    from decimal import Decimal

    from strata_git.pipeline.chain.plugin import estimates

    found, counts = estimates(spec, root, environ, mask)
    costs = [one.cost for one in found]
    whole = None if None in costs else float(sum((cost for cost in costs if cost is not None), Decimal(0)))
    return {
        "status": "succeeded", "dry_run": True,
        "counts": {**counts, "calls": sum(one.calls for one in found)},
        "tokens": {
            "input": sum(one.input_tokens for one in found), "output": sum(one.output_tokens for one in found)
        },
        "cost": None if whole is None else {"amount": whole, "currency": "USD"},
    }  # fmt: skip


def _environ(environ: Mapping[str, str], place: str) -> dict[str, str]:
    """The environment with a home that may be written to."""
    home = Path(place) / "home"
    home.mkdir(exist_ok=True)
    return {**environ, "HOME": str(home)}


@contextmanager
def _alone() -> Iterator[None]:
    """Without the handlers that the platform has put on the root logger: those redact nothing."""
    root = logging.getLogger()
    before = list(root.handlers)
    for one in before:
        root.removeHandler(one)
    try:
        yield
    finally:
        for one in before:
            root.addHandler(one)
