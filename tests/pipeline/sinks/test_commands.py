"""`connect ls` and `export`, as they stand in the documentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strata_git.cli.main import main
from tests.support.fixtures import Builder

SETTINGS = """\
connectors:
  docs: {type: local, root: ./docs}
sinks:
  out: {type: files, path: ./out, format: jsonl}
"""
RUN = "run-2026-11-21-001"
OUTPUTS = f"runs/{RUN}/artifacts/outputs.jsonl"


@pytest.fixture
def workspace(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = builder().write({
        "strata.yaml": SETTINGS, "docs/a.md": "# A\n", "docs/in/b.md": "# B\n", "docs/c.txt": "c",
        OUTPUTS: '{"chunk": 1, "summary": "=x"}\n{"chunk": 2, "summary": "y"}\n',
    })  # fmt: skip
    monkeypatch.chdir(made.path)
    return made.path


def test_a_source_is_listed(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", "ls", "docs", "--select", "**/*.md"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "a.md", "in/b.md"]
    words = ["connect", "ls", "docs", "--select", "**/*", "--exclude", "*.txt", "--limit", "1", "--format", "json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "strata/resources/v1"
    (one,) = told["resources"]
    assert (one["name"], one["bytes"], one["uri"]) == ("a.md", 4, (workspace / "docs/a.md").as_uri())
    assert main(["connect", "ls", "docs", "--select", "*.pdf"]) == 0
    assert capsys.readouterr().err == "connector docs: nothing fits\n"
    assert main(["connect", "ls", "dosc"]) == 3
    assert "Did you mean 'docs'?" in capsys.readouterr().err
    assert main(["connect", "ls", "docs", "--select", "/etc/*"]) == 64


def test_rows_are_exported_once(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "--sink", "out", "--input", OUTPUTS]
    assert main(words) == 0
    assert "2 rows, 2 written" in capsys.readouterr().out
    written = {path.name: path.read_bytes() for path in (workspace / "out" / RUN).iterdir()}
    assert sorted(written)[0] == "manifest.json"
    assert main(words) == 0
    assert "already; nothing was written" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (workspace / "out" / RUN).iterdir()} == written
    assert main([*words, "--format", "json", "--run", "another"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["run"], told["part"], told["written"]) == ("strata/export/v1", "another", "outputs", 2)


@pytest.mark.parametrize(
    ("name", "data", "code", "said"),
    [
        ("rows.jsonl", "{}\n", 64, "--run RUN"),
        (f"runs/{RUN}/a.txt", "x", 3, "neither JSON lines, CSV nor Parquet"),
        (f"runs/{RUN}/a.jsonl", '{"a": 1}\n[]\n', 3, "a.jsonl:2: is not a JSON object"),
        (f"runs/{RUN}/a.csv", "a,b\n1\n", 3, "a.csv:2: has 1 fields, the first 2"),
        (f"runs/{RUN}/a.csv.gz", "no gzip", 3, "cannot be read"),
        (f"runs/{RUN}/a.parquet", "PAR1", 3, "a.parquet"),
        (f"runs/{RUN}/gone.csv", None, 64, "There is no file"),
    ],
)
def test_what_cannot_be_read_is_told(
    workspace: Path, capsys: pytest.CaptureFixture[str], name: str, data: str | None, code: int, said: str
) -> None:
    if data is not None:
        (workspace / name).write_text(data)
    assert main(["export", "--sink", "out", "--input", name]) == code
    assert said in capsys.readouterr().err
    assert not (workspace / "out" / RUN / "manifest.json").exists()


def test_tables_are_read_as_what_they_are(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / f"runs/{RUN}/t.csv").write_text('\ufeffid,text\n1,"a\nb"\n2,\n')
    assert main(["export", "--sink", "out", "--input", f"runs/{RUN}/t.csv", "--set", "sinks.out.format=parquet"]) == 0
    (made,) = (workspace / "out" / RUN).glob("t-*.parquet")
    copy = workspace / f"runs/{RUN}/back.parquet"
    copy.write_bytes(made.read_bytes())
    assert main(["export", "--sink", "out", "--input", f"runs/{RUN}/back.parquet"]) == 0
    (lines,) = (workspace / "out" / RUN).glob("back-*.jsonl")
    assert lines.read_text() == '{"id":"1","text":"a\\nb"}\n{"id":"2","text":null}\n'
