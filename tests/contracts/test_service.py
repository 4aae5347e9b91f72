"""service.yaml and golden predictions: what each accepts, and the one thing changed that it refuses."""

from __future__ import annotations

import pytest

from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.service import GoldenPredictions, Service
from strata_git.load import dump_json, dump_yaml, load_json, load_yaml
from tests.support import artifacts

SERVICE: dict[str, object] = {"schema": "strata/service/v1", "name": "scoring", "model": "forest@production"}


def complaint(**changes: object) -> str:
    with pytest.raises(ContractError) as caught:
        parse(Service, load_yaml(dump_yaml({**SERVICE, **changes})))
    return str(caught.value)


def test_three_keys_make_a_service_that_is_careful() -> None:
    service = parse(Service, load_yaml(dump_yaml(SERVICE)))
    assert (service.lang, service.interface, service.api.host, service.runtime.nan) == (
        "python", "oip-v2", "127.0.0.1", "refuse"
    )  # fmt: skip
    assert (service.api.limits.body_bytes, service.api.limits.rows) == (8 << 20, 10_000)
    assert not service.api.auth.required
    assert not service.log.enabled


@pytest.mark.parametrize("model", ["forest@v2", "forest#v2", "models/forest@v2", "models/forest/v2", "forest@staging"])
def test_models_that_can_be_served(model: str) -> None:
    assert parse(Service, load_yaml(dump_yaml({**SERVICE, "model": model}))).model == model


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "forest"}, "model: must name a version or a stage, such as forest@production"),
        ({"model": "datasets/iris@v1"}, "model: is no model"),
        ({"model": "Forest@v1"}, "model: is no model"),
        ({"name": "Scoring"}, "name: must be lower-case letters"),
        ({"lang": "julia"}, "lang: must be 'python' or 'r'"),
        ({"api": {"port": 0}}, "api.port: must be at least 1"),
        ({"api": {"port": 8080, "grpc_port": 8080}}, "api.grpc_port: must not be the port of HTTP"),
        ({"api": {"host": "a b"}}, "api.host: must be a host name or address"),
        ({"api": {"auth": {"keys": [{"name": "a", "sha256": "secret"}]}}}, "sha256: must be 64 lower-case hex digits"),
        ({"api": {"auth": {"keys": [{"name": "a", "sha256": "0" * 64}] * 2}}}, "'a' is declared twice"),
        ({"api": {"auth": {"oidc": {"issuer": "http://x", "audience": "a"}}}}, "issuer: must be an https address"),
        ({"api": {"limits": {"rows": 0}}}, "api.limits.rows: must be at least 1"),
        ({"runtime": {"format": "rds"}}, "runtime.format: 'rds' is not loaded by lang 'python'"),
        ({"lang": "r", "runtime": {"format": "onnx"}}, "runtime.format: 'onnx' is not loaded by lang 'r'"),
        ({"golden": {"file": "../golden.json"}}, "golden.file: must be a path inside"),
        ({"golden": {"absolute": -1}}, "golden.absolute: must be at least 0"),
        ({"routes": [{"model": "forest@staging", "mode": "canary", "percent": 1}]}, "routes.0.model: "),
        ({"resources": {"memory": "much"}}, "resources.memory: must be an amount such as 512Mi"),
        ({"tasks": {"lint": {"run": "ruff check"}}}, "tasks.lint.run: must be a list"),
        ({"build": {"checks": ["lint"]}}, "build.checks: there is no task 'lint'"),
        ({"extra": 1}, "extra: is not a key of this contract"),
    ],
)
def test_what_is_refused(changes: dict[str, object], said: str) -> None:
    assert said in complaint(**changes)


def test_canaries_share_what_there_is() -> None:
    routes = [{"model": f"forest@v{at}", "mode": "canary", "percent": 60} for at in (1, 2)]
    assert "more than 100 percent" in complaint(routes=routes)
    shadow = [routes[0], {**routes[1], "mode": "shadow", "percent": 100}]
    assert len(parse(Service, load_yaml(dump_yaml({**SERVICE, "routes": shadow}))).routes) == 2


def test_golden_predictions() -> None:
    value = load_json(artifacts.service()["services/scoring/tests/golden.json"]).value
    assert isinstance(value, dict)
    assert parse(GoldenPredictions, load_json(dump_json(value))).inputs.columns == ("sepal", "petal")
    twice = {**value, "inputs": {"columns": ["a", "a"], "rows": [[1, 2]]}}
    with pytest.raises(ContractError, match="one is declared twice"):
        parse(GoldenPredictions, load_json(dump_json(twice)))
