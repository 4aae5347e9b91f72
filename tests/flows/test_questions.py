"""Questions whose answers hang on Git LFS, on signed events, on other clones and on hostile names."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from strata_git.cli.main import main
from strata_git.load import dump_yaml
from tests.index.test_commands import promote
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@dataclass(frozen=True)
class Asked:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, object]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


class Ask:
    """`git strata WORDS` in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, repo: RepositoryBuilder, *words: str) -> Asked:
        self._capfd.readouterr()
        code = main(["-C", str(repo.path), *words])
        return Asked(code, *self._capfd.readouterr())


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask:
    return Ask(capfd)


def tensors(**bodies: bytes) -> bytes:
    header, at = {}, 0
    for name, body in bodies.items():
        header[name] = {"dtype": "U8", "shape": [len(body)], "data_offsets": [at, at + len(body)]}
        at += len(body)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(bodies.values())


def weighted(repo: RepositoryBuilder, version: str, **bodies: bytes) -> None:
    repo.model("net", version, metadata={"run": None}, extra={"weights.safetensors": tensors(**bodies)})


def test_tensors_are_compared_where_the_bytes_are_and_pointers_are_told(lfs: RepositoryBuilder, ask: Ask) -> None:
    weighted(lfs, "v1", embed=b"a" * 50, head=b"b" * 9, old=b"c")
    lfs.commit("Add net v1")
    weighted(lfs, "v2", embed=b"a" * 50, head=b"B" * 9, new=b"dd")
    lfs.commit("Add net v2")
    (told,) = ask(lfs, "diff", "net@v1", "net@v2", "--format", "json").json()["tensors"]  # type: ignore[misc]
    assert (told["added"], told["removed"], told["changed"], told["kept"]) == (["new"], ["old"], ["head"], 1)
    assert "  ~ head\n" in ask(lfs, "diff", "net@v1", "net@v2").out
    shutil.rmtree(lfs.path / ".git/lfs/objects")
    gone = ask(lfs, "diff", "net@v1", "net@v2")
    assert "not looked into: only a pointer is here of models/net@v1 (git lfs pull --include" in gone.out
    assert "~ weights.safetensors" in gone.out


def test_storage_tells_pointers_prunable_objects_and_raw_payload(lfs: RepositoryBuilder, ask: Ask) -> None:
    same = b"shared by all " * 100
    lfs.model("net", "v1", metadata={"run": None}, extra={"big.bin": b"1" * 5000, "same.bin": same})
    lfs.commit("Add net v1")
    lfs.git("checkout", "--quiet", "-b", "gone")
    lfs.model("net", "v2", metadata={"run": None}, extra={"big.bin": b"2" * 7000, "same.bin": same})
    lfs.commit("Add net v2")
    lfs.git("rm", "--quiet", "-r", "models/net/v2")
    lfs.commit("Drop it")
    found = ask(lfs, "storage", "--format", "json").json()
    prunable = found["prunable"]
    assert isinstance(prunable, list)
    assert [(one["bytes"], one["needed_by"], one["here"]) for one in prunable] == [(7000, ["models/net@v2"], True)]
    total = found["total"]
    assert isinstance(total, dict)
    objects = [path for path in (lfs.path / ".git/lfs/objects").rglob("*") if path.is_file()]
    assert total["lfs"] == sum(path.stat().st_size for path in objects)
    assert total["absent"] == 0
    clone = lfs.clone("bare.git", "--bare")
    there = ask(clone, "storage", "--format", "json").json()["total"]
    assert isinstance(there, dict)
    assert there["absent"] == there["lfs"] == total["lfs"]
    lfs.write({".gitattributes": lfs.read(".gitattributes") + b"datasets/raw/** -filter\n"})
    lfs.dataset("raw", files={"all": {"big.csv": b"x" * 900}})
    lfs.commit("Forget LFS")
    assert ask(lfs, "storage", "--format", "json").json()["raw"] == ["datasets/raw/v1/big.csv"]
    assert "that Git LFS should keep and Git does" in ask(lfs, "storage").out


def test_a_model_in_production_fails_the_impact_of_its_data(
    builder: Builder, keys: Keys, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repo = builder().workspace()
    repo.commit("Begin")
    repo.story()
    repo.write(artifacts.service("live", model="forest@production"))
    repo.commit("Add all")
    assert ask(repo, "impact", "iris@v1", "--fail-on", "production").code == 0
    promote(repo, keys)
    found = ask(repo, "impact", "iris@v1", "--fail-on", "production", "--format", "json")
    assert found.code == 2
    assert found.json()["production"] == ["models/forest@v1", "services/live"]
    assert ask(repo, "list", "models", "--where", "stage=production").out.count("forest@v1") == 1
    assert ask(repo, "log", "forest", "-m", "accuracy").out.count("production") == 1
    repo.git("rm", "--quiet", "-r", "models/forest")
    repo.commit("Drop the model from the tree")
    gone = ask(repo, "impact", "iris@v1", "--fail-on", "production")
    assert gone.code == 2
    assert "models/forest@v1, production, directly, on tag" in gone.out
    bare = repo.clone("bare.git", "--bare")
    assert ask(bare, "impact", "iris@v1", "--fail-on", "production").code == 2
    (tmp_path / "g").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "g"))  # whose keys are not here: no event counts
    unsure = ask(bare, "impact", "iris@v1", "--fail-on", "production")
    assert (unsure.code, "Events of forest do not count here" in unsure.err) == (3, True)


EVIL = "\x1b[31m\u202e<script>alert(1)</script>|`x`\r"


def test_nothing_that_a_terminal_or_a_page_obeys_is_printed(builder: Builder, ask: Ask) -> None:
    repo = builder().workspace()
    safe = {"description": f"evil {EVIL}"}
    repo.dataset("iris", metadata=safe)
    repo.dataset("iris", "v2", metadata={"description": f"worse {EVIL}"}, replace={"a\u202eb.csv": b"x\n"})
    repo.prompt("ask", template=f"evil {EVIL}")
    repo.prompt("ask", "v2", template=f"other {EVIL}")
    metric = f"f1 {EVIL}"
    figure = {"direction": "higher", "tolerance": 0, "split": "test", "value": 0.5}
    for number in (1, 2):
        repo.model(version=f"v{number}", replace={"metrics.yaml": dump_yaml({"metrics": {metric: figure}})})
    repo.commit(f"Add {EVIL}")
    questions = [
        ("diff", "iris@v1", "iris@v2"), ("diff", "ask@v1", "ask@v2"), ("diff", "forest@v1", "forest@v2"),
        ("compare", "forest@v1", "forest@v2"), ("log", "forest"), ("log", "forest", "-m", metric), ("log", "iris"),
        ("bisect", "forest", "-m", metric, "--below", "9"), ("lineage", "forest@v1", "--both"), ("impact", "iris@v1"),
        ("whois", "datasets/iris/v1/train.csv"), ("search", "evil"), ("storage",), ("status",),
        ("list", "datasets", "--columns", "reference,description"),
    ]  # fmt: skip
    for words in questions:
        told = ask(repo, *words)
        assert told.code in (0, 1, 2), (words, told)
        assert not set(told.out + told.err) & set("\x1b\u202e\r"), words
    for words in questions[:4]:
        told = ask(repo, *words, "--format", "markdown")
        assert "<script" not in told.out
        assert "`" not in told.out
    for style in ("mermaid", "dot"):
        assert "<script" not in ask(repo, "lineage", "forest@v1", "--format", style).out
    for wrong in ("log", "whois", "impact", "search"):
        assert not set(ask(repo, wrong, EVIL).err) & set("\x1b\u202e\r")


def test_every_question_has_an_answer_before_the_first_commit_and_in_a_shallow_clone(
    builder: Builder, ask: Ask, tmp_path: Path
) -> None:
    empty = builder("empty").workspace()
    for words, code in ((("storage",), 0), (("search", "x"), 1), (("whois", "f" * 8), 1), (("log", "x"), 3),
                        (("impact", "x"), 3), (("list", "models", "--all"), 0), (("status",), 0)):  # fmt: skip
        assert ask(empty, *words).code == code, words
    repo = builder().workspace()
    repo.dataset("iris")
    repo.commit("Add iris")
    repo.dataset("iris", "v2", files={"all": {"a.csv": b"x\n"}})
    repo.commit("Add iris v2")
    shallow = repo.clone("shallow", "--depth=1")
    assert "iris" in ask(shallow, "log", "iris", "-m", "bytes").out
    assert ask(shallow, "impact", "iris@v1").code == 0
    assert "git fetch --unshallow" in ask(shallow, "impact", "iris@v1", "--fail-on", "production").err
    assert ask(shallow, "diff", "iris@v1", "iris@v2", "--exit-code").code == 1


def test_a_clone_that_lacks_objects_promises_nothing(builder: Builder, ask: Ask) -> None:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    repo.git("config", "uploadpack.allowFilter", "true")
    partial = repo.clone("partial", "--no-local", "--filter=blob:none", "--no-checkout")
    told = ask(partial, "impact", "iris@v1", "--format", "json")
    assert told.json()["unread"] == ["models/forest@v1", artifacts.RUN]
    assert "as far as this clone can tell" in ask(partial, "impact", "iris@v1").out
    gate = ask(partial, "impact", "iris@v1", "--fail-on", "production")
    assert (gate.code, "nothing can be promised" in gate.err) == (3, True)
    for words in (("whois", "0" * 8), ("search", "forest tree"), ("storage",), ("diff", "iris@v1", "iris@v1"),
                  ("list", "models"), ("compare", "forest@v1", artifacts.RUN), ("log", "forest")):  # fmt: skip
        assert "git fetch --refetch --no-filter" in ask(partial, *words).err, words
    assert ask(partial, "log", "forest", "-m", "accuracy").code == 3
    unknown = ask(partial, "storage", "--format", "json").json()["unknown"]
    assert isinstance(unknown, int)
    assert unknown > 10


def test_a_repository_of_sha256_objects_is_asked_like_any_other(builder: Builder, ask: Ask) -> None:
    repo = builder(object_format="sha256").workspace()
    repo.story()
    repo.commit("Add all")
    total = ask(repo, "storage", "--format", "json").json()["total"]
    assert isinstance(total, dict)
    assert total["files"] == sum(path.startswith(("datasets/", "models/", "runs/")) for path in repo.paths())
    assert "models/forest@v1" in ask(repo, "impact", "iris@v1").out
    assert "on ma" in ask(repo, "whois", "datasets/iris/v1/train.csv").out
    assert "ACCURACY" in ask(repo, "log", "forest", "-m", "accuracy").out
