"""docs/rules.md is the catalog's table, as it is today."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from strata_git.checks.catalog import RULES
from strata_git.checks.selection import PROTECTED

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rules.md"


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/rules.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\nrun: make man"


def test_every_rule_has_a_line_that_leads_to_its_clause() -> None:
    rows = dict(re.findall(r"^\| (STR-\w+) (\|.*)$", PAGE.read_text(), re.MULTILINE))
    assert list(rows) == list(RULES)
    for rule in RULES.values():
        target, _, anchor = rule.anchor.partition("#")
        assert f"(../{rule.anchor})" in rows[rule.id]
        assert f'<a id="{anchor}"></a>' in (ROOT / target).read_text()
        assert ("(kept)" in rows[rule.id]) == (rule.severity == "error" and rule.id.startswith(PROTECTED))
    assert "| STR-" not in PAGE.read_text().replace("\n| STR-", "\n")


def test_the_readme_leads_there() -> None:
    assert "(docs/rules.md)" in (ROOT / "README.md").read_text()
