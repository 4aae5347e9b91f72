"""JUnit's XML: well-formed whatever a name holds, counted rightly, and as strict as it was asked to be."""

from __future__ import annotations

import os
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from strata_git.checks.finding import Finding, found
from strata_git.checks.junit import to_junit

ERROR = found("STR-C005", "datasets/iris/v1/train.csv", 'differs <"&">')
WARNING = found("STR-D003", "datasets/iris/v1/metadata.yaml", "splits share", line=7, commit="c" * 40)
INFO = found("STR-L014", ".", "no runs/ yet")


def suite(findings: list[Finding], **more: object) -> ET.Element:
    said = {"subject": "the working tree", "artifacts": 3} | more
    root = ET.fromstring(to_junit(findings, **said).encode())  # type: ignore[arg-type]
    (inner,) = root
    cases = list(inner)
    for element in (root, inner):
        assert element.get("tests") == str(len(cases))
        assert element.get("failures") == str(len(inner.findall("testcase/failure")))
        assert element.get("skipped") == str(len(inner.findall("testcase/skipped")))
    return inner


def test_errors_fail_warnings_are_skipped_information_passes() -> None:
    found = suite([ERROR, WARNING, INFO])
    assert [case.get("classname") for case in found] == ["STR-L014", "STR-D003", "STR-C005", "git-strata doctor"]
    assert [child.tag for case in found for child in case] == ["system-out", "skipped", "failure"]
    failure = found[2][0]
    assert failure.attrib == {"type": "error", "message": 'differs <"&">'}
    assert "fix: " in (failure.text or "")
    assert found[1].get("line") == "7"
    assert found[1].get("file") == "datasets/iris/v1/metadata.yaml"


def test_under_strict_warnings_and_gaps_fail() -> None:
    found = suite([WARNING, INFO], strict=True, unjudged=("2 artifacts",))
    assert [child.tag for case in found for child in case] == ["system-out", "failure", "failure"]
    found = suite([WARNING, INFO], unjudged=("2 artifacts",))
    assert [child.tag for case in found for child in case] == ["system-out", "skipped", "skipped"]


def test_nothing_found_is_one_test_that_passed() -> None:
    (case,) = suite([])
    assert (case.get("name"), len(case)) == ("3 artifacts judged", 0)


def test_control_characters_are_shown_and_never_written() -> None:
    odd = found("STR-L001", os.fsdecode(b"datasets/\x00\x1b\xff\xef\xbf\xbe\xe2\x80\xae"), "\x0b\x7f\ufffe]]>")
    text = to_junit([odd], subject="x\x01", artifacts=0)
    assert "\\x1b\\xff" in text
    assert not {char for char in text if ord(char) < 32 and char != "\n"}
    ET.fromstring(text.encode())


@given(st.text(), st.text(st.characters(), max_size=50))
def test_it_is_always_well_formed(name: str, message: str) -> None:
    finding = Finding("STR-L001", "error", f"datasets/{name}", 0, message, "fix")
    assert len(suite([finding])) == 2
