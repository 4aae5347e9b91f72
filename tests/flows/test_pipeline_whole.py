"""Documents of every kind, a chain over them, its answers in five places; read back by whoever else reads those.

Nothing here is played: a bucket and a table behind HTTP, a PostgreSQL of our own, a workbook behind Microsoft's
protocol, a Delta table on the disk, text that tesseract reads in a picture.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.chain.working import SUMMARISE, outputs, record
from tests.support import graph_server, s3_server
from tests.support import postgres as clusters
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.graph_server import CLIENT, SECRET, TENANT, GraphServer
from tests.support.postgres import Postgres
from tests.support.s3_server import AwsServer

pytestmark = pytest.mark.heavy
WORDS = "Zephyr Ltd owes 4150"
PAGE = "<!doctype html><title>Minutes</title><h1>Minutes</h1><p>The <b>board</b> met.<table><tr><th>a<td>1</table>"
NOTES = f"# Notes\n\n{'First line of the notes. ' * 4}\n\n## More\n\nAnother line, with a | bar.\n"
CHAIN = {
    "name": "digest",
    "inputs": {"connector": "docs"},
    "chunking": {"by": "markdown", "max": 30, "overlap": 0},
    "concurrency": 4,
    "steps": [
        {"id": "summary", "prompt": "summarise#v1", "input": {"text": "${chunk.text}"}},
        {"id": "short", "prompt": "shorten#v1", "input": {"text": "${steps.summary}", "name": "${doc.name}"}},
    ],
    "outputs": [{"export": name} for name in ("bucket", "lake", "db", "items", "sheet")],
}
Row = tuple[str, int, str]
KEYS = (("document", "HASH"), ("chunk", "RANGE"))


@dataclass(frozen=True)
class Places:
    """Where the answers go."""

    repo: RepositoryBuilder
    aws: AwsServer
    db: Postgres
    graph: GraphServer


@pytest.fixture
def places(builder: Builder, tmp_path: Path) -> Iterator[Places]:
    with (
        s3_server.serving() as aws,
        clusters.postgres() as db,
        graph_server.serve(tmp_path) as graph,
    ):
        aws.client().create_bucket(Bucket="answers")
        aws.client("dynamodb").create_table(
            TableName="answers", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in KEYS],
            AttributeDefinitions=[{"AttributeName": "document", "AttributeType": "S"},
                                  {"AttributeName": "chunk", "AttributeType": "N"}],
        )  # fmt: skip
        repo = builder().workspace(settings=settings(aws, db, graph)).write(documents())
        repo.environ.update(AWS_ID="test", AWS_WORD="test-secret-word", GRAPH=SECRET, SSL_CERT_FILE=str(graph.ca))
        repo.write({"summarise.yaml": SUMMARISE, "chains/digest.yaml": yaml.safe_dump(CHAIN)})
        repo.write({"shorten.yaml": "id: shorten\ntemplate: 'Shorten ${text} of ${name}'\nvariables: [text, name]\n"})
        repo.commit("Documents")
        yield Places(repo, aws, db, graph)


def settings(aws: AwsServer, db: Postgres, graph: GraphServer) -> dict[str, Any]:
    by = {"key_fields": ["document", "chunk"]}
    login = {"key": "aws-id", "secret": "aws-word", "endpoint": aws.url}
    return {
        "tracking": {"to": "none"},
        "keys": {"aws-id": {"from": "env", "name": "AWS_ID"}, "aws-word": {"from": "env", "name": "AWS_WORD"},
                 "graph": {"from": "env", "name": "GRAPH"}},
        "connectors": {"docs": {"type": "local", "root": "./docs"}},
        "inference": {"default": {"provider": "offline", "model": "echo"}},
        "processing": {"ocr": {"engine": "tesseract"}, "chunking": CHAIN["chunking"]},
        "sinks": {
            "bucket": {"type": "s3", "bucket": "answers", "prefix": "digests", "region": "us-east-1", **login},
            "lake": {"type": "delta", "uri": "lake/answers", "mode": "upsert", **by},
            "db": {"type": "postgres", "database": "tracking", "host": str(db.socket), "user": db.user,
                   "table": "answers", **by},
            "items": {"type": "dynamodb", "table": "answers", "region": "us-east-1", **login, **by},
            "sheet": {"type": "sharepoint-excel", "site": "contoso.sharepoint.example/sites/legal", "tenant": TENANT,
                      "client": CLIENT, "key": "graph", "endpoint": f"{graph.url}/v1.0", "authority": graph.url,
                      "path": "answers.xlsx", "sheet": "Answers", **by},
        },
    }  # fmt: skip


def documents() -> dict[str, bytes | str | None]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from openpyxl import Workbook

    book, table, workbook = Workbook(), io.BytesIO(), io.BytesIO()
    book.active.append(["customer", "total"])
    book.active.append(["Zephyr", 41.5])
    book.save(workbook)
    pq.write_table(pa.table({"city": ["Oslo", "Rome"], "people": [1, None]}), table)
    return {
        "docs/page.html": PAGE, "docs/notes.md": NOTES, "docs/prices.csv": "item;price\nnut;1,5\nbolt;2\n",
        "docs/book.xlsx": workbook.getvalue(), "docs/cities.parquet": table.getvalue(), "docs/scan.png": picture(),
    }  # fmt: skip


def picture() -> bytes:
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(f"{mpl.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 48)
    image, out = Image.new("RGB", (640, 120), "white"), io.BytesIO()
    ImageDraw.Draw(image).text((30, 30), WORDS, "black", font=font)
    image.save(out, "PNG")
    return out.getvalue()


def run(repo: RepositoryBuilder) -> str:
    return str(plain(repo, "run", "--chain", "chains/digest.yaml")["id"])


def plain(repo: RepositoryBuilder, *words: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(repo.strata(*words, "--format", "json").expect(0).out)
    return said


def objects(places: Places) -> dict[str, str]:
    client = places.aws.client()
    found = client.list_objects_v2(Bucket="answers")["Contents"]
    return {one["Key"]: f"{one['ETag']} {one['LastModified']}" for one in found}


def held(places: Places, identity: str) -> dict[str, list[Row]]:
    """The rows of each sink, by another reader than the one that wrote them; of the bucket, those of the run."""
    from deltalake import DeltaTable
    from openpyxl import load_workbook

    s3, part = places.aws.client(), []
    for key in objects(places):
        if key.startswith(f"digests/{identity}/") and key.endswith(".jsonl"):
            part += [json.loads(line) for line in s3.get_object(Bucket="answers", Key=key)["Body"].read().splitlines()]
    items = places.aws.client("dynamodb").scan(TableName="answers")["Items"]
    head, *cells = load_workbook(io.BytesIO(places.graph.files["answers.xlsx"]))["Answers"].iter_rows(values_only=True)
    sheet = [dict(zip(head, one, strict=True)) for one in cells]
    lake = DeltaTable(str(places.repo.path / "lake/answers")).to_pyarrow_table().to_pylist()
    return {
        "bucket": rows_of(part),
        "lake": rows_of(lake),
        "db": sorted(places.db.ask("SELECT document, chunk, short FROM answers")),
        "items": sorted((one["document"]["S"], int(one["chunk"]["N"]), one["short"]["S"]) for one in items),
        "sheet": rows_of(sheet),
    }  # fmt: skip


def rows_of(rows: list[dict[str, Any]]) -> list[Row]:
    return sorted((one["document"], one["chunk"], one["short"]) for one in rows)


def test_from_documents_to_five_sinks_and_nothing_twice(places: Places) -> None:
    repo = places.repo
    processed = plain(repo, "process", "--connector", "docs", "--commit")
    assert processed["report"]["left_out"] == [], processed["report"]["left_out"]
    assert processed["report"]["documents"] == 6
    text = (repo.path / processed["path"] / "artifacts/documents.jsonl").read_text()
    assert all(part in text for part in ("The **board** met.", "| Zephyr | 41.5 |", "| Rome |", WORDS))
    for name in ("summarise", "shorten"):
        repo.strata("prompt", "register", f"{name}.yaml#v1").expect(0)

    # a chain whose prompts are not committed yet: the hint commits them along
    hinted = repo.strata("run", "--chain", "chains/digest.yaml").expect(0)
    first = max(path.name for path in (repo.path / "runs").iterdir())
    repo.git("add", "prompts/summarise/v1", "prompts/shorten/v1", f"runs/{first}")
    assert f"git add prompts/shorten/v1 prompts/summarise/v1 runs/{first} && git commit" in hinted.err
    repo.commit("Run the chain")
    repo.strata("doctor", "--strict").expect(0)

    given = rows_of(outputs(repo, first))
    assert len(given) == record(repo, first)["counts"]["chunks"] == processed["report"]["chunks"] >= 7
    assert any(WORDS in short for document, _, short in given if document == "scan.png")
    assert held(places, first) == dict.fromkeys(("bucket", "lake", "db", "items", "sheet"), given)

    lineage = repo.strata("lineage", first).expect(0).out
    assert all(f"read docs/{name} sha256:" in lineage for name in ("page.html", "book.xlsx", "scan.png"))
    assert "asked with prompts/summarise@v1, as recorded" in lineage
    assert "asked with prompts/shorten@v1, as recorded" in lineage
    assert "wrote artifacts/outputs.jsonl sha256:" in lineage
    assert "to lake: lake/answers" in lineage
    assert lineage.count(f"gave {len(given)} rows") == 5
    node = next(one for one in plain(repo, "lineage", first)["nodes"] if one["id"] == first)
    assert {one["sink"] for one in node["exports"]} == {"bucket", "lake", "db", "items", "sheet"}
    assert len({one["digest"] for one in node["exports"]}) == 1

    # once more: nobody is asked, the answers are the same bytes, and no sink has another row
    before = objects(places)
    again = run(repo)
    counts = record(repo, again)["counts"]
    assert (counts.get("calls", 0), counts["cached"]) == (0, 2 * counts["chunks"])
    one, other = ((repo.path / f"runs/{name}/artifacts/outputs.jsonl").read_bytes() for name in (first, again))
    assert one == other
    assert held(places, again) == dict.fromkeys(("bucket", "lake", "db", "items", "sheet"), given)
    after, workbook = objects(places), places.graph.files["answers.xlsx"]
    assert {key: after[key] for key in before} == before
    for sink in ("bucket", "lake", "db", "items", "sheet"):
        path = f"runs/{again}/artifacts/outputs.jsonl"
        assert "nothing was written" in repo.strata("export", "--sink", sink, "--input", path).expect(0).out
    assert (objects(places), places.graph.files["answers.xlsx"]) == (after, workbook)

    # one document is edited: its chunks alone are asked about, its rows alone change
    repo.write({"docs/notes.md": NOTES.replace("Another line", "A changed line")})
    assert "unchanged" not in repo.strata("run", "--chain", "chains/digest.yaml", "--if-changed").expect(0).out
    edited = max(path.name for path in (repo.path / "runs").iterdir())
    counts, changed = record(repo, edited)["counts"], rows_of(outputs(repo, edited))
    own = [row for row in changed if row[0] == "notes.md"]
    differ = set(changed) - set(given)
    assert differ <= set(own)
    assert counts["calls"] == 2 * len(differ) > 0
    assert counts["cached"] == 2 * (len(changed) - len(differ))
    assert held(places, edited) == dict.fromkeys(("bucket", "lake", "db", "items", "sheet"), changed)
