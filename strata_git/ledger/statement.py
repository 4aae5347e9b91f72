"""Events as in-toto Statements v1, one JSON line each for `refs/notes/strata` (TFC-0009 §5). Pure.

The lines follow from the event's tag and the tree of its commit alone, so notes can be rebuilt at any time and appended
to twice without harm. Every event has one that repeats its record; a registration has the provenance of the model
(SLSA v1), and a move up the result of what was asked before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strata_git.ledger.event import Event
from strata_git.ledger.record import Record
from strata_git.ledger.stages import is_upward
from strata_git.load import canonical_json

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "git-strata:promotion/v1"


PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
BUILD_TYPE = "git-strata:run/v1"
OURS = b'"git-strata:'
"""In every line that is written here, and in no other."""


@dataclass(frozen=True, slots=True)
class Made:
    """How a model came to be, as the tree at its introducing commit says.

    `run` is the run's id and `digest` that of its CHECKSUMS.txt, `spec` the resolved config.yaml, `system` system.json,
    `record` run.yaml, `sums` the run's files with their SHA-256.
    """

    run: str
    digest: str
    spec: Mapping[str, object]
    system: Mapping[str, object]
    record: Mapping[str, object]
    sums: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GateResult:
    """One metric gate of the policy: what it wanted, and what it found.

    Figures are decimal numbers as text, `""` where there is none; `production` is that of the version displaced, where
    the gate compares with it. `samples` made the figure (None: not known). `reason` says why it did not pass (`""`: it
    did).
    """

    name: str
    wanted: str
    measured: str
    samples: int | None
    production: str
    reason: str

    def as_json(self) -> dict[str, object]:
        """The row as it stands in the statement."""
        verdict = "FAILED" if self.reason else "PASSED"
        told: dict[str, object] = {"name": self.name, "wanted": self.wanted, "measured": self.measured or None}
        told |= {"samples": self.samples, "production": self.production or None, "verdict": verdict}
        return told | ({"reason": self.reason} if self.reason else {})


def statements(
    event: Event, made: Made | None, metrics: str | None, gates: tuple[GateResult, ...] = ()
) -> tuple[bytes, ...]:
    """Every line of an event; `metrics` is the SHA-256 of its version's metrics.yaml (None: there is none), `gates`
    what the policy's gates found.

    Raises ValueError for an event without a record.
    """
    lines = [statement(event)]
    record = event.record
    if record is not None and event.name.kind == "registration" and made is not None:
        lines += _canonical(record, PROVENANCE, _provenance(made))
    if record is not None and event.name.kind == "entering" and is_upward(record.origin or "", record.target):
        lines += _canonical(record, TEST_RESULT, _test_result(event, record, metrics, gates))
    return tuple(lines)


def statement(event: Event) -> bytes:
    """The line, without a line feed. Raises ValueError for an event without a record."""
    record = event.record
    if record is None:
        raise ValueError(f"{event.tag} has no record")
    told = {"tag": event.tag, "tagObject": event.oid, "record": record.as_json()}
    return canonical_json(_statement(record, PREDICATE, told))


def _canonical(record: Record, predicate: str, told: Mapping[str, object]) -> list[bytes]:
    """The line, or none where what the tree says cannot be written as JSON (a number beyond all bounds, say)."""
    try:
        return [canonical_json(_statement(record, predicate, told))]
    except (ValueError, RecursionError):
        return []


def _statement(record: Record, predicate: str, told: Mapping[str, object]) -> dict[str, object]:
    subject = {
        "name": f"models/{record.model}/{record.version}",
        "digest": {"gitCommit": record.commit, "sha256": record.digest.removeprefix("sha256:")},
    }
    return {"_type": STATEMENT, "subject": [subject], "predicateType": predicate, "predicate": dict(told)}


def _provenance(made: Made) -> dict[str, object]:
    inputs = made.record.get("inputs")
    code = made.record.get("code")
    given = [
        {"name": each["ref"], "digest": {"sha256": str(each["digest"]).removeprefix("sha256:")}}
        for each in (inputs if isinstance(inputs, list) else [])
        if isinstance(each, dict) and "ref" in each and "digest" in each
    ]
    if isinstance(code, dict) and "commit" in code:
        given.append({"name": "code", "digest": {"gitCommit": str(code["commit"])}})
    byproducts = [{"name": f"runs/{made.run}", "digest": {"sha256": made.digest.removeprefix("sha256:")}}]
    byproducts += [
        {"name": f"runs/{made.run}/{name}", "digest": {"sha256": made.sums[name]}}
        for name in ("logs.txt", "metrics.json") if name in made.sums
    ]  # fmt: skip
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": dict(made.spec),
            "internalParameters": dict(made.system),
            "resolvedDependencies": given,
        },
        "runDetails": {
            "builder": {"id": f"git-strata:plugin/{made.record.get('plugin')}"},
            "metadata": {
                "invocationId": made.run,
                "startedOn": made.record.get("started"),
                "finishedOn": made.record.get("finished"),
            },
            "byproducts": byproducts,
        },
    }


def _test_result(event: Event, record: Record, metrics: str | None, gates: tuple[GateResult, ...]) -> dict[str, object]:
    """A version moves up only when doctor finds no error in it, and the trust policy (where there is one) allows it.

    Each metric gate is named among the tests, and told in `gates`, which readers of in-toto pass over.
    """
    configuration = [{"name": f"git-strata:{event.tag}", "digest": {"gitTag": event.oid}}]
    if metrics is not None:
        configuration.append(
            {"name": f"models/{record.model}/{record.version}/metrics.yaml", "digest": {"sha256": metrics}}
        )
    passed = ["doctor"]
    if record.policy is not None:
        policy = {"sha256": record.policy.removeprefix("sha256:")}
        configuration.append({"name": ".strata/trust/policy.yaml", "digest": policy})
        passed.append("policy")
    passed += [f"gate/{gate.name}" for gate in gates if not gate.reason]
    failed = [f"gate/{gate.name}" for gate in gates if gate.reason]
    result = {"result": "FAILED" if failed else "PASSED", "configuration": configuration, "passedTests": passed}
    told = {"failedTests": failed} if failed else {}
    return {**result, **told, **({"gates": [gate.as_json() for gate in gates]} if gates else {})}
