"""Steps that look things up: in an index of documents, or of a run's chunks; nothing is embedded twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.chain import Chain
from strata_git.load import load_yaml
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.catalog import open_embeddings
from strata_git.pipeline.observability.counters import Counters
from tests.pipeline.chain.working import SETTINGS, chain, outputs, prepared, record
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.llm_server import Endpoint, serving

ANSWER = b'id: answer\ntemplate: "Given ${context}, what of ${question}?"\nvariables: [context, question]\n'
STEPS = [
    {"id": "found", "retrieve": {"index": "manual", "query": "${chunk.text}", "top": 2}},
    {"id": "reply", "prompt": "answer#v1", "input": {"context": "${steps.found.text}", "question": "${chunk.text}"}},
]
INDEX = {"manual": {"connector": "manual", "chunking": {"by": "lines", "max": 1}, "embeddings": "vectors"}}
MANUAL = {
    "manual/boats.md": "A boat has a keel.\n\nBoats float on the sea.\n",
    "manual/tax.md": "Taxes are due in May.\n",
}


def workspace(builder: Builder, vectors: dict[str, Any]) -> RepositoryBuilder:
    repo = prepared(builder().workspace(), {
        **SETTINGS,
        "connectors": {**SETTINGS["connectors"], "manual": {"type": "local", "root": "./manual"}},
        "inference": {**SETTINGS["inference"], "vectors": vectors},
    })  # fmt: skip
    repo.write({**MANUAL, "docs/d0.md": "Which boats float on the sea?", "docs/d1.md": "When is tax due in May?"})
    repo.delete("docs/d2.md")
    repo.write({"answer.yaml": ANSWER})
    repo.strata("prompt", "register", "answer.yaml#v1").expect(0)
    repo.git("add", "-A")
    repo.commit("Prepare")
    return repo


def run(repo: RepositoryBuilder, *words: str, code: int = 0, **changed: Any) -> dict[str, Any]:
    path = chain(repo, **{"steps": STEPS, "index": INDEX, **changed})
    told: dict[str, Any] = json.loads(repo.strata("run", "--chain", path, "--format", "json", *words).expect(code).out)
    return told


def index_files(repo: RepositoryBuilder, identity: str) -> dict[str, bytes]:
    home: Path = repo.path / "runs" / identity / "artifacts/index"
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.heavy
def test_answers_are_given_what_is_nearest(builder: Builder) -> None:
    repo = workspace(builder, {"provider": "offline", "model": "words"})
    first = run(repo, "--commit")["id"]
    rows = {row["document"]: row for row in outputs(repo, first)}
    hits = rows["d0.md"]["found"]["hits"]
    assert [hit["text"] for hit in hits] == ["Boats float on the sea.", "A boat has a keel."]
    assert hits[0]["score"] > hits[1]["score"] > 0
    assert {**hits[0], "id": "", "score": 0, "sha256": ""} == {
        "id": "", "document": "boats.md", "sha256": "", "uri": "manual/boats.md", "index": hits[0]["index"],
        "start": 20, "end": 43, "text": "Boats float on the sea.", "score": 0,
    }  # fmt: skip
    assert rows["d1.md"]["reply"].startswith("Given Taxes are due in May.\n\n")
    said, files = record(repo, first), index_files(repo, first)
    assert {one["name"] for one in said["sources"]} == {"d0.md", "d1.md", "boats.md", "tax.md"}
    about = json.loads(files["manual/index.json"])
    assert (about["embeddings"], about["dimensions"], about["chunks"]) == (
        "offline:words/256",
        256,
        said["counts"]["indexed"],
    )
    assert len(files["manual/vectors.i16"]) == 2 * 256 * about["chunks"]
    repo.strata("doctor", "--strict").expect(0)
    again = run(repo)["id"]
    counts = record(repo, again)["counts"]
    assert (counts.get("calls", 0), index_files(repo, again)) == (0, files)
    assert outputs(repo, again) == outputs(repo, first)

    # the chunks that a run of `process` made, cited with its digest
    made = json.loads(repo.strata("process", "--connector", "manual", "--commit", "--format", "json").expect(0).out)
    ofrun = {"manual": {"run": made["run"], "embeddings": "vectors"}}
    third = run(repo, index=ofrun)["id"]
    assert [one["ref"] for one in record(repo, third)["inputs"]] == [made["run"]]
    assert outputs(repo, third)[0]["found"]["hits"][0]["document"] == "boats.md"
    (repo.path / made["path"] / "artifacts/chunks.jsonl").write_text("{}\n")
    assert (
        "is not what CHECKSUMS.txt lists"
        in repo.strata("run", "--chain", chain(repo, steps=STEPS, index=ofrun)).expect(3).err
    )


@pytest.mark.heavy
def test_only_what_changed_is_embedded_again_by_a_provider(builder: Builder) -> None:
    with serving() as endpoint:
        vectors = {"provider": "openai", "model": "text-embedding-3-small", "endpoint": f"{endpoint.url}/v1",
                   "retry": {"attempts": 3, "wait_ms": 1}}  # fmt: skip
        repo = workspace(builder, vectors)
        estimate = json.loads(
            repo.strata("run", "--chain", chain(repo, steps=STEPS, index=INDEX), "--dry-run", "--format", "json")
            .expect(0)
            .out
        )
        assert [one["id"] for one in estimate["steps"]] == ["index manual", "found", "reply"]
        assert float(estimate["steps"][0]["cost"]) > 0
        wrong = {"manual": {**INDEX["manual"], "connector": "manaul", "embeddings": "vectros"}}
        told = repo.strata("run", "--chain", chain(repo, steps=STEPS, index=wrong)).expect(3).err
        assert "Did you mean 'vectors'" in told
        assert endpoint.requests == []
        endpoint.plan = [429, "ok"]
        first = run(repo)["id"]
        assert sent(endpoint)[0] == sent(endpoint)[1]  # tried again
        texts = [text for part in sent(endpoint)[1:] for text in part]
        assert len(texts) == len(set(texts))
        assert record(repo, first)["cost"]["amount"] > 0
        endpoint.plan = ["ok"]
        del endpoint.requests[:]
        repo.write({"manual/tax.md": "Taxes are due in June.\n"})
        run(repo)
        assert sent(endpoint) == [["Taxes are due in June."]]
        stopped = run(repo, "--again", budget={"max_tokens": 5}, code=3)
        assert "budget of 5 tokens" in stopped["error"]


def sent(endpoint: Endpoint) -> list[list[str]]:
    return [request["body"]["input"] for request in endpoint.requests]


@pytest.mark.heavy
def test_azure_and_bedrock_embed_through_their_own_sdks() -> None:
    import anyio

    from strata_git.contracts.pipeline import Pipelines
    from tests.support.llm_server import vector_of

    with serving() as endpoint:
        pipelines = Pipelines.model_validate({
            "keys": {"word": {"from": "env", "name": "WORD"}},
            "inference": {
                "azure": {"provider": "azure-openai", "model": "text-embedding-3-small", "deployment": "emb",
                          "endpoint": endpoint.url, "key": "word"},
                "titan": {"provider": "bedrock", "model": "amazon.titan-embed-text-v2:0", "endpoint": endpoint.url,
                          "region": "eu-central-1", "key": "word"},
            },
        })  # fmt: skip
        for name, place in (("azure", "/deployments/emb/embeddings"), ("titan", "/invoke")):
            counters = Counters()
            client = open_embeddings(pipelines, name, secrets=Word(), environ={}, counters=counters)  # type: ignore[arg-type]

            async def asked(client: Any = client) -> list[bytes]:
                try:
                    made: list[bytes] = await client.embed(["a boat", "tea"])
                finally:
                    await client.close()
                return made

            from array import array

            found = [list(array("f", one)) for one in anyio.run(asked)]
            assert found == [pytest.approx(vector_of(text)) for text in ("a boat", "tea")]
            assert place in endpoint.requests[-1]["path"]
            assert counters["input_tokens"] == 10
            assert counters.costs["USD"] > 0
        endpoint.plan = [401]
        client = open_embeddings(pipelines, "azure", secrets=Word(), environ={})  # type: ignore[arg-type]
        with pytest.raises(InferenceError, match="status 401") as caught:
            anyio.run(asked, client)
        assert caught.value.kind == "authentication"


class Word:
    def get(self, name: str) -> str:
        return f"the-{name}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("retrieve: {index: nowhere, query: x}", "the chain has no index 'nowhere'"),
        ("retrieve: {index: manual, query: '${chunk.txt}'}", "a chunk has"),
        ("retrieve: {index: manual, query: x}, prompt: answer#v1", "either a prompt or retrieve"),
        ("retrieve: {index: manual, query: x}, params: {temperature: 1}", "params: goes with a prompt"),
        ("when: {value: x, equals: x}", "either a prompt or retrieve"),
    ],
)
def test_what_a_step_cannot_look_up_breaks_the_contract(change: str, told: str) -> None:
    text = f"name: a\ninputs: {{connector: docs}}\nindex: {{manual: {{connector: m}}}}\nsteps: [{{id: s, {change}}}]\n"
    with pytest.raises(ContractError, match=told):
        parse(Chain, load_yaml(text.encode()))


def test_what_is_found_has_two_parts() -> None:
    text = (
        "name: a\ninputs: {connector: docs}\nindex: {manual: {connector: m}}\nsteps:\n"
        "  - {id: s, retrieve: {index: manual, query: x}}\n"
        "  - {id: t, prompt: answer#v1, input: {a: '${all.s.words}'}}\n"
    )
    with pytest.raises(ContractError, match="what 's' finds has hits, text"):
        parse(Chain, load_yaml(text.encode()))
    assert parse(Chain, load_yaml(text.replace("words", "text").encode()))
