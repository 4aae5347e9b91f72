"""The text of the clause behind a rule, from the contracts that travel with the program."""

from __future__ import annotations

import re
from pathlib import Path

from strata_git.checks.rule import Rule
from strata_git.resources import folder


def clause_text(rule: Rule) -> str:
    """The text of the clause behind a rule: from its anchor to the next one or the next heading."""
    path = Path(folder("tfc")) / rule.anchor.partition("#")[0].removeprefix("tfc/")
    section = rule.anchor.partition("#")[2]
    text = path.read_text("utf-8") if path.is_file() else ""
    match = re.search(rf'<a id="{re.escape(section)}"></a>(.*?)(?=<a id="|^#|\Z)', text, re.DOTALL | re.MULTILINE)
    return match[1].strip() if match else ""
