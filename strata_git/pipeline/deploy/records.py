"""Records of runs in a bucket, for runs whose own disk is gone with them.

<prefix>/claims/<run>.json        who has that number: created once, so that no two functions have the same
<prefix>/runs/<run>/...           the record, byte by byte; its run.yaml comes last
<prefix>/requests/<request>.json  what a request was answered, for the platform that asks twice
<prefix>/requests/<request>.part  answers of models that a request had when it failed, which need not be paid again
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from strata_git.contracts.pipeline import Pipelines, S3Sink
from strata_git.errors import StrataError, printable
from strata_git.pipeline.aws import client, translated
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.secrets.resolve import filled
from strata_git.pipeline.sources.connector import Secrets

SINK = "records"
"""The sink that takes records, where the function does not name another."""
LAST = "run.yaml"


def open_records(pipelines: Pipelines, name: str, secrets: Secrets, environ: Mapping[str, str]) -> Records:
    """Records in the S3 sink of that name. Raises StrataError when there is none. Nothing is asked yet."""
    settings = pipelines.sinks.get(name)
    if not isinstance(settings, S3Sink):
        raise StrataError(
            f"strata.yaml has no sink '{printable(name)}' of type s3, which records would go to.",
            hint="profiles: {aws_lambda: {sinks: {records: {type: s3, bucket: NAME, prefix: records}}}}",
        )
    settings = filled(settings, secrets)
    prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key} if settings.kms_key else {}
    return Records(client("s3", settings, secrets, environ), settings.bucket, prefix, encryption)


@dataclass(frozen=True, slots=True)
class Records:
    """Objects of `bucket` below `prefix`. Every method raises ExportError for what the bucket refuses."""

    client: Any = field(repr=False)
    bucket: str
    prefix: str
    encryption: Mapping[str, str] = field(default_factory=dict)
    backoff: Backoff = field(default=Backoff(), repr=False)

    def uri(self, run: str) -> str:
        """Where the record of a run is."""
        return f"s3://{self.bucket}/{self.prefix}runs/{run}/"

    def claim(self, day: str, first: int) -> int:
        """A number of that day which nobody else has, at least `first`; ours from now on."""
        number, mine = max(first, 1 + self._last(day)), json.dumps({"day": day}).encode()
        while not self._create(f"claims/{day}{number:03d}.json", mine):
            number += 1
        return number

    def keep(self, record: Path) -> str:
        """Put the record of a run there, run.yaml at last; its address."""
        paths = sorted(path for path in record.rglob("*") if path.is_file() and not path.is_symlink())
        for path in sorted(paths, key=lambda path: path == record / LAST):
            with open(path, "rb") as stream:
                self._create(f"runs/{record.name}/{path.relative_to(record).as_posix()}", stream)
        return self.uri(record.name)

    def answered(self, request: str) -> dict[str, Any] | None:
        """What that request was answered; None for one that is new."""
        if not request:
            return None
        said = self._read(_request(request))
        answer = None if said is None else json.loads(said)
        return answer if isinstance(answer, dict) else None

    def remember(self, request: str, answer: Mapping[str, object]) -> None:
        """Keep what a request was answered; what is there stays."""
        if request:
            self._create(_request(request), json.dumps(answer, ensure_ascii=False).encode())

    def unfinished(self, request: str) -> bytes | None:
        """What was left with `leave`; None when that was nothing."""
        return self._read(_request(request, "part")) if request else None

    def leave(self, request: str, work: bytes) -> None:
        """Keep what a request had when it failed, in place of what it had before."""
        if request:
            name = _request(request, "part")
            self._asked("put_object", name, Body=work, ChecksumAlgorithm="SHA256", **self.encryption)

    def _read(self, name: str) -> bytes | None:
        try:
            data: bytes = self._asked("get_object", name)["Body"].read()
        except ExportError as error:
            if error.kind == "not_found" and error.status == 404 and "NoSuchBucket" not in error.message:
                return None
            raise
        return data

    def _last(self, day: str) -> int:
        """The highest number of a day that somebody has."""
        beginning, last = f"{self.prefix}claims/{day}", 0
        token: dict[str, str] = {}
        while True:
            page = self._told(
                "list_objects_v2", f"s3://{self.bucket}/{beginning}", Bucket=self.bucket, Prefix=beginning, **token
            )
            for entry in page.get("Contents", ()):
                said = entry["Key"].removeprefix(beginning).removesuffix(".json")
                last = max(last, int(said) if said.isdecimal() else 0)
            if not page.get("IsTruncated"):
                return last
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _create(self, name: str, body: Any) -> bool:
        """Whether the name was free. After an answer that got lost it looks taken: a claim then goes on to the next."""
        try:
            self._asked("put_object", name, Body=body, IfNoneMatch="*", ChecksumAlgorithm="SHA256", **self.encryption)
        except ExportError as error:
            if error.status == 412:
                return False
            raise
        return True

    def _asked(self, operation: str, name: str, **words: Any) -> Any:
        key = f"{self.prefix}{name}"
        return self._told(operation, f"s3://{self.bucket}/{printable(key)}", Bucket=self.bucket, Key=key, **words)

    def _told(self, operation: str, what: str, **words: Any) -> Any:
        def ask() -> Any:
            if hasattr(words.get("Body"), "seek"):
                words["Body"].seek(0)
            with translated(ExportError, f"records: {what}"):
                return getattr(self.client, operation)(**words)

        return self.backoff.call(ask)


def _request(identity: str, ending: str = "json") -> str:
    """Whatever a platform calls a request, as a name."""
    return f"requests/{sha256(identity.encode()).hexdigest()[:32]}.{ending}"
