"""A function as it is deployed: a repository baked into an image, buckets behind real HTTP, a platform's call."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.pipeline.chain.working import CHAIN, chain, document, prepared
from tests.support.builder import RepositoryBuilder
from tests.support.s3_server import AwsServer

BUCKETS = ("documents", "answers", "records")
CANARY = "canary-7f3a91c2-function"


@dataclass(frozen=True, slots=True)
class Call:
    """What Lambda hands a function beside the event."""

    aws_request_id: str = "7d1f6b1e-0000-4000-8000-000000000001"
    left_s: float = 120

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left_s * 1000)


@dataclass(slots=True)
class Function:
    """The image's repository, the scratch directory, the environment it is started with."""

    baked: Path
    scratch: Path
    environ: dict[str, str]
    server: AwsServer
    before: str = field(default="")

    def call(self, event: Mapping[str, Any], context: object = Call(), **variables: str) -> dict[str, Any]:
        from strata_git.pipeline.deploy.aws_lambda import answer

        told = answer(event, context, self.environ | variables)
        assert self.untouched()
        assert not list(self.scratch.iterdir())
        plain: dict[str, Any] = json.loads(json.dumps(told))
        return plain

    def untouched(self) -> bool:
        return state(self.baked) == self.before

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        found = self.server.client().list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", ())]

    def read(self, bucket: str, key: str) -> bytes:
        data: bytes = self.server.client().get_object(Bucket=bucket, Key=key)["Body"].read()
        return data


def settings(url: str) -> dict[str, Any]:
    s3 = {"type": "s3", "endpoint": url, "region": "us-east-1"}
    return {
        "connectors": {"docs": {**s3, "bucket": "documents", "prefix": "in"}},
        "inference": {"default": {"provider": "offline", "model": "echo"}},
        "sinks": {"out": {"type": "files", "path": "./out"}},
        "tracking": {"to": "none"},
        "profiles": {"aws_lambda": {"sinks": {
            "out": {**s3, "bucket": "answers", "prefix": "answers"}, "records": {**s3, "bucket": "records"},
        }}},
    }  # fmt: skip


def deployed(repo: RepositoryBuilder, server: AwsServer, scratch: Path) -> Function:
    """The repository as an image has it: committed, and not to be written to."""
    for name in BUCKETS:
        server.client().create_bucket(Bucket=name)
    for number in range(2):
        server.client().put_object(Bucket="documents", Key=f"in/d {number}.md", Body=document(number))
    prepared(repo, settings(server.url))
    chain(repo, inputs={**CHAIN["inputs"], "connector": "docs"})
    repo.commit("Chain")
    for place, names, files in os.walk(repo.path):
        for name in [*names, *files]:
            path = Path(place, name)
            path.chmod(path.stat().st_mode & ~0o222)
    scratch.mkdir()
    environ = repo.environ | {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_REGION": "us-east-1",
        "STRATA_WORKSPACE": str(repo.path), "STRATA_EXECUTION__SCRATCH": str(scratch),
        "STRATA_CHAIN": "chains/summarise.yaml",
    }  # fmt: skip
    return Function(repo.path, scratch, environ, server, state(repo.path))


def state(root: Path) -> str:
    """All that is in a directory, as one digest."""
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        whole.update(os.fsencode(path.relative_to(root)))
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()
