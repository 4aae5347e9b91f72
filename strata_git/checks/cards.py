"""Model cards: the front matter that others read tells the same metrics as metrics.yaml (TFC-0005 section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isclose

from strata_git.checks.documents import Reading, read_document
from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, number, text

CARD = "card.md"


def judge_card(exhibit: Exhibit, metrics: Mapping[str, float | int]) -> Iterator[Finding]:
    """Judge the card by its front matter and the figures of metrics.yaml."""
    card = read_document(exhibit, CARD)
    yield from card.findings
    if card.findings or not card.legible:
        return  # what breaks its contract is not compared as well
    if not items(card.value.get("model-index")):
        yield found("STR-M007", card.path, "the front matter has no model-index", line=1)
    for line, names, value in _told(card):
        known = next((name for name in names if name in metrics), None)
        if known is None:
            yield found("STR-M003", card.path, f"metric '{names[0]}' is not in metrics.yaml", line=line)
        elif value is None or not isclose(value, metrics[known], rel_tol=1e-9, abs_tol=1e-12):
            said = "no number" if value is None else value
            message = f"metric '{known}' is {said} here, {metrics[known]} in metrics.yaml"
            yield found("STR-M003", card.path, message, line=line)


def _told(card: Reading) -> Iterator[tuple[int, list[str], float | int | None]]:
    """Line, possible names (name, then type) and value of every metric in the model-index."""
    for i, model in enumerate(items(card.value.get("model-index"))):
        for j, result in enumerate(items(dig(model, "results"))):
            for k, metric in enumerate(items(dig(result, "metrics"))):
                names = [name for key in ("name", "type") if (name := text(dig(metric, key))) is not None]
                line = card.line("model-index", i, "results", j, "metrics", k)
                yield line, names or ["?"], number(dig(metric, "value"))
