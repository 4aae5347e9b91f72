"""Pages written as Markdown, HTML, JSON and text: nothing of a stranger acts, nothing is left out unsaid."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from strata_git.checks.finding import Finding
from strata_git.contracts.layout import Artifact
from strata_git.doctor.verdict import Verdict
from strata_git.index.records import Introduction, Signature, StageRecord
from strata_git.integrity.metric_gates import Figure
from strata_git.report.document import report_document
from strata_git.report.html import to_html
from strata_git.report.markdown import LIMIT, to_markdown
from strata_git.report.plots import line_plot, sparkline
from strata_git.report.sections import Page, lines_of, sections_of
from strata_git.report.text import to_text
from strata_git.report.values import Change, Doubt, Gated, Measured, Report, Series, Size
from strata_git.report.words import bytes_text, headline
from tests.report.test_escape import GFM, PAYLOADS

OID = "a" * 40
VOID = {"meta", "link", "br", "img", "input"}


def report(evil: str = "fine", many: int = 1) -> Report:
    """A report in which everything that a stranger may write says `evil`."""
    finding = Finding("STR-D001", "error", f"datasets/{evil}", 3, evil, evil, OID)
    signature = Signature("F" * 40, evil, "good")
    event = StageRecord(Artifact("model", "forest", "v1"), "entering", "production", evil, OID, OID, "2026-01-01", None,
                        signature, reason=evil)  # fmt: skip
    return Report(
        OID, OID, OID, Verdict(evil, tuple(Finding("STR-D001", "error", evil, n, evil, evil) for n in range(many))
                               or (finding,), unjudged=(evil,)),
        changes=(Change(evil, "model", "added", evil, 1, 5, None, (evil,)),) * many,
        measured=(Measured(evil, "model", evil, Figure(0.5, "higher", 0.1, 3), evil, "production",
                           Figure(0.9)),),
        gated=(Gated(evil, evil, evil),),
        doubts=(Doubt("leakage", evil, evil),),
        series=(Series(evil, evil, "higher", ((evil, 0.5), (evil, 0.7))),),
        events=(event,),
        commits=(Introduction(OID, evil, "2026-01-01", evil, signature),),
        size=Size(1, 2048, 1, 1024, 1),
        notes=(evil,),
    )  # fmt: skip


def page(made: Report, evil: str = "main") -> Page:
    return Page(headline(made), made.exit_code(), tuple(lines_of(made, evil, evil)), tuple(sections_of(made)))


class Reader(HTMLParser):
    """Every element with its attributes; that they are closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("evil", PAYLOADS)
def test_html_holds_no_element_of_a_stranger(evil: str) -> None:
    text = to_html(page(report(evil), evil), title="Change", series=report(evil).series)
    text.encode()
    reader = Reader()
    reader.feed(text)
    clean = Reader()
    clean.feed(to_html(page(report()), title="Change", series=report().series))
    assert reader.open == []
    assert {tag for tag, _ in reader.seen} <= {tag for tag, _ in clean.seen} | {"code"}
    for tag, attributes in reader.seen:
        assert tag not in ("script", "img", "a", "iframe", "object", "form", "link", "base")
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "href", "src")]


def test_html_forbids_all_but_its_own_style() -> None:
    text = to_html(page(report()), title="Change")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy is not None
    assert style is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#x27;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert b64decode(rules["style-src"].strip("'").removeprefix("sha256-")) == sha256(style[1].encode()).digest()
    assert set(rules) == {"default-src", "style-src", "base-uri", "form-action"}
    assert "://" not in text
    assert '<html lang="en">' in text


@pytest.mark.parametrize("evil", [text for text in PAYLOADS if text])
def test_markdown_holds_no_markup_of_a_stranger(evil: str) -> None:
    told = [to_markdown(page(report(text), text)) for text in (evil, "fine")]
    seen, clean = ([token.type for token in GFM.parse(text)] for text in told)
    assert seen == clean
    inline = {child.type for token in GFM.parse(told[0]) for child in token.children or ()}
    assert inline <= {"text", "text_special", "code_inline"}


@pytest.mark.parametrize("evil", ["fine", "x" * 5000, "`|@\U0001f600" * 100])
def test_markdown_fits_into_a_comment_and_says_what_is_missing(evil: str) -> None:
    made = page(report(evil, 5000))
    text = to_markdown(made)
    assert len(text.encode()) <= LIMIT
    for section in made.sections:
        shown = text.partition(f"#### {section.title}\n")[2].partition("\n#### ")[0]
        rows = [line for line in shown.split("\n") if line.startswith("| ")][1:]
        missing = re.search(r"… and (\d+) more, left out here", shown)
        assert rows, section.title
        assert len(rows) + int(missing[1] if missing else 0) == len(section.rows)


def test_everything_is_in_the_json() -> None:
    made = report("<b>", 100)
    document = json.loads(json.dumps(report_document(made, 2)))
    assert document["schema"] == "strata/report/v1"
    assert len(document["changes"]) == len(document["findings"]) == 100
    assert document["metrics"][0]["verdict"] == "worse"
    assert document["gates"] == [{"model": "<b>", "gate": "<b>", "passed": False, "why": "<b>"}]


def test_text_is_aligned_and_printable() -> None:
    lines = to_text(page(report("\x1b[31m"))).split("\n")
    table = [line for line in lines if line.startswith("  ")]
    assert table
    assert not any("\x1b" in line for line in table)


def test_plots() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█" or sparkline([0.0, 0.5, 1.0]) == "▁▄█"
    assert sparkline([2.0, 2.0]) == "▄▄"
    assert sparkline([]) == ""
    assert len(sparkline(list(range(100)))) == 40
    assert sparkline([-1.7e308, 1.7e308]) == "▁█"
    text = line_plot(Series("m", "loss", "lower", (("v1", 1.0), ("v2", float("nan")), ("v3", 0.5))))
    assert text.count("<circle") == 2
    assert "nan" not in text
    assert line_plot(Series("m", "loss", "lower", ())).endswith("</svg>")


@pytest.mark.parametrize(
    ("size", "told"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (1 << 40, "1.0 TiB")]
)
def test_sizes(size: int, told: str) -> None:
    assert bytes_text(size) == told
