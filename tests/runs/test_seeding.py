"""One seed for the global generators, whenever their modules are loaded."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np

from strata_git.runs.seeding import seed_everything, seeded

FAKE = "drawn = []\ndef manual_seed(seed): drawn.append(seed)\n"


def drawn(code: str, *, path: Path | None = None) -> str:
    """What a fresh Python prints that runs `code` within a seeded block."""
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    before = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    whole = f"{before}from strata_git.runs.seeding import seeded\nwith seeded(7):\n{lines}\n"
    return subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True).stdout


def test_what_is_loaded_is_seeded_at_once_and_python_goes_on_afterwards() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with seeded(7):
        one = (random.random(), np.random.rand())
    assert random.random() == expected
    with seeded(7):
        assert (random.random(), np.random.rand()) == one
    with seeded(8):
        assert (random.random(), np.random.rand()) != one
    assert "numpy.random" in seed_everything(7)


def test_what_is_loaded_later_is_seeded_then(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(FAKE)
    code = (
        "assert 'numpy' not in sys.modules\nimport numpy, torch\n"
        "print(numpy.random.rand(), torch.drawn, type(torch.__loader__).__name__, type(torch.__spec__.loader).__name__)"
    )
    expected = np.random.RandomState(7).rand()
    assert drawn(code, path=tmp_path) == f"{expected} [7] SourceFileLoader SourceFileLoader\n"


def test_a_module_that_is_not_there_stays_so(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import no_such_module\n")
    code = "try:\n    import torch\nexcept ImportError as error:\n    print(error.name)"
    assert drawn(code, path=tmp_path) == "no_such_module\n"
