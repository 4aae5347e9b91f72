"""The policies in the template: well formed, as narrow as can be said, and just what the calls that are made need."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts.pipeline import AwsKey, DeltaSink, DynamoSink, S3Connector, S3Sink
from strata_git.pipeline.sources.catalog import Place
from tests.support import s3_server
from tests.support.s3_server import AwsServer, s3_error

DEPLOY = Path(__file__).parents[3] / "templates/pipeline/deploy"
POLICIES = {path.stem: json.loads(path.read_text()) for path in sorted((DEPLOY / "iam").glob("*.json"))}
EVERYTHING = {("platform-batch", "ecr:GetAuthorizationToken")}
"""Actions that know no resource (AWS: service authorization reference)."""
OTHERS_CALL = {
    "kms": "S3, Secrets Manager and SSM ask for keys in the caller's name",
    "platform-batch": "the platform calls",
    "platform-lambda": "the platform calls",
    "role-of-redshift": "Redshift calls",
    "trust-batch": "the platform calls",
    "trust-lambda": "the platform calls",
    "trust-redshift": "Redshift calls",
}
UNSEEN = {
    ("sink-s3", "s3:ListBucket"): "without it a key that is not there is told as forbidden",
    ("sink-delta-s3", "s3:ListBucket"): "asked by the table's log on some paths",
    ("source-s3", "s3:GetObjectVersion"): "asked of buckets that keep versions only",
    ("source-redshift", "s3:ListBucket"): "called as of any bucket: see source-s3",
    ("source-redshift", "s3:GetObject"): "called as of any bucket: see source-s3",
}
NEEDS = {
    "ListObjectsV2": "s3:ListBucket", "HeadObject": "s3:GetObject", "TransactWriteItems": "dynamodb:PutItem",
    "Converse": "bedrock:InvokeModel",
}  # fmt: skip
"""Actions that are not called as the operation (AWS: service authorization reference)."""


def allowed(policy: str) -> set[str]:
    return {action for statement in POLICIES[policy]["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_as_narrow_as_it_can_be_said(name: str) -> None:
    policy = POLICIES[name]
    assert set(policy) == {"Version", "Statement"}
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        whom = {"Principal"} if name.startswith("trust-") else {"Resource"}
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action"} | whom
        assert statement["Effect"] == "Allow"
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        for action in statement["Action"]:
            assert re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z0-9]+", action)
            known = (name, action) in EVERYTHING
            assert known or all(re.match(r"arn:aws:[a-z0-9]+:", one) for one in statement.get("Resource", ()))
            if action == "s3:ListBucket" and name != "role-of-redshift":
                assert statement["Condition"]["StringLike"]["s3:prefix"]
                assert all("/" not in one for one in statement["Resource"])
    if name.startswith("trust-"):
        assert all("aws:SourceAccount" in one["Condition"]["StringEquals"] for one in policy["Statement"])


def test_the_readme_names_every_policy() -> None:
    text = (DEPLOY / "README.md").read_text()
    assert set(
        re.findall(r"`((?:trust|platform|source|sink|role|keys|inference|records)-[a-z0-9-]+|kms)`", text)
    ) == set(POLICIES)


@pytest.mark.parametrize("name", ["Containerfile.lambda", "Containerfile.batch"])
def test_a_container_file_is_of_the_shape_we_mean(name: str) -> None:
    lines = re.sub(r"\\\n", "", (DEPLOY / name).read_text()).splitlines()
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert [word for word, _ in words[:2]] == ["ARG", "FROM"]
    assert "USER" in [word for word, _ in words][-3:]
    assert {word for word, _ in words} <= {"ARG", "FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD"}
    assert [word for word, _ in words[-2:]] == ["ENTRYPOINT", "CMD"]
    assert all(isinstance(json.loads(rest), list) for _, rest in words[-2:])
    runs = [rest for word, rest in words if word == "RUN"]
    assert "tesseract-ocr" in runs[0]
    assert runs[0].rstrip().endswith("rm -rf /var/lib/apt/lists/*")
    assert any("==${VERSION}" in one and "--no-cache-dir" in one for one in runs)
    used = set(re.findall(r"\$\{(\w+)\}", (DEPLOY / name).read_text()))
    assert used == {rest.partition("=")[0] for word, rest in words if word == "ARG"}


# --- against the calls


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with s3_server.serving() as serving:
        for bucket in ("documents", "answers", "lake", "records"):
            serving.client().create_bucket(Bucket=bucket)
        serving.client().put_object(Bucket="documents", Key="in/a.md", Body=b"a")
        serving.client("dynamodb").create_table(
            TableName="t", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        )  # fmt: skip
        serving.client("secretsmanager").create_secret(Name="app/key", SecretString="word")
        serving.client("ssm").put_parameter(Name="/app/key", Value="word", Type="SecureString")
        yield serving


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, server: AwsServer) -> set[str]:
    """The actions that what the SDK is asked to do from now on needs."""
    from botocore.client import BaseClient

    found: set[str] = set()
    make: Callable[..., Any] = BaseClient._make_api_call

    def told(self: Any, operation: str, words: Mapping[str, Any]) -> Any:
        found.add(NEEDS.get(operation, f"{self.meta.service_model.signing_name}:{operation}"))
        return make(self, operation, words)

    monkeypatch.setattr(BaseClient, "_make_api_call", told)
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    return found


class NoSecrets:
    def get(self, name: str) -> str:
        return "testing"


def place(root: Path) -> Place:
    return Place("x", root, NoSecrets(), {"AWS_REGION": "us-east-1"})


ROWS = [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]
RUN = "run-2026-11-21-001"


def read_s3(server: AwsServer, root: Path) -> None:
    from strata_git.pipeline.sources.s3 import connector

    made = connector(S3Connector(type="s3", bucket="documents", prefix="in", endpoint=server.url), place(root))
    for info in made.list(["*.md"]):
        with made.open(made.info(info.ref).ref) as stream:
            stream.read()


def write_s3(server: AwsServer, root: Path) -> None:
    from strata_git.pipeline.sinks.files import exporter

    made = exporter(S3Sink(type="s3", bucket="answers", prefix="a", endpoint=server.url), place(root))
    assert [made.write(ROWS, run_id=RUN).written for _ in range(2)] == [2, 0]


def write_dynamodb(server: AwsServer, root: Path) -> None:
    from strata_git.pipeline.sinks.dynamodb import exporter

    for number, mode in enumerate(("batch", "transact")):
        settings = {"type": "dynamodb", "table": "t", "key_fields": ["id"], "mode": mode, "endpoint": server.url}
        made = exporter(DynamoSink.model_validate(settings), place(root))
        made.write([{"id": number}], run_id=RUN)


def keep_records(server: AwsServer, root: Path) -> None:
    from strata_git.contracts.pipeline import Pipelines
    from strata_git.pipeline.deploy.records import open_records

    sink = {"type": "s3", "bucket": "records", "endpoint": server.url}
    made = open_records(Pipelines.model_validate({"sinks": {"records": sink}}), "records", NoSecrets(), {})
    server.fail(s3_error(409, "ConditionalRequestConflict"), when=lambda environ: environ["REQUEST_METHOD"] == "PUT")
    assert made.claim("run-2026-11-21-", 1) == 1  # two at the same moment: asked again
    (root / RUN).mkdir()
    (root / RUN / "run.yaml").write_text("x")
    assert [made.claim("run-2026-11-21-", 1) for _ in range(2)] == [2, 3]
    assert made.answered("r") is None
    made.keep(root / RUN)
    made.remember("r", {"a": 1})
    assert made.answered("r") == {"a": 1}
    made.leave("r", b"1")
    made.leave("r", b"2")
    assert made.unfinished("r") == b"2"


def stage(server: AwsServer, root: Path) -> None:
    """What the sink for Redshift does itself."""
    from strata_git.pipeline.aws import client
    from strata_git.pipeline.sinks.store import Bucket

    account = S3Sink(type="s3", bucket="answers", endpoint=server.url)
    store = Bucket("x", "answers", "copy/", lambda: client("s3", account, NoSecrets(), {}))
    assert [store.create("a", b"x") for _ in range(2)] == [True, False]


def secret(source: str, name: str, **more: str) -> Callable[[AwsServer, Path], None]:
    def get(server: AwsServer, root: Path) -> None:
        from strata_git.pipeline.secrets.amazon import get

        said = {"from": source, "name": name, "region": "us-east-1", "endpoint": server.url, **more}
        assert get(AwsKey.model_validate(said), {}) == "word"

    return get


def ask_bedrock(server: AwsServer, root: Path) -> None:
    from tests.pipeline.models.test_remote import asked, client
    from tests.support.llm_server import serving

    with serving() as endpoint:
        asked(client("bedrock", endpoint, root))


ROLE = "arn:aws:iam::123456789012:role/reader"
WORK: dict[str, Callable[[AwsServer, Path], None]] = {
    "source-s3": read_s3,
    "sink-s3": write_s3,
    "sink-dynamodb": write_dynamodb,
    "records-s3": keep_records,
    "sink-redshift": stage,
    "keys-secrets-manager": secret("aws-secrets-manager", "app/key"),
    "keys-ssm": secret("aws-ssm", "/app/key"),
    "keys-role": secret("aws-ssm", "/app/key", role=ROLE),
    "inference-bedrock": ask_bedrock,
}


@pytest.mark.heavy
@pytest.mark.parametrize("policy", WORK)
def test_what_is_called_is_allowed_and_nothing_else(
    policy: str, server: AwsServer, called: set[str], tmp_path: Path
) -> None:
    WORK[policy](server, tmp_path)
    also = allowed("keys-ssm") if policy == "keys-role" else set()
    argued = {action for name, action in UNSEEN if name == policy}
    assert called - also == allowed(policy) - argued
    assert called & argued == set()


@pytest.mark.heavy
def test_what_delta_calls_is_allowed(server: AwsServer, tmp_path: Path) -> None:
    """Its client is none of the SDK's: it is known by what it asks."""
    from strata_git.pipeline.sinks.delta import exporter

    server.requests.clear()
    for mode in ("append", "upsert"):
        settings: dict[str, Any] = {
            "type": "delta",
            "uri": f"s3://lake/table/{mode}",
            "mode": mode,
            "endpoint": server.url,
        }
        settings |= {"key_fields": ["id"], "key": "id", "secret": "word", "region": "us-east-1"}
        made = exporter(DeltaSink.model_validate(settings), place(tmp_path))
        for number in (1, 2):
            made.write(ROWS, run_id=f"run-2026-11-21-00{number}")
    assert server.requests
    needed = set()
    for method, path, query in server.requests:
        listed = path.strip("/") == "lake" or "list-type" in query
        needed.add("s3:ListBucket" if listed else {"GET": "s3:GetObject", "HEAD": "s3:GetObject"}.get(method, method))
    needed = {"s3:PutObject" if one in ("PUT", "POST") else one for one in needed}
    argued = {action for name, action in UNSEEN if name == "sink-delta-s3"}
    assert needed <= allowed("sink-delta-s3")
    assert allowed("sink-delta-s3") - needed <= argued


def test_every_policy_is_compared_or_argued() -> None:
    seen = {*WORK, *OTHERS_CALL, "sink-delta-s3", "source-redshift"}
    assert set(POLICIES) == seen
    assert all(action in allowed(name) for name, action in UNSEEN)


@pytest.mark.heavy
@pytest.mark.parametrize("name", POLICIES)
def test_iam_takes_it(name: str) -> None:
    """By the grammar of policies that the local double of IAM checks."""
    from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

    of = IAMTrustPolicyDocumentValidator if name.startswith("trust-") else IAMPolicyDocumentValidator
    of(json.dumps(POLICIES[name])).validate()
