"""The template `pipeline`: what its README says, here; its profiles, as the platforms read them."""

from __future__ import annotations

import re
import shlex

import pytest

from strata_git.contracts.chain import Chain
from strata_git.contracts.pipeline import S3Connector, S3Sink
from strata_git.load import load_yaml
from strata_git.pipeline.deploy.selection import require_kept, selected
from strata_git.pipeline.settings import load
from tests.pipeline.chain.working import outputs
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder

TEMPLATE = ROOT / "templates/pipeline"


@pytest.mark.parametrize("profile", ["aws_lambda", "aws_batch"])
def test_its_profiles_write_to_buckets_alone(profile: str) -> None:
    pipelines = load(TEMPLATE, {}, (), profile).pipelines
    chain = Chain.model_validate(load_yaml((TEMPLATE / "chains/summarise.yaml").read_bytes()).value)
    require_kept(chain, pipelines)
    assert isinstance(pipelines.sinks["records"], S3Sink)
    source = pipelines.connectors["docs"]
    assert isinstance(source, S3Connector)
    assert selected([(source.bucket, "in/a.md"), (source.bucket, "in/a.txt")], chain, pipelines) == ["a.md"]
    assert pipelines.processing.ocr.engine == "tesseract"


def test_its_prompt_is_the_examples() -> None:
    """So that one of them is not forgotten when the other changes."""
    there, example = (ROOT / "templates" / name / "prompts" for name in ("pipeline", "example"))
    files = sorted(path.relative_to(example) for path in example.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    assert all((there / path).read_bytes() == (example / path).read_bytes() for path in files)


@pytest.mark.heavy
def test_its_readme_runs(builder: Builder) -> None:
    repo: RepositoryBuilder = builder()
    repo.strata("init", "--template", "pipeline", "--no-lfs", "--no-hooks", ".").expect(0)
    script = re.findall(r"```sh\n(.*?)```", (TEMPLATE / "README.md").read_text(), re.S)[0]
    for line in script.splitlines():
        words = shlex.split(line)
        if words[:2] == ["git", "strata"]:
            repo.strata(*words[2:]).expect(0)
        else:
            for part in line.split(" && "):
                repo.git(*shlex.split(part)[1:])
    (run,) = (path.name for path in (repo.path / "runs").glob("run-*"))
    assert [row["document"] for row in outputs(repo, run)] == ["minutes.md"]
    assert (repo.path / "out" / run / "manifest.json").is_file()
