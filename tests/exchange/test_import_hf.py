"""Hugging Face directories as they lie on a disk."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.exchange.from_hf import HfImport, import_hf
from strata_git.load import load_yaml
from tests.index.opening import opened
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

CARD = """---
license: mit
library_name: transformers
pipeline_tag: text-classification
model-index:
  - name: tiny
    results:
      - task: {type: text-classification}
        dataset: {type: imdb, name: imdb, split: test}
        metrics:
          - {type: accuracy, value: 0.91}
          - {type: loss, name: eval_loss, value: 0.3}
---
# Tiny
"""


def safetensors() -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(head)) + head + b"\0" * 4


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.commit("Begin")
    return repo


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    place = tmp_path / "tiny"
    (place / ".cache" / "huggingface").mkdir(parents=True)
    (place / ".gitattributes").write_text("*.bin filter=lfs\n")
    (place / "README.md").write_text(CARD)
    (place / "config.json").write_text('{"transformers_version": "4.44.0"}')
    (place / "model.safetensors").write_bytes(safetensors())
    return place


def test_a_model_directory_becomes_a_version(repo: RepositoryBuilder, tiny: Path) -> None:
    made = import_hf(opened(repo), HfImport(tiny, "tiny", source="org/tiny@main"))
    said = load_yaml(repo.read("models/tiny/v1/metadata.yaml")).value
    assert isinstance(said, dict)
    assert (said["artifact"], said["format"], said["licence"]) == ("model.safetensors", "safetensors", "MIT")
    assert said["framework"] == {"name": "transformers", "version": "4.44.0"}
    assert load_yaml(repo.read("models/tiny/v1/metrics.yaml")).value == {
        "metrics": {
            "accuracy": {"value": 0.91, "direction": "higher", "tolerance": 0, "split": "test"},
            "eval_loss": {"value": 0.3, "direction": "lower", "tolerance": 0, "split": "test"},
        }
    }
    assert repo.read("models/tiny/v1/card.md").decode() == CARD
    assert (made.warnings, made.files) == ((), 5)
    repo.commit(made.message)
    repo.strata("doctor").expect(0, 1)


def test_a_card_without_figures_needs_one(repo: RepositoryBuilder, tiny: Path) -> None:
    (tiny / "README.md").write_text("---\nlicense: mit\n---\nWords.\n")
    with pytest.raises(StrataError, match="no figures") as told:
        import_hf(opened(repo), HfImport(tiny, "tiny"))
    assert "--metric" in told.value.hint
    import_hf(opened(repo), HfImport(tiny, "tiny", metrics=(("f1", 0.5),)))
    assert repo.read("models/tiny/v1/card.md").endswith(b"---\nWords.\n")
    repo.commit("Add")
    repo.strata("doctor").expect(0, 1)


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("harm",)


def test_pickles_come_in_only_when_asked_and_are_told(repo: RepositoryBuilder, tiny: Path) -> None:
    (tiny / "pytorch_model.bin").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(StrataError, match=r"pytorch_model\.bin") as told:
        import_hf(opened(repo), HfImport(tiny, "tiny"))
    assert "--allow-pickle" in told.value.hint
    assert not (repo.path / "models").exists()
    made = import_hf(opened(repo), HfImport(tiny, "tiny", pickles=True))
    assert any("builtins" in warning for warning in made.warnings)


def test_links_reserved_names_and_empty_directories(repo: RepositoryBuilder, tiny: Path, tmp_path: Path) -> None:
    (tiny / "blob").symlink_to("/etc/passwd")
    with pytest.raises(StrataError, match="is a link") as told:
        import_hf(opened(repo), HfImport(tiny, "tiny"))
    assert "--local-dir" in told.value.hint
    (tiny / "blob").unlink()
    (tiny / "metadata.yaml").write_text("x")
    with pytest.raises(StrataError, match="a version's own"):
        import_hf(opened(repo), HfImport(tiny, "tiny"))
    (tmp_path / "none").mkdir()
    with pytest.raises(StrataError, match="no weights"):
        import_hf(opened(repo), HfImport(tmp_path / "none", "tiny", kind="model"))
    assert not (repo.path / "models").exists()


def test_a_dataset_directory_with_its_splits(repo: RepositoryBuilder, tmp_path: Path) -> None:
    place = tmp_path / "data"
    (place / "data").mkdir(parents=True)
    (place / "data" / "train-0.csv").write_text("a\n1\n")
    (place / "data" / "test-0.csv").write_text("a\n2\n")
    (place / "README.md").write_text(
        "---\nlicense: cc-by-4.0\npretty_name: Some data\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - split: train\n    path: data/train-*\n  - split: test\n    path: [data/test-*]\n---\n"
    )
    made = import_hf(opened(repo), HfImport(place, "data"))
    said = load_yaml(repo.read(f"{made.artifact.path}/metadata.yaml")).value
    assert isinstance(said, dict)
    assert {name: split["rows"] for name, split in said["splits"].items()} == {"train": 1, "test": 1}
    assert (said["licence"], said["description"]) == ("CC-BY-4.0", "Some data")
